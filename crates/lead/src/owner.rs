//! What is known of a lead's owner: the owner document, `{lookup base}/{lead_id}.json`, and what any source
//! of owners comes to.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::OwnerStatus;
use close::LeadId;
use outside::{
    Document, Unreadable,
    document::{Fields, Value},
    is_placeholder, text,
};

/// The fields that the brief gives an owner document.
const FIELDS: [&str; 7] =
    ["lead_id", "display_name", "lead_email", "lead_owner", "funnel", "status_label", "date_created"];
/// How many names of other fields are shown, and how much of each.
const SHOWN: usize = 4;
const NAME_LIMIT: usize = 30;

/// One of the people who own a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its source's identity of them (`user_…`), for programs; never shown to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Their display name, one clean line.
    pub name: String,
    /// Whether they are still there.
    pub active: bool,
    /// Whether the source does not know them, and the name is made of their identity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

impl Owner {
    /// The name as people read it, which says where somebody has left.
    pub fn label(&self) -> Cow<'_, str> {
        match self.active || self.unknown {
            true => Cow::Borrowed(&self.name),
            false => Cow::Owned(format!("{} (departed)", self.name)),
        }
    }
}

/// What a source of owners says of a lead, whichever source it is. Texts are clean lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerFacts {
    /// How the search for the owner ended.
    pub status: OwnerStatus,
    /// The owner's display name: of several the first who is still there.
    pub lead_owner: Option<String>,
    /// All of them, in the source's order, where it knows more than a name.
    pub owners: Vec<Owner>,
    /// The lead's e-mail address.
    pub lead_email: Option<String>,
    /// The lead's phone number.
    pub lead_phone: Option<String>,
    /// The marketing funnel.
    pub funnel: Option<String>,
    /// The lead's status now, where the source knows it better than the event.
    pub status_label: Option<String>,
}

impl OwnerFacts {
    /// Nothing, for this reason.
    pub fn none(status: OwnerStatus) -> Self {
        Self {
            status,
            lead_owner: None,
            owners: Vec::new(),
            lead_email: None,
            lead_phone: None,
            funnel: None,
            status_label: None,
        }
    }
}

/// What the owner directory says of a lead. Every field may be missing; text that is empty once
/// cleaned, a word for nobody ([`is_placeholder`]) and any value that is no text are missing too.
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
    /// Why the document may name an owner whom nobody can read: one clean line.
    pub lost_owner: Option<String>,
}

/// Bytes that are no owner document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the owner document is broken: {0}")]
pub struct BrokenOwner(#[from] Unreadable);

impl OwnerDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// [`BrokenOwner`] where the bytes are no JSON object, with what they are instead.
    pub fn parse(body: &[u8]) -> Result<Self, BrokenOwner> {
        let document = Document::read(body)?;
        let fields = document.fields()?;
        let field = |name: &str| {
            let value = text::shorten(&fields.text(name)?, text::VALUE_LIMIT);
            (!is_placeholder(&value)).then_some(value)
        };
        Ok(Self {
            lead_id: field("lead_id"),
            lead_email: field("lead_email"),
            lead_owner: field("lead_owner"),
            funnel: field("funnel"),
            lost_owner: lost_owner(&fields),
        })
    }

    /// What the document comes to for this lead: nothing where it is about another.
    pub fn facts(self, lead: &LeadId) -> OwnerFacts {
        if self.is_about_another(lead) {
            return OwnerFacts::none(OwnerStatus::Mismatch);
        }
        let status = match (&self.lead_owner, &self.lost_owner) {
            (Some(_), _) => OwnerStatus::Assigned,
            (None, Some(_)) => OwnerStatus::LookupFailed,
            (None, None) => OwnerStatus::Missing,
        };
        OwnerFacts {
            lead_owner: self.lead_owner,
            lead_email: self.lead_email,
            funnel: self.funnel,
            ..OwnerFacts::none(status)
        }
    }

    /// Whether the document says that it is about this lead, and that nobody owns it: its author knows the lead.
    pub fn knows_nobody(&self, lead: &LeadId) -> bool {
        self.lead_id.as_deref() == Some(lead.as_str())
            && self.lead_owner.is_none()
            && self.lost_owner.is_none()
    }

    /// Whether the document speaks of another lead. One that names none is taken at its address.
    pub fn is_about_another(&self, lead: &LeadId) -> bool {
        self.lead_id.as_deref().is_some_and(|id| id != lead.as_str())
    }
}

