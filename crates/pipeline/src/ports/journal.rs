use async_trait::async_trait;

use crate::{Entry, Fault};

/// The journal's writing end.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes an entry. Durable before it returns.
    async fn append(&self, entry: Entry) -> Result<(), Fault>;
}
