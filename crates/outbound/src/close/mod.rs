//! Close's API: webhook subscriptions for the commands, and what owners are looked up with.

mod limits;
mod reader;
mod secret;
mod subscriptions;
mod transport;

pub use reader::{CloseReader, HoldsKeys};
pub use secret::{ApiKeys, CloseSecret};
pub use subscriptions::{CloseApi, Subscription};
pub use transport::CloseBase;
