//! The ports on one SQLite file, the webhook listener and the workers: the whole pipeline in one
//! process.
//!
//! * [`Store`] keeps everything (objects, both queues, dead letters, journal, logs) in `leadops.db`.
//! * [`listener`] answers webhooks, [`workers`] takes messages from the queues to the stages.
//! * [`clock`] is the machine's own time and randomness.
//!
//! Invariants:
//! * No SQL outside this crate, and inside it only below `store`.
//! * Every write goes through the store's one writer thread; what it has answered is on the disk.
//! * No call on a [`Store`] blocks the async executor; opening one does.
//! * A file that is damaged, foreign or of a newer version is never written to.
//! * What a webhook or a message means is decided in `pipeline`, never here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod listener;
pub mod private;
pub mod store;
pub mod workers;

pub use store::{Options, QueueOptions, Refusals, Retention, Store};
