//! Test support: scripted neighbours, AWS and Close on this machine, and the simulator. What each adapter of a port
//! must do, with virtual time and every port in memory, is a crate of its own, `conformance`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

pub mod aws;
pub mod close;
pub mod destinations;
pub mod directory;
pub mod doubles;
pub mod faulty;
pub mod hanging_server;
pub mod harness;
pub mod hostile;
pub mod http;
pub mod lambda;
pub mod neighbours;
pub mod operator;
pub mod pictures;
pub mod process;
pub mod proxies;
mod python;
pub mod receiver;
pub mod sim;
pub mod template;
pub mod time;
pub mod upgrade;

pub use conformance::{clock, memory};
