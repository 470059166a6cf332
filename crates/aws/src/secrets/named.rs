//! One secret by its name.

use std::sync::Arc;

use async_trait::async_trait;
use pipeline::{Fault, SecretText, ports::Secret};

use super::Secrets;

/// A secret of Secrets Manager.
pub struct NamedSecret {
    /// All of them.
    pub secrets: Arc<Secrets>,
    /// Its name.
    pub name: String,
}

#[async_trait]
impl Secret for NamedSecret {
    fn name(&self) -> String {
        format!("the secret {}", self.name)
    }

    fn constant(&self) -> Option<&SecretText> {
        None
    }

    async fn text(&self) -> Result<SecretText, Fault> {
        self.secrets.text(&self.name).await
    }

    async fn refresh(&self) -> Result<bool, Fault> {
        self.secrets.refresh(&self.name).await
    }
}
