//! Receiving, and saying what became of it.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::{
    error::{ProvideErrorMetadata, SdkError},
    types::{Message, MessageSystemAttributeName},
};
use pipeline::{
    Fault, Function,
    ports::{DeadLetterCause, Delivery, Depth, Disposition, Inbox, Level, Queue},
    recorder,
};

use super::{
    BATCH, Inner, Queues, death,
    message::{self, MOST_ATTRIBUTES},
    whole_seconds,
};
use crate::fault::fault;

/// The longest time that a received message can be hidden.
pub(super) const LONGEST_VISIBILITY: Duration = Duration::from_secs(43_200);
/// How long a message is hidden while it is moved to the dead letters.
const WHILE_MOVED: i32 = 60;

#[async_trait]
impl Inbox for Queues {
    /// Asks until there are enough or an answer is empty.
    async fn receive(&self, queue: Queue, most: usize) -> Result<Vec<Delivery>, Fault> {
        let (url, wait) = (self.0.url(queue)?, self.0.wait_seconds());
        let doing = format!("receiving from the {} queue", queue.as_str());
        let mut deliveries = Vec::new();
        while deliveries.len() < most {
            // Once something has been received, there is no wait for more.
            let wait = if deliveries.is_empty() { wait } else { 0 };
            match self.0.receive(&doing, url, most - deliveries.len(), wait, None).await {
                Ok(messages) if messages.is_empty() => break,
                Ok(messages) => deliveries.extend(messages.into_iter().filter_map(message::delivery)),
                Err(fault) if deliveries.is_empty() => return Err(fault),
                // Those received already would be out of sight for nothing.
                Err(_) => break,
            }
        }
        Ok(deliveries)
    }

    /// SQS itself ignores a delivery that has been received again since: a handle is valid only for the latest delivery.
    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) -> Result<(), Fault> {
        let url = self.0.url(queue)?;
        match disposition {
            Disposition::Done => self.0.delete(&of(queue), url, &delivery.handle).await,
            Disposition::Retry(after) => {
                let seconds = whole_seconds(after, LONGEST_VISIBILITY);
                self.0.hide(&of(queue), url, &delivery.handle, seconds).await.map(|_| ())
            }
            Disposition::Dead(why) => {
                self.0.needed_dead_url(queue)?;
                // Checks whether it is still ours, and hides it from others until it is deleted.
                if !self.0.hide(&of(queue), url, &delivery.handle, WHILE_MOVED).await? {
                    return Ok(());
                }
                self.0.bury(queue, delivery, &why).await?;
                self.0.delete(&of(queue), url, &delivery.handle).await
            }
        }
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, Fault> {
        let dead = async {
            match self.0.dead_url(queue) {
                Some(url) => Ok(self.0.counts(&super::dead_letters::of(queue), url).await?.all()),
                None => Ok(0),
            }
        };
        let live = async { self.0.counts(&of(queue), self.0.url(queue)?).await };
        let (live, dead) = futures_util::try_join!(live, dead)?;
        Ok(Depth { waiting: live.delayed, ready: live.visible, in_flight: live.hidden, dead })
    }
}

/// A queue, for people.
pub(super) fn of(queue: Queue) -> String {
    format!("the {} queue", queue.as_str())
}

impl Inner {
    /// One request for messages, with everything that SQS knows of them. `visibility` in seconds, the
    /// queue's own where there is none.
    pub(super) async fn receive(
        &self,
        doing: &str,
        url: &str,
        most: usize,
        wait: i32,
        visibility: Option<i32>,
    ) -> Result<Vec<Message>, Fault> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(most.clamp(1, BATCH)).unwrap_or(1))
            .wait_time_seconds(wait)
            .set_visibility_timeout(visibility)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| fault(doing, &error))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Deletes a message; one that is already gone is not an error.
    pub(super) async fn delete(&self, place: &str, url: &str, handle: &str) -> Result<(), Fault> {
        match self.sqs.delete_message().queue_url(url).receipt_handle(handle).send().await {
            Err(error) if !is_not_found(&error) => Err(fault(&format!("deleting from {place}"), &error)),
            _ => Ok(()),
        }
    }

    /// Hides a message for a number of seconds from now. False where it is not in flight by this
    /// handle any more.
    pub(super) async fn hide(
        &self,
        place: &str,
        url: &str,
        handle: &str,
        seconds: i32,
    ) -> Result<bool, Fault> {
        let changed = self.sqs.change_message_visibility().queue_url(url).receipt_handle(handle);
        match changed.visibility_timeout(seconds).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => Err(fault(&format!("changing the visibility of a message of {place}"), &error)),
        }
    }

    /// Copies a message to its dead letters. Durable there when this returns.
    pub(super) async fn bury(
        &self,
        queue: Queue,
        delivery: &Delivery,
        why: &DeadLetterCause,
    ) -> Result<(), Fault> {
        let dead_url = self.needed_dead_url(queue)?;
        let of_death = death::attributes(delivery, why, self.clock.now());
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
        let doing = format!("sending to {}", super::dead_letters::of(queue));
        self.send(&doing, dead_url, &delivery.body, attributes, 0).await?;
        self.received(queue).forget_oldest();
        Ok(())
    }
}

/// Whether SQS says that there is no such delivery any more, in any of its ways of saying so:
/// `MessageNotInflight`, `ReceiptHandleIsInvalid`, or `InvalidParameterValue` with the reason in words.
fn is_not_found<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let Some(error) = error.as_service_error() else { return false };
    match error.code().unwrap_or_default() {
        "MessageNotInflight" | "AWS.SimpleQueueService.MessageNotInflight" | "ReceiptHandleIsInvalid" => true,
        "InvalidParameterValue" => {
            error.message().is_some_and(|why| why.contains("does not exist") || why.contains("has expired"))
        }
        _ => false,
    }
}
