//! What the HTTP status of an answer says of the message that was sent, whoever answers.

/// What a status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// The message was taken.
    Taken,
    /// The message belongs elsewhere.
    Elsewhere,
    /// To wait.
    Wait,
    /// Somebody in between wants a login, or says what a filter says of what it lets nobody read.
    InBetween,
    /// A gateway gave up waiting, 520 and 524 being Cloudflare's: what is behind it may have taken the message.
    Unknown,
    /// The message is too large. Whoever stands in front says that for what is behind as well.
    TooLarge,
    /// The message is bad.
    Bad,
    /// Sent to another machine than is meant, locked, too early: <https://www.rfc-editor.org/rfc/rfc8470#section-5.2>.
    NotNow,
    /// Any other refusal.
    Refused,
    /// A server's error.
    Trouble,
}

impl Says {
    /// What a status says.
    pub(crate) fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Taken,
            300..=399 => Self::Elsewhere,
            429 => Self::Wait,
            407 | 451 | 511 => Self::InBetween,
            408 | 502 | 504 | 520 | 524 => Self::Unknown,
            413 => Self::TooLarge,
            400 | 415 | 422 => Self::Bad,
            421 | 423 | 425 => Self::NotNow,
            400..=499 => Self::Refused,
            _ => Self::Trouble,
        }
    }
}
