//! Owner documents.

use lead::{EnrichedLead, Incoming, LeadId, OwnerDocument, OwnerStatus, Timestamp, UNASSIGNED, text};

use super::readable;

const EVENT: &[u8] = br#"{"event":{"object_type":"lead","action":"created","lead_id":"lead_a1","data":{}}}"#;

/// * Whatever a document says, the lead is enriched: with values that are harmless, short and never
///   empty, and a status that says which case it was.
/// * A document about another lead gives nothing away.
pub fn owner(data: &[u8]) {
    let Ok(Incoming::Created(created)) = Incoming::parse(EVENT) else { panic!("a good event") };
    let about: LeadId = created.lead_id.clone();
    let document = match OwnerDocument::parse(data) {
        Ok(document) => document,
        Err(broken) => return readable(&broken.to_string(), 300),
    };
    let fields = [&document.lead_id, &document.lead_email, &document.lead_owner, &document.funnel];
    for field in fields.into_iter().flatten() {
        readable(field, text::VALUE_LIMIT);
        assert!(!field.is_empty());
    }
    let (other, has_owner) = (document.is_about_another(&about), document.lead_owner.is_some());
    let now = Timestamp::UNIX_EPOCH;
    let lead = EnrichedLead::new(&created, Ok(document.clone()), now, now);
    let expected = match (other, has_owner) {
        (true, _) => OwnerStatus::Mismatch,
        (false, true) => OwnerStatus::Assigned,
        (false, false) => OwnerStatus::Missing,
    };
    assert_eq!(lead.owner_status, expected);
    if expected != OwnerStatus::Assigned {
        assert_eq!(lead.lead_owner, UNASSIGNED);
    }
    if other {
        let nothing = EnrichedLead::new(&created, Err(OwnerStatus::Mismatch), now, now);
        assert_eq!(lead, nothing);
    }
}
