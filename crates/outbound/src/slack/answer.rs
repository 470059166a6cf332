//! What the answers of Slack mean, and those of Slack-compatible services and of intermediaries.
//!
//! [`tests/answers/slack`](../../../../tests/answers/slack) has recorded answers, each with its source and the verdict
//! that it has to get.

use std::time::Duration;

use pipeline::{
    CheckOutcome, Code, Fault,
    destination::{RetryDelay, Verdict},
};
use serde_json::Value;

use super::{SlackAnswer, SlackError, acceptance};
use crate::{page, status::StatusClass};

/// How long to wait where Slack asks to wait without saying how long.
const UNSAID_WAIT: Duration = Duration::from_secs(30);
/// How much of an answer is shown, in characters.
const SHOWN: usize = 80;

/// What an answer means: judged by its body, and by its status where the body is not recognised.
///
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>; the
/// pairing of bodies and statuses is from field reports and has changed over the years.
pub(super) fn verdict(answer: Result<SlackAnswer, SlackError>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return no_answer(error),
    };
    let Read { meaning, denied, is_foreign } = read(&answer);
    let shown = outside::text::shorten(&answer.body, SHOWN);
    let said = if shown.is_empty() { "without a word" } else { &shown };
    let who = if is_foreign { "something in front of Slack" } else { "Slack" };
    let reason = format!("{who} says {} {said}", answer.status).trim_end().to_owned();
    let refused = |code| Verdict::Refused { code, reason: reason.clone(), payload: false };
    let payload =
        || Verdict::Refused { code: Code::SlackPayloadRefused, reason: reason.clone(), payload: true };
    let later = |code| again(code, reason.clone(), RetryDelay::asked(answer.retry_after));
    let intercepted = || again(Code::SlackIntercepted, reason.clone(), page::PAUSE);
    let wrong = |why| Verdict::Refused {
        code: Code::SlackAddressWrong,
        reason: format!("{reason}: {why}"),
        payload: false,
    };
    match (meaning, StatusClass::of(answer.status)) {
        (Meaning::RateLimited, _) | (_, StatusClass::RateLimited) => {
            let reason = match answer.retry_after.filter(|asked| !asked.is_zero()) {
                Some(asked) => format!("Slack asks to wait {} s", asked.as_secs_f64().ceil()),
                None => "Slack asks to wait, and does not say how long".to_owned(),
            };
            let pause = answer.retry_after.unwrap_or(UNSAID_WAIT);
            Verdict::Wait { pause, code: Code::SlackRateLimited, reason }
        }
        (Meaning::BadPayload, _) => payload(),
        (Meaning::Forbidden, _) => refused(Code::SlackForbidden),
        (Meaning::WebhookGone, _) => refused(Code::SlackWebhookGone),
        (Meaning::ChannelClosed, _) => refused(Code::SlackChannelClosed),
        (Meaning::ServerError, _) => later(Code::SlackUnavailable),
        (Meaning::Accepted, StatusClass::Ok) => Verdict::Sent,
        // A denial in unknown words is believed; any other status is clear by itself.
        (Meaning::Unknown, StatusClass::Ok) if denied => refused(Code::SlackForbidden),
        (_, StatusClass::Ok) if is_foreign => again(Code::SlackUnknown, reason, page::PAUSE),
        // It is not known whether Slack has seen the message.
        (_, StatusClass::Ok | StatusClass::Unknown) => later(Code::SlackUnknown),
        (_, StatusClass::Redirect) => wrong("a redirect, and an incoming webhook has none"),
        (_, StatusClass::Intermediary) => intercepted(),
        (_, StatusClass::TooLarge) => payload(),
        // Other applications report a bad message with a page; Slack never does.
        (_, StatusClass::BadRequest) if !(answer.is_page && answer.is_slack) => payload(),
        (_, StatusClass::BadRequest | StatusClass::RetryLater | StatusClass::Refused) if is_foreign => {
            intercepted()
        }
        (_, StatusClass::RetryLater) => later(Code::SlackUnavailable),
        (_, StatusClass::BadRequest | StatusClass::Refused) => match answer.status {
            401 | 403 => refused(Code::SlackForbidden),
            404 => refused(Code::SlackWebhookGone),
            405 => wrong("it takes no messages"),
            410 => refused(Code::SlackChannelClosed),
            _ => payload(),
        },
        (_, StatusClass::ServerError) => later(Code::SlackUnavailable),
    }
}

