use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Queue;
use crate::{
    Code, Fault,
    job::{AlertJob, ProcessJob},
};

/// The dead letters of both queues.
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

    /// Deletes one. The caller keeps the copy. False where there is none.
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
