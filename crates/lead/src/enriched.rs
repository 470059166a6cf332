//! The enriched lead: what alerts say, and what is stored below `target/`.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::IntoStaticStr;

use crate::{Owner, OwnerFacts};
use close::{CreatedLead, LeadId};
use outside::{Json, UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL, is_placeholder, text};

/// How the search for the owner ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OwnerStatus {
    /// The source of owners names one who is still there.
    Assigned,
    /// It names none.
    Missing,
    /// It could not be asked, or what it said could not be read.
    LookupFailed,
    /// Its document is about another lead.
    Mismatch,
    /// All owners whom it names have left.
    Departed,
    /// As only a later version knows it: who has gone back to this one must not lose the lead.
    #[serde(other)]
    OfLaterVersion,
}

impl OwnerStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A lead with its owner: the content of `{TARGET_PREFIX}enriched_{lead_id}.json`.
///
/// One that an earlier version stored is read by the present rules: an owner by the name of `None` is none,
/// and a name in which nothing shows is the lead's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct EnrichedLead {
    /// The lead.
    pub lead_id: LeadId,
    /// Its name, one clean line.
    pub display_name: String,
    /// Its status in Close.
    pub status_label: String,
    /// When Close says it was created, as Close wrote it.
    pub date_created: String,
    /// Its e-mail address, or [`UNKNOWN_EMAIL`].
    pub lead_email: String,
    /// Its phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_phone: Option<String>,
    /// Its owner's display name, or [`UNASSIGNED`]. Of several owners the first who is still there; one who has
    /// left only where [`Self::owner_status`] says so.
    pub lead_owner: String,
    /// All of its owners, where the source of owners knows more than a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Owner>,
    /// Its funnel, or [`UNKNOWN`].
    pub funnel: String,
    /// When it was enriched last.
    pub enriched_at: Timestamp,
    /// Close's identity of the event.
    #[serde(default)]
    pub event_id: Option<String>,
    /// When the webhook was accepted.
    pub received_at: Timestamp,
    /// How the search for the owner ended.
    pub owner_status: OwnerStatus,
    /// The event's `custom.*` values by their key without the prefix.
    #[serde(default)]
    pub custom: BTreeMap<String, Json>,
}

impl EnrichedLead {
    /// Joins the event with what the source of owners said.
    pub fn new(
        created: &CreatedLead,
        facts: OwnerFacts,
        received_at: Timestamp,
        enriched_at: Timestamp,
    ) -> Self {
        Self {
            lead_id: created.lead_id.clone(),
            display_name: created.name(),
            status_label: known(facts.status_label.as_deref().or(created.status_label.as_deref())),
            date_created: known(created.date_created.as_deref()),
            lead_email: facts.lead_email.unwrap_or_else(|| UNKNOWN_EMAIL.to_owned()),
            lead_phone: facts.lead_phone,
            lead_owner: facts.lead_owner.unwrap_or_else(|| UNASSIGNED.to_owned()),
            owners: facts.owners,
            funnel: facts.funnel.unwrap_or_else(|| UNKNOWN.to_owned()),
            enriched_at,
            event_id: created.event_id.clone(),
            received_at,
            owner_status: facts.status,
            custom: created.custom.clone(),
        }
    }

    /// Whether it has an owner who is still there.
    pub fn has_owner(&self) -> bool {
        self.owner_status == OwnerStatus::Assigned
    }

    /// What tells one answer to "who owns it?" from another: the owner, and whether they have left.
    pub fn named_owner(&self) -> Cow<'_, str> {
        match self.owner_status {
            OwnerStatus::Departed => Cow::Owned(format!("{} (departed)", self.lead_owner)),
            _ => Cow::Borrowed(&self.lead_owner),
        }
    }

    /// Has the defaults stand wherever a value is a word for nobody, or shows nothing.
    fn with_defaults(mut self) -> Self {
        if self.has_owner() && is_placeholder(&self.lead_owner) {
            self.owner_status = OwnerStatus::Missing;
        }
        for (value, default) in [
            (&mut self.lead_owner, UNASSIGNED),
            (&mut self.lead_email, UNKNOWN_EMAIL),
            (&mut self.funnel, UNKNOWN),
        ] {
            if is_placeholder(value) {
                *value = default.to_owned();
            }
        }
        for (value, default) in [
            (&mut self.display_name, self.lead_id.as_str()),
            (&mut self.status_label, UNKNOWN),
            (&mut self.date_created, UNKNOWN),
        ] {
            if text::clean(value).is_empty() {
                *value = default.to_owned();
            }
        }
        self
    }
}

