use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lead::LeadId;

use crate::{Entry, Fault};

/// Where accepted events go: stored and queued, both or neither.
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// # use std::time::Duration;
/// # use pipeline::{Entry, JournalEvent, ports::Clock};
/// use pipeline::ports::{Accepted, History, Inbox, Intake, NewEvent, Objects, Queue};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// # let lead: lead::LeadId = "lead_a".parse()?;
/// # let due_at = clock.now() + Duration::from_secs(600);
/// # let event = JournalEvent::Received { name: "Acme".to_owned(), event_id: None, due_at };
/// # let entry = Entry { at: clock.now(), lead_id: Some(lead.clone()), nonce: 0, event };
/// let event = NewEvent {
///     lead: lead.clone(),
///     key: "source/crm_event_lead_a.json".to_owned(),
///     body: "{}".into(),
///     delay: Duration::from_secs(600),
///     job: "a job".to_owned(),
///     entry,
///     repeated: false,
/// };
/// assert_eq!(store.accept(event.clone()).await?, Accepted::New);
/// assert_eq!(store.accept(event.clone()).await?, Accepted::Duplicate);
/// assert!(store.get(&event.key).await?.is_some());
/// assert_eq!(store.of_lead(&lead).await?, [event.entry]);
/// assert_eq!(store.depth(Queue::Delay).await?.waiting, 1);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Intake: Send + Sync {
    /// Stores the raw bytes under `key` if there are none yet, queues the lead's job to become due
    /// after `delay`, and writes `entry` to the journal.
    ///
    /// When this returns [`Accepted::New`], all of it survives a power cut. When it fails, nothing of
    /// it is there, or all of it is and the caller could not be notified.
    async fn accept(&self, event: NewEvent) -> Result<Accepted, Fault>;
}

/// An event to store.
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
