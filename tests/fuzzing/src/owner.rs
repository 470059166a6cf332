//! Owner documents.

use close::Incoming;
use lead::{EnrichedLead, LeadId, OwnerDocument, OwnerFacts, OwnerStatus, Timestamp, UNASSIGNED};
use outside::{Document, is_placeholder, text};

use super::readable;

const EVENT: &[u8] = br#"{"event":{"object_type":"lead","action":"created","lead_id":"lead_a1","data":{}}}"#;

/// * Whatever a document says, the lead is enriched: with values that are harmless, short and never
///   empty, and a status that says which case it was.
/// * A document about another lead gives nothing away.
/// * What cannot be read is named in one line. What can takes no more memory than its bytes, or than the
///   limit where they are compressed, thrice.
/// * A broken field more changes nothing of what the others say.
pub fn owner(data: &[u8]) {
    let Ok(Incoming::Created(created)) = Incoming::parse(EVENT) else { panic!("a good event") };
    let about: LeadId = created.lead_id.clone();
    if let Ok(document) = Document::read(data) {
        assert!(document.as_str().len() <= 3 * data.len().max(Document::LIMIT));
    }
    let document = match OwnerDocument::parse(data) {
        Ok(document) => document,
        Err(broken) => return readable(&broken.to_string(), 200),
    };
    if let Some(rest) = data.strip_prefix(b"{") {
        let broken = [&b"{\"broken\":NaN,"[..], rest].concat();
        let known = |document: OwnerDocument| OwnerDocument { lost_owner: None, ..document };
        assert_eq!(OwnerDocument::parse(&broken).map(known), Ok(known(document.clone())));
    }
    let fields = [&document.lead_id, &document.lead_email, &document.lead_owner, &document.funnel];
    for field in fields.into_iter().flatten() {
        readable(field, text::VALUE_LIMIT);
        assert!(!is_placeholder(field), "{field:?}");
    }
    if let Some(why) = &document.lost_owner {
        assert!(document.lead_owner.is_none(), "{why}");
        readable(why, 300);
    }
    let (other, has_owner) = (document.is_about_another(&about), document.lead_owner.is_some());
    let now = Timestamp::UNIX_EPOCH;
    let lead = EnrichedLead::new(&created, document.clone().facts(&created.lead_id), now, now);
    let expected = match (other, has_owner, document.lost_owner.is_some()) {
        (true, ..) => OwnerStatus::Mismatch,
        (false, true, _) => OwnerStatus::Assigned,
        (false, false, true) => OwnerStatus::LookupFailed,
        (false, false, false) => OwnerStatus::Missing,
    };
    assert_eq!(lead.owner_status, expected);
    let stored = serde_json::to_string(&lead).unwrap();
    assert_eq!(serde_json::from_str::<EnrichedLead>(&stored).unwrap(), lead);
    if expected != OwnerStatus::Assigned {
        assert_eq!(lead.lead_owner, UNASSIGNED);
    }
    if other {
        let nothing = EnrichedLead::new(&created, OwnerFacts::none(OwnerStatus::Mismatch), now, now);
        assert_eq!(lead, nothing);
    }
}
