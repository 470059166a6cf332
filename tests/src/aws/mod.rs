//! AWS for tests: moto as its services, and what runs on it.

mod moto;
mod python;
mod server;
mod subject;

pub use moto::{Mail, Moto, QueueRules, REGION};
