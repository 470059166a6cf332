//! The console: what goes on in a pipeline, on one screen, and the keys to mend it.
//!
//! ```text
//! key, reply, second ──▶ update(App, Msg) ──▶ App ──▶ view      what is drawn
//!                             │                                 (formats only, never fetches)
//!                             └──▶ Vec<Cmd> ──▶ effect ──▶ Reply, back as a Msg
//! ```
//! [`update::update`] is pure: no I/O, no clock. Everything that takes time is a [`msg::Cmd`], carried
//! out in a task of its own, so that no key ever waits for a store or a network.

pub mod app;
pub mod doc;
pub mod effect;
#[cfg(test)]
mod fixture;
pub mod format;
pub mod keymap;
pub mod layout;
pub mod msg;
pub mod remote;
mod run;
mod term;
#[cfg(test)]
mod tests;
pub mod text;
pub mod theme;
pub mod update;
pub mod view;

pub use app::Banner;
pub use run::run;
