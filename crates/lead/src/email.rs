//! Alerts as e-mail.

use crate::Alert;
use outside::text;

/// SNS wants fewer than 100 characters: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
pub const SUBJECT_LIMIT: usize = 99;

/// A mail without its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Printable ASCII on one line, 1 to [`SUBJECT_LIMIT`] characters, starting with a letter.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// The mail for one alert.
pub fn mail(alert: &Alert<'_>) -> Mail {
    let mut lines = vec![alert.title().to_owned(), String::new()];
    lines.extend(
        alert
            .facts()
            .iter()
            .map(|(label, value)| format!("{label}: {}", text::shorten(&text::clean_or(value, "-"), 1_000))),
    );
    let notes = alert.notes();
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes.iter().map(|note| (*note).to_owned()));
    }
    lines.extend(alert.link().into_iter().flat_map(|link| [String::new(), link]));
    Mail { subject: subject(alert), body: lines.join("\n") + "\n" }
}

/// ASCII, because the older of SNS's two rules demands it and no mail gateway objects to it.
fn subject(alert: &Alert<'_>) -> String {
    let name = text::ascii(&alert.lead.display_name);
    let name = if name.is_empty() { alert.lead.lead_id.to_string() } else { name };
    let subject = format!("{}: {name}", alert.title());
    if subject.len() <= SUBJECT_LIMIT {
        return subject;
    }
    let cut: String = subject.chars().take(SUBJECT_LIMIT - 3).collect();
    format!("{}...", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::{AlertKind, EnrichedLead, OwnerStatus};

    fn mail_for(name: &str) -> Mail {
        let lead = EnrichedLead {
            lead_phone: None,
            owners: Vec::new(),
            lead_id: "lead_a".parse().unwrap(),
            display_name: name.to_owned(),
            status_label: "Potential".to_owned(),
            date_created: "2026-09-14T15:02:11".to_owned(),
            lead_email: "a@example.com".to_owned(),
            lead_owner: "Sales North".to_owned(),
            funnel: "Trade fair".to_owned(),
            enriched_at: Timestamp::UNIX_EPOCH,
            event_id: None,
            received_at: Timestamp::UNIX_EPOCH,
            owner_status: OwnerStatus::Assigned,
            custom: BTreeMap::new(),
        };
        mail(&Alert { lead: &lead, kind: AlertKind::New, possible_repeat: false })
    }

    #[test]
    fn the_subject_is_folded_and_names_the_lead() {
        assert_eq!(mail_for("Zoë & Söhne").subject, "New Lead Alert: Zoe & Sohne");
        assert_eq!(mail_for("\u{202e}\n").subject, "New Lead Alert: lead_a");
        assert_eq!(mail_for(&"x".repeat(500)).subject.len(), SUBJECT_LIMIT);
    }

    #[test]
    fn the_body_has_the_seven_facts_and_the_link() {
        let body = mail_for("Harbour").body;
        for line in [
            "Name: Harbour",
            "Lead ID: lead_a",
            "Created Date: 2026-09-14T15:02:11",
            "Label: Potential",
            "Email: a@example.com",
            "Lead Owner: Sales North",
            "Funnel: Trade fair",
            "https://app.close.com/lead/lead_a/",
        ] {
            assert!(body.lines().any(|l| l == line), "{line} in {body}");
        }
    }

    proptest! {
        #[test]
        fn no_name_breaks_the_header(name in any::<String>()) {
            let subject = mail_for(&name).subject;
            prop_assert!((1..=SUBJECT_LIMIT).contains(&subject.len()));
            prop_assert!(subject.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert!(subject.starts_with("New Lead Alert: "));
        }
    }
}
