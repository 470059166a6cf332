use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::LogSink;
use crate::Fault;

/// What a process that lives for months needs of its store, beside storing.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether what is written now is found by the next process that opens the store, as of the last check. Cheap: it is asked
    /// before each answer that says whether webhooks can be taken.
    ///
    /// # Errors
    /// Why not: what is written would be lost, or somebody else works on the store.
    fn intact(&self) -> Result<(), Fault>;

    /// Whether anything could be written now, by trying it.
    ///
    /// # Errors
    /// [`Code::StorageReadOnly`](crate::Code::StorageReadOnly) where it can only be read, or the store's other faults.
    async fn can_write(&self) -> Result<(), Fault>;

    /// Becomes the one worker on the store, until the answer is dropped or the process ends.
    ///
    /// # Errors
    /// [`Code::AlreadyRunning`](crate::Code::AlreadyRunning) while another one is.
    fn lock_for_up(&self) -> Result<Box<dyn Send + Sync>, Fault>;

    /// Where this program's log lines go. It does not hold the store open.
    fn log_sink(&self) -> Arc<dyn LogSink>;

    /// Deletes what is older than its time, in parts, so that writers need not wait for all of it. Raw events,
    /// enriched leads, dead letters, copies of deleted ones and whatever belongs to an open lead stay.
    ///
    /// # Errors
    /// The fault of the store; what was deleted by then is.
    async fn prune(&self, retention: &Retention) -> Result<Pruned, Fault>;
}

/// For how long things are stored. Raw events, enriched leads, dead letters and the copies of deleted ones are stored
/// for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Log lines.
    pub logs: Duration,
    /// The most log lines.
    pub log_lines: u64,
    /// Journal entries, except those of open leads, and after them the leads that have ended.
    pub journal: Duration,
    /// Receipts, counted from their last change.
    pub receipts: Duration,
    /// The counts of each minute.
    pub minutes: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Retention {
    fn default() -> Self {
        Self { logs: DAY * 14, log_lines: 500_000, journal: DAY * 90, receipts: DAY * 90, minutes: DAY * 8 }
    }
}

/// What a round of [`Upkeep::prune`] deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Log lines.
    pub logs: u64,
    /// Journal entries.
    pub journal: u64,
    /// Leads that have ended.
    pub leads: u64,
    /// Receipts.
    pub receipts: u64,
    /// Minutes.
    pub minutes: u64,
}
