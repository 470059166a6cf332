use async_trait::async_trait;
use bytes::Bytes;
use lead::LeadId;

/// The owner directory: one document a lead, behind plain HTTP GET.
#[async_trait]
pub trait OwnerDirectory: Send + Sync {
    /// Asks for `{base}/{lead_id}.json` and returns whatever was answered; what it means is decided
    /// in [`crate::process`]. Bounded in time and in size.
    async fn fetch(&self, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable>;
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerAnswer {
    /// The status.
    pub status: u16,
    /// The body, at most the adapter's limit long.
    pub body: Bytes,
}

/// No answer: refused, timed out, too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OwnerUnreachable(pub String);
