//! How many messages there are, and by which rules.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use pipeline::{Fault, ports::Queue};
use serde_json::Value;

use super::{Inner, Place, of_queue};
use crate::fault::fault;

/// The messages of one SQS queue, as SQS counts them: approximately, and up to a minute late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageCounts {
    /// They can be received.
    pub(super) visible: u64,
    /// They are in flight.
    pub(super) hidden: u64,
    /// Their delay is not over.
    pub(super) delayed: u64,
}

impl MessageCounts {
    pub(super) fn all(self) -> u64 {
        self.visible + self.hidden + self.delayed
    }
}

impl Inner {
    pub(super) async fn counts(&self, place: &Place<'_>) -> Result<MessageCounts, Fault> {
        const VISIBLE: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;
        const HIDDEN: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        const DELAYED: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
        let attributes = self.attributes(place, &[VISIBLE, HIDDEN, DELAYED]).await?;
        let count = |name| attributes.get(&name).and_then(|count| count.parse().ok()).unwrap_or(0);
        Ok(MessageCounts { visible: count(VISIBLE), hidden: count(HIDDEN), delayed: count(DELAYED) })
    }

    /// How often a message of the queue is received before SQS moves it to the dead letters: the queue's
    /// rule as it is now, asked for once. 0 where it has none or may not be read.
    pub(super) async fn max_receives(&self, queue: Queue) -> u32 {
        let asked = of_queue(self.max_receives.each_ref(), queue).get_or_try_init(|| async {
            const RULE: QueueAttributeName = QueueAttributeName::RedrivePolicy;
            let attributes = self.attributes(&self.live(queue)?, &[RULE]).await?;
            Ok::<_, Fault>(attributes.get(&RULE).and_then(|rule| max_receives(rule)).unwrap_or(0))
        });
        asked.await.copied().unwrap_or(0)
    }

    pub(super) async fn attributes(
        &self,
        place: &Place<'_>,
        names: &[QueueAttributeName],
    ) -> Result<HashMap<QueueAttributeName, String>, Fault> {
        let asked = self.sqs.get_queue_attributes().queue_url(place.url);
        let asked = asked.set_attribute_names(Some(names.to_vec())).send().await;
        let answer =
            asked.map_err(|error| fault(&format!("reading the attributes of {}", place.name), &error))?;
        Ok(answer.attributes.unwrap_or_default())
    }
}

/// The figure in a redrive policy. SQS writes it as a number, and takes it as text too.
pub(crate) fn max_receives(policy: &str) -> Option<u32> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    match policy.get("maxReceiveCount")? {
        Value::String(count) => count.parse().ok(),
        count => u32::try_from(count.as_u64()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_read_in_both_forms() {
        let arn = "\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:123456789012:d\"";
        assert_eq!(max_receives(&format!("{{{arn},\"maxReceiveCount\":5}}")), Some(5));
        assert_eq!(max_receives(&format!("{{{arn},\"maxReceiveCount\":\"1000\"}}")), Some(1_000));
        assert_eq!(max_receives(&format!("{{{arn}}}")), None);
    }
}
