//! The client for Close's API: webhook subscriptions for the commands, and reading for the look-up of owners.

mod filter;
mod limits;
mod reader;
mod said;
mod secret;
mod subscription;
mod subscriptions;
mod transport;

pub use reader::{CloseReader, KeySource};
pub use secret::{ApiKeys, CloseSecret};
pub use subscription::Subscription;
pub use subscriptions::{CloseApi, Sleep};
pub use transport::CloseBase;
