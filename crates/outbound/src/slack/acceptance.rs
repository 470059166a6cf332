//! Acceptance and refusal in 2xx answers of services that accept Slack's messages but are not Slack.
//!
//! Nothing is guessed: an answer that says neither is neither.

use serde_json::{Map, Value};

/// The longest text that counts as a short acceptance, in characters.
const LONGEST_WORD: usize = 80;
/// Words of which a single one outweighs any that sounds like acceptance.
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
const ACCEPTANCES: [&str; 10] = [
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

/// Whether JSON says that the message was not accepted.
pub(super) fn is_denied(fields: &Map<String, Value>) -> bool {
    any(fields, &YES, |yes| truth(yes) == Some(false))
        || any(fields, &["error", "errors"], is_error)
        || any(fields, &STATUSES, |status| status.as_f64().is_some_and(|status| status >= 400.0))
        || any(fields, &["result", "status"], |word| {
            let word = word.as_str().unwrap_or_default().to_ascii_lowercase();
            ["error", "failure", "failed"].contains(&word.as_str())
        })
}

/// Whether JSON says that the message was accepted.
pub(super) fn is_accepted(fields: &Map<String, Value>) -> bool {
    let has_denial = any(fields, &TEXTS, |text| has(text.as_str().unwrap_or_default(), &DENIALS));
    any(fields, &YES, |yes| truth(yes) == Some(true))
        || !has_denial
            && (any(fields, &TEXTS, |text| has(text.as_str().unwrap_or_default(), &ACCEPTANCES))
                || any(fields, &STATUSES, |status| {
                    status.as_u64().is_some_and(|status| (200..300).contains(&status))
                }))
}

/// Whether plain text is acceptance: nothing at all, or a short text without a denial that is not another kind of
/// document and is valid text.
pub(super) fn is_short_acceptance(body: &str) -> bool {
    let is_text = !body.starts_with(['{', '[', '<']) && !body.contains(char::REPLACEMENT_CHARACTER);
    is_text && body.chars().count() <= LONGEST_WORD && !has(body, &DENIALS)
}

/// Whether one of the values under these names, in any spelling, is as said.
fn any(fields: &Map<String, Value>, names: &[&str], is: impl Fn(&Value) -> bool) -> bool {
    fields.iter().any(|(name, value)| names.contains(&name.to_ascii_lowercase().as_str()) && is(value))
}

/// The truth value of JSON, where it has one.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(is) => Some(*is),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Whether the value of `error` is one: many write an empty value where there is none.
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

/// Whether a text contains one of these words.
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
            assert_eq!((is_denied(&fields), is_accepted(&fields)), (denied, said), "{body}");
        }
    }

    #[test]
    fn a_short_word_is_consent_unless_it_denies_it() {
        for body in ["", "ok", "1", "Accepted", "Event received", "true"] {
            assert!(is_short_acceptance(body), "{body}");
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
            assert!(!is_short_acceptance(body), "{body}");
        }
        assert!(!is_short_acceptance(&"word ".repeat(40)));
    }
}
