use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lead::LeadId;

use crate::{Entry, Fault};

/// Where accepted events go: stored and queued, both or neither.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Stores the raw bytes under `key` if there are none yet, queues the lead's job to become due
    /// after `delay`, and writes `entry` to the journal.
    ///
    /// When this returns [`Accepted::New`], all of it survives a power cut. When it fails, nothing of
    /// it is there, or all of it is and the caller could not be notified.
    async fn accept(&self, event: NewEvent) -> Result<Accepted, Fault>;
}

/// An event to keep.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The lead.
    pub lead: LeadId,
    /// The raw object's key.
    pub key: String,
    /// The exact bytes that were signed.
    pub body: Bytes,
    /// How long the job waits.
    pub delay: Duration,
    /// The job's message body.
    pub job: String,
    /// The journal entry of the acceptance.
    pub entry: Entry,
    /// Whether this process has answered [`Accepted::Duplicate`] for this lead within the last minute, so that
    /// nothing is left to be made up for: another duplicate need cost no more than finding that it is one.
    pub repeated: bool,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored and queued.
    New,
    /// An event of this lead is stored already; nothing was changed.
    Duplicate,
}
