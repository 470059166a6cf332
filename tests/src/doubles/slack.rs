use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use outbound::{IncomingWebhook, SlackAnswer, SlackError};
use pipeline::{destination::NotReady, ports::Clock};
use serde_json::Value;

use crate::clock::VirtualClock;

/// What Slack does with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Answers.
    Answer(SlackAnswer),
    /// Fails to.
    Error(SlackError),
    /// Takes the message and never answers; the caller's crash is to drop its future.
    Hang,
}

impl Reply {
    /// `200 ok`.
    pub fn ok() -> Self {
        Self::status(200, "ok")
    }

    /// An answer without `Retry-After`.
    pub fn status(status: u16, body: &str) -> Self {
        Self::Answer(SlackAnswer::of_slack(status, body))
    }

    /// `429` that asks for a wait.
    pub fn wait(retry_after: Duration) -> Self {
        let retry_after = Some(retry_after);
        Self::Answer(SlackAnswer { retry_after, ..SlackAnswer::of_slack(429, "rate_limited") })
    }

    /// The connection failed.
    pub fn not_sent() -> Self {
        Self::Error(SlackError::NotSent("connection refused".to_owned()))
    }

    /// No answer came in time.
    pub fn unknown() -> Self {
        Self::Error(SlackError::Unknown("timed out".to_owned()))
    }

    /// Whether the team sees the message.
    pub fn is_taken(&self) -> bool {
        match self {
            Self::Hang => true,
            Self::Answer(answer) => answer.status == 200 && answer.body == "ok",
            Self::Error(_) => false,
        }
    }
}

/// A message that was posted.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// When, in [`VirtualClock::elapsed`].
    pub at: Duration,
    /// The message.
    pub message: Value,
    /// What was answered.
    pub reply: Reply,
}

impl Posted {
    /// Whether the message names this text anywhere.
    pub fn mentions(&self, text: &str) -> bool {
        self.message.to_string().contains(text)
    }

    /// Whether the message has blocks.
    pub fn has_blocks(&self) -> bool {
        self.message.get("blocks").is_some()
    }
}

type Rule = Box<dyn Fn(&Value) -> Option<Reply> + Send>;

/// A Slack webhook that answers `ok` unless scripted otherwise.
pub struct ScriptedSlack {
    clock: Arc<VirtualClock>,
    takes: Mutex<Duration>,
    next: Mutex<VecDeque<Reply>>,
    rule: Mutex<Option<Rule>>,
    posted: Mutex<Vec<Posted>>,
}

impl ScriptedSlack {
    /// A webhook that answers `ok` at once.
    pub fn new(clock: Arc<VirtualClock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            takes: Mutex::default(),
            next: Mutex::default(),
            rule: Mutex::default(),
            posted: Mutex::default(),
        })
    }

    /// Answers the next messages like this, in this order.
    pub fn answer(&self, replies: impl IntoIterator<Item = Reply>) {
        self.next.lock().unwrap().extend(replies);
    }

    /// Answers by the message where `rule` has an answer and no next one is scripted.
    pub fn rule(&self, rule: impl Fn(&Value) -> Option<Reply> + Send + 'static) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// Drops what was scripted: `ok` from now on.
    pub fn recover(&self) {
        self.next.lock().unwrap().clear();
        *self.rule.lock().unwrap() = None;
    }

    /// Takes so long for each answer.
    pub fn takes(&self, duration: Duration) {
        *self.takes.lock().unwrap() = duration;
    }

    /// All that was posted.
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    /// What the team sees: the messages that were taken.
    pub fn shown(&self) -> Vec<Posted> {
        self.posted().into_iter().filter(|posted| posted.reply.is_taken()).collect()
    }
}

#[async_trait]
impl IncomingWebhook for ScriptedSlack {
    async fn address(&self) -> Result<String, NotReady> {
        Ok("scripted".to_owned())
    }

    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let scripted = self.next.lock().unwrap().pop_front();
        let ruled = || self.rule.lock().unwrap().as_ref().and_then(|rule| rule(message));
        let reply = scripted.or_else(ruled).unwrap_or_else(Reply::ok);
        let posted = Posted { at: self.clock.elapsed(), message: message.clone(), reply: reply.clone() };
        self.posted.lock().unwrap().push(posted);
        let takes = *self.takes.lock().unwrap();
        self.clock.sleep(takes).await;
        match reply {
            Reply::Answer(answer) => Ok(answer),
            Reply::Error(error) => Err(error),
            Reply::Hang => std::future::pending().await,
        }
    }
}