fn no_answer(error: SlackError) -> Verdict {
    let not_reached = |why| format!("Slack was not reached: {why}");
    match error {
        SlackError::NotSent(why) => again(Code::SlackUnavailable, not_reached(why), RetryDelay::Backoff),
        SlackError::Intercepted(why) => again(Code::SlackIntercepted, not_reached(why), page::PAUSE),
        SlackError::Unknown(why) => {
            again(Code::SlackUnknown, format!("Slack gave no answer: {why}"), RetryDelay::Backoff)
        }
    }
}

/// What the answer to an empty message says about the webhook: Slack refuses it with a known error.
pub(super) fn probed(address: &str, answer: Result<SlackAnswer, SlackError>) -> CheckOutcome {
    let read = answer.as_ref().map(read);
    let is_word = read.as_ref().is_ok_and(|read| read.meaning == Meaning::BadPayload);
    let is_foreign = read.is_ok_and(|read| read.is_foreign);
    let fault = |code, reason: &str| Fault::new(code, format!("{address}: {reason}"));
    match verdict(answer) {
        Verdict::Refused { reason, payload: true, .. } if is_word => {
            CheckOutcome::Ok(format!("{address} is there: to a message without content {reason}"))
        }
        Verdict::Sent | Verdict::PartlySent { .. } => {
            CheckOutcome::Ok(format!("{address} is there, and takes a message without content"))
        }
        Verdict::Wait { code, reason, .. } => CheckOutcome::Warning(fault(code, &reason)),
        // Slack does not refuse a message like this: whatever answers would refuse every alert.
        Verdict::Refused { reason, payload: true, .. } => {
            CheckOutcome::Failed(fault(Code::SlackAddressWrong, &reason))
        }
        // Nothing was posted that could have arrived.
        Verdict::Retry { code: Code::SlackUnknown, reason, .. } => {
            let code = if is_foreign { Code::SlackIntercepted } else { Code::SlackUnavailable };
            CheckOutcome::Failed(fault(code, &reason))
        }
        Verdict::Refused { code, reason, .. } | Verdict::Retry { code, reason, .. } => {
            CheckOutcome::Failed(fault(code, &reason))
        }
    }
}

/// What the body of an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The message was accepted.
    Accepted,
    /// Asks to wait.
    RateLimited,
    /// The message itself is refused.
    BadPayload,
    /// The sender is refused.
    Forbidden,
    /// There is no such webhook.
    WebhookGone,
    /// The channel is archived or disabled.
    ChannelClosed,
    /// An error at Slack.
    ServerError,
    /// Not recognised.
    Unknown,
}

struct Read {
    meaning: Meaning,
    /// Whether it is JSON that reports a failure.
    denied: bool,
    /// Whether it is a page, or comes from one of Slack's hosts but not in Slack's format: an intermediary answered.
    is_foreign: bool,
}

/// Reads the whole body: it is shortened only where it is shown.
fn read(answer: &SlackAnswer) -> Read {
    let body = answer.body.trim();
    let bare = word(body);
    let of = |meaning| Read { meaning, denied: false, is_foreign: false };
    if bare != Meaning::Unknown {
        return of(bare);
    }
    if answer.is_page {
        return Read { is_foreign: true, ..of(bare) };
    }
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(fields)) => {
            let error = fields.get("error").and_then(Value::as_str).map(word);
            let denied = acceptance::is_denied(&fields);
            let meaning = match error.filter(|meaning| *meaning != Meaning::Accepted) {
                Some(meaning) if denied => meaning,
                _ if !denied && acceptance::is_accepted(&fields) && !answer.is_slack => Meaning::Accepted,
                _ => Meaning::Unknown,
            };
            Read { meaning, denied, is_foreign: answer.is_slack && !fields.contains_key("ok") }
        }
        // Slack itself answers ok and nothing else; others have words of their own.
        _ if answer.is_slack => Read { is_foreign: !body.is_empty() && !is_error_token(body), ..of(bare) },
        _ if acceptance::is_short_acceptance(body) => of(Meaning::Accepted),
        _ => of(Meaning::Unknown),
    }
}

