//! The rules that a queue goes by.

use aws_sdk_sqs::types::QueueAttributeName;
use pipeline::{Fault, ports::Queue};
use serde_json::Value;

use super::{Inner, Place, Queues, counts::max_receives};

/// A queue's rules, times in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueAttributes {
    pub(crate) arn: String,
    pub(crate) delay: u64,
    pub(crate) visibility: u64,
    pub(crate) retention: u64,
    /// How often a message is received before it is moved; 0 where it never is.
    pub(crate) max_receives: u32,
    /// Where it is moved to.
    pub(crate) dead_arn: Option<String>,
}

impl Queues {
    /// The rules of a queue.
    pub(crate) async fn rules(&self, queue: Queue) -> Result<QueueAttributes, Fault> {
        self.0.rules(&self.0.live(queue)?).await
    }

    /// The rules of its dead-letter queue.
    pub(crate) async fn dead_rules(&self, queue: Queue) -> Result<QueueAttributes, Fault> {
        self.0.rules(&self.0.needed_dead(queue)?).await
    }
}

impl Inner {
    async fn rules(&self, place: &Place<'_>) -> Result<QueueAttributes, Fault> {
        use QueueAttributeName as Name;
        let wanted = [
            Name::QueueArn,
            Name::DelaySeconds,
            Name::VisibilityTimeout,
            Name::MessageRetentionPeriod,
            Name::RedrivePolicy,
        ];
        let attributes = self.attributes(place, &wanted).await?;
        let seconds = |name| attributes.get(&name).and_then(|value| value.parse().ok()).unwrap_or(0);
        let policy = attributes.get(&Name::RedrivePolicy);
        Ok(QueueAttributes {
            arn: attributes.get(&Name::QueueArn).cloned().unwrap_or_default(),
            delay: seconds(Name::DelaySeconds),
            visibility: seconds(Name::VisibilityTimeout),
            retention: seconds(Name::MessageRetentionPeriod),
            max_receives: policy.and_then(|policy| max_receives(policy)).unwrap_or(0),
            dead_arn: policy.and_then(|policy| dead_arn(policy)),
        })
    }
}

fn dead_arn(policy: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    Some(policy.get("deadLetterTargetArn")?.as_str()?.to_owned())
}
