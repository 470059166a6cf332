//! Putting the parts together: the one place where ports meet their adapters.

mod console;
#[cfg_attr(not(feature = "aws"), path = "wiring/without_aws.rs")]
mod on_aws;
mod place;

pub use console::Configured;
pub use on_aws::{OnAws, SignatureSecret, on_aws};
pub use place::{AwsSite, Facts, Opened, Site, open_place};
