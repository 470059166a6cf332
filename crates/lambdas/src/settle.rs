//! Saying what became of messages where Lambda itself receives and deletes.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use aws::Queues;
use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{
    Code, Fault, Function,
    driver::{Driver, QueueStage},
    job::lead_in,
    ports::{Clock, DeadLetterCause, Delivery, Depth, Disposition, Inbox, Level, Queue},
    recorder,
};

use crate::batch::Report;

/// What is left of an invocation's time for settling and answering.
const RESERVE: SignedDuration = SignedDuration::from_secs(2);

/// The time by which its work has to be done, for an invocation that ends at `deadline`.
pub fn reserve(deadline: Timestamp) -> Timestamp {
    deadline.checked_sub(RESERVE).unwrap_or(deadline)
}

/// What a function can do about a message that Lambda has received for it.
#[async_trait]
pub trait Reach: Send + Sync {
    /// Whether it knows the queue's dead letters.
    fn knows_dead_letters(&self, queue: Queue) -> bool;

    /// Copies a message to the dead letters.
    async fn bury(&self, queue: Queue, delivery: &Delivery, why: &DeadLetterCause) -> Result<(), Fault>;

    /// Keeps it out of sight for so long from now.
    async fn hide(&self, queue: Queue, delivery: &Delivery, wait: std::time::Duration) -> Result<(), Fault>;
}

#[async_trait]
impl Reach for Queues {
    fn knows_dead_letters(&self, queue: Queue) -> bool {
        self.has_dead_letters(queue)
    }

    async fn bury(&self, queue: Queue, delivery: &Delivery, why: &DeadLetterCause) -> Result<(), Fault> {
        self.bury_in_function(queue, delivery, why).await
    }

    async fn hide(&self, queue: Queue, delivery: &Delivery, wait: std::time::Duration) -> Result<(), Fault> {
        self.hide_in_function(queue, delivery, wait).await
    }
}

/// Works on the batch of an invocation that ends at `deadline`, and reports what Lambda is not to delete.
pub async fn work_on(
    stage: Arc<dyn QueueStage>,
    reach: Arc<dyn Reach>,
    clock: Arc<dyn Clock>,
    deliveries: &[Delivery],
    deadline: Timestamp,
) -> Report {
    let handed = Arc::new(Handed { reach, again: Mutex::default() });
    // The queue delivers again what could not be settled, so once is enough.
    let driver = Driver { stage, inbox: handed.clone(), clock, settle_attempts: 1, after_panic: None };
    let unsettled = driver.work_on(deliveries, Some(reserve(deadline))).await;
    let again = std::mem::take(&mut *handed.again.lock().unwrap_or_else(PoisonError::into_inner));
    Report::of(unsettled.into_iter().chain(again))
}

/// The messages that Lambda has handed to an invocation. Settling says what to report of each.
struct Handed {
    reach: Arc<dyn Reach>,
    /// Those that are to be delivered again.
    again: Mutex<BTreeSet<String>>,
}

impl Handed {
    fn again(&self, delivery: &Delivery) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).insert(delivery.id.clone());
    }
}

#[async_trait]
impl Inbox for Handed {
    async fn receive(&self, _: Queue, _: usize) -> Result<Vec<Delivery>, Fault> {
        Err(Fault::new(Code::Internal, "Lambda receives the messages of a function"))
    }

    /// A dead one is reported as done once its copy is among the dead letters; where no dead-letter queue is known it is
    /// reported as failed, until the queue's own rule moves it. A retry's wait is set before the failure is reported;
    /// where that fails the message comes back after the queue's visibility timeout instead, which the log then says.
    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) -> Result<(), Fault> {
        match disposition {
            Disposition::Done => {}
            Disposition::Dead(why) if self.reach.knows_dead_letters(queue) => {
                self.reach.bury(queue, delivery, &why).await?;
            }
            Disposition::Dead(_) => self.again(delivery),
            Disposition::Retry(wait) => {
                self.again(delivery);
                if let Err(fault) = self.reach.hide(queue, delivery, wait).await {
                    let lead = lead_in(&delivery.body);
                    let context = "the message comes back later than wanted";
                    recorder::fault(Function::of_queue(queue), Level::Warn, context, lead.as_ref(), &fault);
                }
            }
        }
        Ok(())
    }

    async fn depth(&self, _: Queue) -> Result<Depth, Fault> {
        Err(Fault::new(Code::Internal, "a function does not know how long its queue is"))
    }
}
