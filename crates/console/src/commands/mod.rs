//! The commands, one file each or per family.

pub mod act;
pub mod confirm;
pub mod dead;
pub mod doctor;
pub mod logs;
pub mod see;
pub mod send;
pub mod setup;
pub mod subscribe;
