//! Close's webhook body.
//!
//! Shapes: <https://developer.close.com/api/resources/event-log>. Close adds keys and leaves others
//! out; only what leadops needs is read, and only the lead's id is required. A field of an unexpected
//! type counts as missing and is never a reason to lose the lead.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;

use crate::{InvalidLeadId, LeadId, is_id};
use outside::{Document, Fields, Json, Unreadable, document::Value, is_placeholder, parse_time, text};

/// The event in a webhook's body.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A lead was created.
    Created(Box<CreatedLead>),
    /// Another event, which is accepted and ignored.
    Other {
        /// Close's subscription that sent it.
        subscription_id: Option<String>,
        /// Its object type and action, such as `lead.updated`, cleaned and shortened.
        kind: String,
    },
}

/// The facts of a `lead.created` event.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedLead {
    /// The lead.
    pub lead_id: LeadId,
    /// Close's subscription that sent it.
    pub subscription_id: Option<String>,
    /// Close's id of the event (`ev_…`).
    pub event_id: Option<String>,
    /// The lead's name: `data.display_name`, else `data.name`, as sent. Empty where Close sent none.
    pub display_name: String,
    /// `data.status_label`, as sent.
    pub status_label: Option<String>,
    /// `data.date_created` as sent, else the event's own time.
    pub date_created: Option<String>,
    /// The `custom.*` values, of any type, by their key without the prefix.
    pub custom: BTreeMap<String, Json>,
    /// The values of a `custom` object, by field name, as Close used to send them.
    pub custom_by_name: BTreeMap<String, Json>,
    /// The organisation in Close that the lead belongs to (`orga_…`).
    pub organization_id: Option<String>,
    /// The lead's e-mail address, `data.primary_email`, where the event has one: one clean line.
    pub email: Option<String>,
    /// The lead's phone number, `data.primary_phone`, in the same way.
    pub phone: Option<String>,
}

/// A body that is not an event of Close's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not an object with an `event` object, and what it is instead.
    #[error("the body is not a Close event: {0}")]
    NotAnEvent(String),
    /// A `lead.created` event without a usable lead id.
    #[error("the event's lead id is unusable: {0}")]
    LeadId(#[from] InvalidLeadId),
}

impl From<Unreadable> for Malformed {
    fn from(unreadable: Unreadable) -> Self {
        Self::NotAnEvent(unreadable.to_string())
    }
}

impl Incoming {
    /// Reads the raw bytes of a webhook.
    ///
    /// # Errors
    /// [`Malformed`] where the bytes are not a JSON object with an `event` object, or where a
    /// `lead.created` event has no valid lead id.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let document = Document::read(body)?;
        let body = document.fields()?;
        let event = body.get("event").and_then(Value::fields);
        let event = event.ok_or_else(|| Malformed::NotAnEvent("it has no event object".to_owned()))?;
        let of = |fields: &Fields<'_>, name: &str| fields.text(name).map(Cow::into_owned);
        let subscription_id = of(&body, "subscription_id");
        let object_type = event.text("object_type").unwrap_or_default();
        let action = event.text("action").unwrap_or_default();
        if (object_type.as_ref(), action.as_ref()) != ("lead", "created") {
            let kind = text::shorten(&format!("{object_type}.{action}"), 60);
            return Ok(Self::Other { subscription_id, kind });
        }
        let data = event.get("data").and_then(Value::fields).unwrap_or_default();
        let field = |name: &str| of(&data, name);
        let id = event
            .text("lead_id")
            .or_else(|| event.text("object_id"))
            .or_else(|| data.text("id"))
            .unwrap_or_default();
        let custom = data.get("custom").and_then(Value::fields).unwrap_or_default();
        let primary = |field: &str, names: &[&str]| {
            let value = data.get(field)?.fields()?;
            let lines = names.iter().filter_map(|name| value.text(name));
            lines.map(|line| text::shorten(&line, text::VALUE_LIMIT)).find(|line| !is_placeholder(line))
        };
        Ok(Self::Created(Box::new(CreatedLead {
            lead_id: id.parse()?,
            subscription_id,
            event_id: of(&event, "id"),
            display_name: field("display_name")
                .filter(|n| !text::clean(n).is_empty())
                .or_else(|| field("name"))
                .unwrap_or_default(),
            status_label: field("status_label"),
            date_created: field("date_created").or_else(|| of(&event, "date_created")),
            custom: data
                .iter()
                .filter_map(|(key, value)| Some((key.strip_prefix("custom.")?.to_owned(), value.to_json())))
                .collect(),
            custom_by_name: custom.iter().map(|(key, value)| (key.to_owned(), value.to_json())).collect(),
            organization_id: of(&event, "organization_id").filter(|id| is_id(id, "orga")),
            email: primary("primary_email", &["email"]),
            phone: primary("primary_phone", &["phone_formatted", "phone"]),
        })))
    }
}

