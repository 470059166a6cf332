//! AWS for tests: moto as its services, and what runs on it.

mod moto;
mod proxy;
mod server;
mod stack;
mod subject;

pub(crate) use moto::RoleKeys;
pub use moto::{Mail, Moto, Permission, QueueRules, REGION, Stored};
pub use proxy::{Call, Proxy, ProxyFault};
pub use stack::Stack;
pub use subject::subject;
