//! Sending.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sqs::types::MessageAttributeValue;
use lead::LeadId;
use pipeline::{
    Code, Fault,
    ports::{MAX_DELAY, NewMessage, Outbox, Queue},
};

use super::{
    Inner, Queues,
    message::{self, LEAD},
    whole_seconds,
};
use crate::fault::fault;

#[async_trait]
impl Outbox for Queues {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        let url = self.0.url(queue)?;
        let lead = message.lead.as_ref().map(LeadId::as_str).unwrap_or_default();
        let attributes = message::attributes([(LEAD, lead)])?;
        let delay = whole_seconds(message.delay, MAX_DELAY);
        let doing = format!("sending to the {} queue", queue.as_str());
        self.0.send(&doing, url, &message.body, attributes, delay).await
    }
}

impl Inner {
    /// Sends a message, due after `delay` seconds whatever the queue's own delay is: SQS takes that only
    /// where a message names none,
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
    pub(super) async fn send(
        &self,
        doing: &str,
        url: &str,
        body: &str,
        attributes: HashMap<String, MessageAttributeValue>,
        delay: i32,
    ) -> Result<(), Fault> {
        let sent = self
            .sqs
            .send_message()
            .queue_url(url)
            .message_body(body)
            .set_message_attributes((!attributes.is_empty()).then_some(attributes))
            .delay_seconds(delay)
            .send()
            .await
            .map_err(|error| fault(doing, &error))?;
        // What answers without one, such as a proxy on the way, is not SQS.
        if sent.message_id.is_none_or(|id| id.is_empty()) {
            return Err(Fault::new(Code::AwsFailed, format!("{doing}: the answer names no message")));
        }
        Ok(())
    }
}
