//! Whether a server's reply answers the last command. lettre accepts any 2xx and 3xx, so that a server that is one reply
//! ahead would have "accepted" a mail that it goes on to refuse.

use lettre::transport::smtp::{Error, response::Response};
use pipeline::destination::Verdict;

use super::{
    settings::SmtpSettings,
    verdicts::{self, Step, failed, is_unsolicited},
};

/// Why a command did not succeed.
pub(super) enum CommandError {
    /// The server refused it, or the connection failed.
    Failed(Error),
    /// The server had sent this reply before the command, which was therefore not sent.
    Unsolicited(String),
    /// The server sent this reply, which does not answer the command.
    OutOfSync(String),
}

impl CommandError {
    /// What it means before the content, when nothing has been sent yet.
    pub(super) fn verdict(&self, step: Step, settings: &SmtpSettings) -> Verdict {
        match self {
            Self::Failed(error) => failed(step, settings, error),
            Self::Unsolicited(words) | Self::OutOfSync(words) => verdicts::unavailable(words),
        }
    }
}

/// Expects that the server has carried out the command
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.3.2>).
pub(super) fn expect_success(
    said: Result<Response, Error>,
    settings: &SmtpSettings,
) -> Result<(), CommandError> {
    answered(said, settings, |status| status / 100 == 2)
}

/// Expects that the server waits for the content.
pub(super) fn expect_data(
    said: Result<Response, Error>,
    settings: &SmtpSettings,
) -> Result<(), CommandError> {
    answered(said, settings, |status| status == 354)
}

fn answered(
    said: Result<Response, Error>,
    settings: &SmtpSettings,
    is_right: impl Fn(u16) -> bool,
) -> Result<(), CommandError> {
    let said = match said {
        Ok(said) => said,
        Err(error) if is_unsolicited(&error) => {
            return Err(CommandError::Unsolicited(verdicts::said(settings, &error)));
        }
        Err(error) => return Err(CommandError::Failed(error)),
    };
    let status = u16::from(said.code());
    if is_right(status) {
        return Ok(());
    }
    let words = said.message().collect::<Vec<_>>().join(" ");
    Err(CommandError::OutOfSync(verdicts::out_of_sync(settings, &format!("{status} {words}"))))
}
