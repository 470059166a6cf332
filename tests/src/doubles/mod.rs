//! Neighbours that answer as a test scripts it, and remember what they were asked.

mod destination;
mod mail;
mod owners;
mod slack;
mod smtp;

pub use destination::{ReceivedMessage, ScriptedDestination};
pub use mail::ScriptedMailer;
pub use owners::ScriptedOwners;
pub use slack::{Posted, Reply, ScriptedSlack};
pub use smtp::{SmtpStandIn, leads_of_mail};
