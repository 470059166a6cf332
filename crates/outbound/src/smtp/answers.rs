//! Whether a server's answer is one to what it was asked. lettre holds any 2xx and 3xx for that, and a server that is one
//! answer ahead has "taken" a mail that it goes on to refuse.

use lettre::transport::smtp::{Error, response::Response};
use pipeline::destination::Verdict;

use super::{
    settings::SmtpSettings,
    verdicts::{self, Step, failed, is_unasked},
};

/// Why a server has not done what it was asked.
pub(super) enum NotDone {
    /// It says so, or nothing.
    Failed(Error),
    /// It had said something before it was asked, these words, and was not asked then.
    Unasked(String),
    /// It says something that is no answer to that, these words.
    OutOfStep(String),
}

impl NotDone {
    /// What it means before the content, where nothing has been sent.
    pub(super) fn verdict(&self, step: Step, settings: &SmtpSettings) -> Verdict {
        match self {
            Self::Failed(error) => failed(step, settings, error),
            Self::Unasked(words) | Self::OutOfStep(words) => verdicts::unavailable(words),
        }
    }
}

/// That a server has done what it was asked
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.3.2>).
pub(super) fn carried_out(said: Result<Response, Error>, settings: &SmtpSettings) -> Result<(), NotDone> {
    answered(said, settings, |status| status / 100 == 2)
}

/// That a server waits for the content.
pub(super) fn waits_for_content(
    said: Result<Response, Error>,
    settings: &SmtpSettings,
) -> Result<(), NotDone> {
    answered(said, settings, |status| status == 354)
}

fn answered(
    said: Result<Response, Error>,
    settings: &SmtpSettings,
    is_right: impl Fn(u16) -> bool,
) -> Result<(), NotDone> {
    let said = match said {
        Ok(said) => said,
        Err(error) if is_unasked(&error) => return Err(NotDone::Unasked(verdicts::said(settings, &error))),
        Err(error) => return Err(NotDone::Failed(error)),
    };
    let status = u16::from(said.code());
    if is_right(status) {
        return Ok(());
    }
    let words = said.message().collect::<Vec<_>>().join(" ");
    Err(NotDone::OutOfStep(verdicts::out_of_step(settings, &format!("{status} {words}"))))
}
