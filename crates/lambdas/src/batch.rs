//! Messages as Lambda passes them to a function, and the report of those that failed.

use std::collections::HashSet;

use aws::SystemAttributes;
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use pipeline::ports::Delivery;
use serde::Serialize;

/// A batch that cannot be reported on: Lambda delivers all of it again.
#[derive(Debug, thiserror::Error)]
#[error("message {0} of the batch has no messageId, so its failure cannot be reported")]
pub struct NoMessageId(usize);

/// The messages of an event.
///
/// # Errors
/// [`NoMessageId`]: reported by an empty name, a failure would fail the whole batch, and unreported it
/// would delete the message.
pub fn deliveries(event: SqsEvent) -> Result<Vec<Delivery>, NoMessageId> {
    event.records.into_iter().enumerate().map(|(index, message)| delivery(index, message)).collect()
}

fn delivery(index: usize, message: SqsMessage) -> Result<Delivery, NoMessageId> {
    let SystemAttributes { receives, sent_at, first_received_at } =
        SystemAttributes::read(|name| message.attributes.get(name));
    let texts = message.message_attributes.iter();
    let texts = texts.filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?))).collect();
    Ok(Delivery {
        receives,
        sent_at,
        first_received_at,
        attributes: texts,
        id: message.message_id.filter(|id| !id.is_empty()).ok_or(NoMessageId(index))?,
        handle: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
    })
}

/// The messages that are to be delivered again; whatever else was in the batch is deleted.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl Report {
    /// The ids of the messages that are to be delivered again.
    pub fn again(&self) -> impl Iterator<Item = &str> {
        self.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str())
    }

    /// The report of these failures, each once.
    pub fn of(failed: impl IntoIterator<Item = String>) -> Self {
        let mut seen = HashSet::new();
        let batch_item_failures = failed
            .into_iter()
            .filter(|id| seen.insert(id.clone()))
            .map(|item_identifier| Failure { item_identifier })
            .collect();
        Self { batch_item_failures }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(records: serde_json::Value) -> SqsEvent {
        serde_json::from_value(json!({"Records": records})).unwrap()
    }

    #[test]
    fn a_message_is_read_as_lambda_writes_it() {
        let record = json!({
            "messageId": "m1", "receiptHandle": "h1", "body": "not json", "md5OfBody": "",
            "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1789398133120"},
            "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:a:1:q",
        });
        let found = deliveries(event(json!([record]))).unwrap();
        assert_eq!((found[0].id.as_str(), found[0].receives, found[0].body.as_str()), ("m1", 3, "not json"));
        assert_eq!(found[0].sent_at.as_millisecond(), 1_789_398_133_120);
    }

    #[test]
    fn a_message_without_an_id_fails_the_batch_on_purpose() {
        for record in [json!({"body": "x"}), json!({"messageId": "", "body": "x"})] {
            assert!(deliveries(event(json!([record]))).is_err());
        }
    }

    #[test]
    fn failures_are_reported_in_lambdas_words() {
        let report = serde_json::to_value(Report::of(["a".to_owned(), "b".to_owned(), "a".to_owned()]));
        let expected = json!({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]});
        assert_eq!(report.unwrap(), expected);
        assert_eq!(serde_json::to_value(Report::default()).unwrap(), json!({"batchItemFailures": []}));
    }
}
