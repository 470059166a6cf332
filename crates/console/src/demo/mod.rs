//! The demo's world: what is outside of leadops, played on this machine over real HTTP.
//!
//! A [`Scenario`] makes up leads, a [`Sender`] signs and posts them as Close would, the
//! [`OwnerStandIn`] knows their owners and the [`SlackStandIn`] keeps count of what the team was told.

mod local_server;
mod owner_directory;
mod run;
mod scenario;
mod sender;
mod slack_stand_in;
mod still;

pub use owner_directory::{OwnerStandIn, Says};
pub use run::run;
pub use scenario::{Misfortune, Sample, Scenario};
pub use sender::{Account, Answer, Sender};
pub use slack_stand_in::{Mood, SlackStandIn, Told, ToldLead};
