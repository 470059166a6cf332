//! The channels of a function that tells the team.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws::{Secrets, SnsMailer};
use outbound::{SecretUrl, SlackWebhook};
use pipeline::{
    Channel, Code, Fault, Function, Variables,
    notify::{Notify, Pace},
    ports::{Level, Mailer, Slack, SlackAnswer, SlackError},
    recorder,
};
use serde_json::Value;

use crate::common::Common;

/// Slack and the pace of its webhook, where it is configured.
type SlackNow = Option<(Arc<dyn Slack>, Pace)>;

/// How alerts leave a function.
pub struct Channels {
    /// Whether new leads go to Slack. Others may all the same, such as what an operator sends again.
    uses_slack: bool,
    slack: Option<Arc<RotatingSlack>>,
    pace: Pace,
    mailer: Option<Arc<dyn Mailer>>,
}

impl Channels {
    /// Reads what the channels in use need: `SLACK_SECRET_NAME`, `SNS_TOPIC_ARN`, `SLACK_BURST`.
    ///
    /// What is missing or wrong is an error in the log and stops no other channel: the alerts of this one become dead
    /// letters with their reason.
    pub fn read(variables: &Variables<'_>, common: &Common) -> Self {
        let uses = |channel| common.settings.channels.contains(&channel);
        let needed = |name: &str, channel: Channel| {
            let value = variables.get(name);
            if value.is_none() && uses(channel) {
                let what = format!("{name} is not set: alerts by {} become dead letters", channel.label());
                wrong(&Fault::new(Code::SettingBad, what));
            }
            value
        };
        let slack = needed("SLACK_SECRET_NAME", Channel::Slack)
            .map(|secret| Arc::new(RotatingSlack::new(secret, Arc::clone(&common.secrets))));
        let (store, clock) = (common.store.clone(), common.recorder.clock.clone());
        let mailer = needed("SNS_TOPIC_ARN", Channel::Email).map(|topic| {
            let pace = Pace::of_topic(store.clone(), clock.clone());
            Arc::new(SnsMailer::new(&common.clients, topic).at_pace(pace)) as Arc<dyn Mailer>
        });
        let burst = variables.number("SLACK_BURST", (1, 30), Pace::BURST).unwrap_or_else(|fault| {
            wrong(&fault);
            Pace::BURST
        });
        let pace = Pace::of_slack(store, clock, burst);
        Self { uses_slack: uses(Channel::Slack), slack, pace, mailer }
    }

    /// Loads the Slack webhook's URL, where Slack is in use, so that the first alert need not wait for it.
    pub async fn warm_up(&self) {
        if let Some(slack) = self.slack.as_ref().filter(|_| self.uses_slack)
            && let Err(fault) = slack.webhook().await
        {
            recorder::fault(Function::Notification, Level::Warn, "", None, &fault);
        }
    }

    /// Slack as its secret has it now. Asked for where there is an alert for it, so that others need no secret.
    ///
    /// # Errors
    /// The secret cannot be read just now. One without a URL is no error: Slack is then not configured.
    pub async fn slack(&self) -> Result<SlackNow, Fault> {
        let Some(slack) = &self.slack else { return Ok(None) };
        match slack.webhook().await {
            Ok(_) => Ok(Some((Arc::clone(slack) as Arc<dyn Slack>, self.pace.clone()))),
            Err(fault) if fault.code == Code::SecretUnusable => {
                recorder::fault(Function::Notification, Level::Error, "", None, &fault);
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The stage with Slack as it is now.
    pub fn stage(&self, common: &Common, slack: SlackNow) -> Notify {
        Notify {
            settings: Arc::clone(&common.settings),
            objects: common.store.clone(),
            receipts: common.receipts(),
            recorder: common.recorder.clone(),
            slack,
            mailer: self.mailer.clone(),
        }
    }
}

fn wrong(fault: &Fault) {
    recorder::fault(Function::Notification, Level::Error, "", None, fault);
}

/// A Slack webhook whose URL is in a secret that may change.
struct RotatingSlack {
    secret: String,
    secrets: Arc<Secrets>,
    /// The URL that was read last, and its webhook.
    last: Mutex<Option<(SecretUrl, Arc<SlackWebhook>)>>,
}

impl RotatingSlack {
    fn new(secret: String, secrets: Arc<Secrets>) -> Self {
        Self { secret, secrets, last: Mutex::default() }
    }

    /// The webhook as the secret has it now.
    async fn webhook(&self) -> Result<Arc<SlackWebhook>, Fault> {
        let text = self.secrets.text(&self.secret).await?;
        let unusable =
            |what: String| Fault::new(Code::SecretUnusable, format!("the secret {}: {what}", self.secret));
        let url = SecretUrl::parse(text.expose()).map_err(unusable)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, webhook)) = &*last
            && *known == url
        {
            return Ok(Arc::clone(webhook));
        }
        let webhook = Arc::new(SlackWebhook::new(url.clone()).map_err(unusable)?);
        *last = Some((url, Arc::clone(&webhook)));
        Ok(webhook)
    }
}

#[async_trait]
impl Slack for RotatingSlack {
    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let not_sent = |fault: Fault| SlackError::NotSent(fault.to_string());
        let webhook = self.webhook().await.map_err(not_sent)?;
        let answer = webhook.post(message).await?;
        // Refused by an old webhook, a message has not been seen: the new one may take it.
        if matches!(answer.status, 401 | 403 | 404 | 410)
            && self.secrets.refresh(&self.secret).await.map_err(not_sent)?
        {
            return self.webhook().await.map_err(not_sent)?.post(message).await;
        }
        Ok(answer)
    }
}
