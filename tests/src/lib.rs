//! Test support: virtual time, every port in memory, scripted neighbours, and the conformance suites
//! that each adapter of a port passes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

pub mod aws;
pub mod clock;
pub mod close;
pub mod conformance;
pub mod desk;
pub mod destinations;
pub mod directory;
pub mod doubles;
pub mod faulty;
pub mod held;
pub mod hostile;
pub mod http;
pub mod lambda;
pub mod memory;
pub mod neighbours;
pub mod pictures;
pub mod process;
pub mod proxies;
mod python;
pub mod receiver;
pub mod sim;
pub mod template;
pub mod time;
pub mod upgrade;
pub mod world;
