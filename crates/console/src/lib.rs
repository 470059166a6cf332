//! The leadops binary: command line and console.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod demo;
