//! The demo: a real pipeline, and fakes of everything outside of leadops, on this machine over real HTTP.
//!
//! A [`Scenario`] makes up leads, a [`Sender`] signs and posts them as Close would. Each fake gets a lead before it is
//! sent, in its own form: `FakeClose` serves it from its API, [`FakeOwnerDirectory`] as a document in the bucket, for
//! tests of a pipeline with the default source. [`FakeSlack`] records the alerts.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod fake_close;
mod fake_owner_directory;
mod fake_slack;
mod local_server;
mod organization;
mod run;
mod scenario;
mod sender;
mod shown;
mod still;
mod tally;

pub use fake_owner_directory::{DirectoryAnswer, FakeOwnerDirectory};
pub use fake_slack::{FakeSlack, LeadMention, ReceivedMessage, SlackMode};
pub use run::{Options, run};
pub use scenario::{Problem, Sample, Scenario};
pub use sender::{Answer, SendStats, Sender};
pub use still::still;
