//! The stage that looks owners up.
