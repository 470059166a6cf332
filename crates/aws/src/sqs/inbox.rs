//! Receiving, and saying what became of it.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::{
    error::{ProvideErrorMetadata, SdkError},
    types::{Message, MessageSystemAttributeName},
};
use pipeline::{
    Fault,
    ports::{Delivery, Depth, Disposition, Inbox, Queue},
};

use super::{BATCH, Inner, Place, Queues, SqsActions, message, whole_seconds};
use crate::fault::fault;

/// The longest time that a received message can be hidden.
const LONGEST_VISIBILITY: Duration = Duration::from_secs(43_200);
/// How long a message is hidden while it is moved to the dead letters.
const WHILE_MOVED: Duration = Duration::from_secs(60);

#[async_trait]
impl Inbox for Queues {
    /// Asks until there are enough or an answer is empty.
    async fn receive(&self, queue: Queue, most: usize) -> Result<Vec<Delivery>, Fault> {
        let (live, wait) = (self.0.live(queue)?, self.0.wait_seconds());
        let mut deliveries = Vec::new();
        while deliveries.len() < most {
            // Once something has been received, there is no wait for more.
            let wait = if deliveries.is_empty() { wait } else { 0 };
            match self.0.receive(&live, most - deliveries.len(), wait, None).await {
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
        let live = self.0.live(queue)?;
        match disposition {
            Disposition::Done => self.0.delete(&live, &delivery.handle).await,
            Disposition::Retry(after) => self.0.hide(&live, &delivery.handle, after).await.map(drop),
            Disposition::Dead(why) => {
                self.0.needed_dead(queue)?;
                // Checks whether it is still ours, and hides it from others until it is deleted.
                if !self.0.hide(&live, &delivery.handle, WHILE_MOVED).await? {
                    return Ok(());
                }
                self.bury(queue, delivery, &why).await?;
                self.0.delete(&live, &delivery.handle).await
            }
        }
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, Fault> {
        let dead = async {
            let Some(dead) = self.0.dead(queue) else { return Ok(0) };
            Ok(self.0.counts(&dead).await?.all())
        };
        let live = async { self.0.counts(&self.0.live(queue)?).await };
        let (live, dead) = futures_util::try_join!(live, dead)?;
        Ok(Depth { waiting: live.delayed, ready: live.visible, in_flight: live.hidden, dead })
    }
}

impl Inner {
    /// One request for messages, with everything that SQS knows of them. `visibility` in seconds, the
    /// queue's own where there is none.
    pub(super) async fn receive(
        &self,
        from: &Place<'_>,
        most: usize,
        wait: i32,
        visibility: Option<i32>,
    ) -> Result<Vec<Message>, Fault> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(from.url)
            .max_number_of_messages(i32::try_from(most.clamp(1, BATCH)).unwrap_or(1))
            .wait_time_seconds(wait)
            .set_visibility_timeout(visibility)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| fault(&format!("receiving from {}", from.name), &error))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Deletes a message; one that is already gone is not an error.
    pub(super) async fn delete(&self, from: &Place<'_>, handle: &str) -> Result<(), Fault> {
        match self.sqs.delete_message().queue_url(from.url).receipt_handle(handle).send().await {
            Err(error) if !is_not_found(&error) => {
                Err(fault(&format!("deleting from {}", from.name), &error))
            }
            _ => Ok(()),
        }
    }

    /// Hides a message for a time from now. False where it is not in flight by this
    /// handle any more.
    pub(super) async fn hide(&self, place: &Place<'_>, handle: &str, wait: Duration) -> Result<bool, Fault> {
        let changed = self.sqs.change_message_visibility().queue_url(place.url).receipt_handle(handle);
        match changed.visibility_timeout(whole_seconds(wait, LONGEST_VISIBILITY)).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => {
                Err(fault(&format!("changing the visibility of a message of {}", place.name), &error))
            }
        }
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
