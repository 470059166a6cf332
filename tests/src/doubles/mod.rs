//! Neighbours that answer as a test scripts it, and remember what they were asked.

mod mail;
mod owners;
mod slack;

pub use mail::ScriptedMailer;
pub use owners::ScriptedOwners;
pub use slack::{Posted, Reply, ScriptedSlack};
