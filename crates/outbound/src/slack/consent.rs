//! Consent and refusal in answers with 2xx of those who take Slack's messages and are not Slack.
//!
//! What is not said is not guessed: where an answer says neither, it is neither.

use serde_json::{Map, Value};

/// The longest text that is a word of consent, in characters.
const LONGEST_WORD: usize = 80;
/// Words of which one is enough to spoil what sounds like consent.
const DENIALS: [&str; 23] = [
    "not",
    "no",
    "never",
    "cannot",
    "unable",
    "without",
    "fail",
    "failed",
    "failure",
    "error",
    "errors",
    "invalid",
    "bad",
    "wrong",
    "missing",
    "expired",
    "denied",
    "rejected",
    "refused",
    "forbidden",
    "unauthorized",
    "false",
    "null",
];
const CONSENTS: [&str; 10] = [
    "success",
    "successfully",
    "ok",
    "accepted",
    "queued",
    "started",
    "received",
    "sent",
    "created",
    "delivered",
];
/// Where a status stands in JSON.
const STATUSES: [&str; 6] = ["status", "statuscode", "status_code", "code", "errcode", "errorcode"];
/// Where words stand in JSON.
const TEXTS: [&str; 6] = ["result", "status", "message", "msg", "text", "errmsg"];
const YES: [&str; 2] = ["ok", "success"];

/// Whether JSON says that the message was not taken.
pub(super) fn denies(fields: &Map<String, Value>) -> bool {
    let any = |names: &[&str], is: fn(&Value) -> bool| fields_of(fields, names).any(is);
    any(&YES, |yes| truth(yes) == Some(false))
        || any(&["error", "errors"], is_error)
        || any(&STATUSES, |status| status.as_f64().is_some_and(|status| status >= 400.0))
        || any(&["result", "status"], |word| {
            let word = word.as_str().unwrap_or_default().to_ascii_lowercase();
            ["error", "failure", "failed"].contains(&word.as_str())
        })
}

/// Whether JSON says that the message was taken.
pub(super) fn should_log(fields: &Map<String, Value>) -> bool {
    let any = |names: &[&str], is: fn(&Value) -> bool| fields_of(fields, names).any(is);
    let is_denied = any(&TEXTS, |text| has(text.as_str().unwrap_or_default(), &DENIALS));
    any(&YES, |yes| truth(yes) == Some(true))
        || !is_denied
            && (any(&TEXTS, |text| has(text.as_str().unwrap_or_default(), &CONSENTS))
                || any(&STATUSES, |status| {
                    status.as_u64().is_some_and(|status| (200..300).contains(&status))
                }))
}

/// Whether bare text is consent: nothing at all or a short word of any kind, but none that denies it, no other document and
/// nothing that is no text.
pub(super) fn is_word(body: &str) -> bool {
    let is_text = !body.starts_with(['{', '[', '<']) && !body.contains(char::REPLACEMENT_CHARACTER);
    is_text && body.chars().count() <= LONGEST_WORD && !has(body, &DENIALS)
}

/// The values under these names, in any spelling.
fn fields_of<'a>(fields: &'a Map<String, Value>, names: &[&str]) -> impl Iterator<Item = &'a Value> {
    let is_one = |name: &str| names.contains(&name.to_ascii_lowercase().as_str());
    fields.iter().filter(move |(name, _)| is_one(name)).map(|(_, value)| value)
}

/// What a value says of whether something is so.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(is) => Some(*is),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Whether what stands under `error` is one: many write an empty one where there is none.
fn is_error(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            !["", "none", "null", "false", "ok", "0"].contains(&text.trim().to_ascii_lowercase().as_str())
        }
        Value::Array(all) => !all.is_empty(),
        Value::Object(all) => !all.is_empty(),
    }
}

/// Whether one of these words stands in a text.
fn has(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| words.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_and_refusal_are_said() {
        for (body, denied, said) in [
            (r#"{"ok":true}"#, false, true),
            (r#"{"success":"true"}"#, false, true),
            (r#"{"success":true,"error":""}"#, false, true),
            (r#"{"success":true,"error":0}"#, false, true),
            (r#"{"success":true,"errors":[]}"#, false, true),
            (r#"{"success":true,"error":{}}"#, false, true),
            (r#"{"success":true,"error":"none"}"#, false, true),
            (r#"{"status":200}"#, false, true),
            (r#"{"errcode":0,"errmsg":"ok"}"#, false, true),
            (r#"{"message":"Workflow was started"}"#, false, true),
            (r#"{"id":7}"#, false, false),
            ("{}", false, false),
            (r#"{"message":"Invalid token received"}"#, false, false),
            (r#"{"message":"Bad payload received"}"#, false, false),
            (r#"{"message":"Message was never delivered"}"#, false, false),
            (r#"{"ok":false}"#, true, false),
            (r#"{"Success":"False"}"#, true, false),
            (r#"{"status":"ok","errors":["bad token"]}"#, true, true),
            (r#"{"status":403,"message":"received"}"#, true, true),
            (r#"{"statusCode":403,"message":"ok"}"#, true, true),
            (r#"{"error":{"code":7}}"#, true, false),
        ] {
            let fields: Map<String, Value> = serde_json::from_str(body).unwrap();
            assert_eq!((denies(&fields), should_log(&fields)), (denied, said), "{body}");
        }
    }

    #[test]
    fn a_short_word_is_consent_unless_it_denies_it() {
        for body in ["", "ok", "1", "Accepted", "Event received", "true"] {
            assert!(is_word(body), "{body}");
        }
        for body in [
            "false",
            "null",
            "error",
            "Unauthorized",
            "error: invalid token",
            "\u{1f}\u{fffd}\u{8}",
            "[1]",
            "<ok/>",
        ] {
            assert!(!is_word(body), "{body}");
        }
        assert!(!is_word(&"word ".repeat(40)));
    }
}
