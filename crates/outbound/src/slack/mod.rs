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
    rate: u32,
    burst: u32,
}

impl SlackDestination {
    /// The id of the only Slack destination.
    pub const ID: DestinationId = DestinationId::literal("slack");
    /// How many messages may be sent at once after a pause, unless set otherwise.
    pub const BURST: u32 = 5;
    /// How many messages a second Slack takes.
    pub const RATE: u32 = 1;

    /// Sends to `slack`: one message a second, and up to `burst` at once after a pause.
    pub fn new(slack: Arc<dyn IncomingWebhook>, burst: u32) -> Self {
        Self { slack, rate: Self::RATE, burst }
    }

    /// Sends `rate` messages a second where the webhook is not at one of Slack's own hosts.
    pub fn with_rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }

    /// Why the rate that was set does not hold, if it does not.
    fn ignored_rate(&self) -> Option<Fault> {
        let what = || {
            let (name, rate) = (URL.value, self.rate);
            format!(
                "SLACK_RATE is {rate}, but {name} is at Slack, which takes one message a second: one is sent"
            )
        };
        (self.rate != Self::RATE && self.slack.is_slack()).then(|| Fault::new(Code::SettingBad, what()))
    }
}

#[async_trait]
impl Destination for SlackDestination {
    /// <https://docs.slack.dev/apis/web-api/rate-limits> counts by channel, and a webhook that keeps exceeding the limit
    /// can be disabled permanently.
    fn limits(&self) -> Limits {
        Limits {
            longest_send: webhook::LONGEST_POST,
            pace: Some(RateLimit {
                rate: if self.slack.is_slack() { Self::RATE } else { self.rate },
                burst: self.burst,
            }),
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
        let probed = match self.slack.probe().await {
            SlackProbe::Answered(answer) => answer::probed(&address, answer),
            SlackProbe::Reached(asked) => {
                head::checked(Self::ID.as_str(), &address, asked, Code::SlackUnavailable)
            }
        };
        match (probed, self.ignored_rate()) {
            (CheckOutcome::Ok(_), Some(ignored)) => CheckOutcome::Warning(ignored),
            (probed, _) => probed,
        }
    }
}

/// Reads `SLACK_WEBHOOK_URL`, `SLACK_RATE` and `SLACK_BURST`.
pub(crate) fn make(context: &mut BuildContext<'_>) -> BuildResult {
    let mut number = |name, most, default| {
        let number = context.variables().number(name, (1, most), default);
        number.unwrap_or_else(|fault| {
            context.warnings.push(fault);
            default
        })
    };
    let burst = number("SLACK_BURST", 30, SlackDestination::BURST);
    let rate = number("SLACK_RATE", 1_000, SlackDestination::RATE);
    let Some(secret) = context.source.secret(&URL)? else {
        return context.not_set(context.source.name_of(&URL));
    };
    let is_known = secret.constant().is_some();
    let slack: Arc<dyn IncomingWebhook> = match secret.constant() {
        Some(url) => {
            let webhook = SlackWebhook::parse(url.expose());
            Arc::new(webhook.map_err(|what| Fault::new(Code::SettingBad, format!("{}: {what}", URL.value)))?)
        }
        None => Arc::new(RotatingWebhook::new(secret)),
    };
    let slack = SlackDestination::new(slack, burst).with_rate(rate);
    context.warnings.extend(slack.ignored_rate().filter(|_| is_known));
    Ok(Some(Arc::new(slack)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_itself_is_sent_one_message_a_second_and_what_is_not_slack_as_many_as_are_set() {
        let at = |url: &str, rate| {
            let webhook = SlackWebhook::parse(url).unwrap();
            SlackDestination::new(Arc::new(webhook), SlackDestination::BURST).with_rate(rate)
        };
        for (url, set, sent, is_said) in [
            ("https://hooks.slack.com/services/T0/B0/x", 1, 1, false),
            ("https://hooks.slack.com/services/T0/B0/x", 20, 1, true),
            ("https://hooks.slack-gov.com/services/T0/B0/x", 20, 1, true),
            ("https://chat.example.com/hooks/x", 20, 20, false),
            ("https://chat.example.com/hooks/x", 1, 1, false),
        ] {
            let slack = at(url, set);
            let pace = RateLimit { rate: sent, burst: SlackDestination::BURST };
            assert_eq!(slack.limits().pace, Some(pace), "{url} {set}");
            assert_eq!(slack.ignored_rate().is_some(), is_said, "{url} {set}");
        }
    }
}
