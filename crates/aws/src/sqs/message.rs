//! Messages as SQS hands them out.

use std::collections::HashMap;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use lead::{LeadId, Timestamp};
use pipeline::{Code, Fault, job, ports::Delivery};

/// The attribute that names the lead that a message is about.
pub(super) const LEAD: &str = "leadops_lead";
/// The attribute of a redriven message that names the message that had died.
pub(super) const REDRIVEN_FROM: &str = "leadops_redriven_from";
/// How many attributes a message can have:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
pub(super) const MOST_ATTRIBUTES: usize = 10;

/// A delivery of what SQS handed out. None without an id or a handle, which SQS always gives.
pub(super) fn delivery(message: Message) -> Option<Delivery> {
    let SystemAttributes { receives, sent_at, first_received_at } = SystemAttributes::of(&message);
    let attributes = message.message_attributes.iter().flatten();
    let attributes =
        attributes.filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?))).collect();
    Some(Delivery {
        receives,
        sent_at,
        first_received_at,
        attributes,
        id: message.message_id?,
        handle: message.receipt_handle?,
        body: message.body.unwrap_or_default(),
    })
}

/// What SQS itself says of a message, to whoever it hands it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemAttributes {
    /// How often it was received, this time included.
    pub receives: u32,
    /// When it was sent; 1970 where that is not said.
    pub sent_at: Timestamp,
    /// When it was received first.
    pub first_received_at: Option<Timestamp>,
}

impl SystemAttributes {
    /// Reads them from what `attribute` gives for the name of each.
    pub fn read<'a>(attribute: impl Fn(&str) -> Option<&'a String>) -> Self {
        let number = |name| attribute(name)?.parse::<i64>().ok();
        let time = |name| number(name).map(outside::from_millis);
        let receives = number("ApproximateReceiveCount").and_then(|count| u32::try_from(count).ok());
        Self {
            receives: receives.unwrap_or(1).max(1),
            sent_at: time("SentTimestamp").unwrap_or(Timestamp::UNIX_EPOCH),
            first_received_at: time("ApproximateFirstReceiveTimestamp"),
        }
    }

    pub(super) fn of(message: &Message) -> Self {
        Self::read(|name| message.attributes.as_ref()?.get(&MessageSystemAttributeName::from(name)))
    }
}

/// A text attribute.
pub(super) fn text<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.message_attributes.as_ref()?.get(name)?.string_value.as_deref()
}

/// The lead that a message is about, as its sender says or its body does: a job of ours, or S3's word
/// that a raw event was written.
pub(super) fn lead_of(message: &Message) -> Option<LeadId> {
    let body = message.body.as_deref().unwrap_or_default();
    text(message, LEAD)
        .and_then(|lead| lead.parse().ok())
        .or_else(|| job::lead_in(body))
        .or_else(|| lead_of_s3_event(body))
}

/// The lead of the first record. Its key is form-encoded, but nothing in an id or in our name changes by
/// that.
pub(super) fn lead_of_s3_event(body: &str) -> Option<LeadId> {
    let event: serde_json::Value = serde_json::from_str(body).ok()?;
    let key = event.pointer("/Records/0/s3/object/key")?.as_str()?;
    let (_, name) = key.rsplit_once("crm_event_")?;
    name.strip_suffix(".json")?.parse().ok()
}

/// A text as an attribute. An empty one cannot be sent.
pub(super) fn attribute(text: &str) -> Result<MessageAttributeValue, Fault> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(sendable(text))
        .build()
        .map_err(|error| Fault::new(Code::Internal, format!("an incomplete request to SQS: {error}")))
}

/// Attributes for a message, without those that are empty.
pub(super) fn attributes<'a>(
    texts: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<HashMap<String, MessageAttributeValue>, Fault> {
    let given = texts.into_iter().filter(|(_, text)| !text.is_empty());
    given.map(|(name, text)| Ok((name.to_owned(), attribute(text)?))).collect()
}

/// SQS takes the characters of XML 1.0:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
fn sendable(text: &str) -> String {
    let taken =
        |c: char| matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    text.chars().map(|c| if taken(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_is_found_in_the_attribute_the_job_or_the_s3_event() {
        let message = |body: &str| Message::builder().body(body);
        let lead = |message| lead_of(&message).map(|lead| lead.to_string());
        let attributed = message("junk").message_attributes(LEAD, attribute("lead_a").unwrap()).build();
        assert_eq!(lead(attributed).as_deref(), Some("lead_a"));
        assert_eq!(lead(message("{\"lead_id\":\"lead_b\"}").build()).as_deref(), Some("lead_b"));
        let event =
            serde_json::json!({"Records": [{"s3": {"object": {"key": "source/crm_event_lead_c.json"}}}]});
        assert_eq!(lead(message(&event.to_string()).build()).as_deref(), Some("lead_c"));
        for body in [
            "",
            "[]",
            "{\"Event\":\"s3:TestEvent\"}",
            "{\"Records\":[{\"s3\":{\"object\":{\"key\":\"x\"}}}]}",
        ] {
            assert_eq!(lead(message(body).build()), None, "{body}");
        }
    }

    #[test]
    fn what_sqs_would_refuse_is_replaced() {
        assert_eq!(sendable("a\u{1b}b\u{0}\u{ffff}\n株"), "a\u{fffd}b\u{fffd}\u{fffd}\n株");
        assert!(attributes([("empty", "")]).unwrap().is_empty());
    }
}
