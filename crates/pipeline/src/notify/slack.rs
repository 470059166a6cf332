//! Telling the team on Slack.

use std::time::Duration;

use futures_util::future::join_all;
use lead::{
    Timestamp,
    slack::{DIGEST_LEADS, digest, message, plain_message},
};

use super::{Notify, Ours, Outcomes, Pace, Ready, Verdict, storage_failed};
use crate::{
    Code, Fault, Function,
    job::AlertJob,
    ports::{Disposition, Level, MAX_DELAY, Slack, SlackAnswer, SlackError},
    recorder,
};

/// From how many waiting alerts on a digest is worth losing the details of each.
const DIGEST_FROM: usize = 3;
/// How long to wait where Slack asks to wait and does not say how long.
const UNSAID_WAIT: Duration = Duration::from_secs(30);

impl Notify {
    /// Sends alerts to Slack, in digests where more are ready than the pace allows.
    pub(super) async fn tell_slack(
        &self,
        jobs: Vec<(usize, AlertJob)>,
        deadline: Option<Timestamp>,
    ) -> Outcomes {
        let Some((slack, pace)) = &self.slack else {
            return join_all(jobs.into_iter().map(|(index, job)| async move {
                let fault = Fault::new(Code::SlackNotConfigured, "no Slack webhook URL is configured");
                (index, self.give_up(job, fault).await)
            }))
            .await;
        };
        let mut outcomes = Outcomes::new();
        let mut waiting = Vec::new();
        for prepared in join_all(jobs.into_iter().map(|(index, job)| async move {
            self.prepare(index, job).await.map_err(|disposition| (index, disposition))
        }))
        .await
        {
            match prepared {
                Ok(ready) => waiting.push(ready),
                Err(outcome) => outcomes.push(outcome),
            }
        }
        // Taken from the end: the ones that must go alone first, then the others in their order.
        waiting.sort_by_key(|ready| !ready.is_alone());
        waiting.reverse();
        while !waiting.is_empty() {
            if self.is_too_late(deadline) {
                let later = Disposition::Retry(Duration::ZERO);
                outcomes.extend(waiting.drain(..).map(|ready| (ready.index, later.clone())));
                break;
            }
            let available = match pace.turn().await {
                Ok(Ok(more)) => more + 1,
                Ok(Err(closed)) => {
                    let pause = closed.min(MAX_DELAY);
                    outcomes.extend(waiting.drain(..).map(|ready| (ready.index, Disposition::Retry(pause))));
                    break;
                }
                Err(fault) => {
                    let failed = |ready: Ready| (ready.index, storage_failed(&ready.job.lead_id, &fault));
                    outcomes.extend(waiting.drain(..).map(failed));
                    break;
                }
            };
            let group = next_group(&mut waiting, available);
            let ours = self.claim(group, &mut outcomes).await;
            if ours.is_empty() {
                kept(pace.give_back().await);
                continue;
            }
            let verdict = self.post(slack.as_ref(), pace, &ours).await;
            if let Verdict::Wait(wait) | Verdict::Again { pause: wait, .. } = &verdict
                && !wait.is_zero()
            {
                kept(pace.close(*wait).await);
            }
            outcomes.extend(self.conclude(ours, &verdict).await);
        }
        outcomes
    }

    async fn post(&self, slack: &dyn Slack, pace: &Pace, ours: &[Ours]) -> Verdict {
        let alerts: Vec<_> = ours.iter().map(Ours::alert).collect();
        let payload = match alerts.as_slice() {
            [alert] => message(alert),
            alerts => digest(alerts),
        };
        let verdict = classify(slack.post(&payload).await);
        // A message that Slack cannot read goes once more, as plain text.
        if alerts.len() == 1 && matches!(verdict, Verdict::Refused { payload: true, .. }) {
            match pace.turn().await {
                Ok(Ok(_)) => {}
                Ok(Err(closed)) => return Verdict::Wait(closed),
                Err(fault) => return again(fault.code, fault.what, None),
            }
            if !ours.iter().all(|ours| self.receipts.stands(&ours.claim)) {
                return again(Code::SlackPayloadRefused, "the claim ran out meanwhile".to_owned(), None);
            }
            let second = classify(slack.post(&plain_message(&alerts)).await);
            if !matches!(second, Verdict::Refused { payload: true, .. }) {
                return second;
            }
        }
        verdict
    }
}

/// The next alerts to send together: one, unless more wait than may be sent now.
fn next_group(waiting: &mut Vec<Ready>, available: usize) -> Vec<Ready> {
    let foldable = waiting.iter().filter(|ready| !ready.is_alone()).count();
    let alone = waiting.last().is_some_and(|ready| ready.is_alone());
    let fold = !alone && foldable >= DIGEST_FROM && foldable > available;
    let size = if fold { DIGEST_LEADS } else { 1 };
    let mut group = waiting.split_off(waiting.len().saturating_sub(size));
    group.reverse();
    group
}

/// Says in the log that the pace could not be written down. What is sent or not does not depend on it.
fn kept(result: Result<(), Fault>) {
    if let Err(fault) = result {
        recorder::fault(Function::Notification, Level::Warn, "the pace is not kept", None, &fault);
    }
}

/// What an answer means: by its body first, by its status where the body is not known.
///
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>; the
/// pairing of bodies and statuses is from field reports and has changed over the years.
fn classify(answer: Result<SlackAnswer, SlackError>) -> Verdict {
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
            Verdict::Wait(answer.retry_after.unwrap_or(UNSAID_WAIT))
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
    Verdict::Again { code, reason, pause: pause.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> Verdict {
        classify(Ok(SlackAnswer { status, body: body.to_owned(), retry_after: Some(Duration::from_secs(7)) }))
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
                matches!(verdict(status, body), Verdict::Refused { code: c, .. } if c == code),
                "{status} {body}"
            );
        }
        assert_eq!(
            [verdict(200, "ok"), verdict(204, ""), verdict(200, "{\"ok\":true}")],
            [const { Verdict::Sent }; 3]
        );
        for body in ["{\"ok\":false}", "{\"success\":false}", "{\"error\":\"x\"}"] {
            assert!(matches!(verdict(200, body), Verdict::Again { .. }), "{body}");
        }
        let page = verdict(200, "<html>Sign in to the guest network");
        assert!(matches!(page, Verdict::Again { code: Code::SlackUnknown, .. }));
    }

    #[test]
    fn a_wait_is_kept_and_trouble_is_tried_again() {
        assert_eq!(verdict(429, ""), Verdict::Wait(Duration::from_secs(7)));
        assert_eq!(verdict(200, "rate_limited"), Verdict::Wait(Duration::from_secs(7)));
        for (status, body) in [(500, "rollup_error"), (503, ""), (302, "")] {
            assert!(
                matches!(verdict(status, body), Verdict::Again { code: Code::SlackUnavailable, pause, .. } if pause.as_secs() == 7),
                "{status}"
            );
        }
        let unknown = classify(Err(SlackError::Unknown("timed out".to_owned())));
        assert!(matches!(unknown, Verdict::Again { code: Code::SlackUnknown, .. }));
    }
}
