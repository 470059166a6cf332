//! Custom fields of leads: <https://developer.close.com/resources/custom-fields/>.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::is_id;
use outside::{Document, Unreadable, document::Value, text};

/// A custom field's id: `cf_…`, or `lcf_…` for old fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldId(String);

impl FieldId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id in `text`, which may be written as the key of a lead's value, `custom.cf_…`.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.strip_prefix("custom.").unwrap_or(text);
        (is_id(id, "cf") || is_id(id, "lcf")).then(|| Self(id.to_owned()))
    }
}

impl TryFrom<String> for FieldId {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        Self::parse(&id).ok_or_else(|| format!("no custom field's id: {:?}", text::shorten(&id, 80)))
    }
}

impl From<FieldId> for String {
    fn from(id: FieldId) -> String {
        id.0
    }
}

/// How a setting names a custom field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSetting {
    /// By its id, which stays the same when the field is renamed.
    Id(FieldId),
    /// By its name, which has to be looked up.
    Name(String),
}

impl FieldSetting {
    /// Reads a setting; `None` where it is blank.
    pub fn parse(setting: &str) -> Option<Self> {
        match FieldId::parse(setting.trim()) {
            Some(id) => Some(Self::Id(id)),
            None => Some(text::clean(setting)).filter(|name| !name.is_empty()).map(Self::Name),
        }
    }

    /// The field among these that the setting means. By name: exactly as written, else ignoring case.
    ///
    /// # Errors
    /// How many fields match, where it is not exactly one.
    pub fn find<'a>(&self, fields: &'a [CustomField]) -> Result<&'a CustomField, usize> {
        let named =
            |is: &dyn Fn(&CustomField) -> bool| fields.iter().filter(|field| is(field)).collect::<Vec<_>>();
        let found = match self {
            Self::Id(id) => named(&|field| field.id == *id),
            Self::Name(name) => match named(&|field| field.name == *name) {
                none if none.is_empty() => {
                    let name = name.to_lowercase();
                    named(&|field| field.name.to_lowercase() == name)
                }
                found => found,
            },
        };
        match found[..] {
            [one] => Ok(one),
            ref several => Err(several.len()),
        }
    }
}

impl fmt::Display for FieldSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id(id) => id.as_str(),
            Self::Name(name) => name,
        })
    }
}

/// A custom field of leads, as Close's schema describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomField {
    /// Its id.
    pub id: FieldId,
    /// Its name, one clean line.
    pub name: String,
    /// Its type, such as `user`, `text`, `choices`.
    pub kind: String,
    /// The type that it is being changed to.
    pub becomes: Option<String>,
    /// Whether it may hold several values.
    pub is_multiple: bool,
}

impl CustomField {
    /// Whether its values are members of the organisation.
    pub fn is_of_users(&self) -> bool {
        self.kind == "user"
    }

    fn read(value: Value<'_>) -> Option<Self> {
        let field = value.fields()?;
        let line = |name: &str| field.text(name).map(|value| text::shorten(&value, 200));
        Some(Self {
            id: FieldId::parse(&field.text("id")?)?,
            name: line("name").unwrap_or_default(),
            kind: line("type").unwrap_or_default(),
            becomes: line("converting_to_type").filter(|kind| !kind.is_empty()),
            is_multiple: field
                .get("accepts_multiple_values")
                .is_some_and(|value| value.to_json().as_str() == "true"),
        })
    }
}

/// The fields in the answer to `GET /custom_field_schema/lead/`, regular and shared, in Close's order.
///
/// # Errors
/// [`Unreadable`] where it is not such an answer.
pub fn custom_fields(body: &[u8]) -> Result<Vec<CustomField>, Unreadable> {
    let document = Document::read(body)?;
    let fields = document.fields()?.get("fields").and_then(Value::items);
    let fields = fields.ok_or_else(|| Unreadable::new("it has no list of fields"))?;
    Ok(fields.into_iter().filter_map(CustomField::read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<CustomField> {
        custom_fields(include_bytes!("../../../../tests/samples/close/custom_field_schema_lead.json"))
            .unwrap()
    }

    #[test]
    fn the_schema_is_read_with_old_ids_and_changing_types() {
        let fields = fields();
        assert_eq!(fields.len(), 10);
        let users: Vec<_> = fields.iter().filter(|field| field.is_of_users()).collect();
        assert_eq!(
            users.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(),
            ["Lead Owner", "Account Team"]
        );
        assert_eq!(users.iter().map(|field| field.is_multiple).collect::<Vec<_>>(), [false, true]);
        assert!(fields.iter().any(|field| field.id.as_str().starts_with("lcf_")));
        assert_eq!(fields.last().unwrap().becomes.as_deref(), Some("choices"));
    }

    #[test]
    fn a_setting_is_an_id_in_any_of_its_spellings_or_a_name() {
        let id = "cf_YZ3zQfDSI0uBIoXEkN8pdtkb3dqL2AzKlExZNdI2ZZM";
        for setting in
            [id.to_owned(), format!("custom.{id}"), "Lead Owner".to_owned(), " lead owner\n".to_owned()]
        {
            let setting = FieldSetting::parse(&setting).unwrap();
            assert_eq!(setting.find(&fields()).unwrap().id.as_str(), id, "{setting}");
        }
        assert_eq!(FieldSetting::parse(" \u{200b}"), None);
        for (setting, count) in [("Owner", 0), ("cf_gone", 0), ("custom.cf_", 0)] {
            assert_eq!(FieldSetting::parse(setting).unwrap().find(&fields()), Err(count), "{setting}");
        }
        let mut twice = fields();
        twice.push(twice[0].clone());
        assert_eq!(FieldSetting::parse("Lead Owner").unwrap().find(&twice), Err(2));
    }

    #[test]
    fn what_is_no_schema_is_said() {
        for body in [&b"<html>"[..], b"[]", b"{\"data\":[]}"] {
            assert!(custom_fields(body).is_err());
        }
        assert_eq!(custom_fields(b"{\"fields\":[1,{\"id\":\"../x\"},{\"id\":7}]}").unwrap(), []);
    }
}
