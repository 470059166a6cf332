//! Alerts as Slack messages for an incoming webhook.
//!
//! Limits: <https://docs.slack.dev/reference/block-kit/blocks>. Whatever a lead says stands in
//! `plain_text` objects, which know no markup; the only `mrkdwn` is the link, made of a checked lead
//! id alone.

use serde_json::{Value, json};

use crate::{Alert, EnrichedLead, OwnerStatus};
use close::LeadId;
use outside::text;

/// Slack's limit on `text`, which it recommends to stay under.
pub const TEXT_LIMIT: usize = 4_000;
/// Slack's limit on one entry of `section.fields`.
pub const FIELD_LIMIT: usize = 2_000;
/// Slack's limit on a `header`.
pub const HEADER_LIMIT: usize = 150;
/// Slack's limit on the number of blocks.
pub const BLOCKS_LIMIT: usize = 50;
/// Slack refuses more text than this over all blocks, a limit it does not document
/// (`msg_blocks_too_long`, slackapi/bolt-js#2509).
pub const TOTAL_LIMIT: usize = 13_000;
/// How many leads one digest carries, so that the longest ones stay within [`TOTAL_LIMIT`].
pub const DIGEST_LEADS: usize = 20;

/// Our own limit on one of a lead's values: seven of them stay well under [`TOTAL_LIMIT`].
const VALUE_LIMIT: usize = 1_000;

/// The message for one alert.
pub fn message(alert: &Alert<'_>) -> Value {
    let fields: Vec<Value> = alert
        .facts()
        .iter()
        .map(|(label, value)| {
            plain(format!("{label}\n{}", text::slack(&text::clean_or(value, "—"), VALUE_LIMIT)))
        })
        .collect();
    let mut blocks = vec![header(alert.title()), json!({"type": "section", "fields": fields})];
    if let Some(notes) = context(&alert.notes()) {
        blocks.push(notes);
    }
    if alert.link().is_some() {
        blocks.push(json!({"type": "section", "text": link(&alert.lead.lead_id)}));
    }
    with_blocks(fallback(alert), blocks)
}

