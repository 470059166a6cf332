//! A JSON document from outside, read leniently, field by field.
//!
//! One reader for everything from outside: Close's events, owner documents, answers of services. A field that is broken,
//! or of another type than expected, counts as missing and does not affect the others. What cannot be read at all is
//! described, so that an operator knows what was received.

mod encoding;
mod repair;
mod string;

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::{Json, is_placeholder, text};

/// A document's text.
#[derive(Debug, Clone)]
pub struct Document<'a>(Cow<'a, str>);

/// Why a document cannot be read: one clean line that describes it, beginning with "it".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    /// An error with this reason, which begins with "it".
    pub fn new(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

impl<'a> Document<'a> {
    /// The largest decoded size of a compressed document, in bytes.
    pub const LIMIT: usize = 1024 * 1024;

    /// Reads bytes as text: UTF-8, with or without a byte order mark, plain or gzip. Invalid UTF-8 is replaced by U+FFFD.
    /// Bytes that are valid text are not copied.
    ///
    /// # Errors
    /// [`Unreadable`] where they are UTF-16, gzip that cannot be decoded or is larger than
    /// [`Document::LIMIT`], or not text at all.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        encoding::text(bytes).map(Self)
    }

    /// The text, without white space around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The fields of the document, which has to be an object.
    ///
    /// # Errors
    /// [`Unreadable`] where it is not an object, is truncated or has trailing data.
    pub fn fields(&self) -> Result<Fields<'_>, Unreadable> {
        let text = self.as_str();
        if text.starts_with('{') { Fields::of(text) } else { Err(no_object(text)) }
    }
}

/// The fields of an object in their order. Of several with the same name the last counts.
#[derive(Debug, Clone, Default)]
pub struct Fields<'a> {
    fields: Vec<(Cow<'a, str>, Value<'a>)>,
    /// Why the object is not valid JSON, if it is not.
    broken: Option<Unreadable>,
}

impl<'a> Fields<'a> {
    /// Those of a text that begins with `{`.
    fn of(object: &'a str) -> Result<Self, Unreadable> {
        // Most are valid. The others are read again by the lenient reader.
        match serde_json::from_str::<Sound<'a>>(object) {
            Ok(Sound(fields)) => Ok(Self { fields, broken: None }),
            Err(error) => {
                let broken =
                    Unreadable(format!("it is not quite JSON ({})", text::shorten(&error.to_string(), 100)));
                Ok(Self { fields: repair::fields(object)?, broken: Some(broken) })
            }
        }
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.fields.iter().rev().find_map(|(key, value)| (key == name).then_some(*value))
    }

    /// Why a field may be missing although it was meant to be there: the object is not quite JSON, and nothing that
    /// can be read stands for the field in it. What programs write for nothing, such as `NaN`, can.
    pub fn lost(&self, name: &str) -> Option<Unreadable> {
        let broken = self.broken.as_ref()?;
        let stands = |value: Value<'_>| match value.0 {
            Raw::Sound(_) => true,
            Raw::Broken(text) => value.text().is_some() || is_placeholder(text),
        };
        match self.get(name) {
            Some(value) if stands(value) => None,
            _ => Some(Unreadable(format!("{broken}, and no {name} can be read in it"))),
        }
    }

    /// The value of a field that is text.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.text()
    }

    /// All fields, also those that a later one of the same name replaces.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'a>)> {
        self.fields.iter().map(|(key, value)| (key.as_ref(), *value))
    }
}

/// A field's value, of any type, valid or not.
#[derive(Clone, Copy)]
pub struct Value<'a>(Raw<'a>);

