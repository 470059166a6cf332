//! What Slack and mail servers receive.

use std::collections::BTreeMap;

use lead::{
    Alert, AlertKind, EnrichedLead, OwnerStatus, Timestamp,
    email::{self, SUBJECT_LIMIT},
    slack::{self, BLOCKS_LIMIT, DIGEST_LEADS, FIELD_LIMIT, HEADER_LIMIT, TEXT_LIMIT, TOTAL_LIMIT},
};
use outside::text;
use serde_json::Value;

use super::{harmless, texts};

/// * A Slack message keeps Slack's limits, each single one and their sum, and holds no markup that
///   is not ours.
/// * A mail's subject is one line of printable ASCII within its limit; no line of its body can pass for
///   another.
pub fn messages(data: &[u8]) {
    let texts = texts(data);
    let text = |place: usize| texts.get(place % texts.len()).cloned().unwrap_or_default();
    let status =
        [OwnerStatus::Assigned, OwnerStatus::Missing, OwnerStatus::LookupFailed, OwnerStatus::Mismatch];
    let kinds = [AlertKind::New, AlertKind::FollowUp, AlertKind::Resend];
    let pick = data.len() + usize::from(data.first().copied().unwrap_or_default());
    let lead = EnrichedLead {
        lead_phone: None,
        owners: Vec::new(),
        lead_id: format!("lead_{}", "a".repeat(1 + pick % 64)).parse().unwrap(),
        display_name: text(0),
        status_label: text(1),
        date_created: text(2),
        lead_email: text(3),
        lead_owner: text(4),
        funnel: text(5),
        enriched_at: Timestamp::UNIX_EPOCH,
        event_id: None,
        received_at: Timestamp::UNIX_EPOCH,
        owner_status: status[pick % status.len()],
        custom: BTreeMap::new(),
    };
    let alert =
        Alert { lead: &lead, kind: kinds[pick % kinds.len()], possible_repeat: pick.is_multiple_of(2) };
    let many = vec![alert.clone(); 1 + pick % DIGEST_LEADS];
    for message in [slack::message(&alert), slack::digest(&many), slack::plain_message(&many)] {
        check(&message, &lead.lead_id.close_url());
    }
    let mail = email::mail(&alert);
    assert!((1..=SUBJECT_LIMIT).contains(&mail.subject.len()), "{:?}", mail.subject);
    assert!(mail.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{:?}", mail.subject);
    assert!(mail.subject.starts_with(alert.title()));
    mail.body.lines().for_each(harmless);
    assert!(!mail.body.contains('\r'));
    for (label, _) in alert.facts() {
        let starts = mail.body.lines().filter(|line| line.starts_with(&format!("{label}: "))).count();
        assert_eq!(starts, 1, "{label} in {}", mail.body);
    }
}

fn check(message: &Value, link: &str) {
    let read: Value = serde_json::from_str(&message.to_string()).unwrap();
    assert_eq!(&read, message);
    let text = message["text"].as_str().unwrap();
    assert!((1..=TEXT_LIMIT).contains(&text::utf16(text)));
    escaped(text);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let blocks = list(&message["blocks"]);
    assert!(blocks.len() <= BLOCKS_LIMIT);
    let mut total = 0;
    for block in &blocks {
        let (fields, elements) = (list(&block["fields"]), list(&block["elements"]));
        assert!(fields.len() <= 10 && elements.len() <= 10);
        let own = block["text"].is_object().then(|| block["text"].clone());
        for object in own.iter().chain(&fields).chain(&elements) {
            let text = object["text"].as_str().unwrap();
            let limit = if block["type"] == "header" { HEADER_LIMIT } else { FIELD_LIMIT };
            assert!((1..=limit).contains(&text::utf16(text)), "{text}");
            match object["type"].as_str() {
                Some("plain_text") => escaped(text),
                Some("mrkdwn") => assert_eq!(text, format!("<{link}|Open in Close>")),
                other => panic!("{other:?}"),
            }
            total += text::utf16(text);
        }
    }
    assert!(total <= TOTAL_LIMIT, "{total}");
}

/// Lines without Slack's markup and without what steers a terminal.
fn escaped(lines: &str) {
    lines.split('\n').for_each(harmless);
    assert!(!lines.contains(['<', '>']), "{lines}");
    for (at, _) in lines.match_indices('&') {
        let rest = lines.get(at..).unwrap_or_default();
        assert!(["&amp;", "&lt;", "&gt;"].iter().any(|entity| rest.starts_with(entity)), "{lines}");
    }
}
