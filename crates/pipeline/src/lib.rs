//! The stages ingest, process and notify, over small ports.
//!
//! A lead's path: [`ingest`] checks and stores the webhook → the delay queue holds it back →
//! [`process`] looks the owner up and writes the enriched lead → the notification queue →
//! [`notify`] alerts the team, once per [`destination`], proven by a [`receipt`]. Every step leaves an
//! [`Entry`] in the journal.
//!
//! Nothing here does I/O, reads a clock or rolls dice: all that comes in through [`ports`], so that
//! the same code runs in one process, in Lambda functions and in a simulator.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod alert_queue;
mod check;
mod code;
pub mod destination;
pub mod driver;
mod fault;
pub mod ingest;
pub mod job;
mod journal_event;
mod lock;
mod log_record;
pub mod notify;
pub mod owners;
pub mod ports;
pub mod process;
mod progress;
pub mod receipt;
pub mod recorder;
mod refused;
mod settings;
pub mod stages;
pub mod store_retry;
mod throttle;
pub mod unsigned;
pub mod webhook;

pub use check::CheckOutcome;
pub use code::{Code, RetryState};
pub use fault::Fault;
pub use journal_event::{Entry, JournalEvent, Stage};
pub use lock::lock;
pub use log_record::LogRecord;
pub use progress::{Ended, LeadMetric, Progress, State, overdue_before};
pub use recorder::{Function, Recorder};
pub use refused::Refused;
pub use settings::{SecretText, Settings, Variables};
pub use throttle::Throttle;
