//! What a lead is: Close's event, the owner document, the enriched lead, object keys and the texts
//! of the alerts.
//!
//! Pure: no I/O, no clock, no randomness. Everything that comes from outside is checked once, here,
//! and is a type afterwards.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alert;
pub mod close;
pub mod document;
pub mod email;
mod enriched;
mod event;
pub mod gzip;
mod id;
mod json;
pub mod keys;
mod nobody;
mod owner;
mod people;
pub mod slack;
pub mod text;
mod time;
mod trial;

pub use alert::{Alert, AlertKind};
pub use document::{Document, Fields, Unreadable};
pub use enriched::{EnrichedLead, OwnerStatus, UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL};
pub use event::{CreatedLead, Incoming, Malformed};
pub use id::{InvalidLeadId, LeadId};
pub use jiff::Timestamp;
pub use json::Json;
pub use nobody::means_nobody;
pub use owner::{BrokenOwner, Owner, OwnerDocument, OwnerFacts};
pub use time::{from_millis, parse_time};
