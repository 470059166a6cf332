//! A lead as Close has it: the answer to `GET /lead/{id}/`, and what a webhook carries of it.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    answers::{FieldId, FieldSetting},
    without_ids,
};
use outside::{Document, Fields, Json, Unreadable, document::Value, is_placeholder, text};

/// The most owners that are read from one field.
const MOST_OWNERS: usize = 20;

/// A lead as Close has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadAnswer {
    /// Which lead it is.
    pub id: Option<String>,
    /// Its status.
    pub status_label: Option<String>,
    /// Its e-mail address: of the first contact with one that has not unsubscribed.
    pub email: Option<String>,
    /// Its phone number, as Close formats it for people.
    pub phone: Option<String>,
    /// Owner and funnel, from its fields.
    pub owned: CustomFieldOwners,
    /// The organisation that it belongs to.
    pub organization_id: Option<String>,
}

/// The owners and the funnel in a lead's custom fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomFieldOwners {
    /// The values of the owner field, in their order: `user_…`, an e-mail address or a name.
    pub owners: Vec<String>,
    /// Whether the owner field holds something that cannot name a person, such as a number.
    pub is_odd: bool,
    /// The funnel.
    pub funnel: Option<String>,
}

impl CustomFieldOwners {
    /// Reads the fields among the values of a webhook; `by_name` are those of its `custom` object, if it has one.
    pub fn of_webhook(
        custom: &BTreeMap<String, Json>,
        by_name: &BTreeMap<String, Json>,
        owner: (&FieldSetting, &FieldId),
        funnel: Option<(&FieldSetting, &FieldId)>,
    ) -> Self {
        let value = |(setting, id): (&FieldSetting, &FieldId)| {
            let by_id = custom.get(id.as_str()).or_else(|| by_name.get(id.as_str()));
            by_id.or_else(|| by_name.get(&setting.to_string())).map(|value| texts(value.as_str()))
        };
        Self::new(value(owner), funnel.and_then(value))
    }

    fn new(owners: Option<TextValues>, funnel: Option<TextValues>) -> Self {
        let TextValues { lines: mut owners, others: is_odd } = owners.unwrap_or_default();
        owners.truncate(MOST_OWNERS);
        let funnel = without_ids(&funnel.unwrap_or_default().lines.join(", "));
        let funnel = Some(text::shorten(&funnel, text::VALUE_LIMIT)).filter(|funnel| !funnel.is_empty());
        Self { owners, is_odd, funnel }
    }
}

impl LeadAnswer {
    /// Reads the answer, in any of the three spellings of a custom value: `custom.cf_…`, `custom: {cf_…}` and,
    /// as it was once, `custom: {NAME}`.
    ///
    /// # Errors
    /// [`Unreadable`] where it is not an object.
    pub fn parse(
        body: &[u8],
        owner: (&FieldSetting, &FieldId),
        funnel: Option<(&FieldSetting, &FieldId)>,
    ) -> Result<Self, Unreadable> {
        let document = Document::read(body)?;
        let lead = document.fields()?;
        let custom = lead.get("custom").and_then(Value::fields).unwrap_or_default();
        let value = |(setting, id): (&FieldSetting, &FieldId)| {
            let flat = lead.get(&format!("custom.{}", id.as_str())).or_else(|| custom.get(id.as_str()));
            flat.or_else(|| custom.get(&setting.to_string())).map(|value| texts(value.to_json().as_str()))
        };
        let owned = CustomFieldOwners::new(value(owner), funnel.and_then(value));
        let contacts = lead.get("contacts").and_then(Value::items).unwrap_or_default();
        let contacts: Vec<Fields<'_>> = contacts.into_iter().filter_map(Value::fields).collect();
        let line = |value: Cow<'_, str>| {
            Some(text::shorten(&value, text::VALUE_LIMIT)).filter(|line| !is_placeholder(line))
        };
        Ok(Self {
            id: lead.text("id").map(Cow::into_owned),
            status_label: lead.text("status_label").and_then(line),
            email: email(&lead, &contacts).and_then(line),
            phone: phone(&lead, &contacts).and_then(line),
            owned,
            organization_id: lead.text("organization_id").map(Cow::into_owned),
        })
    }
}

