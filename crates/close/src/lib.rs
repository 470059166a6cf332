//! Close: its events, signatures, identities, links and API.
//!
//! Shapes and rules: <https://developer.close.com>.
//!
//! * [`Incoming`] is what a webhook's body turns out to be, [`signature`] what proves that it is Close's.
//! * [`LeadId`] is checked once, and safe in a key, a URL and a terminal from then on.
//! * [`LeadAnswer`], [`Roster`], [`Account`] and their kin are what the API answers, as far as leadops reads it.
//!
//! * [`client`] asks the API; the functions that never do are built without it.
//!
//! Invariants: no rule about what becomes of a lead; no `LO` code, but an [`Error`] for each case that a caller
//! tells apart.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answers;
#[cfg(feature = "client")]
pub mod client;
mod error;
mod event;
pub mod headers;
mod id;
mod ids;
mod reads;
pub mod signature;

pub use answers::{
    Account, CustomField, FieldId, FieldSetting, LeadAnswer, Member, Owned, Role, Roster, Who, custom_fields,
    is_user, roles,
};
pub use error::Error;
pub use event::{CreatedLead, Incoming, Malformed};
pub use id::{InvalidLeadId, LeadId};
pub use ids::{is_id, unnamed, without_ids};
pub use reads::{CloseAnswer, CloseReads, Window};