/// Whether this looks like one of Slack's error tokens, such as `no_text`, of which there are more than are known.
fn is_error_token(text: &str) -> bool {
    text.contains('_') && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// What one of Slack's tokens means.
fn word(text: &str) -> Meaning {
    match text {
        "ok" => Meaning::Accepted,
        "rate_limited" | "ratelimited" | "message_limit_exceeded" => Meaning::RateLimited,
        "invalid_payload"
        | "no_text"
        | "too_many_attachments"
        | "invalid_blocks"
        | "invalid_blocks_format"
        | "msg_blocks_too_long"
        | "invalid_attachments"
        | "missing_text_or_fallback_or_attachments"
        | "user_not_found" => Meaning::BadPayload,
        "action_prohibited"
        | "invalid_token"
        | "posting_to_general_channel_denied"
        | "not_authed"
        | "invalid_auth"
        | "token_revoked"
        | "token_expired"
        | "account_inactive" => Meaning::Forbidden,
        "channel_not_found" | "no_service" | "no_service_id" | "no_team" | "no_active_hooks" => {
            Meaning::WebhookGone
        }
        "channel_is_archived" | "is_archived" | "team_disabled" => Meaning::ChannelClosed,
        "rollup_error" | "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
            Meaning::ServerError
        }
        _ => Meaning::Unknown,
    }
}

