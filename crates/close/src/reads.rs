//! Reading Close's API.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Error;

/// Close's API, read with the pipeline's key.
#[async_trait]
pub trait CloseReads: Send + Sync {
    /// Asks for `path`, which is below the API's base and ends its last part with `/` before a query, as in
    /// `lead/lead_x/?_fields=id`. Whatever is answered is an answer, of any status.
    ///
    /// Bounded in time and in size. No redirect is followed, and the key goes to the configured address alone.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there was no answer, [`Error::Key`] or [`Error::Holder`] where there is no usable key.
    async fn get(&self, path: &str) -> Result<CloseAnswer, Error>;
}

/// An answer of Close's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseAnswer {
    /// The status.
    pub status: u16,
    /// The body, at most the adapter's limit long.
    pub body: Bytes,
    /// How long Close asks to wait, where it does: the status is 429.
    pub wait: Option<Duration>,
    /// How much more may be asked for.
    pub window: Option<Window>,
    /// What Close's support finds the request by.
    pub trace: Option<String>,
}

impl CloseAnswer {
    /// The longest wait that is believed, and the longest window.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(120);
    /// The wait where Close asks for one and does not say how long.
    pub const UNSAID_WAIT: Duration = Duration::from_secs(2);
}

/// What is left of a rate limit: <https://developer.close.com/topics/rate-limits/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Requests that may still be made in it.
    pub remaining: u32,
    /// How long it lasts.
    pub reset: Duration,
}
