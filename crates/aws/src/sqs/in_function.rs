//! Settling inside a Lambda function, where Lambda itself receives and deletes.

use pipeline::{
    Fault, Function,
    ports::{Delivery, Disposition, Level, Queue},
    recorder,
};

use super::{
    Queues,
    inbox::{LONGEST_VISIBILITY, of},
    whole_seconds,
};

/// What to report to Lambda about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Success: Lambda deletes it.
    Done,
    /// Failure: it is delivered again when its visibility ends, or becomes a dead letter by the queue's own
    /// rule.
    Failed,
}

impl Queues {
    /// Connects to SQS, so that the first message need not wait for that. What fails here fails again, and
    /// is told, when it is needed.
    pub async fn warm_up(&self) {
        if let Ok(url) = self.0.url(Queue::Delay) {
            let _ = self.0.sqs.get_queue_attributes().queue_url(url).send().await;
        }
    }

    /// Does what can be done about a message that Lambda received, and says what to report.
    ///
    /// A dead one is reported as done once its copy is among the dead letters; where no dead-letter queue
    /// is known it is reported as failed, until the queue's own rule moves it. A retry's wait is set before
    /// the failure is reported; where that fails the message comes back after the queue's visibility
    /// timeout instead, which the log then tells.
    ///
    /// # Errors
    /// The dead letter could not be sent: report failure, and it is tried again.
    pub async fn settle_in_function(
        &self,
        queue: Queue,
        delivery: &Delivery,
        disposition: Disposition,
    ) -> Result<Settled, Fault> {
        match disposition {
            Disposition::Done => Ok(Settled::Done),
            Disposition::Dead(_) if self.0.dead_url(queue).is_none() => Ok(Settled::Failed),
            Disposition::Dead(why) => {
                self.0.bury(queue, delivery, &why).await?;
                Ok(Settled::Done)
            }
            Disposition::Retry(after) => {
                let seconds = whole_seconds(after, LONGEST_VISIBILITY);
                let hidden = match self.0.url(queue) {
                    Ok(url) => self.0.hide(&of(queue), url, &delivery.handle, seconds).await.map(|_| ()),
                    Err(fault) => Err(fault),
                };
                if let Err(fault) = hidden {
                    let lead = pipeline::job::lead_in(&delivery.body);
                    let context = "the message comes back later than wanted";
                    recorder::fault(Function::of_queue(queue), Level::Warn, context, lead.as_ref(), &fault);
                }
                Ok(Settled::Failed)
            }
        }
    }
}
