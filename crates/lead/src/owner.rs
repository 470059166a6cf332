//! The owner document, `{lookup base}/{lead_id}.json`.

use serde_json::Value;

use crate::{LeadId, text};

/// What the owner directory says of a lead. Every field may be missing; text that is empty once
/// cleaned, and any value that is no text, is missing too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerDocument {
    /// The lead that the document says it is about.
    pub lead_id: Option<String>,
    /// The lead's e-mail address.
    pub lead_email: Option<String>,
    /// The owner's display name.
    pub lead_owner: Option<String>,
    /// The marketing funnel.
    pub funnel: Option<String>,
}

/// Bytes that are no owner document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the owner document is broken: {0}")]
pub struct BrokenOwner(String);

impl OwnerDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// [`BrokenOwner`] where the bytes are no JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, BrokenOwner> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let value: Value =
            serde_json::from_slice(body).map_err(|e| BrokenOwner(text::shorten(&e.to_string(), 200)))?;
        let Value::Object(fields) = value else {
            return Err(BrokenOwner("it is JSON, but no object".to_owned()));
        };
        let field = |name: &str| {
            let value = fields.get(name).and_then(Value::as_str)?;
            Some(text::shorten(value, text::VALUE_LIMIT)).filter(|text| !text.is_empty())
        };
        Ok(Self {
            lead_id: field("lead_id"),
            lead_email: field("lead_email"),
            lead_owner: field("lead_owner"),
            funnel: field("funnel"),
        })
    }

    /// Whether the document speaks of another lead. One that names none is taken at its address.
    pub fn is_about_another(&self, lead: &LeadId) -> bool {
        self.lead_id.as_deref().is_some_and(|id| id != lead.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_null_and_partial_documents() {
        let complete =
            OwnerDocument::parse(include_bytes!("../../../tests/samples/owner_lookup_01_complete.json"))
                .unwrap();
        assert_eq!(complete.lead_owner.as_deref(), Some("Tamsin Okafor-Test"));
        assert_eq!(complete.funnel.as_deref(), Some("Example Academy Direct VSL"));
        let null =
            OwnerDocument::parse(include_bytes!("../../../tests/samples/owner_lookup_03_null_owner.json"))
                .unwrap();
        assert_eq!((null.lead_owner, null.lead_email.as_deref()), (None, Some("sales@harbourline.example")));
        let partial =
            OwnerDocument::parse("\u{feff}{\"lead_owner\": \" \\n\", \"funnel\": 5}".as_bytes()).unwrap();
        assert_eq!(partial, OwnerDocument::default());
    }

    #[test]
    fn what_is_no_object_is_broken() {
        for body in [&b""[..], b"<html>", b"[]", b"\"x\"", b"{\"lead_owner\":"] {
            assert!(OwnerDocument::parse(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_document_of_another_lead_is_told_apart() {
        let lead: LeadId = "lead_a".parse().unwrap();
        let about = |id: &str| {
            OwnerDocument::parse(format!("{{\"lead_id\":{id}}}").as_bytes()).unwrap().is_about_another(&lead)
        };
        assert!(about("\"lead_b\""));
        assert!(!about("\"lead_a\""));
        assert!(!about("null"));
    }
}
