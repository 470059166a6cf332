//! The console: in a real terminal, and its pictures in the documentation.

#![allow(clippy::unwrap_used)]

mod pictures;
mod terminal;
