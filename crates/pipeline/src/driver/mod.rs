//! The driver: takes messages to their stage, and says what became of each.
//!
//! One for everybody who works on a queue. A Lambda function is handed a batch and has [`Driver::work_on`] do it by a
//! deadline; a process that lives has [`Workers`] take batches for as long as it does, after [`take_over`] of what its
//! predecessor had in hand.

mod in_flight;
mod take_over;
mod workers;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{FutureExt as _, future::join_all};
use lead::Timestamp;
use outside::{text, time_left};

use crate::{
    Code, Fault, Function,
    job::{AlertJob, lead_in},
    notify::Notify,
    ports::{Clock, Delivery, Disposition, Inbox, Level, Queue, within},
    process::Process,
    recorder,
};
pub use take_over::take_over;
pub use workers::{Spawn, Workers};

/// The first pause after a failure of the queues; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What a queue's messages are for.
#[async_trait]
pub trait QueueStage: Send + Sync {
    /// The queue.
    fn queue(&self) -> Queue;

    /// Whether it works on the messages of a batch together. One that does not is handed each by itself.
    fn is_together(&self) -> bool;

    /// How many lanes there are: what is slow in one holds up none of the others.
    fn lanes(&self) -> usize {
        1
    }

    /// The lane of a message.
    fn lane(&self, _: &Delivery) -> String {
        String::new()
    }

    /// From how many messages on it is worth while to wait for those that are about to come, as they are worked on
    /// together then. None where it is not.
    fn gathers_from(&self) -> Option<u64> {
        None
    }

    /// Leaves off the work of some messages, which nobody else works on: it was stopped before it came to an end.
    async fn leave_off(&self, _: &[Delivery]) {}

    /// Does the work of some messages, starting nothing that might not be over at `deadline`. The dispositions are in
    /// the order of `deliveries`.
    async fn work(&self, deliveries: &[Delivery], deadline: Option<Timestamp>) -> Vec<Disposition>;
}

#[async_trait]
impl QueueStage for Process {
    fn queue(&self) -> Queue {
        Queue::Delay
    }

    fn is_together(&self) -> bool {
        false
    }

    async fn work(&self, deliveries: &[Delivery], deadline: Option<Timestamp>) -> Vec<Disposition> {
        join_all(deliveries.iter().map(|delivery| self.handle_until(delivery, deadline))).await
    }
}

#[async_trait]
impl QueueStage for Notify {
    fn queue(&self) -> Queue {
        Queue::Notification
    }

    fn is_together(&self) -> bool {
        true
    }

    fn lanes(&self) -> usize {
        self.destinations.iter().count()
    }

    fn lane(&self, delivery: &Delivery) -> String {
        AlertJob::parse(&delivery.body).map_or_else(|_| String::new(), |job| job.destination.to_string())
    }

    /// More than a destination takes at once: digests have to be made of them.
    fn gathers_from(&self) -> Option<u64> {
        let limits = self.destinations.iter().map(|(_, destination)| destination.limits());
        let digesting = limits.filter(|limits| limits.together > 1).filter_map(|limits| limits.pace);
        digesting.map(|pace| u64::from(pace.burst) + 1).min()
    }

    /// Ends the claims on alerts, so that the next attempt need not wait for them to run out.
    async fn leave_off(&self, deliveries: &[Delivery]) {
        for job in deliveries.iter().filter_map(|delivery| AlertJob::parse(&delivery.body).ok()) {
            if let Err(fault) = self.receipts.expire_claim(&job).await {
                let (what, lead) = ("a claim is left to run out", Some(&job.lead_id));
                recorder::fault(Function::Notification, Level::Warn, what, lead, &fault);
            }
        }
    }

    async fn work(&self, deliveries: &[Delivery], deadline: Option<Timestamp>) -> Vec<Disposition> {
        self.handle_until(deliveries, deadline).await
    }
}

/// Takes messages to a stage.
pub struct Driver {
    /// The stage.
    pub stage: Arc<dyn QueueStage>,
    /// Where it is said what became of them.
    pub inbox: Arc<dyn Inbox>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How often it is tried to say so.
    pub settle_attempts: u32,
    /// When a message is delivered again over which the stage panicked; where nothing is said, its queue decides.
    pub after_panic: Option<Duration>,
}

impl Driver {
    /// Works on messages that were received and says what became of each. Gives the ids of those of which nothing could
    /// be said: their queue delivers them again.
    pub async fn work_on(&self, deliveries: &[Delivery], deadline: Option<Timestamp>) -> Vec<String> {
        let outcomes = self.outcomes(deliveries, deadline).await;
        self.settle_all(deliveries, outcomes).await
    }

