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
    Inner, Place, Queues,
    message::{self, LEAD},
    whole_seconds,
};
use crate::fault::fault;

#[async_trait]
impl Outbox for Queues {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        let to = self.0.live(queue)?;
        let lead = message.lead.as_ref().map(LeadId::as_str).unwrap_or_default();
        let attributes = message::attributes([(LEAD, lead)])?;
        let delay = whole_seconds(message.delay, MAX_DELAY);
        self.0.send("sending to", &to, &message.body, attributes, delay).await
    }
}

impl Inner {
    /// Sends a message, due after `delay` seconds whatever the queue's own delay is: SQS takes that only
    /// where a message names none,
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
    /// `doing` is what an error says, before the queue's name.
    pub(super) async fn send(
        &self,
        doing: &str,
        to: &Place<'_>,
        body: &str,
        attributes: HashMap<String, MessageAttributeValue>,
        delay: i32,
    ) -> Result<(), Fault> {
        let doing = format!("{doing} {}", to.name);
        let sent = self
            .sqs
            .send_message()
            .queue_url(to.url)
            .message_body(body)
            .set_message_attributes((!attributes.is_empty()).then_some(attributes))
            .delay_seconds(delay)
            .send()
            .await
            .map_err(|error| fault(&doing, &error))?;
        // What answers without one, such as a proxy on the way, is not SQS.
        if sent.message_id.is_none_or(|id| id.is_empty()) {
            return Err(Fault::new(Code::AwsFailed, format!("{doing}: the answer names no message")));
        }
        Ok(())
    }
}
