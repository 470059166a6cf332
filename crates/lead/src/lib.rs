//! What a lead is: the owner document, the enriched lead, object keys and the texts of the alerts.
//!
//! Pure: no I/O, no clock, no randomness. Everything that comes from outside is checked once, here,
//! and is a type afterwards.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alert;
pub mod email;
mod enriched;
pub mod keys;
mod owner;
mod people;
pub mod slack;
mod trial;

pub use alert::{Alert, AlertKind};
pub use close::LeadId;
pub use enriched::{EnrichedLead, OwnerStatus};
pub use jiff::Timestamp;
pub use outside::{UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL};
pub use owner::{BrokenOwner, Owner, OwnerDocument, OwnerFacts};
