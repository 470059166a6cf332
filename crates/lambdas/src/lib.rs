//! The four Lambda functions, as a library that their thin binaries start.
//!
//! A function is the wiring of a stage: it reads its environment, connects while Lambda starts it, turns
//! Lambda's events into the ports' messages, and reports to Lambda exactly what failed.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod arrivals;
pub mod batch;
mod close_keys;
pub mod common;
pub mod destinations;
pub mod housekeeping;
pub mod http;
pub mod ingestion;
pub mod inline_outbox;
pub mod logging;
pub mod metrics;
pub mod notification;
pub mod processor;
pub mod settle;
pub mod start;
