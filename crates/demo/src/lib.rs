//! The demo's world: what is outside of leadops, played on this machine over real HTTP.
//!
//! A [`Scenario`] makes up leads, a [`Sender`] signs and posts them as Close would. Each neighbour is told of a lead
//! before it is sent and has it in a form of its own: the `CloseStandIn` in its API, the [`OwnerStandIn`] as a document
//! in the bucket, for whoever plays the samples to a pipeline with the default source. The [`SlackStandIn`] keeps
//! count of what the team was told.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod balance;
mod close_stand_in;
mod local_server;
mod organization;
mod owner_directory;
mod run;
mod scenario;
mod sender;
mod shown;
mod slack_stand_in;
mod still;

pub use owner_directory::{OwnerStandIn, Says};
pub use run::{Options, run};
pub use scenario::{Misfortune, Sample, Scenario};
pub use sender::{Account, Answer, Sender};
pub use slack_stand_in::{Mood, SlackStandIn, Told, ToldLead};
pub use still::still;