/// The address to write to: the first that has not unsubscribed, else the first.
fn email<'a>(lead: &Fields<'a>, contacts: &[Fields<'a>]) -> Option<Cow<'a, str>> {
    let entries = in_contacts(contacts, "emails");
    let has_unsubscribed = |entry: &Fields<'_>| {
        entry.get("is_unsubscribed").is_some_and(|value| value.to_json().as_str() == "true")
    };
    let willing = entries.iter().find(|entry| !has_unsubscribed(entry) && entry.text("email").is_some());
    let any = willing.or_else(|| entries.iter().find(|entry| entry.text("email").is_some()));
    any.and_then(|entry| entry.text("email")).or_else(|| lead.get("primary_email")?.fields()?.text("email"))
}

fn phone<'a>(lead: &Fields<'a>, contacts: &[Fields<'a>]) -> Option<Cow<'a, str>> {
    let number = |entry: &Fields<'a>| {
        let shown = entry.text("phone_formatted").filter(|number| !text::clean(number).is_empty());
        shown.or_else(|| entry.text("phone")).filter(|number| !text::clean(number).is_empty())
    };
    let first = in_contacts(contacts, "phones").iter().find_map(number);
    first.or_else(|| number(&lead.get("primary_phone")?.fields()?))
}

fn in_contacts<'a>(contacts: &[Fields<'a>], list: &str) -> Vec<Fields<'a>> {
    let lists = contacts.iter().filter_map(|contact| contact.get(list)?.items());
    lists.flatten().filter_map(Value::fields).collect()
}

/// The texts in a custom value.
#[derive(Default)]
struct TextValues {
    /// The text, or those of a list, without placeholders for an empty value.
    lines: Vec<String>,
    /// Whether there is something other than text.
    others: bool,
}

