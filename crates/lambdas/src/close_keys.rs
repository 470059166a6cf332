//! Close's API keys, read from a secret that may change.

use std::sync::Arc;

use async_trait::async_trait;
use aws::Secrets;
use close::client::{ApiKeys, KeySource};
use pipeline::{Code, Fault, Function, Variables, recorder};

use crate::common::Common;

/// The keys in the secret that `CLOSE_API_KEY_SECRET_NAME` names.
pub(crate) struct SecretKeys {
    secret: Option<String>,
    secrets: Arc<Secrets>,
}

impl SecretKeys {
    /// Reads the secret's name. Without one there are no keys, which is said when one is needed.
    pub(crate) fn read(variables: &Variables<'_>, common: &Common) -> Self {
        Self { secret: variables.get("CLOSE_API_KEY_SECRET_NAME"), secrets: Arc::clone(&common.secrets) }
    }
}

#[async_trait]
impl KeySource for SecretKeys {
    async fn keys(&self) -> Result<ApiKeys, close::Error> {
        let Some(secret) = &self.secret else {
            return Err(close::Error::Key("CLOSE_API_KEY_SECRET_NAME is not set".to_owned()));
        };
        let text = self.secrets.text(secret).await?;
        ApiKeys::parse(text.expose())
            .map_err(|error| Fault::new(Code::SecretUnusable, format!("the secret {secret}: {error}")).into())
    }

    async fn refresh(&self) -> bool {
        let Some(secret) = &self.secret else { return false };
        match self.secrets.refresh(secret).await {
            Ok(changed) => changed,
            Err(fault) => {
                let doing = "reading Close's API key again";
                recorder::fault(Function::LeadProcessor, pipeline::ports::Level::Warn, doing, None, &fault);
                false
            }
        }
    }
}
