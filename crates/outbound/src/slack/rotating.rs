//! An incoming webhook whose URL is in a secret that may change.

use std::sync::Arc;

use async_trait::async_trait;
use pipeline::{destination::NotReady, ports::Secret};
use serde_json::Value;

use super::{IncomingWebhook, SlackAnswer, SlackError, SlackProbe, SlackWebhook, webhook::LONGEST_POST};
use crate::rotating::Rotating;

/// The webhook that the secret names now.
pub(super) struct RotatingWebhook(Rotating<Arc<SlackWebhook>>);

impl RotatingWebhook {
    pub(super) fn new(secret: Arc<dyn Secret>) -> Self {
        Self(Rotating::new(secret, |text| SlackWebhook::parse(text).map(Arc::new)))
    }

    async fn post_in_time(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let current = self.0.current().await.map_err(not_sent)?;
        let answer = current.value.post(message).await?;
        // Refused by an old webhook, a message has not been seen: the new one may accept it.
        if matches!(answer.status, 401 | 403 | 404 | 410)
            && let Some(refreshed) = self.0.refreshed(&current).await
        {
            return refreshed.value.post(message).await;
        }
        Ok(answer)
    }
}

fn not_sent(unready: NotReady) -> SlackError {
    let (NotReady::NotConfigured(fault) | NotReady::Later(fault, _)) = unready;
    SlackError::NotSent(fault.to_string())
}

#[async_trait]
impl IncomingWebhook for RotatingWebhook {
    async fn address(&self) -> Result<String, NotReady> {
        self.0.current().await?.value.address().await
    }

    async fn place(&self) -> Option<String> {
        self.0.current().await.ok()?.value.place().await
    }

    fn is_slack(&self) -> bool {
        self.0.last().is_none_or(|webhook| webhook.is_slack())
    }

    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        let posted = tokio::time::timeout(LONGEST_POST, self.post_in_time(message)).await;
        posted.unwrap_or_else(|_| Err(SlackError::Unknown("there was no answer in time".to_owned())))
    }

    async fn probe(&self) -> SlackProbe {
        match self.0.current().await {
            Ok(current) => current.value.probe().await,
            Err(unready) => SlackProbe::Answered(Err(not_sent(unready))),
        }
    }
}
