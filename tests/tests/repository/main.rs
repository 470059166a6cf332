//! The repository itself: what it depends on, how it builds, and whether its documents lead anywhere.

#![allow(clippy::unwrap_used)]

mod links;
mod one_build;
mod supply_chain;
