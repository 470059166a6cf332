//! The ports on one SQLite file, the webhook listener and the workers: the whole pipeline in one
//! process.
//!
//! * [`Store`] keeps everything (objects, both queues, dead letters, journal, logs) in `leadops.db`.
//! * [`clock`] is the machine's own time and randomness.
//!
//! Invariants:
//! * No SQL outside this crate, and inside it only below `store`.
//! * Every write goes through the store's one writer thread; what it has answered is on the disk.
//! * No call on a [`Store`] blocks the async executor; opening one does.
//! * A file that is damaged, foreign or of a newer version is never written to.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod clock;
pub mod store;

pub use store::{Options, QueueOptions, Retention, Store};
