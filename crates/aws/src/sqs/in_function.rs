//! What a Lambda function does about a message that Lambda has received for it, and deletes itself.

use std::time::Duration;

use pipeline::{
    Fault,
    ports::{DeadLetterCause, Delivery, Queue},
};

use super::{
    Queues,
    inbox::{LONGEST_VISIBILITY, of},
    whole_seconds,
};

impl Queues {
    /// Connects to SQS, so that the first message need not wait for that. What fails here fails again, and
    /// is said, when it is needed.
    pub async fn warm_up(&self) {
        if let Ok(url) = self.0.url(Queue::Delay) {
            let _ = self.0.sqs.get_queue_attributes().queue_url(url).send().await;
        }
    }

    /// Whether the queue's dead letters are known.
    pub fn has_dead_letters(&self, queue: Queue) -> bool {
        self.0.dead_url(queue).is_some()
    }

    /// Copies a message to the dead letters, durably.
    ///
    /// # Errors
    /// It could not be sent there.
    pub async fn bury_in_function(
        &self,
        queue: Queue,
        delivery: &Delivery,
        why: &DeadLetterCause,
    ) -> Result<(), Fault> {
        self.0.bury(queue, delivery, why).await
    }

    /// Hides a message for a time from now.
    ///
    /// # Errors
    /// It comes back when the queue's visibility timeout is over.
    pub async fn hide_in_function(
        &self,
        queue: Queue,
        delivery: &Delivery,
        wait: Duration,
    ) -> Result<(), Fault> {
        let seconds = whole_seconds(wait, LONGEST_VISIBILITY);
        let url = self.0.url(queue)?;
        self.0.hide(&of(queue), url, &delivery.handle, seconds).await.map(|_| ())
    }
}
