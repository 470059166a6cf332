//! The forms in which a secret holds Close's signature keys.

use pipeline::{Code, Fault, signature::Keys};
use serde_json::Value;

use super::SecretText;

/// Reads the keys in a secret, in any of these forms:
///
/// * the keys as `CLOSE_SIGNATURE_KEY` has them, see [`Keys::parse`],
/// * `{"signature_key": "KEY"}`, as in Close's answer; what else is in it is left aside,
/// * `{"SUBSCRIPTION": "KEY", "SUBSCRIPTION": ["KEY", "KEY"]}`.
///
/// # Errors
/// [`Code::SignatureKeyBad`] for a key that is not 64 hex digits, [`Code::SecretUnusable`] for any other
/// form and where there is no key. Nothing of the secret is in it.
pub fn keys_in(secret: &str) -> Result<Keys, Fault> {
    parse(&list(secret)?)
}

/// The keys of a secret and of its predecessor, which is left aside where it is of no such form.
pub(super) fn with_previous(current: &SecretText, previous: Option<&SecretText>) -> Result<Keys, Fault> {
    let list_of_current = list(current.expose())?;
    let keys = parse(&list_of_current)?;
    let previous = previous.and_then(|previous| list(previous.expose()).ok());
    let both = previous.and_then(|previous| parse(&format!("{list_of_current},{previous}")).ok());
    Ok(both.unwrap_or(keys))
}

fn parse(list: &str) -> Result<Keys, Fault> {
    let keys = Keys::parse(list).map_err(|error| Fault::new(Code::SignatureKeyBad, error.to_string()))?;
    if keys.is_empty() { Err(unusable("it holds no signature key")) } else { Ok(keys) }
}

/// The keys as [`Keys::parse`] reads them.
pub(super) fn list(secret: &str) -> Result<String, Fault> {
    let secret = secret.trim();
    if !secret.starts_with('{') {
        return Ok(secret.to_owned());
    }
    let fields: serde_json::Map<String, Value> = serde_json::from_str(secret).map_err(|error| {
        unusable(&format!("it starts like JSON but is none, at column {}", error.column()))
    })?;
    if let Some(key) = fields.get("signature_key") {
        return Ok(texts(key)?.join(","));
    }
    let mut list = Vec::new();
    for (subscription, keys) in &fields {
        // What would be read as something else in a list.
        if !subscription.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(unusable("a subscription in it has other characters than letters, digits, _ and -"));
        }
        list.extend(texts(keys)?.into_iter().map(|key| format!("{subscription}={key}")));
    }
    Ok(list.join(","))
}

/// A text, or several.
fn texts(value: &Value) -> Result<Vec<&str>, Fault> {
    let text = |value: &Value| match value {
        Value::String(_) => Ok(()),
        _ => Err(unusable("a key in it is no text")),
    };
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    values.iter().map(|value| text(value).map(|()| value.as_str().unwrap_or_default())).collect()
}

fn unusable(what: &str) -> Fault {
    Fault::new(Code::SecretUnusable, what)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn every_form_is_read() {
        for (secret, count) in [
            (key('a'), 1),
            (format!(" {},whsub_1={}\n", key('a'), key('b')), 2),
            (json!({"signature_key": key('a')}).to_string(), 1),
            (json!({"id": "whsub_1", "url": "https://x", "signature_key": key('a')}).to_string(), 1),
            (json!({"whsub_1": key('a'), "whsub_2": [key('b'), key('c')]}).to_string(), 3),
        ] {
            assert_eq!(keys_in(&secret).unwrap().len(), count, "{secret}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for (secret, code) in [
            (String::new(), Code::SecretUnusable),
            ("{}".to_owned(), Code::SecretUnusable),
            ("{\"whsub_1\": []}".to_owned(), Code::SecretUnusable),
            ("{geheim".to_owned(), Code::SecretUnusable),
            (json!({"whsub_1": {"geheim": 1}}).to_string(), Code::SecretUnusable),
            (json!({"a,geheim=1": key('a')}).to_string(), Code::SecretUnusable),
            ("geheim".to_owned(), Code::SignatureKeyBad),
            (json!({"signature_key": "geheim"}).to_string(), Code::SignatureKeyBad),
        ] {
            let fault = keys_in(&secret).unwrap_err();
            assert_eq!(fault.code, code, "{secret}");
            assert!(!fault.what.contains("geheim"), "{fault}");
        }
    }

    #[test]
    fn the_previous_keys_count_where_they_are_keys() {
        let secret = |text: String| SecretText::new(text);
        let both = with_previous(&secret(key('a')), Some(&secret(key('b')))).unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(with_previous(&secret(key('a')), Some(&secret("junk".to_owned()))).unwrap().len(), 1);
        assert_eq!(with_previous(&secret(key('a')), None).unwrap().len(), 1);
        assert!(with_previous(&secret("junk".to_owned()), Some(&secret(key('b')))).is_err());
    }
}