/// One message that carries several alerts: each lead's name, id, owner and link.
///
/// Takes at most [`DIGEST_LEADS`].
pub fn digest(alerts: &[Alert<'_>]) -> Value {
    let title = format!("{} Lead Alerts", alerts.len());
    let mut blocks = vec![header(&title)];
    let mut lines = vec![title];
    for alert in alerts {
        let lead = alert.lead;
        let name = text::slack(&lead.display_name, 150);
        let owner = digest_owner(lead, 80);
        let labels: String = digest_labels(alert).iter().map(|label| format!("\n{label}")).collect();
        let about = plain(format!("{name}\nLead ID: {}\nLead Owner: {owner}{labels}", lead.lead_id));
        blocks.push(json!({"type": "section", "fields": [about, link(&lead.lead_id)]}));
        lines.push(format!(
            "{} ({}), {}",
            text::slack(&lead.display_name, 60),
            lead.lead_id,
            digest_owner(lead, 40)
        ));
    }
    with_blocks(lines.join("\n"), blocks)
}

/// The same facts without blocks, for a webhook that refused the blocks.
pub fn plain_message(alerts: &[Alert<'_>]) -> Value {
    let parts: Vec<String> = alerts.iter().map(fallback).collect();
    json!({"text": cut(&parts.join("\n\n")), "unfurl_links": false, "unfurl_media": false})
}

/// The owner in a digest: the one who counts, how many there are besides, and whether they have left, which no
/// long name can push out of sight.
fn digest_owner(lead: &EnrichedLead, longest: usize) -> String {
    let name = text::slack(&lead.lead_owner, longest);
    let departed = if lead.owner_status == OwnerStatus::Departed { " (departed)" } else { "" };
    let more = match lead.owners.len() {
        0 | 1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    format!("{name}{departed}{more}")
}

fn digest_labels(alert: &Alert<'_>) -> Vec<&'static str> {
    let mut labels = Vec::new();
    match alert.kind {
        crate::AlertKind::New => {}
        crate::AlertKind::FollowUp if alert.lead.owner_status == OwnerStatus::Departed => {
            labels.push("The owner has left.");
        }
        crate::AlertKind::FollowUp => labels.push("Owner found since the first alert."),
        crate::AlertKind::Resend => labels.push("Sent again on request."),
        crate::AlertKind::Trial => labels.push("A trial: this is no lead."),
    }
    if alert.possible_repeat {
        labels.push("Possible repeat.");
    }
    labels
}

fn with_blocks(text: String, blocks: Vec<Value>) -> Value {
    json!({"text": cut(&text), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// The notification's text, also what a screen reader says: a line each.
fn fallback(alert: &Alert<'_>) -> String {
    let mut lines = vec![alert.title().to_owned()];
    lines.extend(
        alert
            .facts()
            .iter()
            .map(|(label, value)| format!("{label}: {}", text::slack(&text::clean_or(value, "—"), 400))),
    );
    lines.extend(alert.notes().iter().map(|note| (*note).to_owned()));
    lines.extend(alert.link());
    lines.join("\n")
}

/// Whole lines of already escaped text up to [`TEXT_LIMIT`]; a line is never cut, so neither is an entity.
fn cut(lines: &str) -> String {
    if text::utf16(lines) <= TEXT_LIMIT {
        return lines.to_owned();
    }
    let mut cut = String::new();
    for line in lines.lines() {
        if text::utf16(&cut) + text::utf16(line) + 2 > TEXT_LIMIT {
            break;
        }
        cut.push_str(line);
        cut.push('\n');
    }
    cut.push(text::ELLIPSIS);
    cut
}

fn header(title: &str) -> Value {
    json!({"type": "header", "text": {"type": "plain_text", "text": text::slack(title, HEADER_LIMIT), "emoji": false}})
}

fn plain(text: String) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

fn link(lead: &LeadId) -> Value {
    json!({"type": "mrkdwn", "text": format!("<{}|Open in Close>", lead.close_url()), "verbatim": true})
}

fn context(notes: &[&str]) -> Option<Value> {
    let elements: Vec<Value> = notes.iter().map(|note| plain((*note).to_owned())).collect();
    (!elements.is_empty()).then(|| json!({"type": "context", "elements": elements}))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::AlertKind;

    fn lead(name: &str, owner: &str) -> EnrichedLead {
        EnrichedLead {
            lead_phone: None,
            owners: Vec::new(),
            lead_id: format!("lead_{}", "a".repeat(64)).parse().unwrap(),
            display_name: name.to_owned(),
            status_label: name.to_owned(),
            date_created: "2026-09-14T15:02:11.642000+00:00".to_owned(),
            lead_email: name.to_owned(),
            lead_owner: owner.to_owned(),
            funnel: name.to_owned(),
            enriched_at: Timestamp::UNIX_EPOCH,
            event_id: None,
            received_at: Timestamp::UNIX_EPOCH,
            owner_status: OwnerStatus::Missing,
            custom: BTreeMap::new(),
        }
    }

    /// Checks a message against Slack's limits; returns all text in it.
    fn check(message: &Value) -> Vec<String> {
        let blocks = message["blocks"].as_array().cloned().unwrap_or_default();
        assert!(blocks.len() <= BLOCKS_LIMIT);
        let mut texts = vec![message["text"].as_str().unwrap().to_owned()];
        assert!((1..=TEXT_LIMIT).contains(&text::utf16(&texts[0])));
        let mut total = 0;
        for block in &blocks {
            let fields = block["fields"].as_array().cloned().unwrap_or_default();
            let elements = block["elements"].as_array().cloned().unwrap_or_default();
            assert!(fields.len() <= 10 && elements.len() <= 10);
            let own = block["text"].is_object().then(|| block["text"].clone());
            for object in own.iter().chain(&fields).chain(&elements) {
                let text = object["text"].as_str().unwrap();
                let limit = if block["type"] == "header" { HEADER_LIMIT } else { FIELD_LIMIT };
                assert!((1..=limit).contains(&text::utf16(text)), "{text}");
                if object["type"] == "plain_text" {
                    assert!(!text.contains(['<', '>']), "{text}");
                }
                total += text::utf16(text);
                texts.push(text.to_owned());
            }
        }
        assert!(total <= TOTAL_LIMIT, "{total}");
        texts
    }

    #[test]
    fn the_seven_fields_stand_in_order_and_the_link_leads_to_close() {
        let lead = lead("Zoë <!channel> & Söhne", "Sales North");
        let message = message(&Alert { lead: &lead, kind: AlertKind::New, possible_repeat: true });
        let fields: Vec<&str> = message["blocks"][1]["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["text"].as_str().unwrap())
            .collect();
        let labels: Vec<&str> = fields.iter().map(|f| f.split('\n').next().unwrap()).collect();
        assert_eq!(labels, ["Name", "Lead ID", "Created Date", "Label", "Email", "Lead Owner", "Funnel"]);
        assert_eq!(fields[0], "Name\nZoë &lt;!channel&gt; &amp; Söhne");
        let all = check(&message).join("\n");
        assert!(
            all.contains("New Lead Alert")
                && all.contains("Possible repeat")
                && all.contains(&lead.lead_id.close_url())
        );
        assert!(!all.contains("<!channel>"));
    }

    #[test]
    fn a_full_digest_of_the_longest_leads_is_within_the_limits() {
        let lead = lead(&"<&>".repeat(5_000), &"株".repeat(5_000));
        let alerts =
            vec![Alert { lead: &lead, kind: AlertKind::FollowUp, possible_repeat: true }; DIGEST_LEADS];
        let texts = check(&digest(&alerts));
        assert_eq!(texts.iter().filter(|t| t.contains("Open in Close")).count(), DIGEST_LEADS);
        check(&message(&alerts[0]));
        check(&plain_message(&alerts));
    }

    proptest! {
        #[test]
        fn any_lead_makes_a_valid_message(name in any::<String>(), owner in any::<String>()) {
            let lead = lead(&name, &owner);
            let alert = Alert { lead: &lead, kind: AlertKind::Resend, possible_repeat: false };
            check(&message(&alert));
            check(&digest(&[alert.clone(), alert.clone()]));
            check(&plain_message(&[alert]));
        }
    }
}