impl CreatedLead {
    /// The name for people to read: one clean line of at most [`text::VALUE_LIMIT`] characters, the id
    /// where Close sent no name.
    pub fn name(&self) -> String {
        text::clean_or(&text::shorten(&self.display_name, text::VALUE_LIMIT), self.lead_id.as_str())
    }

    /// When the lead was created, where Close sent a readable time.
    pub fn created_at(&self) -> Option<Timestamp> {
        parse_time(self.date_created.as_deref()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn custom(lead: &CreatedLead, key: &str) -> Option<Value> {
        lead.custom.get(key).map(|value| serde_json::from_str(value.as_str()).unwrap())
    }

    fn created(event: Value) -> CreatedLead {
        match Incoming::parse(json!({"subscription_id": "whsub_1", "event": event}).to_string().as_bytes()) {
            Ok(Incoming::Created(lead)) => *lead,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_the_samples() {
        let sample = include_bytes!("../../../tests/samples/lead_created_01_oauth_app.json");
        let Ok(Incoming::Created(lead)) = Incoming::parse(sample) else { panic!("not created") };
        assert_eq!(lead.lead_id.as_str(), "lead_YeOvwVn9XDXT4sNWmWZQargtcJoaCKMuFOzIf1cAATp");
        assert_eq!(lead.display_name, "Marlowe Quill");
        assert_eq!(lead.status_label.as_deref(), Some("Potential"));
        assert_eq!(lead.date_created.as_deref(), Some("2026-09-14T15:02:11.642000+00:00"));
        assert_eq!(lead.event_id.as_deref(), Some("ev_uG3lsB8HfjbovfMOrixNvD"));
        assert_eq!(lead.subscription_id.as_deref(), Some("whsub_2l329YJ4Ds2RiLBHVBGS55"));
        assert_eq!(custom(&lead, "cf_JoYjCWQFCxN1a9BfVA1sSblT11L2ntOSoVHm4mLUEka"), Some(json!("10400021")));
        for sample in [
            &include_bytes!("../../../tests/samples/lead_created_02_other_key_order.json")[..],
            include_bytes!("../../../tests/samples/lead_created_03_api_key_company.json"),
            include_bytes!("../../../tests/samples/lead_created_05_unicode_and_markup.json"),
        ] {
            assert!(matches!(Incoming::parse(sample), Ok(Incoming::Created(_))));
        }
        let other = include_bytes!("../../../tests/samples/other_lead_updated.json");
        assert!(matches!(Incoming::parse(other), Ok(Incoming::Other { kind, .. }) if kind == "lead.updated"));
    }

    #[test]
    fn only_lead_created_is_ours() {
        for (object_type, action) in
            [("contact", "created"), ("lead", "updated"), ("lead", "deleted"), ("activity.note", "created")]
        {
            let body = json!({"event": {"object_type": object_type, "action": action, "lead_id": "lead_a", "data": null}});
            assert!(matches!(Incoming::parse(body.to_string().as_bytes()), Ok(Incoming::Other { .. })));
        }
    }

    #[test]
    fn nulls_wrong_types_and_missing_fields_lose_no_lead() {
        let lead = created(json!({"object_type": "lead", "action": "created", "lead_id": "lead_a"}));
        assert_eq!((lead.name(), lead.custom.len(), lead.created_at()), ("lead_a".to_owned(), 0, None));
        let lead = created(json!({
            "object_type": "lead", "action": "created", "object_id": "lead_b", "user_id": null, "id": 7, "lead_id": null,
            "date_created": "2026-09-14T15:02:11", "data": {"display_name": ["x"], "name": "B", "status_label": 5, "date_created": null,
            "custom.cf_1": [1, "two"], "custom.cf_2": {"a": null}, "custom.": true, "other": 1e3},
        }));
        assert_eq!(lead.lead_id.as_str(), "lead_b");
        assert_eq!(lead.name(), "B");
        assert_eq!(lead.status_label, None);
        assert!(lead.created_at().is_some());
        assert_eq!(lead.custom.len(), 3);
    }

    #[test]
    fn the_primary_address_and_number_are_read_where_they_are_sent() {
        let lead = created(json!({"object_type": "lead", "action": "created", "lead_id": "lead_a",
            "organization_id": "orga_1", "data": {
                "primary_email": {"email": " ada@example.org\n"}, "custom": {"Lead Owner": "user_1"},
                "primary_phone": {"phone": "+12025550141", "phone_formatted": "+1 202-555-0141"}}}));
        assert_eq!(lead.email.as_deref(), Some("ada@example.org"));
        assert_eq!(lead.phone.as_deref(), Some("+1 202-555-0141"));
        assert_eq!(lead.organization_id.as_deref(), Some("orga_1"));
        assert_eq!(lead.custom_by_name["Lead Owner"].as_str(), "\"user_1\"");
        let none = json!({"object_type": "lead", "action": "created", "lead_id": "lead_a", "organization_id": "../x",
            "data": {"primary_email": {"email": "None"}, "primary_phone": "+1"}});
        let lead = created(none);
        assert_eq!((lead.email, lead.phone, lead.organization_id), (None, None, None));
    }

    #[test]
    fn numbers_out_of_range_and_half_surrogates_lose_no_lead() {
        let body = br#"{"event":{"object_type":"lead","action":"created","lead_id":"lead_a","data":{"display_name":"A\ud800B","custom.n":1e999,"custom.s":"\udc00","\ud800":1}}}"#;
        let Ok(Incoming::Created(lead)) = Incoming::parse(body) else { panic!("not created") };
        assert!(lead.display_name.starts_with('A') && lead.display_name.ends_with('B'));
        assert_eq!(custom(&lead, "n"), Some(json!("1e999")));
        assert!(custom(&lead, "s").is_some_and(|value| value.is_string()));
    }

    #[test]
    fn a_broken_field_loses_neither_the_lead_nor_another_field() {
        let body = b"\xef\xbb\xbf{\"subscription_id\":\"whsub_0\",\"subscription_id\":\"whsub_1\",\"meta\":NaN,\"event\":{\"object_type\":\"lead\",
            \"action\":\"created\",\"lead_id\":\"lead_a\",\"note\":\"a \"b\" \x01 \xff\",\"data\":{\"display_name\":\"Zo\xeb \\x & \ncrew\",\"status_label\":Infinity,
            \"custom.n\":NaN,\"custom.l\":[1, -Infinity],\"custom.s\":\"a\tb\",\"custom.ok\":[1, 2],},}}";
        let Ok(Incoming::Created(lead)) = Incoming::parse(body) else { panic!("not created") };
        assert_eq!(lead.name(), "Zo\u{fffd} x & crew");
        assert_eq!((lead.subscription_id.as_deref(), lead.status_label.as_deref()), (Some("whsub_1"), None));
        assert_eq!(custom(&lead, "n"), Some(json!("NaN")));
        assert_eq!(custom(&lead, "l"), Some(json!("[1, -Infinity]")));
        assert_eq!(custom(&lead, "s"), Some(json!("a\tb")));
        assert_eq!(lead.custom["ok"].as_str(), "[1,2]");
    }

    #[test]
    fn what_came_instead_of_an_event_is_named() {
        for (body, expected) in [
            (&b"{}"[..], "it has no event object"),
            (b"{\"event\":[1]}", "it has no event object"),
            (b"<html>", "it begins with `<html>`"),
            (b"", "it is empty"),
        ] {
            let malformed = Incoming::parse(body).unwrap_err();
            assert_eq!(malformed.to_string(), format!("the body is not a Close event: {expected}"));
        }
    }

    #[test]
    fn a_value_nested_beyond_reading_is_kept_as_text() {
        for depth in [100, 101, 126, 127, 128, 5_000] {
            let nested = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            let body = format!(
                r#"{{"event":{{"object_type":"lead","action":"created","lead_id":"lead_a","data":{{"custom.x":{nested}}}}}}}"#
            );
            let Ok(Incoming::Created(lead)) = Incoming::parse(body.as_bytes()) else { panic!("not created") };
            let stored = serde_json::to_string(&lead.custom).unwrap();
            assert!(serde_json::from_str::<BTreeMap<String, Value>>(&stored).is_ok(), "{depth}");
            assert_eq!(lead.custom["x"].as_str().starts_with('"'), depth > 100);
        }
    }

    #[test]
    fn junk_is_malformed_and_hostile_ids_are_refused() {
        for body in [
            &b""[..],
            b"null",
            b"[]",
            b"{}",
            b"{\"event\":null}",
            b"{\"event\":[1]}",
            b"not json",
            b"\xff\xfe",
            b"{\"event\":{}",
        ] {
            assert!(matches!(Incoming::parse(body), Err(Malformed::NotAnEvent(_))), "{body:?}");
        }
        for id in ["../../x", "lead_a/../b", "lead_\u{202e}", ""] {
            let body =
                json!({"event": {"object_type": "lead", "action": "created", "lead_id": id}}).to_string();
            assert!(matches!(Incoming::parse(body.as_bytes()), Err(Malformed::LeadId(_))), "{id:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Incoming::parse(&body);
        }

        #[test]
        fn any_name_is_kept_as_sent(name in any::<String>()) {
            let lead = created(json!({"object_type": "lead", "action": "created", "lead_id": "lead_a", "data": {"display_name": name}}));
            if !text::clean(&name).is_empty() {
                prop_assert_eq!(&lead.display_name, &name);
            }
            prop_assert!(!text::clean(&lead.name()).is_empty());
        }
    }
}
