//! The figures of the functions, as the template has them.

use std::{sync::LazyLock, time::Duration};

use serde_json::Value;

use super::sqs::Rules;
use crate::template::Template;

/// The figures of a stack with the template's defaults.
pub static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::read);

/// What Lambda and SQS keep to.
pub struct Limits {
    /// How long a webhook may take.
    pub ingestion: Duration,
    /// The processor, and its queue.
    pub processor: Batches,
    /// The notification function, and its queue.
    pub notification: Batches,
    /// How long a look at the schedule may take.
    pub housekeeping: Duration,
}

/// A function that takes batches from a queue.
pub struct Batches {
    /// How long an invocation may take.
    pub timeout: Duration,
    /// How many messages it receives at the most.
    pub batch: usize,
    /// How many invocations there are at a time.
    pub at_once: usize,
    /// Its queue.
    pub queue: Rules,
}

impl Limits {
    fn read() -> Self {
        let template = Template::read();
        let timeout = |function: &str| {
            Duration::from_secs(template.number(&template.properties(function)["Timeout"], &[]))
        };
        let batches = |function: &str, mapping: &str, queue: &str| {
            let (mapping, queue) = (template.properties(mapping), template.properties(queue));
            let number = |value: &Value| template.number(value, &[]);
            let size = |value: &Value| usize::try_from(number(value)).unwrap();
            Batches {
                timeout: timeout(function),
                batch: size(&mapping["BatchSize"]),
                at_once: size(&mapping["ScalingConfig"]["MaximumConcurrency"]),
                queue: Rules {
                    visibility: Duration::from_secs(number(&queue["VisibilityTimeout"])),
                    max_receives: u32::try_from(number(&queue["RedrivePolicy"]["maxReceiveCount"])).unwrap(),
                },
            }
        };
        Self {
            ingestion: timeout("WebhookIngestionFunction"),
            processor: batches("LeadProcessorFunction", "LeadProcessorMapping", "DelayQueue"),
            notification: batches("NotificationFunction", "NotificationMapping", "NotificationQueue"),
            housekeeping: timeout("HousekeepingFunction"),
        }
    }
}
