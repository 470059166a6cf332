//! The one place where ports meet their adapters.

mod console;
#[cfg_attr(not(feature = "aws"), path = "wiring/without_aws.rs")]
mod on_aws;
mod place;
mod store;

pub use console::ConfigEnvironments;
pub use on_aws::{OnAws, SignatureSecret, on_aws};
pub use place::{OpenPipeline, open_place};
pub use store::{create_store, open_store, view};
