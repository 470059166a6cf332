//! Text and documents from outside, read leniently and made harmless.
//!
//! Pure: no I/O, no clock. Nothing here knows what a lead is.
//!
//! * [`text`] makes text safe for a message, a header or a terminal cell.
//! * [`Document`] reads a JSON object field by field: a broken one does not affect the others.
//! * [`is_placeholder`] recognises texts that stand for an empty field.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod document;
pub mod gzip;
mod json;
mod pasted;
mod placeholder;
mod status;
pub mod text;
mod time;

pub use document::{Document, Fields, Unreadable};
pub use json::Json;
pub use pasted::{plain_name, unpasted};
pub use placeholder::{UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL, is_placeholder};
pub use status::is_of_an_intermediary;
pub use time::{from_millis, parse_time, time_left};
