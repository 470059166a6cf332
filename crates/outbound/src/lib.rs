//! Other people's servers: owner directory, and destinations of alerts.
//!
//! Every call is bounded in time and in size, none of a port is repeated here (when to try again is the
//! stages' decision), and no error text holds a secret. Beside the ports there is what can be
//! known of the address that Close posts to.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod address;
pub mod destinations;
mod head;
mod owners;
mod page;
#[cfg(test)]
mod recorded;
mod rotating;
mod secret_url;
mod slack;
#[cfg(feature = "smtp")]
mod smtp;
mod source;
mod status;
pub mod webhook;

pub use head::Unanswered;
pub use owners::{HttpOwners, OwnersBase};
pub use secret_url::SecretUrl;
pub use slack::{Looked, Slack, SlackAnswer, SlackDestination, SlackError, SlackWebhook};
#[cfg(feature = "smtp")]
pub use smtp::{SmtpMailer, SmtpSettings};
pub use source::{NoKeys, OwnerSource};
