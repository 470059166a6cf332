//! The `leadops` binary: the command line and the console. Wires the other crates together.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
mod editor;
pub mod endings;
mod export;
pub mod logging;
pub mod output;
pub mod owner_cell;
pub mod tui;
pub mod up;
pub mod usage;
mod who;
pub mod wiring;
