//! HTTP requests to other people's servers: the one way to make a client, and to read an answer.
//!
//! Invariants: every answer is bounded in size; nothing is retried; no redirect is followed unless the caller says which;
//! no error text contains the URL.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
pub mod retry_after;
mod shown;

pub use client::{
    BodyRead, USER_AGENT, builder, error_text, is_closed, is_on_this_machine, is_proxy_error, is_unsent,
    line, read_limited, without_trailing_dot,
};
pub use shown::shown;