fn texts(json: &str) -> TextValues {
    let document = format!("{{\"value\":{json}}}");
    let read = || {
        let document = Document::read(document.as_bytes()).ok()?;
        let value = document.fields().ok()?.get("value")?;
        let values = value.items().unwrap_or_else(|| vec![value]);
        let is_other = |value: &Value<'_>| value.text().is_none() && value.to_json().as_str() != "null";
        let others = values.iter().any(is_other);
        let lines = values.into_iter().filter_map(Value::text);
        let lines =
            lines.map(|line| text::shorten(&line, text::VALUE_LIMIT)).filter(|line| !is_placeholder(line));
        Some(TextValues { lines: lines.collect(), others })
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! sample {
        ($name:literal) => {
            include_bytes!(concat!("../../../../tests/samples/close/", $name))
        };
    }

    const TAMSIN: &str = "user_bVVWtzQdhJbYngmRZ4Xxdl7C9LoQNX3XKrJPBEziMkt";

    fn field(setting: &str, id: &str) -> (FieldSetting, FieldId) {
        (FieldSetting::parse(setting).unwrap(), FieldId::parse(id).unwrap())
    }

    fn owner() -> (FieldSetting, FieldId) {
        field("Lead Owner", "cf_YZ3zQfDSI0uBIoXEkN8pdtkb3dqL2AzKlExZNdI2ZZM")
    }

    fn parse(body: &[u8]) -> LeadAnswer {
        let (owner, funnel) = (owner(), field("Funnel", "cf_mLGb4kWzZlDB5mpWe7iZ24A6pJmoQkL0pIxCjrABYCN"));
        LeadAnswer::parse(body, (&owner.0, &owner.1), Some((&funnel.0, &funnel.1))).unwrap()
    }

    #[test]
    fn the_narrow_answer_and_the_whole_one_say_the_same() {
        let narrow = parse(sample!("lead_owner_single_narrow_fields.json"));
        assert_eq!(narrow.owned.owners, [TAMSIN]);
        assert_eq!(narrow.owned.funnel.as_deref(), Some("Example Academy Direct VSL"));
        assert_eq!(narrow.email.as_deref(), Some("marlowe.quill@customer.example"));
        assert_eq!(narrow.phone.as_deref(), Some("+1 202-555-0141"));
        assert_eq!(narrow.status_label.as_deref(), Some("Potential"));
        let whole = LeadAnswer { organization_id: None, ..parse(sample!("lead_owner_single.json")) };
        assert_eq!(whole, narrow);
    }

    #[test]
    fn no_owner_two_and_one_by_name_under_an_old_id() {
        let none = parse(sample!("lead_no_owner.json"));
        assert_eq!((none.owned.owners.len(), none.email, none.phone), (0, None, None));
        let read = |body: &[u8], (setting, id): (FieldSetting, FieldId)| {
            LeadAnswer::parse(body, (&setting, &id), None).unwrap().owned.owners
        };
        let team = field("Account Team", "cf_dbJt1RX11y8FDiWyZIYYaFh0jocNGD4Cq2ynjkt4GsZ");
        assert_eq!(read(sample!("lead_owner_two.json"), team).len(), 2);
        let text = field("Owner (text)", "lcf_WsZbzLiECNOa3rkiP1OyIHr7q4gJQJ0qihweoDIQPSx");
        assert_eq!(read(sample!("lead_owner_as_name_legacy_id.json"), text), ["Rowan Testaverde"]);
    }

    #[test]
    fn every_spelling_of_a_custom_value_is_read() {
        let id = owner().1;
        for lead in [
            format!(r#"{{"custom.{}":"{TAMSIN}"}}"#, id.as_str()),
            format!(r#"{{"custom":{{"{}":"{TAMSIN}"}}}}"#, id.as_str()),
            format!(r#"{{"custom":{{"Lead Owner":["{TAMSIN}"]}},"x":NaN}}"#),
            format!(r#"{{"custom":{{"Lead Owner":["{TAMSIN}", null, 7, ""]}}}}"#),
        ] {
            assert_eq!(parse(lead.as_bytes()).owned.owners, [TAMSIN], "{lead}");
        }
        for (value, is_odd) in [
            ("null", false),
            ("\"\"", false),
            ("[]", false),
            ("[null, \"\"]", false),
            ("\"Unassigned\"", false),
            ("7", true),
            ("{\"id\":\"user_1\"}", true),
            ("[[\"user_1\"]]", true),
            ("true", true),
        ] {
            let lead = format!(r#"{{"custom.{}":{value}}}"#, id.as_str());
            let owned = parse(lead.as_bytes()).owned;
            assert_eq!((owned.owners.len(), owned.is_odd), (0, is_odd), "{value}");
        }
        let funnel = format!(r#"{{"custom":{{"Funnel":["{TAMSIN}", "Webinar"]}}}}"#);
        assert_eq!(parse(funnel.as_bytes()).owned.funnel.as_deref(), Some("Close user …EziMkt, Webinar"));
    }

    #[test]
    fn the_address_of_whoever_has_not_unsubscribed_is_preferred() {
        let lead = parse(sample!("lead_contacts_emails_phones.json"));
        let contacts: serde_json::Value =
            serde_json::from_slice(sample!("lead_contacts_emails_phones.json")).unwrap();
        let emails = contacts["contacts"][1]["emails"].as_array().unwrap();
        let willing = emails.iter().find(|email| email["is_unsubscribed"] == false).unwrap();
        assert_eq!(lead.email.as_deref(), willing["email"].as_str());
        let only = br#"{"contacts":[{"emails":[{"email":"a@example.org","is_unsubscribed":true}]}]}"#;
        assert_eq!(parse(only).email.as_deref(), Some("a@example.org"));
        let primary =
            br#"{"contacts":[],"primary_email":{"email":"p@example.org"},"primary_phone":{"phone":"123"}}"#;
        let lead = parse(primary);
        assert_eq!((lead.email.as_deref(), lead.phone.as_deref()), (Some("p@example.org"), Some("123")));
    }

    #[test]
    fn a_webhook_carries_its_values_under_id_or_name() {
        let crate::Incoming::Created(created) =
            crate::Incoming::parse(sample!("webhook_lead_created_with_owner.json")).unwrap()
        else {
            panic!()
        };
        let (setting, id) = owner();
        let none = BTreeMap::new();
        let owned = CustomFieldOwners::of_webhook(&created.custom, &none, (&setting, &id), None);
        assert_eq!(owned.owners, [TAMSIN]);
        let by_name = created.custom.values().next().map(|value| ("Lead Owner".to_owned(), value.clone()));
        let owned =
            CustomFieldOwners::of_webhook(&none, &by_name.into_iter().collect(), (&setting, &id), None);
        assert_eq!(owned.owners, [TAMSIN]);
    }
}
