//! Other people's servers: owner directory, and destinations of alerts.
//!
//! Every call is bounded in time and in size, nothing is retried here (the stages decide when to retry), and no
//! error text contains a secret. Besides the ports, [`address`] examines the URL that Close posts to.

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
pub use slack::{IncomingWebhook, SlackAnswer, SlackDestination, SlackError, SlackProbe, SlackWebhook};
#[cfg(feature = "smtp")]
pub use smtp::{SmtpMailer, SmtpSettings};
pub use source::{NoKeys, OwnerSource};
