//! HTTP requests to other people's servers: the one way to make a client, and to read an answer.
//!
//! Invariants: every answer is bounded in size; nothing is repeated by itself; no redirect is followed unless the caller
//! says which; no text of an error holds the URL.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
pub mod retry_after;
mod shown;

pub use client::{
    Ended, USER_AGENT, builder, error_text, is_by_proxy, is_closed, is_on_this_machine, line, never_left,
    read_start, rooted,
};
pub use shown::shown;
