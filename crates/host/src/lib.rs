//! The machine that a person's process runs on: files that are private, the signals that end it, its user and the
//! user's editor, and what it prints.
//!
//! Invariants:
//! * Nothing of a pipeline's is made but by [`private`].
//! * No command prints but by [`output`]: no text from outside steers a terminal. (Log lines are the process's own.)
//! * No rule about leads; no function on AWS needs it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod editor;
pub mod output;
pub mod private;
mod signals;
mod user;

pub use signals::ShutdownSignals;
pub use user::user;
