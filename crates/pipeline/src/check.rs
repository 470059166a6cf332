//! What the checks of `leadops doctor` find.

use crate::{Code, Fault};

/// What was found in checking something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It is as it should be; one line.
    Ok(String),
    /// Not as it should be, and it works nevertheless.
    Warning(Fault),
    /// It does not work.
    Failed(Fault),
}

impl CheckOutcome {
    /// Something that works nevertheless.
    pub fn warning(code: Code, what: impl Into<String>) -> Self {
        Self::Warning(Fault::new(code, what))
    }
}

/// What is in the way of a check, does not work.
impl From<Fault> for CheckOutcome {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}
