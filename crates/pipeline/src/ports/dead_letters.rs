use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Queue;
use crate::{
    Code, Fault,
    job::{AlertJob, ProcessJob},
};

/// The dead letters of both queues.
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// # use std::time::Duration;
/// # use pipeline::{Code, ports::{DeadLetterCause, Disposition, NewMessage, Outbox}};
/// use pipeline::ports::{Body, DeadLetters, Inbox, Queue};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// # let message = NewMessage { body: "x".to_owned(), lead: None, delay: Duration::ZERO };
/// # store.send(Queue::Notification, message).await?;
/// # let delivery = store.receive(Queue::Notification, 1).await?.remove(0);
/// # let (code, reason) = (Code::SlackWebhookGone, "404 no_service".to_owned());
/// # let cause = DeadLetterCause { code, reason, attempts: 1, lead: None };
/// # store.settle(Queue::Notification, &delivery, Disposition::Dead(cause)).await?;
/// let (letters, total) = store.list(Some(Queue::Notification), 10).await?;
/// assert_eq!((total, letters[0].reason.as_str()), (1, "404 no_service"));
/// assert!(store.redrive(&letters[0].id, Body::AsIs).await?);
/// assert!(!store.redrive(&letters[0].id, Body::AsIs).await?, "there is none any more");
/// assert_eq!(store.receive(Queue::Notification, 1).await?[0].body, "x");
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Up to `limit` dead letters, the latest first, and how many there are in all.
    async fn list(&self, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadLetter>, u64), Fault>;

    /// When the oldest one died.
    async fn oldest(&self) -> Result<Option<Timestamp>, Fault>;

    /// One dead letter with its body.
    async fn get(&self, id: &str) -> Result<Option<(DeadLetter, String)>, Fault>;

    /// Puts one message back into its queue, due at once and with its attempts forgotten.
    ///
    /// Send, confirm, delete: interrupted anywhere, the message is in the queue or among the dead
    /// letters, never nowhere. False where there is no such dead letter (any more).
    async fn redrive(&self, id: &str, body: Body) -> Result<bool, Fault>;

    /// The lead that a worker of `queue` would find in this body.
    ///
    /// # Errors
    /// What is wrong with it, one clean line.
    fn lead_in(&self, queue: Queue, body: &str) -> Result<LeadId, String> {
        match queue {
            Queue::Delay => ProcessJob::parse(body).map(|job| job.lead_id),
            Queue::Notification => AlertJob::parse(body).map(|job| job.lead_id),
        }
    }

    /// Deletes one. The caller has stored a copy. False where there is none.
    async fn delete(&self, id: &str) -> Result<bool, Fault>;
}

/// The body that a redriven message gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The one it has.
    AsIs,
    /// An edited one.
    Edited(String),
}

/// A dead letter without its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its identity among the dead letters.
    pub id: String,
    /// The queue it died in.
    pub queue: Queue,
    /// The lead, where the message could be read that far.
    pub lead_id: Option<LeadId>,
    /// The kind of failure.
    pub code: Code,
    /// What happened.
    pub reason: String,
    /// How often its work was tried.
    pub attempts: u32,
    /// When it failed first.
    pub first_failed_at: Timestamp,
    /// When it died.
    pub dead_at: Timestamp,
}
