//! Close: its events, signatures, ids, links and API.
//!
//! Shapes and rules: <https://developer.close.com>.
//!
//! * [`Incoming`] is the event in a webhook's body, [`signature`] proves that it is Close's.
//! * [`LeadId`] is checked once and is safe in a key, a URL and a terminal from then on.
//! * [`LeadAnswer`], [`MemberList`], [`Account`] and others are the answers of the API, as far as leadops reads them.
//!
//! * [`client`] calls the API; functions that never do are built without it.
//!
//! Invariants: no rule about what happens to a lead; no `LO` code, but an [`Error`] for each case that callers
//! distinguish.

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
    Account, CustomField, CustomFieldOwners, FieldId, FieldSetting, LeadAnswer, Member, MemberList,
    MemberMatch, Role, custom_fields, is_user, roles,
};
pub use error::Error;
pub use event::{CreatedLead, Incoming, Malformed};
pub use id::{InvalidLeadId, LeadId};
pub use ids::{is_id, unnamed, without_ids};
pub use reads::{CloseAnswer, CloseApi, RateLimitWindow};
