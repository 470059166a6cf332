//! The stage that takes webhooks in.
