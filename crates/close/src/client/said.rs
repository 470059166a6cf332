//! Close's errors.

use outside::text;
use reqwest::StatusCode;
use serde_json::Value;

use super::secret::CloseSecret;
use crate::{Error, is_id};

/// Deeper than anything in an answer is nested.
const DEEPEST: usize = 6;
/// How much of it is shown, in characters.
const LONGEST: usize = 300;

/// The error for an answer to `doing` with this status and body.
///
/// [`Error::Refused`] is Close's own refusal of the request; an intermediary's answer is a different error.
pub(super) fn refused(doing: &str, status: StatusCode, body: &[u8], key: &CloseSecret) -> Error {
    let answer = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    let what = match &answer {
        Some(answer) => errors(answer),
        None => begin(body),
    };
    let what = text::shorten(&key.redact(&what), LONGEST);
    let what = if what.is_empty() { what } else { format!(": {what}") };
    let what = format!("{doing}: Close answers {}{what}", status.as_u16());
    let of_request = |what: String| Error::Refused { duplicate: duplicate(&what), what };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Denied(what),
        StatusCode::TOO_MANY_REQUESTS => Error::Throttled(what),
        StatusCode::PAYMENT_REQUIRED => of_request(what),
        StatusCode::REQUEST_TIMEOUT | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Error::Failed(what),
        // The API's errors are JSON: <https://developer.close.com/topics/http-response-codes/>.
        _ if status.is_client_error() && answer.is_some() => of_request(what),
        _ => Error::Failed(what),
    }
}

/// The existing subscription that prevents a second one. Close answers 400 with `Duplicate active subscription` and its
/// id.
fn duplicate(what: &str) -> Option<String> {
    if !what.to_lowercase().contains("duplicate") {
        return None;
    }
    let mut words = what.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.rfind(|word| is_id(word, "whsub")).map(str::to_owned)
}

/// A value as text: of an object `name: value`, of a list the items one after the other.
pub(super) fn words(value: &Value) -> String {
    let mut parts = Vec::new();
    gather(value, "", DEEPEST, &mut parts);
    parts.join("; ")
}

fn errors(answer: &Value) -> String {
    let parts = ["error", "errors", "field-errors"].iter().filter_map(|name| answer.get(name));
    parts.map(words).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn gather(value: &Value, path: &str, depth: usize, parts: &mut Vec<String>) {
    let mut say = |what: String| parts.push(if path.is_empty() { what } else { format!("{path}: {what}") });
    let below = |name: &str| match (path, name) {
        // Nested fields have lists of their own, whose names are of no use.
        (_, "errors" | "field-errors") => path.to_owned(),
        ("", _) => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    match value {
        Value::Null => {}
        Value::String(text) if text.trim().is_empty() => {}
        Value::String(text) => say(text.clone()),
        Value::Object(_) | Value::Array(_) if depth == 0 => say("…".to_owned()),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| gather(value, &below(name), depth - 1, parts));
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, path, depth - 1, parts)),
        Value::Bool(_) | Value::Number(_) => say(value.to_string()),
    }
}

/// The beginning of an answer that is not the API's.
fn begin(body: &[u8]) -> String {
    let begin = text::shorten(&String::from_utf8_lossy(body), 60);
    if begin.is_empty() { begin } else { format!("it begins with `{begin}`") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "api_geheim.part";

    fn in_the_way(error: &Error) -> Option<&str> {
        match error {
            Error::Refused { duplicate, .. } => duplicate.as_deref(),
            _ => None,
        }
    }

    fn of(status: u16, body: &str) -> Error {
        refused("doing", StatusCode::from_u16(status).unwrap(), body.as_bytes(), &CloseSecret::new(KEY))
    }

    #[test]
    fn close_s_own_no_is_told_from_others() {
        let error = json!({"error": "why"}).to_string();
        for (status, body, code) in [
            (400, error.as_str(), "refused"),
            (402, &error, "refused"),
            (402, "", "refused"),
            (402, "<html>", "refused"),
            (404, &error, "refused"),
            (405, &error, "refused"),
            (415, &error, "refused"),
            (422, &error, "refused"),
            (401, &error, "denied"),
            (403, "Forbidden", "denied"),
            (429, &error, "throttled"),
            (400, "<html>The plain HTTP request was sent to HTTPS port", "failed"),
            (404, "<html>", "failed"),
            (407, &error, "failed"),
            (408, &error, "failed"),
            (302, "", "failed"),
            (500, &error, "failed"),
            (503, "upstream connect error", "failed"),
        ] {
            assert_eq!(of(status, body).kind(), code, "{status} {body}");
        }
    }

    #[test]
    fn errors_are_words_and_not_json() {
        for (body, expected) in [
            (
                json!({"error": "Your plan does not include this feature."}),
                "Your plan does not include this feature.",
            ),
            (json!({"errors": ["a", "b"], "field-errors": {}}), "a; b"),
            (json!({"errors": [], "field-errors": {"url": "Not a valid URL."}}), "url: Not a valid URL."),
            (
                json!({"errors": ["a"], "field-errors": {"url": ["too long", "no https"], "status": "bad"}}),
                "a; status: bad; url: too long; url: no https",
            ),
            (
                json!({"field-errors": {"events": {"errors": [], "field-errors": {"0": {"action": "Not a choice."}}}}}),
                "events.0.action: Not a choice.",
            ),
            (json!({"error": {"rate_reset": 5.5}}), "rate_reset: 5.5"),
            (json!({"error": format!("no such key {KEY}")}), "no such key …"),
            (json!({"error": "\u{1b}[2J\u{202e}x"}), "[2Jx"),
        ] {
            assert_eq!(
                of(400, &body.to_string()).to_string(),
                format!("doing: Close answers 400: {expected}")
            );
        }
        assert_eq!(of(400, "{}").to_string(), "doing: Close answers 400");
        assert_eq!(of(403, "Forbidden").to_string(), "doing: Close answers 403: it begins with `Forbidden`");
    }

    #[test]
    fn no_part_of_the_key_is_left_where_the_text_is_cut() {
        let long = json!({"error": format!("{}{KEY}", "x".repeat(LONGEST - 8))}).to_string();
        let said = of(400, &long).to_string();
        assert!(!said.contains("api_") && said.chars().count() < LONGEST + 60, "{said}");
        let mut deep = json!("x");
        for _ in 0..100 {
            deep = json!([deep]);
        }
        assert_eq!(of(400, &json!({"error": deep}).to_string()).to_string(), "doing: Close answers 400: …");
    }

    #[test]
    fn a_duplicate_names_its_subscription() {
        let sample: Value = serde_json::from_str(include_str!(
            "../../../../tests/samples/close/error_400_duplicate_subscription.json"
        ))
        .unwrap();
        let fault = of(400, &sample["body"].to_string());
        assert_eq!(in_the_way(&fault), Some("whsub_2l329YJ4Ds2RiLBHVBGS55"));
        for (status, body, expected) in [
            (400, json!({"field-errors": {"url": "duplicate of 'whsub_1'."}}), Some("whsub_1")),
            (400, json!({"error": "Duplicate active subscription"}), None),
            (400, json!({"error": "whsub_1 is unwell"}), None),
            (503, json!({"error": "Duplicate whsub_1"}), None),
        ] {
            assert_eq!(in_the_way(&of(status, &body.to_string())), expected, "{body}");
        }
    }
}
