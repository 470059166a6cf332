//! Whether a server's reply answers the last command. lettre accepts any 2xx and 3xx, so that a server that is one reply
//! ahead would have "accepted" a mail that it goes on to refuse.

use std::ops::RangeInclusive;

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

/// The statuses with which a server has carried out a command
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.3.2>).
pub(super) const DONE: RangeInclusive<u16> = 200..=299;
/// The status with which it waits for the content.
pub(super) const AWAITS_CONTENT: RangeInclusive<u16> = 354..=354;

/// Expects one of these statuses.
pub(super) fn expect(
    expected: RangeInclusive<u16>,
    said: Result<Response, Error>,
    settings: &SmtpSettings,
) -> Result<(), CommandError> {
    let said = match said {
        Ok(said) => said,
        Err(error) if is_unsolicited(&error) => {
            return Err(CommandError::Unsolicited(verdicts::said(settings, &error)));
        }
        Err(error) => return Err(CommandError::Failed(error)),
    };
    let status = u16::from(said.code());
    if expected.contains(&status) {
        return Ok(());
    }
    let words = said.message().collect::<Vec<_>>().join(" ");
    Err(CommandError::OutOfSync(verdicts::out_of_sync(settings, &format!("{status} {words}"))))
}