/// Why no owner can be read in a document that may well name one.
fn lost_owner(fields: &Fields<'_>) -> Option<String> {
    if let Some(why) = fields.lost("lead_owner") {
        return Some(why.to_string());
    }
    match fields.get("lead_owner") {
        Some(value) if says_nobody(value) => None,
        Some(value) => value.kind().map(|kind| format!("its lead_owner is {kind}, not a text")),
        None => other_fields(fields).map(|others| format!("it has no lead_owner; it has {others}")),
    }
}

/// Whether the owner is a text, or nothing in the way of some language: `null`, `false`, an empty list.
fn says_nobody(value: Value<'_>) -> bool {
    value.text().is_some()
        || value.is_false_or_null()
        || value.items().is_some_and(|items| items.is_empty())
        || value.fields().is_some_and(|fields| fields.iter().next().is_none())
}

/// The names of fields that no owner document has by the brief, a few of them. Whoever writes such a document may
/// mean one of them for the owner's.
fn other_fields(fields: &Fields<'_>) -> Option<String> {
    let mut others: Vec<&str> =
        fields.iter().map(|(name, _)| name).filter(|name| !FIELDS.contains(name)).collect();
    others.sort_unstable();
    others.dedup();
    let named = || text::first_few(&others, SHOWN, |name| text::shorten(name, NAME_LIMIT));
    (!others.is_empty()).then(named)
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
    fn an_owner_that_cannot_be_read_is_no_missing_one() {
        for document in [
            r#"{"lead_id":"lead_a", /* theirs */ "lead_owner":"Dana Field"}"#,
            "{\"lead_id\":\"lead_a\", // theirs\n\"lead_owner\":\"Dana Field\"}",
            "{'lead_id':'lead_a','lead_owner':'Dana Field'}",
            r#"{lead_id:"lead_a",lead_owner:"Dana Field"}"#,
            r#"{"lead_id":"lead_a" "lead_owner":"Dana Field"}"#,
            r#"{"lead_id":"lead_a","lead_owner":'Dana Field'}"#,
            r#"{"lead_id":"lead_a","lead_owner":Dana Field}"#,
            "{\"lead_id\":\"lead_a\",\"lead_owner\":\u{201c}Dana Field\u{201d}}",
        ] {
            let read = OwnerDocument::parse(document.as_bytes()).unwrap();
            let why = read.lost_owner.unwrap_or_else(|| panic!("{document}"));
            assert!(why.starts_with("it is not quite JSON ("), "{why}");
            assert!(why.ends_with("no lead_owner can be read in it"), "{why}");
            assert_eq!(read.lead_owner, None);
        }
        // These say that there is none.
        for document in [
            r#"{"lead_id":"lead_a"}"#,
            r#"{"lead_owner":null,"score":NaN}"#,
            r#"{"lead_owner":"","score":NaN}"#,
            r#"{"lead_owner":NaN}"#,
            r#"{"lead_owner":false}"#,
            r#"{"lead_owner":[]}"#,
            r#"{"lead_owner":{ }}"#,
            r#"{"lead_email":"a@example.org","funnel":"Web","status_label":"x"}"#,
            "{}",
        ] {
            let read = OwnerDocument::parse(document.as_bytes()).unwrap();
            assert_eq!((read.lead_owner, read.lost_owner), (None, None), "{document}");
        }
    }

    #[test]
    fn an_owner_of_another_type_or_under_another_name_is_named() {
        let lead: LeadId = "lead_a".parse().unwrap();
        for (document, why) in [
            (r#"{"lead_owner":["Dana Field"]}"#, "its lead_owner is a list, not a text"),
            (r#"{"lead_owner":["Dana Field"],"score":NaN}"#, "its lead_owner is a list, not a text"),
            (r#"{"lead_owner":7,"lead_id":"lead_a"}"#, "its lead_owner is a number, not a text"),
            (r#"{"lead_owner":{"name":"Dana Field"}}"#, "its lead_owner is an object, not a text"),
            (r#"{"lead_owner":true}"#, "its lead_owner is true or false, not a text"),
            (r#"{"lead_id":"lead_a","owner":"Dana","rep":1}"#, "it has no lead_owner; it has owner, rep"),
            (r#"{"Lead_Owner":"Dana"}"#, "it has no lead_owner; it has Lead_Owner"),
            (
                r#"{"e\u001b[2J":1,"a":1,"a":2,"b":1,"c":1,"d":1,"f":1}"#,
                "it has no lead_owner; it has a, b, c, d and 2 more",
            ),
        ] {
            let read = OwnerDocument::parse(document.as_bytes()).unwrap();
            assert_eq!(read.lead_owner, None);
            assert_eq!(read.lost_owner.as_deref(), Some(why), "{document}");
            assert_eq!(read.facts(&lead).status, OwnerStatus::LookupFailed, "{document}");
        }
        let long = OwnerDocument::parse(format!(r#"{{"{}":1}}"#, "x\\u001b".repeat(900)).as_bytes()).unwrap();
        let why = long.lost_owner.unwrap();
        assert!(why.chars().count() < 80 && !why.contains('\u{1b}'), "{why:?}");
    }

    #[test]
    fn who_says_of_this_lead_that_nobody_owns_it_knows_it() {
        let lead: LeadId = "lead_a".parse().unwrap();
        let knows = |document: &str| OwnerDocument::parse(document.as_bytes()).unwrap().knows_nobody(&lead);
        assert!(knows(r#"{"lead_id":"lead_a","lead_owner":null}"#));
        assert!(knows(r#"{"lead_id":"lead_a","lead_owner":"None","x":1}"#));
        assert!(!knows(r#"{"lead_owner":null}"#) && !knows("{}"));
        assert!(!knows(r#"{"lead_id":"lead_b","lead_owner":null}"#));
        assert!(!knows(r#"{"lead_id":"lead_a","lead_owner":["Dana"]}"#));
        assert!(!knows(r#"{"lead_id":"lead_a","lead_owner":"Dana"}"#));
    }

    #[test]
    fn a_broken_field_takes_no_other_with_it() {
        let owner = |field: &str| {
            for document in [
                format!(r#"{{"lead_id":"lead_a",{field},"lead_owner":"Dana Field"}}"#),
                format!(r#"{{"lead_owner":"Dana Field","x":{{{field}}},"lead_id":"lead_a"}}"#),
                format!(
                    "{{\n  \"lead_owner\": \"Dana Field\",\n  \"lead_id\": \"lead_a\",\n  {field},\n}}\n"
                ),
            ] {
                let read =
                    OwnerDocument::parse(document.as_bytes()).unwrap_or_else(|e| panic!("{document}: {e}"));
                assert_eq!(read.lead_owner.as_deref(), Some("Dana Field"), "{document}");
                assert_eq!(read.lead_id.as_deref(), Some("lead_a"), "{document}");
            }
        };
        for value in [
            "NaN",
            "-Infinity",
            "1e999",
            "[[NaN]]",
            "{\"a\":NaN}",
            "007",
            "+1",
            ".5",
            "0x1F",
            "1.",
            "None",
            "True",
            "undefined",
            "",
            r#""\ud800""#,
            r#""Ada \ud83d""#,
            r#""\x41""#,
            r#""\'""#,
            r#""\u12""#,
            "\"a\u{1}b\"",
            "\"a\nb\"",
            "\"a\tb\"",
            "[1,2,]",
            "{\"a\":1,}",
            "\"5\" disk\"",
            "'x'",
            "[1 2]",
            "new Date(0)",
            "1 /* one */",
        ] {
            owner(&format!("\"score\":{value}"));
        }
        owner("score:1");
        owner("\"\\ud800\":1");
        owner("\"score\"");
        owner(&format!("\"x\":{}1{}", "[".repeat(5_000), "]".repeat(5_000)));
        let latin = b"{\"city\":\"Z\xfcrich\",\"lead_owner\":\"Zo\xeb Field\"}";
        assert_eq!(OwnerDocument::parse(latin).unwrap().lead_owner.as_deref(), Some("Zo\u{fffd} Field"));
    }

    #[test]
    fn a_field_of_another_type_is_missing_and_the_last_of_several_counts() {
        for value in [
            "NaN",
            "7",
            "[\"Dana Field\"]",
            "{\"name\":\"Dana Field\"}",
            "true",
            "null",
            "\"a \"b\" c\"",
            "Dana Field",
        ] {
            let document = format!(r#"{{"lead_owner":{value},"funnel":"Trade fair"}}"#);
            let read = OwnerDocument::parse(document.as_bytes()).unwrap();
            assert_eq!((read.lead_owner, read.funnel.as_deref()), (None, Some("Trade fair")), "{document}");
        }
        for more in ["", ",\"x\":NaN"] {
            let document = format!(r#"{{"lead_owner":"Ada","lead_owner":"Dana Field"{more}}}"#);
            let read = OwnerDocument::parse(document.as_bytes()).unwrap();
            assert_eq!(read.lead_owner.as_deref(), Some("Dana Field"));
        }
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
