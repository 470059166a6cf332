//! What a dead letter says about its death: the attributes that it gets on its way.

use aws_sdk_sqs::types::Message;
use lead::{LeadId, Timestamp};
use outside::text;
use pipeline::{
    Code,
    ports::{DeadLetter, DeadLetterCause, Delivery, Queue},
};

use super::message::{self, LEAD, SystemAttributes};

const CODE: &str = "leadops_code";
const REASON: &str = "leadops_reason";
const ATTEMPTS: &str = "leadops_attempts";
const FIRST_FAILED_AT: &str = "leadops_first_failed_at";
const DEAD_AT: &str = "leadops_dead_at";
const ORIGINAL_ID: &str = "leadops_original_id";

/// The attributes of a death, which a redriven message does not have any more. Whom it is about
/// ([`LEAD`]) is retained.
const OF_DEATH: [&str; 6] = [CODE, REASON, ATTEMPTS, FIRST_FAILED_AT, DEAD_AT, ORIGINAL_ID];
/// How many characters of the reason are stored.
const LONGEST_REASON: usize = 1_000;

/// Whether an attribute belongs to a death.
pub(super) fn is_of_death(name: &str) -> bool {
    OF_DEATH.contains(&name)
}

/// The id that a dead letter had while it lived.
pub(super) fn original_id(message: &Message) -> Option<&str> {
    message::text(message, ORIGINAL_ID).or(message.message_id.as_deref())
}

/// The attributes of a death, by name.
pub(super) fn attributes(
    delivery: &Delivery,
    why: &DeadLetterCause,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let lead = why.lead.as_ref().map(LeadId::to_string);
    let lead = lead.or_else(|| delivery.attributes.get(LEAD).cloned()).unwrap_or_default();
    // It failed first when it was received first: what is not received cannot fail.
    let first_failed_at = delivery.first_received_at.unwrap_or(now).min(now);
    vec![
        (CODE, why.code.to_string()),
        (REASON, text::shorten(&why.reason, LONGEST_REASON)),
        (ATTEMPTS, why.attempts.to_string()),
        (LEAD, lead),
        (FIRST_FAILED_AT, first_failed_at.to_string()),
        (DEAD_AT, now.to_string()),
        (ORIGINAL_ID, delivery.id.clone()),
    ]
}

/// A dead letter as it came out of a dead-letter queue. `max_receives` is how often SQS lets a message of
/// the queue be received before it moves it here itself.
///
/// Of such a message ([`Code::Abandoned`]) SQS says neither when nor why it died. It keeps its id and the
/// time of sending, and with them, as far as is known, the time of its first receive, so both times are
/// that one: it failed and died then at the earliest. Were that time counted anew in the dead-letter queue,
/// which is not documented, it would be the first time that somebody looked.
pub(super) fn letter(queue: Queue, message: &Message, max_receives: u32) -> DeadLetter {
    let time = |name| message::text(message, name).and_then(|time| time.parse::<Timestamp>().ok());
    let SystemAttributes { sent_at, first_received_at, .. } = SystemAttributes::of(message);
    let failed_at = first_received_at.unwrap_or(sent_at);
    let abandoned = DeadLetter {
        id: message.message_id.clone().unwrap_or_default(),
        queue,
        lead_id: message::lead_of(message),
        code: Code::Abandoned,
        reason: format!("received {max_receives} times without an outcome"),
        attempts: max_receives,
        first_failed_at: failed_at,
        dead_at: failed_at,
    };
    let Some(code) = message::text(message, CODE) else { return abandoned };
    let reason = text::clean(message::text(message, REASON).unwrap_or_default());
    let (code, reason) = Code::read(code, reason);
    let dead_at = time(DEAD_AT).unwrap_or(sent_at);
    let attempts = message::text(message, ATTEMPTS).and_then(|count| count.parse().ok()).unwrap_or(1);
    let first_failed_at = time(FIRST_FAILED_AT).unwrap_or(dead_at);
    DeadLetter { code, reason, attempts, first_failed_at, dead_at, ..abandoned }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn delivery() -> Delivery {
        Delivery {
            id: "original".to_owned(),
            handle: "h".to_owned(),
            body: "{}".to_owned(),
            receives: 3,
            sent_at: outside::from_millis(1_000),
            first_received_at: Some(outside::from_millis(2_500)),
            attributes: BTreeMap::from([(LEAD.to_owned(), "lead_b".to_owned())]),
        }
    }

    fn dead(attributes: &[(&str, String)]) -> Message {
        let mut message = Message::builder().message_id("m").body("{}");
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            message = message.message_attributes(*name, message::attribute(value).unwrap());
        }
        message.build()
    }

    #[test]
    fn what_is_said_of_a_death_is_read_back() {
        let why = DeadLetterCause {
            code: Code::SlackWebhookGone,
            reason: "404 no_service\u{1b}".to_owned(),
            attempts: 2,
            lead: Some("lead_a".parse().unwrap()),
        };
        let message = dead(&attributes(&delivery(), &why, outside::from_millis(9_000)));
        let letter = letter(Queue::Notification, &message, 5);
        assert_eq!((letter.code, letter.attempts), (Code::SlackWebhookGone, 2));
        assert_eq!((letter.reason.as_str(), letter.lead_id), ("404 no_service", why.lead));
        assert_eq!(letter.first_failed_at, outside::from_millis(2_500));
        assert_eq!(letter.dead_at, outside::from_millis(9_000));
        assert_eq!(original_id(&message), Some("original"));
    }

    #[test]
    fn the_senders_word_on_the_lead_counts_where_the_worker_does_not_know() {
        let why =
            DeadLetterCause { code: Code::JobUnreadable, reason: String::new(), attempts: 1, lead: None };
        let message = dead(&attributes(&delivery(), &why, outside::from_millis(9_000)));
        assert_eq!(letter(Queue::Delay, &message, 5).lead_id, Some("lead_b".parse().unwrap()));
    }

    #[test]
    fn what_sqs_moved_itself_is_abandoned() {
        let letter = letter(Queue::Delay, &dead(&[(LEAD, "lead_a".to_owned())]), 5);
        assert_eq!((letter.code, letter.attempts), (Code::Abandoned, 5));
        assert_eq!(letter.lead_id, Some("lead_a".parse().unwrap()));
    }

    #[test]
    fn a_code_of_another_version_is_shown_as_it_is() {
        let letter = letter(Queue::Delay, &dead(&[(CODE, "LO777".to_owned())]), 5);
        assert_eq!(letter.code, Code::OfLaterVersion);
        assert!(letter.reason.contains("LO777"));
    }
}