fn again(code: Code, reason: String, pause: RetryDelay) -> Verdict {
    let may_have_arrived = code == Code::SlackUnknown;
    Verdict::Retry { code, reason, pause, may_have_arrived }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{self, Expected, Recorded};

    fn of(status: u16, body: &str) -> Verdict {
        let retry_after = Some(Duration::from_secs(7));
        let is_page = body.starts_with("<html");
        verdict(Ok(SlackAnswer {
            retry_after,
            is_page,
            is_slack: false,
            ..SlackAnswer::of_slack(status, body)
        }))
    }

    #[test]
    fn the_body_decides_before_the_status() {
        for (status, body, code) in [
            (404, "no_service", Code::SlackWebhookGone),
            (500, "no_active_hooks", Code::SlackWebhookGone),
            (200, "invalid_token", Code::SlackForbidden),
            (403, "action_prohibited", Code::SlackForbidden),
            (410, "channel_is_archived", Code::SlackChannelClosed),
            (400, "invalid_blocks\n", Code::SlackPayloadRefused),
            (404, "", Code::SlackWebhookGone),
            (302, "", Code::SlackAddressWrong),
            (308, "<html>", Code::SlackAddressWrong),
            (410, "", Code::SlackChannelClosed),
            (200, "{\"ok\":false}", Code::SlackForbidden),
            (200, "{\"success\":false}", Code::SlackForbidden),
            (200, "{\"error\":\"x\"}", Code::SlackForbidden),
            (200, "{\"ok\":false,\"error\":\"not_authed\"}", Code::SlackForbidden),
            (200, "{\"ok\":false,\"error\":\"channel_not_found\"}", Code::SlackWebhookGone),
            (400, "{\"ok\":false,\"error\":\"invalid_blocks\"}", Code::SlackPayloadRefused),
            (418, "", Code::SlackPayloadRefused),
        ] {
            assert!(
                matches!(of(status, body), Verdict::Refused { code: c, .. } if c == code),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn slack_consents_with_ok_alone_and_others_have_to_say_so() {
        let slack = |body: &str| verdict(Ok(SlackAnswer::of_slack(200, body)));
        assert_eq!(slack("ok"), Verdict::Sent);
        for body in ["", "{\"ok\":true}", "Accepted", "1"] {
            assert!(matches!(slack(body), Verdict::Retry { code: Code::SlackUnknown, .. }), "{body}");
        }
        let long = format!("{{\"status\":\"success\",\"id\":\"{}\"}}", "x".repeat(500));
        for body in ["ok", "", "Accepted", "1", "{\"ok\":true}", "{\"success\":true}", &long] {
            assert_eq!(of(200, body), Verdict::Sent, "{body}");
        }
        for body in ["{\"result\":\"success\",\"msg\":\"\"}", "{\"message\":\"Workflow was started\"}"] {
            assert_eq!(of(200, body), Verdict::Sent, "{body}");
        }
        let denied = format!("{{\"ok\":false,\"needed\":\"{}\",\"error\":\"no_service\"}}", "x".repeat(500));
        assert!(matches!(of(200, &denied), Verdict::Refused { code: Code::SlackWebhookGone, .. }));
        for body in ["<html>Sign in to the guest network", "{\"id\":7}", "[1]", &"word ".repeat(40)] {
            assert!(matches!(of(200, body), Verdict::Retry { code: Code::SlackUnknown, .. }), "{body}");
        }
    }

    #[test]
    fn somebody_in_between_is_not_slack() {
        for (status, body) in
            [(401, "<html>"), (403, "<html>"), (404, "<html>"), (407, ""), (410, "<html>"), (511, "")]
        {
            let verdict = of(status, body);
            assert!(
                matches!(
                    &verdict,
                    Verdict::Retry {
                        code: Code::SlackIntercepted,
                        may_have_arrived: false,
                        pause: page::PAUSE,
                        ..
                    }
                ),
                "{status}: {verdict:?}"
            );
        }
    }

    #[test]
    fn in_between_is_whoever_does_not_speak_as_slack_does() {
        let slack = |status, body: &str, is_page| {
            verdict(Ok(SlackAnswer { is_page, ..SlackAnswer::of_slack(status, body) }))
        };
        for (status, body, is_page) in [
            (403, "Access denied by policy", false),
            (403, r#"{"message":"Forbidden"}"#, false),
            (404, "404 page not found", false),
            (404, r#"{"error":"blocked by proxy"}"#, false),
            (400, "<html>", true),
            (406, "<html>", true),
            (451, "", false),
            (418, "I'm a teapot", false),
        ] {
            let found = slack(status, body, is_page);
            assert!(
                matches!(found, Verdict::Retry { code: Code::SlackIntercepted, pause: page::PAUSE, .. }),
                "{status} {body}: {found:?}"
            );
        }
        for (status, body, code) in [
            (403, "some_new_word", Code::SlackForbidden),
            (403, "", Code::SlackForbidden),
            (404, "", Code::SlackWebhookGone),
            (403, r#"{"ok":false,"error":"new_word"}"#, Code::SlackForbidden),
            (405, "", Code::SlackAddressWrong),
            (400, "some_new_word", Code::SlackPayloadRefused),
        ] {
            let found = slack(status, body, false);
            assert!(
                matches!(found, Verdict::Refused { code: c, .. } if c == code),
                "{status} {body}: {found:?}"
            );
        }
        // With 2xx nobody knows whether they have passed it on.
        let doubted = slack(200, "Blocked by policy", false);
        assert!(
            matches!(doubted, Verdict::Retry { code: Code::SlackUnknown, may_have_arrived: true, .. }),
            "{doubted:?}"
        );
        for status in [421, 423, 425] {
            let later = of(status, "");
            assert!(matches!(later, Verdict::Retry { code: Code::SlackUnavailable, .. }), "{later:?}");
        }
        let by_proxy = verdict(Err(SlackError::Intercepted("tunnel error".to_owned())));
        assert!(matches!(by_proxy, Verdict::Retry { code: Code::SlackIntercepted, .. }));
    }

    #[test]
    fn a_wait_is_kept_and_trouble_is_tried_again() {
        let wait = Verdict::Wait {
            pause: Duration::from_secs(7),
            code: Code::SlackRateLimited,
            reason: "Slack asks to wait 7 s".to_owned(),
        };
        assert_eq!(of(429, ""), wait);
        assert_eq!(of(200, "rate_limited"), wait);
        for (status, body) in [(500, "rollup_error"), (503, ""), (503, "<html>")] {
            assert!(
                matches!(of(status, body), Verdict::Retry { code: Code::SlackUnavailable, pause, .. } if pause == RetryDelay::Destination(Duration::from_secs(7))),
                "{status}"
            );
        }
        let unknown = verdict(Err(SlackError::Unknown("timed out".to_owned())));
        assert!(matches!(unknown, Verdict::Retry { code: Code::SlackUnknown, .. }));
    }

    #[test]
    fn a_wait_is_said_as_it_was_asked_for() {
        let nothing_said = "Slack asks to wait, and does not say how long";
        for (asked, pause, said) in [
            (Some(0.4), 0.4, "Slack asks to wait 1 s"),
            (Some(60.0), 60.0, "Slack asks to wait 60 s"),
            (Some(0.0), 0.0, nothing_said),
            (None, 30.0, nothing_said),
        ] {
            let retry_after = asked.map(Duration::from_secs_f64);
            let expected = Verdict::Wait {
                pause: Duration::from_secs_f64(pause),
                code: Code::SlackRateLimited,
                reason: said.to_owned(),
            };
            assert_eq!(verdict(Ok(SlackAnswer { retry_after, ..SlackAnswer::of_slack(429, "") })), expected);
        }
    }

    #[test]
    fn a_look_is_well_where_slack_refuses_a_message_without_content_in_its_own_words() {
        let slack = |status, body: &str| Ok(SlackAnswer::of_slack(status, body));
        let page = Ok(SlackAnswer { is_page: true, ..SlackAnswer::of_slack(403, "<html>blocked") });
        for (answer, code, is_failed) in [
            (slack(400, "no_text"), None, false),
            (slack(500, "no_text"), None, false),
            (slack(400, "invalid_payload"), None, false),
            (slack(404, "no_service"), Some(Code::SlackWebhookGone), true),
            (slack(403, "invalid_token"), Some(Code::SlackForbidden), true),
            (slack(302, ""), Some(Code::SlackAddressWrong), true),
            (slack(503, ""), Some(Code::SlackUnavailable), true),
            (slack(200, "{\"ok\":true}"), Some(Code::SlackUnavailable), true),
            (page, Some(Code::SlackIntercepted), true),
            (slack(200, "Sign in to the network"), Some(Code::SlackIntercepted), true),
            (Err(SlackError::NotSent("refused".to_owned())), Some(Code::SlackUnavailable), true),
            (slack(429, ""), Some(Code::SlackRateLimited), false),
            (slack(405, ""), Some(Code::SlackAddressWrong), true),
        ] {
            let what = format!("{answer:?}");
            let (found, failed) = match probed("https://hooks.slack.com/…", answer) {
                CheckOutcome::Ok(line) => {
                    assert!(line.contains("is there"), "{line}");
                    (None, false)
                }
                CheckOutcome::Warning(fault) => (Some(fault.code), false),
                CheckOutcome::Failed(fault) => (Some(fault.code), true),
            };
            assert_eq!((found, failed), (code, is_failed), "{what}");
        }
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Answer {
        at: String,
        status: u16,
        headers: std::collections::BTreeMap<String, String>,
        body: String,
    }

    #[test]
    fn every_recorded_answer_gets_its_verdict() {
        let mut wrong = Vec::new();
        for Recorded { name, answer, verdict: expected } in recorded::all("slack", 40) {
            let Answer { at, status, headers, body } = answer;
            assert!(["slack", "other"].contains(&at.as_str()), "{name}: {at}");
            let mut all = reqwest::header::HeaderMap::new();
            for (header, value) in &headers {
                let header: reqwest::header::HeaderName = header.parse().unwrap();
                all.insert(header, value.parse().unwrap());
            }
            let answer = SlackAnswer {
                status,
                is_page: crate::page::is_page(&all, &body, true),
                is_slack: at == "slack",
                retry_after: web::retry_after::of(&all),
                body: outside::text::clean(&body),
            };
            let found = Expected::from(&verdict(Ok(answer)));
            if found != expected {
                wrong.push(format!("{name}: {found:?} instead of {expected:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
