//! Asking Close's API: webhook subscriptions for the commands, and what owners are looked up with.

mod filter;
mod limits;
mod reader;
mod said;
mod secret;
mod subscription;
mod subscriptions;
mod transport;

pub use reader::{CloseReader, HoldsKeys};
pub use secret::{ApiKeys, CloseSecret};
pub use subscription::Subscription;
pub use subscriptions::{CloseApi, Sleep};
pub use transport::CloseBase;
