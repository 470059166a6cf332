//! The forms in which people and secret stores write signature keys.

use std::fmt;

use crate::is_id;
use outside::text;
use serde_json::Value;

use outside::{plain_name, unpasted};

/// An invalid signature key. Its text is never shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadKey(String);

/// A key as written: 64 hex digits, preceded by the id of the only subscription that it is valid for. Its `Display` shows
/// the key, to write it again.
pub(super) struct WrittenKey {
    pub(super) subscription: Option<String>,
    digits: String,
    pub(super) bytes: [u8; 32],
}

impl fmt::Display for WrittenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subscription {
            Some(subscription) => write!(f, "{subscription}={}", self.digits),
            None => f.write_str(&self.digits),
        }
    }
}

/// The names that secret stores and people give a key in JSON, ignoring case, `_` and `-`. The first is that of Close's
/// own answer, whose other fields are ignored.
const NAMES: [&str; 6] =
    ["signaturekey", "closesignaturekey", "key", "webhooksignaturekey", "webhookkey", "secret"];

/// Reads keys: separated by commas or lines, with `whsub_…=` before those of one subscription; as a JSON list; or as a
/// JSON object with keys by subscription, or with such a list under one of [`NAMES`].
pub(super) fn read(text: &str) -> Result<Vec<WrittenKey>, BadKey> {
    let text = unpasted(text);
    if !text.starts_with(['{', '[']) {
        return read_list(None, text, 1);
    }
    let json: Value = serde_json::from_str(text).map_err(|error| {
        BadKey(format!(
            "it begins like JSON, and is none in line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    let mut keys = Vec::new();
    match &json {
        Value::Object(fields) => {
            let is_named = |name: &str| NAMES.contains(&plain_name(name).as_str());
            let mut stranger = None;
            for (name, value) in fields {
                if is_id(name, "whsub") {
                    read_value(Some(name), value, &mut keys)?;
                } else if is_named(name) {
                    read_value(None, value, &mut keys)?;
                } else {
                    let holds_key = holds_key(value);
                    if holds_key || stranger.is_none() {
                        stranger = Some((name, holds_key));
                    }
                }
            }
            // Other fields are allowed, such as those of Close's answer, but not with a key in them.
            let is_alone = !fields.keys().any(|name| is_named(name));
            if let Some((name, _)) = stranger.filter(|(_, holds_key)| *holds_key || is_alone) {
                return Err(BadKey(format!(
                    "{} in it is neither the id of a subscription (whsub_…) nor signature_key",
                    named(name)
                )));
            }
        }
        list => read_value(None, list, &mut keys)?,
    }
    Ok(keys)
}

/// Whether there is a key, or several.
fn holds_key(value: &Value) -> bool {
    let mut keys = Vec::new();
    read_value(None, value, &mut keys).is_ok() && !keys.is_empty()
}

/// A text with keys, or several.
fn read_value(subscription: Option<&str>, value: &Value, keys: &mut Vec<WrittenKey>) -> Result<(), BadKey> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    for value in values {
        let Value::String(text) = value else { return Err(BadKey("a key in it is no text".to_owned())) };
        let more = read_list(subscription, unpasted(text), keys.len() + 1)?;
        keys.extend(more);
    }
    Ok(())
}

fn read_list(of: Option<&str>, list: &str, first: usize) -> Result<Vec<WrittenKey>, BadKey> {
    let parts = list.split([',', '\n', '\r']).map(unpasted).filter(|part| !part.is_empty());
    parts.zip(first..).map(|(part, position)| read_one(of, part, position)).collect()
}

fn read_one(of: Option<&str>, part: &str, position: usize) -> Result<WrittenKey, BadKey> {
    let bad = |what: String| Err(BadKey(format!("signature key {position} {what}")));
    let (subscription, digits) = match part.rsplit_once('=') {
        Some((name, digits)) => (Some(unpasted(name)), unpasted(digits)),
        None => (of, part),
    };
    match subscription {
        Some("") => {
            return bad(
                "has nothing in front of its =, where a subscription's id (whsub_…) belongs".to_owned()
            );
        }
        Some(name) if !is_id(name, "whsub") => {
            return bad(format!(
                "stands behind {}, and in front of = belongs the id of a subscription (whsub_…) or nothing",
                named(name)
            ));
        }
        Some(name) if of.is_some_and(|of| of != name) => {
            return bad("is in the place of one subscription and has another's id in front".to_owned());
        }
        _ => {}
    }
    let mut bytes = [0; 32];
    if hex::decode_to_slice(digits, &mut bytes).is_err() {
        let length = digits.chars().count();
        return bad(format!("has {length} characters or others than hex digits, instead of 64 hex digits"));
    }
    // Of the keys that Close makes one in 10^75.
    if digits.bytes().all(|digit| digits.bytes().next() == Some(digit)) {
        return bad("is one digit 64 times: a placeholder".to_owned());
    }
    Ok(WrittenKey { subscription: subscription.map(str::to_owned), digits: digits.to_owned(), bytes })
}

/// A field's name for errors: itself where it is one of [`NAMES`], else only its length, as it may be the secret.
fn named(name: &str) -> String {
    let known = plain_name(name.trim_start_matches("export "));
    match NAMES.contains(&known.as_str()) {
        true => format!("{:?}", text::clean(name)),
        false => format!("a name of {} characters", name.chars().count()),
    }
}

/// Adds a subscription's key in front of the keys in a text of any form, as a list separated by commas; `None` where it is
/// there already.
///
/// Of the subscription's earlier keys the latest is retained for the time of a rotation; the keys of other subscriptions
/// and those that are valid for any are retained as they are.
///
/// # Errors
/// [`BadKey`] where one of them, or the new one, is invalid.
pub fn with_key(keys: &str, subscription: &str, key: &str) -> Result<Option<String>, BadKey> {
    let known = read(keys)?;
    let new = read_one(Some(subscription), key, 1)?;
    let is_own = |known: &WrittenKey| known.subscription.as_deref() == Some(subscription);
    let is_good = |known: &WrittenKey| known.subscription.is_none() || is_own(known);
    if known.iter().any(|known| is_good(known) && known.bytes == new.bytes) {
        return Ok(None);
    }
    let mut merged = vec![new.to_string()];
    let mut earlier = 0;
    for known in &known {
        earlier += usize::from(is_own(known));
        if !is_own(known) || earlier == 1 {
            merged.push(known.to_string());
        }
    }
    Ok(Some(merged.join(",")))
}

/// The keys of two texts, each in any of the forms, as one list separated by commas.
///
/// # Errors
/// [`BadKey`] where one of them is invalid.
pub fn merged(some: &str, others: &str) -> Result<String, BadKey> {
    let mut list: Vec<String> = Vec::new();
    for key in read(some)?.into_iter().chain(read(others)?) {
        let key = key.to_string();
        if !list.iter().any(|known| known.eq_ignore_ascii_case(&key)) {
            list.push(key);
        }
    }
    Ok(list.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";
    const SUBSCRIPTION: &str = "whsub_2l329YJ4Ds2RiLBHVBGS55";

    fn key(pair: &str) -> String {
        pair.repeat(32)
    }

    fn subscriptions(text: &str) -> Vec<Option<String>> {
        read(text).unwrap_or_else(|error| panic!("{error}")).into_iter().map(|key| key.subscription).collect()
    }

    #[test]
    fn every_form_is_read() {
        let (a, b, c) = (key("a1"), key("b2"), key("c3"));
        let (one, two) = (Some("whsub_1".to_owned()), Some("whsub_2".to_owned()));
        for (text, scopes) in [
            (a.clone(), vec![None]),
            (format!("\"{a}\"\n"), vec![None]),
            (format!("\u{feff}{a}\r\n"), vec![None]),
            (format!(" {a},whsub_1={b}\n"), vec![None, one.clone()]),
            (format!("whsub_1={a}\r\n\r\nwhsub_2 = '{b}'\n"), vec![one.clone(), two.clone()]),
            (json!({"signature_key": a}).to_string(), vec![None]),
            (json!({"id": SUBSCRIPTION, "url": "https://x", "signature_key": a}).to_string(), vec![None]),
            (json!({"whsub_1": a, "whsub_2": [b, c]}).to_string(), vec![one.clone(), two.clone(), two]),
            // As the console of Secrets Manager makes it.
            (json!({"CLOSE_SIGNATURE_KEY": a}).to_string(), vec![None]),
            (json!({"close-signature-key": format!("whsub_1={a},{b}")}).to_string(), vec![one, None]),
            (json!({"key": a, "note": "of June"}).to_string(), vec![None]),
            (json!({"signatureKey": format!(" {a}\n")}).to_string(), vec![None]),
            (json!([a, b]).to_string(), vec![None, None]),
            (" , \n".to_owned(), vec![]),
            ("{}".to_owned(), vec![]),
        ] {
            assert_eq!(subscriptions(&text), scopes, "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_by_what_it_is_and_never_shown() {
        for (text, part) in [
            (format!("CLOSE_SIGNATURE_KEY={KEY}"), "\"CLOSE_SIGNATURE_KEY\""),
            (format!("export CLOSE_SIGNATURE_KEY={KEY}"), "\"export CLOSE_SIGNATURE_KEY\""),
            (format!("={KEY}"), "nothing in front"),
            (format!("wsub_2l329YJ4Ds2RiLBHVBGS55={KEY}"), "a name of 27 characters"),
            (format!("whsub_={KEY}"), "a name of 6 characters"),
            (format!("whsub-2l329={KEY}"), "a name of 11 characters"),
            (format!("{KEY}={SUBSCRIPTION}"), "a name of 64 characters"),
            (format!("whsub_1=whsub_2={KEY}"), "a name of 15 characters"),
            (format!("{KEY},{}", key("00")), "signature key 2 is one digit"),
            ("F".repeat(64), "one digit"),
            (KEY.trim_start_matches('3').to_owned(), "63 characters"),
            (format!("{KEY}0"), "65 characters"),
            (format!("{KEY}\n{SUBSCRIPTION}"), "signature key 2 has"),
            (format!("{SUBSCRIPTION}="), "0 characters"),
            (format!("\"{KEY}"), "65 characters"),
            (json!({"prod": KEY}).to_string(), "a name of 4 characters"),
            (json!({"whsub_1": KEY, "whsb_2": KEY}).to_string(), "a name of 6 characters"),
            (json!({"signature_key": KEY, "whsb_2": key("b2")}).to_string(), "a name of 6 characters"),
            (json!({"": KEY}).to_string(), "a name of 0 characters"),
            (json!({KEY: "x"}).to_string(), "a name of 64 characters"),
            (json!({"a,geheim=1": KEY}).to_string(), "a name of 10 characters"),
            (json!({"whsub_1": {"geheim": 1}}).to_string(), "no text"),
            (json!({"whsub_1": format!("whsub_2={KEY}")}).to_string(), "another's id"),
            (json!({"signature_key": "geheim"}).to_string(), "6 characters"),
            (json!([1]).to_string(), "no text"),
            ("{geheim".to_owned(), "is none in line 1, column 2"),
            ("hunter2=geheim".to_owned(), "a name of 7 characters"),
        ] {
            let error = read(&text).map(drop).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            for secret in [KEY, "geheim", "hunter2"] {
                assert!(!error.contains(secret), "{error}");
            }
        }
    }

    #[test]
    fn two_lists_become_one() {
        let [a, b] = ["a1", "b2"].map(key);
        let json = json!({"key": [a.to_uppercase(), b]}).to_string();
        assert_eq!(merged(&format!("whsub_1={a},{a}"), &json).unwrap(), format!("whsub_1={a},{a},{b}"));
        assert!(merged("", "junk").is_err());
    }

    #[test]
    fn a_key_is_added_once_and_takes_no_other_away() {
        let [a, b, c, d] = ["a1", "b2", "c3", "d4"].map(key);
        let list = format!("{a}, whsub_1={b}");
        assert_eq!(with_key(&list, "whsub_2", &c).unwrap().unwrap(), format!("whsub_2={c},{a},whsub_1={b}"));
        for (subscription, known) in [("whsub_1", &b), ("whsub_2", &a), ("whsub_1", &b.to_uppercase())] {
            assert_eq!(with_key(&list, subscription, known).unwrap(), None, "{subscription}");
        }
        let rotated = with_key(&list, "whsub_1", &c).unwrap().unwrap();
        assert_eq!(rotated, format!("whsub_1={c},{a},whsub_1={b}"));
        let again = with_key(&rotated, "whsub_1", &d).unwrap().unwrap();
        assert_eq!(again, format!("whsub_1={d},whsub_1={c},{a}"));
        assert_eq!(with_key("", "whsub_1", &a).unwrap(), Some(format!("whsub_1={a}")));
        let json = json!({"whsub_1": a, "whsub_2": b}).to_string();
        assert_eq!(
            with_key(&json, "whsub_3", &c).unwrap().unwrap(),
            format!("whsub_3={c},whsub_1={a},whsub_2={b}")
        );
        assert!(with_key("junk", "whsub_1", &a).is_err() && with_key("", "whsub_1", "junk").is_err());
    }
}
