//! The real functions on a small Lambda, with moto as AWS.

#![allow(clippy::unwrap_used)]

mod alerts;
