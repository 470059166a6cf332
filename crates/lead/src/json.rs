//! A JSON value that is passed on and never looked into.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

/// A JSON value as its text.
///
/// Numbers keep every digit that Close sent, and a megabyte of small numbers takes a megabyte: taken
/// apart, it would be thirty.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The value's JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// A value as it was sent. `None` where a reader might not get through it: a number out of every
    /// range, half a surrogate pair.
    pub(crate) fn as_sent(raw: &RawValue) -> Option<Self> {
        serde_json::from_str::<Readable>(raw.get()).ok()?;
        Some(Self(raw.to_owned()))
    }

    /// A text as a JSON string.
    pub(crate) fn string(text: &str) -> Self {
        // A string always has a JSON form, which is one.
        let json = serde_json::to_string(text).unwrap_or_default();
        Self(RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl PartialEq for Json {
    /// As texts.
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::shorten(self.as_str(), 100))
    }
}

/// What can be read in full, and is not kept.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Readable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Readable, E> {
                Ok(Readable)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Readable, E> {
                Ok(Readable)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Readable, E> {
                Ok(Readable)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Readable, E> {
                Ok(Readable)
            }

            fn visit_str<E>(self, _: &str) -> Result<Readable, E> {
                Ok(Readable)
            }

            fn visit_unit<E>(self) -> Result<Readable, E> {
                Ok(Readable)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Readable, A::Error> {
                while items.next_element::<Readable>()?.is_some() {}
                Ok(Readable)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<Readable, A::Error> {
                while fields.next_entry::<Readable, Readable>()?.is_some() {}
                Ok(Readable)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_sent(text: &str) -> Option<String> {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        Json::as_sent(&raw).map(|json| serde_json::to_string(&json).unwrap())
    }

    #[test]
    fn every_digit_is_kept() {
        for text in
            ["12345678901234567890.123456789012345678901234567890", "1e-7", "[1, {\"a\": 0.10}]", "\"x\""]
        {
            assert_eq!(as_sent(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_a_reader_would_stumble_over_is_not_passed_on() {
        for text in ["1e999", "[[-1e999]]", "\"\\ud800\"", "{\"\\udc00\": 1}"] {
            assert_eq!(as_sent(text), None, "{text}");
        }
        assert_eq!(Json::string("a\"\n").as_str(), r#""a\"\n""#);
    }
}
