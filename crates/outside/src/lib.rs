//! Text and documents from outside, read leniently and made harmless.
//!
//! Pure: no I/O, no clock. Nothing here knows what a lead is.
//!
//! * [`text`] makes a text fit for a message, a header, a cell of a terminal.
//! * [`Document`] reads a JSON object field by field: one that is broken takes no other with it.
//! * [`is_placeholder`] knows what an empty field is called elsewhere.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod document;
pub mod gzip;
mod json;
mod pasted;
mod placeholder;
pub mod text;
mod time;

pub use document::{Document, Fields, Unreadable};
pub use json::Json;
pub use pasted::{plain_name, unpasted};
pub use placeholder::{UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL, is_placeholder};
pub use time::{from_millis, parse_time};
