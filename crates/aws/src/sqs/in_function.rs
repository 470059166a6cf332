//! What a Lambda function does about a message that Lambda has received for it, and deletes itself.

use std::time::Duration;

use async_trait::async_trait;
use pipeline::{
    Fault, Function,
    ports::{DeadLetterCause, Delivery, Level, Queue},
    recorder,
};

use super::{
    Queues, death,
    message::{self, MOST_ATTRIBUTES},
};

/// What can be done with a message that somebody else has received and will delete.
#[async_trait]
pub trait SqsActions: Send + Sync {
    /// Whether the queue's dead-letter queue is known.
    fn knows_dead_letters(&self, queue: Queue) -> bool;

    /// Copies a message to the dead letters. Durable there when this returns.
    async fn bury(&self, queue: Queue, delivery: &Delivery, why: &DeadLetterCause) -> Result<(), Fault>;

    /// Hides it for a time from now. Where that fails it comes back when the queue's visibility timeout is over.
    async fn hide(&self, queue: Queue, delivery: &Delivery, wait: Duration) -> Result<(), Fault>;
}

#[async_trait]
impl SqsActions for Queues {
    fn knows_dead_letters(&self, queue: Queue) -> bool {
        self.0.dead(queue).is_some()
    }

    async fn bury(&self, queue: Queue, delivery: &Delivery, why: &DeadLetterCause) -> Result<(), Fault> {
        let dead = self.0.needed_dead(queue)?;
        let of_death = death::attributes(delivery, why, self.0.clock.now());
        let own = delivery.attributes.iter().filter(|(name, _)| !of_death.iter().any(|(of, _)| of == name));
        // Nothing that gets into our queues has more of its own than fit.
        let room = MOST_ATTRIBUTES - of_death.len();
        if own.clone().count() > room {
            let message = format!("a dead letter of message {} loses attributes", delivery.id);
            recorder::line(Function::of_queue(queue), Level::Warn, &message, None, None);
        }
        let texts = of_death.iter().map(|(name, text)| (*name, text.as_str()));
        let texts = texts.chain(own.take(room).map(|(name, text)| (name.as_str(), text.as_str())));
        let attributes = message::attributes(texts)?;
        self.0.send("sending to", &dead, &delivery.body, attributes, 0).await?;
        self.0.received(queue).forget_oldest();
        Ok(())
    }

    async fn hide(&self, queue: Queue, delivery: &Delivery, wait: Duration) -> Result<(), Fault> {
        self.0.hide(&self.0.live(queue)?, &delivery.handle, wait).await.map(drop)
    }
}

impl Queues {
    /// Connects to SQS, so that the first message need not wait for that. What fails here fails again, and
    /// is said, when it is needed.
    pub async fn warm_up(&self) {
        if let Ok(delay) = self.0.live(Queue::Delay) {
            let _ = self.0.sqs.get_queue_attributes().queue_url(delay.url).send().await;
        }
    }
}
