//! A JSON value that is passed on without being examined.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

/// A JSON value as its text, on one line and without white space outside its strings, so that a document with it can be
/// printed without parsing it.
///
/// Numbers keep every digit that Close sent, and a megabyte of small numbers takes a megabyte: parsed,
/// it would take thirty.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

/// A value stored by an earlier version may have white space in it.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match compact(raw.get()) {
            Cow::Borrowed(_) => Ok(Self(raw)),
            Cow::Owned(text) => RawValue::from_string(text).map(Self).map_err(de::Error::custom),
        }
    }
}

impl Json {
    /// The value's JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// A value as it was sent except for white space. `None` where a reader might fail on it: a number out of every range,
    /// half a surrogate pair.
    pub fn as_sent(raw: &RawValue) -> Option<Self> {
        serde_json::from_str::<Readable>(raw.get()).ok()?;
        match compact(raw.get()) {
            Cow::Borrowed(_) => Some(Self(raw.to_owned())),
            Cow::Owned(text) => RawValue::from_string(text).map(Self).ok(),
        }
    }

    /// The value with other texts in place of the strings that `other` knows, wherever they stand in it. Those in
    /// which anything is escaped it is not asked for as a whole.
    pub fn with_strings(&self, other: impl Fn(&str) -> Option<String>) -> Self {
        let part = |part| match other(part) {
            Some(text) => Cow::Owned(escaped(&text)),
            None => Cow::Borrowed(part),
        };
        let parts: Vec<Cow<'_, str>> = self.as_str().split('"').map(part).collect();
        RawValue::from_string(parts.join("\"")).map_or_else(|_| self.clone(), Self)
    }

    /// A text as a JSON string.
    pub fn string(text: &str) -> Self {
        // A string always has a JSON form.
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

/// A text in the form of a JSON string.
fn escaped(text: &str) -> String {
    let json = Json::string(text);
    let inner = json.as_str().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// JSON without white space outside its strings, otherwise unchanged.
fn compact(json: &str) -> Cow<'_, str> {
    let json = json.trim_ascii();
    // White space inside can only stand in lists and objects.
    if !json.starts_with(['[', '{']) {
        return Cow::Borrowed(json);
    }
    let mut compact = String::new();
    let (mut from, mut at, mut in_string) = (0, 0, false);
    let bytes = json.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => at += 1,
            b' ' | b'\t' | b'\r' | b'\n' if !in_string => {
                compact.push_str(json.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if from == 0 {
        return Cow::Borrowed(json);
    }
    compact.push_str(json.get(from..).unwrap_or_default());
    Cow::Owned(compact)
}

/// Checks that a value can be read in full, and discards it.
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
    use proptest::prelude::*;

    use super::*;

    fn as_sent(text: &str) -> Option<String> {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        Json::as_sent(&raw).map(|json| serde_json::to_string(&json).unwrap())
    }

    #[test]
    fn every_digit_and_every_letter_is_kept() {
        for text in [
            "12345678901234567890.123456789012345678901234567890",
            "1e-7",
            "[1,{\"a\":0.10,\"a\":-0}]",
            "\"x y\\n\"",
            "{\"a \\\" b\":\" [ \\\\\"}",
        ] {
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

    #[test]
    fn strings_give_way_to_others_wherever_they_stand() {
        let other = |text: &str| (text == "user_1").then(|| "\"Zoë\"\\".to_owned());
        for (json, expected) in [
            (r#""user_1""#, r#""\"Zoë\"\\""#),
            (r#"["user_1",null,{"a":["user_1"]},1.50]"#, r#"["\"Zoë\"\\",null,{"a":["\"Zoë\"\\"]},1.50]"#),
            (r#"["user_12","a user_1","\\","user_1\n"]"#, r#"["user_12","a user_1","\\","user_1\n"]"#),
            ("user_1 is no JSON", "\"user_1 is no JSON\""),
            ("17", "17"),
        ] {
            let value = serde_json::from_str(json).unwrap_or_else(|_| Json::string(json));
            let given = value.with_strings(other);
            assert_eq!(given.as_str(), expected);
            serde_json::from_str::<serde_json::Value>(given.as_str()).unwrap();
        }
    }

    /// JSON laid out anyhow, and the same without white space outside of strings.
    fn laid_out() -> impl Strategy<Value = (String, String)> {
        let space = || "[ \t\r\n]{0,3}";
        let same = |text: String| (text.clone(), text);
        let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?";
        let string = any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
        let escaped = "\"( |\\\\u00[0-9a-fA-F]{2}|\\\\[\"\\\\/bfnrt]|[\\[\\]{}:,])*\"";
        let word = prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned);
        let leaf = prop_oneof![number, string.clone(), escaped, word].prop_map(same);
        leaf.prop_recursive(5, 40, 6, move |inner| {
            let item =
                (space(), inner.clone(), space()).prop_map(|(a, (long, short), b)| (a + &long + &b, short));
            let field =
                (space(), string.clone(), space(), item.clone()).prop_map(|(a, key, b, (long, short))| {
                    (format!("{a}{key}{b}:{long}"), format!("{key}:{short}"))
                });
            let joined = |open: &'static str, close: &'static str| {
                move |(space, parts): (String, Vec<(String, String)>)| {
                    let (long, short): (Vec<String>, Vec<String>) = parts.into_iter().unzip();
                    (
                        format!("{open}{space}{}{close}", long.join(",")),
                        format!("{open}{}{close}", short.join(",")),
                    )
                }
            };
            prop_oneof![
                (space(), prop::collection::vec(item, 0..6)).prop_map(joined("[", "]")),
                (space(), prop::collection::vec(field, 0..6)).prop_map(joined("{", "}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_kept_without_its_white_space((long, short) in laid_out(), a in "[ \t\r\n]{0,3}") {
            let long = a + &long;
            prop_assert_eq!(compact(&long), short.as_str());
            prop_assert_eq!(compact(&short), short.as_str());
            let read: Json = serde_json::from_str(&long).unwrap();
            prop_assert_eq!(read.as_str(), &short);
            let sent = as_sent(long.trim_ascii());
            prop_assert_eq!(sent.as_deref(), Some(short.as_str()));
        }
    }
}
