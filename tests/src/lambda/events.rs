//! Messages of SQS as Lambda hands them to functions, and what functions answer to that.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::collections::HashSet;

use aws_sdk_sqs::types::Message;
use serde_json::{Map, Value, json};

use crate::aws::REGION;

/// The event of a batch.
pub(super) fn of_messages(messages: &[Message], queue: &str) -> Value {
    let records: Vec<Value> = messages.iter().map(|message| record(message, queue)).collect();
    json!({ "Records": records })
}

fn record(message: &Message, queue: &str) -> Value {
    let attributes = message.attributes.iter().flatten();
    let attributes: Map<String, Value> =
        attributes.map(|(name, value)| (name.as_str().to_owned(), value.as_str().into())).collect();
    let own = message.message_attributes.iter().flatten();
    let own: Map<String, Value> = own
        .map(|(name, value)| {
            let attribute = json!({
                "stringValue": value.string_value, "dataType": value.data_type, "stringListValues": [],
                "binaryListValues": [],
            });
            (name.clone(), attribute)
        })
        .collect();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": own,
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": REGION,
    })
}

/// The messages that are done with by this answer. `None`: none of them is, as the answer is no report.
pub(super) fn done<'a>(
    answer: &[u8],
    messages: &'a [Message],
    reports_failures: bool,
) -> Option<Vec<&'a Message>> {
    if !reports_failures {
        return Some(messages.iter().collect());
    }
    let failed = failed(answer)?;
    let id = |message: &Message| message.message_id.clone().unwrap_or_default();
    let known: HashSet<String> = messages.iter().map(id).collect();
    if !failed.iter().all(|failed| known.contains(failed)) {
        return None;
    }
    Some(messages.iter().filter(|message| !failed.contains(&id(message))).collect())
}

fn failed(answer: &[u8]) -> Option<Vec<String>> {
    if answer.is_empty() {
        return Some(Vec::new());
    }
    let failures = match serde_json::from_slice(answer).ok()? {
        Value::Null => return Some(Vec::new()),
        Value::Object(answer) if answer.is_empty() => return Some(Vec::new()),
        Value::Object(mut answer) => answer.remove("batchItemFailures")?,
        _ => return None,
    };
    match failures {
        Value::Null => Some(Vec::new()),
        Value::Array(failures) => {
            failures.iter().map(|failure| Some(failure["itemIdentifier"].as_str()?.to_owned())).collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_which_messages_are_done_or_nothing_at_all() {
        let messages = ["a", "b"].map(|id| Message::builder().message_id(id).build());
        let done_of = |answer: &str| {
            let done = done(answer.as_bytes(), &messages, true)?;
            Some(done.iter().map(|message| message.message_id().unwrap().to_owned()).collect::<String>())
        };
        for (answer, expected) in [
            ("", Some("ab")),
            ("null", Some("ab")),
            ("{}", Some("ab")),
            (r#"{"batchItemFailures":null}"#, Some("ab")),
            (r#"{"batchItemFailures":[]}"#, Some("ab")),
            (r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#, Some("b")),
            (r#"{"batchItemFailures":[{"itemIdentifier":"c"}]}"#, None),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, None),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, None),
            (r#"{"batchItemFailures":[{"messageId":"a"}]}"#, None),
            (r#"{"failures":[]}"#, None),
            ("garbage", None),
        ] {
            assert_eq!(done_of(answer).as_deref(), expected, "{answer}");
        }
        assert_eq!(done(b"garbage", &messages, false).unwrap().len(), 2);
    }
}
