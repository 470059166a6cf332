//! A small Lambda: it runs the real binaries of a stack's functions as Lambda would.
//!
//! Each function has what its stack in moto says: variables, time limit, memory, and the credentials of its
//! own role alone. Its processes get events from a Runtime API of their own, one at a time; queues are
//! polled by the figures of their mappings; what is printed goes to CloudWatch.

mod api;
mod configuration;
mod environment;
mod events;
mod gateway;
mod host;
mod lineage;
mod logs;
mod mapping;
mod pool;
mod testbed;

pub use configuration::{Ahead, Configuration, Mapping};
pub use environment::Failure;
pub use gateway::{Gateway, Shape};
pub use host::Host;
pub use testbed::AwsTestbed;
