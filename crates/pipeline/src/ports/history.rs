use std::collections::BTreeMap;

use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Code, Entry, Fault, Progress, Stage, State};

/// Stands for the HTTP status of an answer that somebody else gave before the pipeline saw the request.
pub const OTHER: &str = "other";

/// The journal's reading end.
///
/// The cost of each call depends on what it returns, not on how many leads there have ever been.
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// # use std::time::Duration;
/// # use pipeline::{Entry, JournalEvent, ports::{Clock, Journal}};
/// use pipeline::ports::History;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// # let lead: lead::LeadId = "lead_a".parse()?;
/// # let due_at = clock.now() + Duration::from_secs(600);
/// # let event = JournalEvent::Received { name: "Acme".to_owned(), event_id: None, due_at };
/// # let entry = Entry { at: clock.now(), lead_id: Some(lead.clone()), nonce: 0, event };
/// # store.append(entry).await?;
/// let soonest = store.open_leads(1).await?.remove(0);
/// assert_eq!((soonest.lead, soonest.due_at), (lead, due_at));
/// let counts = store.count_open(clock.now(), clock.now()).await?;
/// assert_eq!((counts.waiting, counts.due, counts.overdue), (1, 0, 0));
/// # Ok(())
/// # }
/// ```
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

    /// The `limit` leads that have not ended and are due soonest, in that order; fewer where there are no more.
    async fn open_leads(&self, limit: usize) -> Result<Vec<OpenLead>, Fault>;

    /// How many leads have not ended, by how far their due time is from `now`; overdue are those due before
    /// `overdue_before`.
    async fn count_open(&self, now: Timestamp, overdue_before: Timestamp) -> Result<OpenCounts, Fault>;

    /// What was counted in each minute since `since`, the oldest first, minutes without anything left out. What
    /// is older than two hours may be put together, a quarter of an hour at its first minute.
    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, Fault>;

    /// How many requests were refused since the minute of `since`, by the HTTP status of the answer, those of
    /// which it is not known under [`OTHER`]. None is left out for more than a minute or two.
    async fn refused(&self, since: Timestamp) -> Result<BTreeMap<String, u64>, Fault>;

    /// How many of those were Close's by all that shows ([`Webhook::seems_genuine`](crate::ingest::Webhook)), by
    /// the code for which they were refused. None where an earlier version counted them.
    async fn refused_webhooks(&self, since: Timestamp) -> Result<BTreeMap<Code, u64>, Fault>;
}

/// A lead that has not ended: as much as a store can say of many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLead {
    /// The lead.
    pub lead: LeadId,
    /// Its name, which may be cut short.
    pub name: String,
    /// When its webhook was accepted.
    pub received_at: Timestamp,
    /// When it is, or was last, to be processed.
    pub due_at: Timestamp,
}

impl OpenLead {
    /// A lead by its progress; `None` for one that has ended.
    pub fn of(lead: &LeadId, progress: &Progress) -> Option<Self> {
        let Progress { name, received_at, due_at, ended: None, .. } = progress else { return None };
        Some(Self { lead: lead.clone(), name: name.clone(), received_at: *received_at, due_at: *due_at })
    }
}

/// How many leads have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCounts {
    /// Not due yet.
    pub waiting: u64,
    /// Due, and not overdue.
    pub due: u64,
    /// Overdue.
    pub overdue: u64,
    /// Whether there are no more than these: a store may stop counting at a thousand.
    pub exact: bool,
}

impl OpenCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.waiting + self.due + self.overdue
    }

    /// The counts of leads with these due times, and whether those are all.
    pub fn of(
        due: impl IntoIterator<Item = Timestamp>,
        now: Timestamp,
        overdue_before: Timestamp,
        exact: bool,
    ) -> Self {
        let mut counts = Self { waiting: 0, due: 0, overdue: 0, exact };
        for due_at in due {
            match State::of_open_before(due_at, now, overdue_before) {
                State::Overdue => counts.overdue += 1,
                State::Processing => counts.due += 1,
                _ => counts.waiting += 1,
            }
        }
        counts
    }
}

/// The counts of one minute, by [`crate::LeadMetric`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// The minute's start.
    pub at: Timestamp,
    /// Leads accepted.
    pub accepted: u64,
    /// Leads enriched for the first time.
    pub enriched: u64,
    /// Leads announced.
    pub notified: u64,
    /// Leads that ended dead.
    pub failed: u64,
}
