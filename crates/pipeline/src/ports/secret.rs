use async_trait::async_trait;

use crate::{Fault, SecretText};

/// A secret that may change while it is in use.
#[async_trait]
pub trait Secret: Send + Sync {
    /// What it is called in messages.
    fn name(&self) -> String;

    /// Its text, where that never changes.
    fn constant(&self) -> Option<&SecretText>;

    /// Its present text. While it cannot be read, the one that was read last is good.
    async fn text(&self) -> Result<SecretText, Fault>;

    /// Reads it again after its text was refused. Returns whether it has changed.
    async fn refresh(&self) -> Result<bool, Fault>;
}
