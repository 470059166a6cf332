//! What the HTTP status of an answer means for the message that was sent, whoever answers.

/// What a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusClass {
    /// The message was accepted.
    Ok,
    /// A redirect.
    Redirect,
    /// Asks to wait.
    RateLimited,
    /// Something in between wants a login, or a filter blocks the content.
    Intermediary,
    /// A gateway gave up waiting, 520 and 524 being Cloudflare's: its backend may have accepted the message.
    Unknown,
    /// The message is too large. A proxy says that on behalf of its backend as well.
    TooLarge,
    /// The message is malformed.
    BadRequest,
    /// Sent to the wrong machine, locked, or too early: <https://www.rfc-editor.org/rfc/rfc8470#section-5.2>.
    RetryLater,
    /// Any other refusal.
    Refused,
    /// A server error.
    ServerError,
}

impl StatusClass {
    /// The class of a status.
    pub(crate) fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            300..=399 => Self::Redirect,
            429 => Self::RateLimited,
            _ if outside::is_of_an_intermediary(status) => Self::Intermediary,
            408 | 502 | 504 | 520 | 524 => Self::Unknown,
            413 => Self::TooLarge,
            400 | 415 | 422 => Self::BadRequest,
            421 | 423 | 425 => Self::RetryLater,
            400..=499 => Self::Refused,
            _ => Self::ServerError,
        }
    }
}
