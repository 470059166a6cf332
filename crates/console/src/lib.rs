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

/// A webhook is taken in by one thread and let go of by another, which that of the C library is slow at: with this one
/// `leadops up` takes in a sixth more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// Only for their features: `Cargo.toml` says why.
use {
    futures_channel as _, getrandom as _, libc as _, log as _, regex_syntax as _, rustix as _,
    simd_adler32 as _, similar as _, tracing as _,
};
