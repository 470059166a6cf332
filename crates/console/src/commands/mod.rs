//! The commands, one file each or per family.

pub(crate) mod act;
pub(crate) mod confirm;
pub(crate) mod dead;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod logs;
pub(crate) mod see;
pub(crate) mod send;
pub(crate) mod setup;
pub(crate) mod subscribe;