#[derive(Clone, Copy)]
enum Raw<'a> {
    /// JSON by its grammar. A number may be out of every range, a string hold half a surrogate pair.
    Sound(&'a RawValue),
    /// The text in place of a value.
    Broken(&'a str),
}

/// How deep a value that is passed on may be nested. The enriched lead that it becomes part of must be
/// readable again, and serde_json reads 127 levels.
const DEEPEST: usize = 100;

impl<'a> Value<'a> {
    /// The text in place of a value.
    fn of(text: &'a str) -> Self {
        Self(serde_json::from_str(text).map_or(Raw::Broken(text), Raw::Sound))
    }

    fn as_str(self) -> &'a str {
        match self.0 {
            Raw::Sound(raw) => raw.get(),
            Raw::Broken(text) => text,
        }
    }

    /// The text, where the value is a string. What is broken in it is replaced by U+FFFD (half a surrogate
    /// pair, `"\ud800"`, which Python's encoder can write) or taken as it stands (a line break).
    pub fn text(self) -> Option<Cow<'a, str>> {
        string::decode(self.as_str())
    }

    /// What it is by JSON's grammar, in words: `a list`, `a number`. None for what follows no grammar.
    pub fn kind(self) -> Option<&'static str> {
        match self.0 {
            Raw::Sound(raw) => Some(kind_of(raw.get())),
            Raw::Broken(_) => None,
        }
    }

    /// Whether it is `false` or `null`.
    pub fn is_false_or_null(self) -> bool {
        matches!(self.0, Raw::Sound(raw) if matches!(raw.get(), "false" | "null"))
    }

    /// The values in it, where the value is a list. One that is not quite JSON has none.
    pub fn items(self) -> Option<Vec<Value<'a>>> {
        let text = self.as_str();
        let items = || serde_json::from_str::<Vec<&'a RawValue>>(text).unwrap_or_default();
        text.starts_with('[').then(|| items().into_iter().map(|raw| Value(Raw::Sound(raw))).collect())
    }

    /// The fields, where the value is an object.
    pub fn fields(self) -> Option<Fields<'a>> {
        let text = self.as_str();
        text.starts_with('{').then(|| Fields::of(text).ok()).flatten()
    }

    /// The value to pass on, with every digit. Where a reader might fail on it (not JSON, a number out of every range, half a
    /// surrogate pair, nested too deeply), its text as a string, so that nothing is lost.
    pub fn to_json(self) -> Json {
        match self.0 {
            Raw::Sound(raw) if !is_nested_deeper(raw.get(), DEEPEST) => Json::as_sent(raw),
            _ => None,
        }
        .unwrap_or_else(|| Json::string(&self.text().unwrap_or(Cow::Borrowed(self.as_str()))))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::shorten(self.as_str(), 100))
    }
}

/// Whether brackets are nested deeper, or might be: those in strings count as well.
fn is_nested_deeper(json: &str, deepest: usize) -> bool {
    let mut depth = 0usize;
    json.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > deepest
    })
}

/// Describes a text that is not an object.
fn no_object(text: &str) -> Unreadable {
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return Unreadable(format!("it begins with `{}`", text::shorten(text, 40)));
    }
    Unreadable(format!("it is JSON, but no object ({})", kind_of(text)))
}

/// The type of a JSON text, judged by its beginning.
fn kind_of(json: &str) -> &'static str {
    match json.bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        _ => "a number",
    }
}

/// The fields of an object that follows JSON's grammar.
struct Sound<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Sound<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Vec<(Cow<'de, str>, Value<'de>)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // As many as an event has.
                let mut fields = Vec::with_capacity(16);
                while let Some((Key(key), raw)) = map.next_entry()? {
                    fields.push((key, Value(Raw::Sound(raw))));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Visitor).map(Self)
    }
}

/// A field's name, in which half a surrogate pair is replaced instead of refused.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(encoding::lossy(bytes))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(String::from_utf8_lossy(bytes).into_owned().into())
            }
        }
        deserializer.deserialize_bytes(Visitor).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The fields by either way, as texts.
    fn read(fields: &[(Cow<'_, str>, Value<'_>)]) -> Vec<(String, String)> {
        fields.iter().map(|(key, value)| (key.to_string(), value.as_str().to_owned())).collect()
    }

    proptest! {
        #[test]
        fn what_is_sound_is_read_alike_with_patience(
            fields in prop::collection::btree_map(any::<String>(), any::<String>(), 0..5),
            nested in "[\\[\\]{}\",: a]{0,20}",
            number in any::<f64>(),
        ) {
            let mut object = serde_json::json!(fields);
            object["nested"] = serde_json::json!([{"a": nested}, [], {}, number, null]);
            for json in [object.to_string(), serde_json::to_string_pretty(&object).unwrap()] {
                let Sound(sound) = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(read(&sound), read(&repair::fields(&json).unwrap()));
                // One broken field more changes none of the others.
                let broken = json.replacen('{', "{\"broken\":NaN,", 1);
                let document = Document::read(broken.as_bytes()).unwrap();
                let all = read(&document.fields().unwrap().fields);
                prop_assert_eq!(read(&sound), &all[1..]);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), object in "\\{[{}\\[\\]\",:\\\\ aN1\n]{0,40}\\}") {
            for bytes in [bytes.as_slice(), object.as_bytes()] {
                match Document::read(bytes).as_ref().map(Document::fields) {
                    Ok(Ok(fields)) => for (_, value) in fields.iter() {
                        let json = value.to_json();
                        prop_assert!(serde_json::from_str::<serde_json::Value>(json.as_str()).is_ok());
                    },
                    Ok(Err(why)) => prop_assert!(why.to_string().len() < 400),
                    Err(why) => prop_assert!(why.to_string().len() < 400),
                }
            }
        }
    }
}