    /// What the stage says of each delivery; nothing of one that it panicked over or did not get done with in time.
    async fn outcomes(
        &self,
        deliveries: &[Delivery],
        deadline: Option<Timestamp>,
    ) -> Vec<Option<Disposition>> {
        if self.stage.is_together() {
            self.attempt(deliveries, deadline).await
        } else {
            let each = deliveries.iter().map(|one| self.attempt(std::slice::from_ref(one), deadline));
            join_all(each).await.into_iter().flatten().collect()
        }
    }

    async fn attempt(
        &self,
        deliveries: &[Delivery],
        deadline: Option<Timestamp>,
    ) -> Vec<Option<Disposition>> {
        let by_itself = match self.attempt_once(deliveries, deadline).await {
            Ok(dispositions) => return dispositions.into_iter().map(Some).collect(),
            Err(stopped) => stopped,
        };
        let mut outcomes = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            // Over which of them it panicked shows when each is tried by itself. What was under way then is claimed, and
            // looked at again when its claim has run out.
            let stopped = match by_itself {
                Stopped::Panicked if deliveries.len() > 1 => {
                    match self.attempt_once(std::slice::from_ref(delivery), deadline).await {
                        Ok(mut one) => {
                            outcomes.push(one.pop());
                            continue;
                        }
                        Err(stopped) => stopped,
                    }
                }
                stopped => stopped,
            };
            self.left(delivery, stopped);
            outcomes.push(match stopped {
                Stopped::Panicked => self.after_panic.map(Disposition::Retry),
                Stopped::OutOfTime => None,
            });
        }
        outcomes
    }

    async fn attempt_once(
        &self,
        deliveries: &[Delivery],
        deadline: Option<Timestamp>,
    ) -> Result<Vec<Disposition>, Stopped> {
        // The stage may panic before it returns its future, too.
        let work = AssertUnwindSafe(async { self.stage.work(deliveries, deadline).await }).catch_unwind();
        let left = deadline.map(|deadline| time_left(deadline, self.clock.now()));
        let worked = within(&*self.clock, left, work).await.ok_or(Stopped::OutOfTime)?;
        worked.ok().filter(|outcomes| outcomes.len() == deliveries.len()).ok_or(Stopped::Panicked)
    }

    /// Writes to the log that a message was left undone.
    fn left(&self, delivery: &Delivery, stopped: Stopped) {
        let (why, code) = match stopped {
            Stopped::Panicked => ("its stage panicked over it", Code::Internal),
            Stopped::OutOfTime => ("the time for it was over", Code::Abandoned),
        };
        let id = text::shorten(&delivery.id, 80);
        let message = format!("message {id} is delivered again: {why}, attempt {}", delivery.receives);
        let lead = lead_in(&delivery.body);
        recorder::fault(self.function(), Level::Error, "", lead.as_ref(), &Fault::new(code, message));
    }

    /// Says what became of each delivery. The ids of those of which nothing could be said.
    async fn settle_all(&self, deliveries: &[Delivery], outcomes: Vec<Option<Disposition>>) -> Vec<String> {
        let settled = deliveries.iter().zip(outcomes).map(|(delivery, outcome)| async move {
            let is_settled = match outcome {
                Some(disposition) => self.settle(delivery, disposition).await,
                None => false,
            };
            (!is_settled).then(|| delivery.id.clone())
        });
        join_all(settled).await.into_iter().flatten().collect()
    }

    /// Says what became of a delivery, as often as it takes within reason. Whether that was written down; else the message
    /// is delivered again, and the stage finds its work done.
    async fn settle(&self, delivery: &Delivery, disposition: Disposition) -> bool {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=self.settle_attempts.max(1) {
            let settled = self.inbox.settle(self.stage.queue(), delivery, disposition.clone()).await;
            let Err(fault) = settled else { return true };
            let (doing, lead) = ("writing down what became of a message", lead_in(&delivery.body));
            recorder::fault(self.function(), Level::Error, doing, lead.as_ref(), &fault);
            if attempt < self.settle_attempts {
                self.clock.sleep(pause).await;
                pause *= 2;
            }
        }
        false
    }

    fn function(&self) -> Function {
        Function::of_queue(self.stage.queue())
    }
}

/// Why a stage did not get done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Panicked,
    OutOfTime,
}
