//! Slack as a destination: one incoming webhook.

mod acceptance;
mod answer;
mod port;
mod rotating;
mod url;
mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
use lead::{
    Alert,
    slack::{DIGEST_LEADS, digest, message, plain_message},
};
use pipeline::{
    CheckOutcome, Code, Fault,
    destination::{
        Destination, DestinationId, Limits, MessageFormat, NotReady, Outgoing, RateLimit, Verdict,
    },
};

use crate::{
    destinations::{BuildContext, BuildResult, SecretSetting},
    head,
};
use rotating::RotatingWebhook;

pub use port::{IncomingWebhook, SlackAnswer, SlackError, SlackProbe};
pub use webhook::SlackWebhook;

/// The webhook's URL.
pub(crate) const URL: SecretSetting =
    SecretSetting { value: "SLACK_WEBHOOK_URL", in_functions: "SLACK_SECRET_NAME" };

/// A Slack incoming webhook.
pub struct SlackDestination {
    slack: Arc<dyn IncomingWebhook>,
    burst: u32,
}

impl SlackDestination {
    /// The id of the only Slack destination.
    pub const ID: DestinationId = DestinationId::literal("slack");
    /// How many messages may be sent at once after a pause, unless set otherwise.
    pub const BURST: u32 = 5;

    /// Sends to `slack`: one message a second, and up to `burst` at once after a pause.
    pub fn new(slack: Arc<dyn IncomingWebhook>, burst: u32) -> Self {
        Self { slack, burst }
    }
}

#[async_trait]
impl Destination for SlackDestination {
    /// <https://docs.slack.dev/apis/web-api/rate-limits> counts by channel, and a webhook that keeps exceeding the limit
    /// can be disabled permanently.
    fn limits(&self) -> Limits {
        Limits {
            longest_send: webhook::LONGEST_POST,
            pace: Some(RateLimit { rate: 1, burst: self.burst }),
            together: DIGEST_LEADS,
            at_once: 1,
            has_plain_form: true,
            busy: Code::SlackRateLimited,
            shows_all: false,
        }
    }

    async fn ready(&self) -> Result<(), NotReady> {
        self.slack.address().await.map(drop)
    }

    async fn place(&self) -> Option<String> {
        self.slack.place().await
    }

    async fn send(&self, alerts: &[Outgoing<'_>], form: MessageFormat) -> Verdict {
        let alerts: Vec<Alert<'_>> = alerts.iter().map(|outgoing| outgoing.alert.clone()).collect();
        let payload = match (form, alerts.as_slice()) {
            (MessageFormat::Plain, alerts) => plain_message(alerts),
            (MessageFormat::Rich, [alert]) => message(alert),
            (MessageFormat::Rich, alerts) => digest(alerts),
        };
        answer::verdict(self.slack.post(&payload).await)
    }

    async fn check(&self, in_use: bool) -> CheckOutcome {
        if !in_use {
            return CheckOutcome::Ok("switched off".to_owned());
        }
        let address = match self.slack.address().await {
            Ok(address) => address,
            Err(NotReady::NotConfigured(fault) | NotReady::Later(fault, _)) => {
                return CheckOutcome::Failed(fault);
            }
        };
        match self.slack.probe().await {
            SlackProbe::Answered(answer) => answer::probed(&address, answer),
            SlackProbe::Reached(asked) => {
                head::checked(Self::ID.as_str(), &address, asked, Code::SlackUnavailable)
            }
        }
    }
}

/// Reads `SLACK_WEBHOOK_URL` and `SLACK_BURST`.
pub(crate) fn make(context: &mut BuildContext<'_>) -> BuildResult {
    let burst = context.variables().number("SLACK_BURST", (1, 30), SlackDestination::BURST);
    let burst = burst.unwrap_or_else(|fault| {
        context.warnings.push(fault);
        SlackDestination::BURST
    });
    let Some(secret) = context.source.secret(&URL)? else {
        return context.not_set(context.source.name_of(&URL));
    };
    let slack: Arc<dyn IncomingWebhook> = match secret.constant() {
        Some(url) => {
            let webhook = SlackWebhook::parse(url.expose());
            Arc::new(webhook.map_err(|what| Fault::new(Code::SettingBad, format!("{}: {what}", URL.value)))?)
        }
        None => Arc::new(RotatingWebhook::new(secret)),
    };
    Ok(Some(Arc::new(SlackDestination::new(slack, burst))))
}
