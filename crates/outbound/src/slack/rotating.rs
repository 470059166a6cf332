//! An incoming webhook whose URL is in a secret that may change.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use pipeline::{Code, Fault, destination::Unready, ports::Secret};
use serde_json::Value;

use super::{Slack, SlackAnswer, SlackError, SlackWebhook};
use crate::SecretUrl;

/// How long alerts wait where the secret could not be read.
const SECRET_PAUSE: Duration = Duration::from_secs(60);

/// The webhook that the secret names now.
pub(super) struct RotatingWebhook {
    secret: Arc<dyn Secret>,
    /// The URL that was read last, and its webhook.
    last: Mutex<Option<(SecretUrl, Arc<SlackWebhook>)>>,
}

impl RotatingWebhook {
    pub(super) fn new(secret: Arc<dyn Secret>) -> Self {
        Self { secret, last: Mutex::default() }
    }

    async fn webhook(&self) -> Result<Arc<SlackWebhook>, Fault> {
        let text = self.secret.text().await?;
        let unusable =
            |what: String| Fault::new(Code::SecretUnusable, format!("{}: {what}", self.secret.name()));
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
impl Slack for RotatingWebhook {
    async fn address(&self) -> Result<String, Unready> {
        match self.webhook().await {
            Ok(webhook) => webhook.address().await,
            Err(fault) if fault.code == Code::SecretUnusable => Err(Unready::NotConfigured(fault)),
            Err(fault) => Err(Unready::Later(fault, SECRET_PAUSE)),
        }
    }

    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let not_sent = |fault: Fault| SlackError::NotSent(fault.to_string());
        let webhook = self.webhook().await.map_err(not_sent)?;
        let answer = webhook.post(message).await?;
        // Refused by an old webhook, a message has not been seen: the new one may take it.
        if matches!(answer.status, 401 | 403 | 404 | 410) && self.secret.refresh().await.map_err(not_sent)? {
            return self.webhook().await.map_err(not_sent)?.post(message).await;
        }
        Ok(answer)
    }
}
