//! Reading Close's API.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Error;

/// Close's API, read with the pipeline's key.
#[async_trait]
pub trait CloseApi: Send + Sync {
    /// Gets `path`, which is relative to the API's base and has a `/` before a query, as in `lead/lead_x/?_fields=id`.
    /// Answers of any status are returned.
    ///
    /// Bounded in time and in size. No redirect is followed, and the key is sent only to the configured address.
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
    /// What is left of the rate limit.
    pub window: Option<RateLimitWindow>,
    /// An id by which Close's support finds the request.
    pub trace: Option<String>,
}

impl CloseAnswer {
    /// The longest wait that is accepted, and the longest window.
    pub const LONGEST_WAIT: Duration = Duration::from_secs(120);
    /// The wait where Close asks for one without saying how long.
    pub const UNSAID_WAIT: Duration = Duration::from_secs(2);
}

/// What is left of a rate limit: <https://developer.close.com/topics/rate-limits/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitWindow {
    /// How many more requests may be made in the window.
    pub remaining: u32,
    /// How long the window lasts.
    pub reset: Duration,
}
