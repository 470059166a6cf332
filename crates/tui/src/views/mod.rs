//! The views, one file each.

pub mod dead;
pub mod leads;
pub mod log;
pub mod pending;
