//! The `leadops` binary: the command line and the console. Wires the other crates together.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
mod commands;
pub mod config;
mod run;
mod table;
mod up;
pub mod usage;
pub mod wiring;

pub use run::run;

// Only for their features: `Cargo.toml` says why.
use {
    futures_channel as _, getrandom as _, libc as _, log as _, regex_syntax as _, rustix as _,
    simd_adler32 as _, similar as _, tracing as _,
};