impl Serialize for EnrichedLead {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for EnrichedLead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self::with_defaults)
    }
}

/// A value for people to read, or [`UNKNOWN`].
fn known(value: Option<&str>) -> String {
    text::clean_or(&text::shorten(value.unwrap_or_default(), text::VALUE_LIMIT), UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OwnerDocument;

    fn created() -> CreatedLead {
        CreatedLead {
            lead_id: "lead_a".parse().unwrap(),
            subscription_id: None,
            event_id: Some("ev_1".to_owned()),
            display_name: "Harbour\nLogistics".to_owned(),
            status_label: None,
            date_created: Some("2026-09-14T15:02:11".to_owned()),
            custom: BTreeMap::new(),
            custom_by_name: BTreeMap::new(),
            organization_id: None,
            email: None,
            phone: None,
        }
    }

    #[test]
    fn the_defaults_stand_in_and_the_status_says_why() {
        for status in [OwnerStatus::Missing, OwnerStatus::LookupFailed] {
            let lead = EnrichedLead::new(
                &created(),
                OwnerFacts::none(status),
                Timestamp::UNIX_EPOCH,
                Timestamp::UNIX_EPOCH,
            );
            assert_eq!(
                (lead.lead_owner.as_str(), lead.lead_email.as_str(), lead.funnel.as_str()),
                (UNASSIGNED, UNKNOWN_EMAIL, UNKNOWN)
            );
            assert_eq!((lead.owner_status, lead.display_name.as_str()), (status, "Harbour Logistics"));
        }
    }

    #[test]
    fn a_document_of_another_lead_gives_nothing_away() {
        let document = OwnerDocument::parse(
            br#"{"lead_id":"lead_b","lead_owner":"Sales North","lead_email":"b@example.com"}"#,
        )
        .unwrap();
        let lead = EnrichedLead::new(
            &created(),
            document.facts(&created().lead_id),
            Timestamp::UNIX_EPOCH,
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(
            (lead.owner_status, lead.lead_owner.as_str(), lead.lead_email.as_str()),
            (OwnerStatus::Mismatch, UNASSIGNED, UNKNOWN_EMAIL)
        );
    }

    #[test]
    fn a_null_owner_keeps_the_rest_of_the_document() {
        let document =
            OwnerDocument::parse(br#"{"lead_id":"lead_a","lead_owner":null,"funnel":"Trade fair"}"#).unwrap();
        let lead = EnrichedLead::new(
            &created(),
            document.facts(&created().lead_id),
            Timestamp::UNIX_EPOCH,
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!((lead.owner_status, lead.funnel.as_str()), (OwnerStatus::Missing, "Trade fair"));
    }

    #[test]
    fn no_value_is_longer_than_anybody_reads() {
        let long = "x".repeat(1024 * 1024);
        let created =
            CreatedLead { display_name: long.clone(), status_label: Some(long.clone()), ..created() };
        let document = format!("{{\"lead_owner\":\"{long}\"}}");
        let document = OwnerDocument::parse(document.as_bytes()).unwrap();
        let lead = EnrichedLead::new(
            &created,
            document.facts(&created.lead_id),
            Timestamp::UNIX_EPOCH,
            Timestamp::UNIX_EPOCH,
        );
        assert!(serde_json::to_string(&lead).unwrap().len() < 4_000);
    }

    #[test]
    fn a_word_for_nobody_is_a_missing_owner_email_and_funnel() {
        for word in ["None", "N/A", "-", "Unassigned", "unknown", "<null>", "unknown@example.com"] {
            let document = format!(
                r#"{{"lead_id":"{word}","lead_owner":"{word}","lead_email":"{word}","funnel":"{word}"}}"#
            );
            let document = OwnerDocument::parse(document.as_bytes()).unwrap();
            assert_eq!(document, OwnerDocument::default(), "{word}");
            let lead = EnrichedLead::new(
                &created(),
                document.facts(&created().lead_id),
                Timestamp::UNIX_EPOCH,
                Timestamp::UNIX_EPOCH,
            );
            assert_eq!(
                (lead.owner_status, lead.lead_owner.as_str(), lead.lead_email.as_str(), lead.funnel.as_str()),
                (OwnerStatus::Missing, UNASSIGNED, UNKNOWN_EMAIL, UNKNOWN)
            );
        }
    }

    #[test]
    fn what_an_earlier_version_stored_is_read_by_the_present_rules() {
        let stored = r#"{"lead_id": "lead_a", "display_name": "ㅤ", "status_label": "⠀", "date_created": "",
            "lead_email": "n/a", "lead_owner": "None", "funnel": "-", "enriched_at": "2026-09-14T15:12:11Z",
            "received_at": "2026-09-14T15:02:11Z", "owner_status": "assigned", "custom": {"list": [1,
            {"a": 2.50}]}}"#;
        let lead: EnrichedLead = serde_json::from_str(stored).unwrap();
        assert!(!lead.has_owner());
        assert_eq!((lead.owner_status, lead.lead_owner.as_str()), (OwnerStatus::Missing, UNASSIGNED));
        assert_eq!((lead.lead_email.as_str(), lead.funnel.as_str()), (UNKNOWN_EMAIL, UNKNOWN));
        assert_eq!((lead.display_name.as_str(), lead.status_label.as_str()), ("lead_a", UNKNOWN));
        assert_eq!(lead.custom["list"].as_str(), r#"[1,{"a":2.50}]"#);
        let owned = stored.replace("None", "Nil Armstrong");
        assert!(serde_json::from_str::<EnrichedLead>(&owned).unwrap().has_owner());
        let failed = stored.replace("assigned", "lookup_failed");
        assert_eq!(
            serde_json::from_str::<EnrichedLead>(&failed).unwrap().owner_status,
            OwnerStatus::LookupFailed
        );
    }

    #[test]
    fn a_name_in_which_nothing_shows_is_the_id() {
        for name in ["\u{3164}", "\u{2800}\u{2800}", "\u{200d}", "\u{301}", ""] {
            let created = CreatedLead { display_name: name.to_owned(), ..created() };
            assert_eq!(created.name(), "lead_a", "{name:?}");
            let lead = EnrichedLead::new(
                &created,
                OwnerFacts::none(OwnerStatus::Missing),
                Timestamp::UNIX_EPOCH,
                Timestamp::UNIX_EPOCH,
            );
            assert_eq!(lead.display_name, "lead_a", "{name:?}");
        }
    }

    #[test]
    fn custom_values_survive_to_the_last_digit() {
        let event = br#"{"event":{"object_type":"lead","action":"created","lead_id":"lead_a","data":{"custom.n":12345678901234567890.12345678901234567890}}}"#;
        let Ok(close::Incoming::Created(created)) = close::Incoming::parse(event) else { panic!() };
        let lead = EnrichedLead::new(
            &created,
            OwnerFacts::none(OwnerStatus::Missing),
            Timestamp::UNIX_EPOCH,
            Timestamp::UNIX_EPOCH,
        );
        let json = serde_json::to_string(&lead).unwrap();
        assert!(json.contains("12345678901234567890.12345678901234567890"), "{json}");
        assert_eq!(serde_json::from_str::<EnrichedLead>(&json).unwrap(), lead);
    }

    #[test]
    fn survives_a_round_trip() {
        let lead = EnrichedLead::new(
            &created(),
            OwnerFacts::none(OwnerStatus::Missing),
            Timestamp::UNIX_EPOCH,
            Timestamp::UNIX_EPOCH,
        );
        let json = serde_json::to_string(&lead).unwrap();
        assert_eq!(serde_json::from_str::<EnrichedLead>(&json).unwrap(), lead);
    }
}
