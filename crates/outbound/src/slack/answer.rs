//! What Slack's answers mean.

use std::time::Duration;

use pipeline::{Code, destination::Verdict};

use super::{SlackAnswer, SlackError};

/// How long to wait where Slack asks to wait and does not say how long.
const UNSAID_WAIT: Duration = Duration::from_secs(30);

/// What an answer means: by its body first, by its status where the body is not known.
///
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>; the
/// pairing of bodies and statuses is from field reports and has changed over the years.
pub(super) fn verdict(answer: Result<SlackAnswer, SlackError>) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(SlackError::NotSent(why)) => {
            return again(Code::SlackUnavailable, format!("Slack was not reached: {why}"), None);
        }
        Err(SlackError::Unknown(why)) => {
            return again(Code::SlackUnknown, format!("Slack gave no answer: {why}"), None);
        }
    };
    let body = lead::text::shorten(&answer.body, 80);
    let reason =
        format!("Slack says {} {}", answer.status, if body.is_empty() { "without a word" } else { &body });
    let refused = |code, payload| Verdict::Refused { code, reason: reason.trim_end().to_owned(), payload };
    match (body.as_str(), answer.status) {
        (
            "invalid_payload"
            | "no_text"
            | "too_many_attachments"
            | "invalid_blocks"
            | "invalid_blocks_format"
            | "msg_blocks_too_long"
            | "invalid_attachments"
            | "user_not_found",
            _,
        ) => refused(Code::SlackPayloadRefused, true),
        ("action_prohibited" | "invalid_token" | "posting_to_general_channel_denied", _) => {
            refused(Code::SlackForbidden, false)
        }
        ("channel_not_found" | "no_service" | "no_service_id" | "no_team" | "no_active_hooks", _) => {
            refused(Code::SlackWebhookGone, false)
        }
        ("channel_is_archived" | "team_disabled", _) => refused(Code::SlackChannelClosed, false),
        ("rollup_error", _) => again(Code::SlackUnavailable, reason, answer.retry_after),
        ("rate_limited" | "ratelimited" | "message_limit_exceeded", _) | (_, 429) => {
            let pause = answer.retry_after.unwrap_or(UNSAID_WAIT);
            let reason = format!("Slack asks to wait {} s", pause.as_secs());
            Verdict::Wait { pause, code: Code::SlackRateLimited, reason }
        }
        // Slack says ok. Others that speak its language say nothing, or something in JSON.
        ("ok" | "", 200..=299) => Verdict::Sent,
        (body, 200..=299) if is_consent(body) => Verdict::Sent,
        // A page of something in between: whether Slack has seen the message is open.
        (_, 200..=299) => again(Code::SlackUnknown, reason, answer.retry_after),
        (_, 401 | 403) => refused(Code::SlackForbidden, false),
        (_, 404) => refused(Code::SlackWebhookGone, false),
        (_, 410) => refused(Code::SlackChannelClosed, false),
        // A gateway that gave up waiting: what is behind it may have taken the message.
        (_, 408 | 502 | 504) => again(Code::SlackUnknown, reason, answer.retry_after),
        (_, 400..=499) => refused(Code::SlackPayloadRefused, true),
        // Server errors, and answers of something that is not Slack.
        _ => again(Code::SlackUnavailable, reason, answer.retry_after),
    }
}

/// Whether a body in JSON, as other services than Slack answer, speaks of success.
fn is_consent(body: &str) -> bool {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(body) else { return false };
    let denied = ["ok", "success"].iter().any(|name| fields.get(*name).is_some_and(|value| value == false));
    !denied && !fields.contains_key("error")
}

fn again(code: Code, reason: String, pause: Option<Duration>) -> Verdict {
    let may_have_arrived = code == Code::SlackUnknown;
    Verdict::Again { code, reason, pause: pause.unwrap_or_default(), may_have_arrived }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Verdict {
        verdict(Ok(SlackAnswer { status, body: body.to_owned(), retry_after: Some(Duration::from_secs(7)) }))
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
            (404, "<html>", Code::SlackWebhookGone),
            (410, "", Code::SlackChannelClosed),
            (418, "", Code::SlackPayloadRefused),
        ] {
            assert!(
                matches!(of(status, body), Verdict::Refused { code: c, .. } if c == code),
                "{status} {body}"
            );
        }
        assert_eq!([of(200, "ok"), of(204, ""), of(200, "{\"ok\":true}")], [const { Verdict::Sent }; 3]);
        for body in ["{\"ok\":false}", "{\"success\":false}", "{\"error\":\"x\"}"] {
            assert!(matches!(of(200, body), Verdict::Again { .. }), "{body}");
        }
        let page = of(200, "<html>Sign in to the guest network");
        assert!(matches!(page, Verdict::Again { code: Code::SlackUnknown, .. }));
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
        for (status, body) in [(500, "rollup_error"), (503, ""), (302, "")] {
            assert!(
                matches!(of(status, body), Verdict::Again { code: Code::SlackUnavailable, pause, .. } if pause.as_secs() == 7),
                "{status}"
            );
        }
        let unknown = verdict(Err(SlackError::Unknown("timed out".to_owned())));
        assert!(matches!(unknown, Verdict::Again { code: Code::SlackUnknown, .. }));
    }
}
