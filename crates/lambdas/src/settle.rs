//! Settling messages where Lambda itself receives and deletes them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use aws::SqsActions;
use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{
    Code, Fault, Function,
    driver::{Driver, QueueStage},
    job::lead_in,
    ports::{Clock, Delivery, Depth, Disposition, Inbox, Level, Queue},
    recorder,
};

use crate::batch::Report;

/// The part of an invocation's time that is reserved for settling and answering.
const RESERVE: SignedDuration = SignedDuration::from_secs(2);

/// The time by which its work has to be done, for an invocation that ends at `deadline`.
pub fn reserve(deadline: Timestamp) -> Timestamp {
    deadline.checked_sub(RESERVE).unwrap_or(deadline)
}

/// Works on the batch of an invocation that ends at `deadline`, and reports which messages Lambda must not delete.
pub async fn work_on(
    stage: Arc<dyn QueueStage>,
    actions: Arc<dyn SqsActions>,
    clock: Arc<dyn Clock>,
    deliveries: &[Delivery],
    deadline: Timestamp,
) -> Report {
    let batch = Arc::new(InvocationBatch { actions, again: Mutex::default() });
    // The queue redelivers what could not be settled, so one attempt is enough.
    let driver = Driver { stage, inbox: batch.clone(), clock, settle_attempts: 1, after_panic: None };
    let unsettled = driver.work_on(deliveries, Some(reserve(deadline))).await;
    let again = std::mem::take(&mut *pipeline::lock(&batch.again));
    Report::of(unsettled.into_iter().chain(again))
}

/// The batch of an invocation. Settling decides what to report of each message.
struct InvocationBatch {
    actions: Arc<dyn SqsActions>,
    /// The ids of messages to be redelivered.
    again: Mutex<BTreeSet<String>>,
}

impl InvocationBatch {
    fn again(&self, delivery: &Delivery) {
        pipeline::lock(&self.again).insert(delivery.id.clone());
    }
}

#[async_trait]
impl Inbox for InvocationBatch {
    async fn receive(&self, _: Queue, _: usize) -> Result<Vec<Delivery>, Fault> {
        Err(Fault::new(Code::Internal, "Lambda receives the messages of a function"))
    }

    /// A dead one is reported as done once its copy is among the dead letters; where no dead-letter queue is known it is
    /// reported as failed, until the queue's own rule moves it. A retry's wait is set before the failure is reported;
    /// where that fails the message comes back after the queue's visibility timeout instead, which the log then says.
    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) -> Result<(), Fault> {
        match disposition {
            Disposition::Done => {}
            Disposition::Dead(why) if self.actions.knows_dead_letters(queue) => {
                self.actions.bury(queue, delivery, &why).await?;
            }
            Disposition::Dead(_) => self.again(delivery),
            Disposition::Retry(wait) => {
                self.again(delivery);
                if let Err(fault) = self.actions.hide(queue, delivery, wait).await {
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
