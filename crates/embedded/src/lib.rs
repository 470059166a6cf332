//! The whole pipeline in one process, over a store: the webhook listener and the workers.
//!
//! * [`Up`] is a pipeline at work, [`Options`] what it is to be.
//! * [`listener`] answers webhooks, `workers` take messages from the queues to the stages.
//! * [`view`] is the operator's view of a store, also of one that nobody works on.
//!
//! Invariants:
//! * A store is the ports of [`Storage`] and nothing else: no SQL, no file names.
//! * What a webhook or a message means is decided in `pipeline`, never here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod listener;
pub mod logging;
mod refusals;
mod running;
mod storage;
mod up;
mod workers;

pub use refusals::Refusals;
pub use running::Running;
pub use storage::{Storage, stages, view};
pub use up::{OWNER_PATIENCE, Options, Up};
