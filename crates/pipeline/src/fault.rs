//! What a port reports when it cannot do its work.

use crate::{Code, code::Standing};

/// A failure with its code: what happened, in a line that names the lead or the file.
///
/// Shown with the code in front and its remedy behind, see [`Fault::line`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {what}")]
pub struct Fault {
    /// Which kind of failure it is.
    pub code: Code,
    /// What happened, cleaned of secrets and of control characters.
    pub what: String,
}

impl Fault {
    /// A fault of kind `code`.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into() }
    }

    /// One line for a person: code, what happened, what to do.
    pub fn line(&self) -> String {
        let what = self.what.trim_end_matches('.');
        let end = if what.ends_with(['?', '!']) { "" } else { "." };
        format!("{} {what}{end} {}", self.code, self.code.remedy(Standing::Reported))
    }
}
