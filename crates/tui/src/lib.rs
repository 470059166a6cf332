//! The console: what goes on in a pipeline, on one screen, and the keys to act on it.
//!
//! ```text
//! key, reply, second ──▶ update(App, Msg) ──▶ App ──▶ view      what is drawn
//!                             │                                 (formats only, never fetches)
//!                             └──▶ Vec<Cmd> ──▶ effect ──▶ Reply, back as a Msg
//! ```
//! [`update::update`] is pure: no I/O, no clock. Everything that takes time is a [`msg::Cmd`], carried
//! out in a task of its own, so that no key ever waits for a store or a network.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod app;
pub mod doc;
pub mod draw;
pub mod effect;
pub mod find;
#[cfg(test)]
mod fixture;
pub mod format;
pub mod frame;
pub mod keymap;
pub mod layout;
pub mod line;
pub mod list;
pub mod msg;
pub mod panel;
pub mod remote;
pub mod rows;
mod run;
pub mod scene;
pub mod source;
pub mod table;
pub mod table_view;
pub mod tail;
mod term;
#[cfg(test)]
mod tests;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;
pub mod views;
pub mod window;

pub use run::{Options, run};
pub use source::{Banner, Environments, NoEnvironments, Source};
