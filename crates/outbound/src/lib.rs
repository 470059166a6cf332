//! The ports that reach other people's servers: owner directory, Slack, SMTP.
//!
//! Every call is bounded in time and in size, none is repeated here (when to try again is the
//! stages' decision), and no error text holds a secret.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod client;
mod owners;
mod slack;
mod smtp;

pub use owners::{HttpOwners, OwnersBase};
pub use slack::{SecretUrl, SlackWebhook};
pub use smtp::{SmtpMailer, SmtpSettings};
