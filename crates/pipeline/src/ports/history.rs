use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Entry, Fault, Progress, Stage};

/// The journal's reading end.
///
/// The cost of each call depends on what it returns, not on how many leads there have ever been.
#[async_trait]
pub trait History: Send + Sync {
    /// Up to `limit` entries of these stages, the newest first. `before` is the key of an entry
    /// ([`Entry::key`]) to continue behind; `since` the oldest time wanted.
    async fn recent(
        &self,
        stages: &[Stage],
        since: Option<Timestamp>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault>;

    /// All entries about one lead, the oldest first.
    async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Entry>, Fault>;

    /// How far one lead is.
    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault>;

    /// Up to `limit` leads that have not ended, the soonest due first.
    async fn open_leads(&self, limit: usize) -> Result<Vec<OpenLead>, Fault>;

    /// How many leads have not ended: those due before a time, or all of them.
    async fn count_open(&self, due_before: Option<Timestamp>) -> Result<u64, Fault>;

    /// What was counted in each minute since `since`, the oldest first, minutes without anything left out.
    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, Fault>;
}

/// A lead that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLead {
    /// The lead.
    pub lead: LeadId,
    /// How far it is.
    pub progress: Progress,
}

/// The counts of one minute, by [`crate::Counted`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// The minute's start.
    pub at: Timestamp,
    /// Leads accepted.
    pub accepted: u64,
    /// Leads enriched for the first time.
    pub enriched: u64,
    /// Leads told to somebody.
    pub notified: u64,
    /// Leads that ended dead.
    pub failed: u64,
}
