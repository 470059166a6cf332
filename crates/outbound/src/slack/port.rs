//! What the destination needs of an incoming webhook.

use std::time::Duration;

use async_trait::async_trait;
use pipeline::destination::NotReady;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::Unanswered;

/// One Slack incoming webhook.
#[async_trait]
pub trait IncomingWebhook: Send + Sync {
    /// Where it posts to, safe to print.
    ///
    /// # Errors
    /// Why nothing can be posted now: its URL is a secret that cannot be read, or is not a valid URL.
    async fn address(&self) -> Result<String, NotReady>;

    /// What distinguishes it from another webhook, where that is known; see [`Destination::place`].
    ///
    /// [`Destination::place`]: pipeline::destination::Destination::place
    async fn place(&self) -> Option<String> {
        None
    }

    /// Whether it is at one of Slack's own hosts, which limit how many messages they take; also where that is not known
    /// yet.
    fn is_slack(&self) -> bool {
        true
    }

    /// Posts one message and returns the answer, whatever it is; what it means is decided elsewhere. Never retries by
    /// itself. No error or answer contains the webhook's URL.
    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError>;

    /// Whether it is there, without posting anything visible: an empty message, which Slack refuses.
    async fn probe(&self) -> SlackProbe {
        SlackProbe::Answered(self.post(&json!({ "text": "" })).await)
    }
}

/// The outcome of probing a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlackProbe {
    /// The answer to an empty message.
    Answered(Result<SlackAnswer, SlackError>),
    /// It is not Slack's, and might act even on an empty message: the status of a HEAD request, or why there is none.
    Reached(Result<StatusCode, Unanswered>),
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackAnswer {
    /// The status.
    pub status: u16,
    /// The start of the body.
    pub body: String,
    /// Whether that is a web page.
    pub is_page: bool,
    /// Whether it comes from one of Slack's own hosts.
    pub is_slack: bool,
    /// The `Retry-After` header, in either of its forms, counted from now.
    pub retry_after: Option<Duration>,
}

impl SlackAnswer {
    /// An answer of Slack's own, a status and a word.
    pub fn of_slack(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), is_page: false, is_slack: true, retry_after: None }
    }
}

/// No answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// The request never left: name resolution, connection or TLS failed.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The request never left: the proxy that was to pass it on refused to.
    #[error("not sent: {0}")]
    Intercepted(String),
    /// The request was sent, at least in part, and no answer came: it may have been posted.
    #[error("no answer: {0}")]
    Unknown(String),
}
