//! What a port reports when it cannot do its work.

use std::fmt;

use outside::text;

use crate::{Code, code::RetryState};

/// How much of a reason is shown, in characters.
const LONGEST_REASON: usize = 300;

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

    /// The same fault, with what it is about said before.
    #[must_use]
    pub fn about(self, context: impl fmt::Display) -> Self {
        Self { what: format!("{context}: {}", self.what), ..self }
    }

    /// What happened, shortened for listings.
    pub(crate) fn reason(&self) -> String {
        text::shorten(&self.what, LONGEST_REASON)
    }

    /// One line for a person: code, what happened, what to do.
    pub fn line(&self) -> String {
        let what = self.what.trim_end_matches('.');
        let end = if what.ends_with(['?', '!']) { "" } else { "." };
        format!("{} {what}{end} {}", self.code, self.code.remedy(RetryState::Reported))
    }
}

impl From<close::signature::Refusal> for Fault {
    fn from(refusal: close::signature::Refusal) -> Self {
        let code = match refusal {
            close::signature::Refusal::Missing => Code::SignatureMissing,
            close::signature::Refusal::Wrong => Code::SignatureWrong,
            close::signature::Refusal::Stale => Code::SignatureStale,
        };
        Self::new(code, code.cause())
    }
}

impl From<close::Error> for Fault {
    /// The fault of the source of keys is passed on unchanged.
    fn from(error: close::Error) -> Self {
        let code = match error {
            close::Error::Holder(source) => {
                return match source.downcast::<Self>() {
                    Ok(fault) => *fault,
                    Err(other) => {
                        Self::new(Code::CloseKeyMissing, format!("the API key cannot be read: {other}"))
                    }
                };
            }
            close::Error::Address(_) => Code::SettingBad,
            close::Error::Key(_) => Code::CloseKeyMissing,
            close::Error::Unavailable(_) => Code::CloseUnavailable,
            close::Error::Denied(_) => Code::CloseDenied,
            close::Error::Throttled(_) => Code::CloseThrottled,
            close::Error::Refused { .. } => Code::CloseRefuses,
            close::Error::Failed(_) => Code::CloseFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Fault> for close::Error {
    fn from(fault: Fault) -> Self {
        Self::Holder(Box::new(fault))
    }
}
