//! What Slack answers, and what follows from it.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use lead::AlertKind;
use ops::Recipients;
use pipeline::{
    Code, Ended, Settings,
    notify::Notify,
    ports::{Clock, Disposition, Inbox, Queue},
    receipt::ReceiptState,
};
use tests::{
    destinations::SLACK,
    doubles::Reply,
    harness::{BURST, Harness},
};

use super::{DAY, HOUR, MINUTE, REPEAT, SECOND, ended, notified, plain, with_alert};

#[tokio::test]
async fn a_wait_that_slack_asks_for_is_kept_in_full_and_counts_for_nothing() {
    for wait in [SECOND * 7, SECOND * 30, SECOND * 2_000] {
        let (harness, lead) = with_alert().await;
        // As many as would use up all attempts.
        let times = usize::try_from(harness.settings.notify_attempts).unwrap() + 3;
        harness.slack.answer(vec![Reply::wait(wait); times]);
        // One that is asked for again and again grows to a minute, however short.
        harness.work_for(wait.max(MINUTE) * u32::try_from(times).unwrap() + MINUTE).await;
        let posted = harness.slack.posted();
        assert_eq!(posted.len(), times + 1);
        for pair in posted.windows(2) {
            assert!(pair[1].at >= pair[0].at + wait, "{:?}, then {:?}", pair[0].at, pair[1].at);
        }
        assert_eq!(notified(&harness, &lead).await, [(AlertKind::New, 1, false, 1)]);
        assert_eq!(harness.dead().await, []);
    }
}

/// That after a wait which was asked for at this time both leads are notified, and nobody posts meanwhile.
async fn waits_a_minute(harness: &Harness, asked_at: Duration) {
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted();
    assert_eq!(posted.len(), 3);
    assert!(posted[1..].iter().all(|posted| posted.at >= asked_at + MINUTE));
}

/// Or a second instance, or the same after a restart: none of them has heard Slack ask.
#[tokio::test]
async fn the_wait_holds_for_a_worker_that_has_not_heard_of_it() {
    let (mut harness, _) = with_alert().await;
    harness.slack.answer([Reply::wait(MINUTE)]);
    harness.notify_ready().await;
    let asked_at = harness.clock.elapsed();
    harness.restart_notify();
    harness.enrich_many(1).await;
    waits_a_minute(&harness, asked_at).await;
}

/// Another instance has: what this one has written itself is no longer what holds.
#[tokio::test]
async fn the_wait_holds_for_a_worker_that_remembers_how_it_stood_before() {
    let (harness, _) = with_alert().await;
    assert!(harness.notify_ready().await, "the one that remembers");
    let other = Notify {
        settings: harness.settings.clone(),
        objects: harness.notify.objects.clone(),
        receipts: harness.notify.receipts.clone(),
        recorder: harness.notify.recorder.clone(),
        destinations: harness.notify.destinations.clone(),
        limiters: Arc::default(),
    };
    harness.enrich_many(2).await;
    harness.slack.answer([Reply::wait(MINUTE)]);
    let alerts = harness.take_alerts().await;
    let waits = [Disposition::Retry(MINUTE)];
    assert_eq!(other.handle(&alerts[..1]).await, waits);
    assert_eq!(harness.notify.handle(&alerts[1..]).await, waits);
    assert_eq!(harness.slack.posted().len(), 2);
}

/// An operator sees it wait, though nobody has tried it.
#[tokio::test]
async fn an_alert_that_waits_until_a_pause_is_over_has_a_receipt() {
    let (harness, _) = with_alert().await;
    harness.slack.answer([Reply::wait(HOUR)]);
    harness.notify_ready().await;
    let lead = harness.enrich("b").await;
    assert_eq!(harness.receipt(&lead).await, None);
    harness.notify_ready().await;
    let receipt = harness.receipt(&lead).await.unwrap();
    assert_eq!((receipt.state, receipt.attempts), (ReceiptState::Queued, 0));
    let notifications = harness.ops.lead(&lead).await.unwrap().notifications;
    assert_eq!(notifications.iter().map(|alert| alert.state).collect::<Vec<_>>(), ["queued"]);
    harness.work_for(HOUR + MINUTE).await;
    assert_eq!(notified(&harness, &lead).await, [(AlertKind::New, 1, false, 1)]);
}

/// What cannot be over in time is left for the next time, and not even begun.
#[tokio::test]
async fn nothing_is_begun_that_might_not_be_over_at_the_deadline() {
    let (harness, lead) = with_alert().await;
    let deliveries = harness.take_alerts().await;
    let soon = harness.clock.now() + SECOND * 10;
    let dispositions = harness.notify.handle_until(&deliveries, Some(soon)).await;
    assert_eq!(dispositions, [Disposition::Retry(Duration::ZERO)]);
    assert_eq!(harness.shown(&lead), 0);
    let later = harness.clock.now() + MINUTE;
    assert_eq!(harness.notify.handle_until(&deliveries, Some(later)).await, [Disposition::Done]);
    assert_eq!(harness.shown(&lead), 1);
}

#[tokio::test]
async fn the_wait_holds_for_all_alerts() {
    let (harness, _) = with_alert().await;
    harness.slack.answer([Reply::wait(MINUTE)]);
    harness.notify_ready().await;
    let asked_at = harness.clock.elapsed();
    // Meanwhile another lead is due, and has never been tried.
    harness.enrich_many(1).await;
    waits_a_minute(&harness, asked_at).await;
}

#[tokio::test]
async fn the_wait_holds_for_a_worker_that_waits_for_its_turn_already() {
    let harness = Harness::with(plain());
    harness.enrich_many(2).await;
    for name in ["x", "y", "z"].into_iter().take(usize::try_from(BURST).unwrap() - 1) {
        harness.enrich(name).await;
    }
    // One token is left: the first worker takes it, and the second waits for the next.
    let mut alerts = harness.take_alerts().await;
    let rest = alerts.split_off(2);
    harness.notify_these(&rest).await;
    let before = harness.slack.posted().len();
    harness.slack.takes(SECOND / 2);
    harness.slack.answer([Reply::wait(MINUTE)]);
    let started_at = harness.clock.elapsed();
    let [first, second] = alerts.as_slice() else { panic!("two alerts") };
    let workers = join(
        harness.notify.handle(std::slice::from_ref(first)),
        harness.notify.handle(std::slice::from_ref(second)),
    );
    let outcomes: [_; 2] = harness.clock.run(workers).await.into();
    for (delivery, outcome) in [first, second].into_iter().zip(outcomes.concat()) {
        harness.memory.settle(Queue::Notification, delivery, outcome).await.unwrap();
    }
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted().split_off(before);
    assert_eq!(posted.len(), 3);
    assert!(posted[1].at >= started_at + SECOND / 2 + MINUTE, "{:?} after {started_at:?}", posted[1].at);
}

#[tokio::test]
async fn a_429_without_a_wait_is_not_asked_again_at_once() {
    let (harness, _) = with_alert().await;
    harness.slack.answer([Reply::status(429, ""), Reply::status(200, "rate_limited")]);
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted();
    assert_eq!(posted.len(), 3);
    assert!(posted.windows(2).all(|pair| pair[1].at >= pair[0].at + SECOND * 10));
}

#[tokio::test]
async fn failures_on_the_way_are_retried_with_growing_pauses_and_an_end() {
    for (reply, code) in [
        (Reply::status(500, "rollup_error"), Code::SlackUnavailable),
        (Reply::status(503, ""), Code::SlackUnavailable),
        (Reply::not_sent(), Code::SlackUnavailable),
        (Reply::unknown(), Code::SlackUnknown),
    ] {
        let (harness, lead) = with_alert().await;
        let scripted = reply.clone();
        harness.slack.rule(move |_| Some(scripted.clone()));
        harness.work_for(DAY).await;

        let attempts = harness.settings.notify_attempts;
        assert_eq!(harness.slack.posted().len(), usize::try_from(attempts).unwrap(), "{reply:?}");
        let dead = harness.dead().await;
        assert_eq!(dead.len(), 1);
        assert_eq!((dead[0].queue, dead[0].code, dead[0].attempts), (Queue::Notification, code, attempts));
        assert_eq!(
            (dead[0].lead_id.as_ref(), ended(&harness, &lead).await),
            (Some(&lead), Some(Ended::Dead))
        );

        let retries = harness.retries(&lead).await;
        let pauses: Vec<Duration> = retries.iter().map(|(_, _, pause)| *pause).collect();
        assert!(pauses[0] < SECOND * 2 && pauses[3] > pauses[0] * 3, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause < MINUTE * 15), "{pauses:?}");
        assert!(retries.iter().zip(1..).all(|((c, n, _), number)| (*c, *n) == (code, number)));

        // Once that is fixed it is redriven and sent; labelled only where an attempt may have arrived.
        harness.slack.recover();
        harness.redrive_all().await;
        harness.work_for(HOUR).await;
        assert_eq!((harness.shown(&lead), harness.dead().await.len()), (1, 0));
        assert_eq!(harness.slack.shown()[0].mentions(REPEAT), code == Code::SlackUnknown);
        assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified));
    }
}

#[tokio::test]
async fn a_redriven_alert_has_all_its_attempts_again() {
    let (harness, lead) = with_alert().await;
    harness.slack.rule(|_| Some(Reply::not_sent()));
    harness.work_for(DAY).await;
    harness.redrive_all().await;
    harness.work_for(DAY).await;
    let attempts = usize::try_from(harness.settings.notify_attempts).unwrap();
    assert_eq!(harness.slack.posted().len(), attempts * 2);
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Dead));
}

#[tokio::test]
async fn an_answer_that_never_came_is_tried_again_with_a_label() {
    let (harness, lead) = with_alert().await;
    harness.slack.answer([Reply::unknown()]);
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted();
    assert_eq!(posted.len(), 2);
    assert!(posted[1].mentions(REPEAT));
    assert_eq!(notified(&harness, &lead).await, [(AlertKind::New, 1, true, 2)]);
}

#[tokio::test]
async fn a_dead_alert_whose_last_attempt_may_have_arrived_is_redriven_with_a_label() {
    let harness = Harness::with(Settings { notify_attempts: 1, ..plain() });
    let lead = harness.enrich("a").await;
    harness.slack.answer([Reply::unknown()]);
    harness.work_for(MINUTE).await;
    assert_eq!(harness.dead_codes().await, [Code::SlackUnknown]);
    harness.redrive_all().await;
    harness.work_for(MINUTE).await;
    assert_eq!(harness.shown(&lead), 1);
    assert!(harness.slack.shown()[0].mentions(REPEAT));
}

#[tokio::test]
async fn a_refusal_is_classed_by_its_body_first_and_dies_at_once() {
    for (status, body, code) in [
        (404, "no_service", Code::SlackWebhookGone),
        (404, "no_service_id", Code::SlackWebhookGone),
        (404, "no_team", Code::SlackWebhookGone),
        (404, "no_active_hooks", Code::SlackWebhookGone),
        (404, "channel_not_found", Code::SlackWebhookGone),
        (500, "no_service", Code::SlackWebhookGone),
        (200, "no_active_hooks", Code::SlackWebhookGone),
        (404, "", Code::SlackWebhookGone),
        (410, "channel_is_archived", Code::SlackChannelClosed),
        (403, "team_disabled", Code::SlackChannelClosed),
        (410, "gone_away", Code::SlackChannelClosed),
        (403, "action_prohibited", Code::SlackForbidden),
        (403, "invalid_token", Code::SlackForbidden),
        (400, "invalid_token", Code::SlackForbidden),
        (400, "posting_to_general_channel_denied", Code::SlackForbidden),
        (302, "", Code::SlackAddressWrong),
    ] {
        let (harness, lead) = with_alert().await;
        harness.slack.rule(move |_| Some(Reply::status(status, body)));
        harness.work_for(HOUR).await;
        assert_eq!(harness.slack.posted().len(), 1, "{status} {body}");
        let dead = harness.dead().await;
        assert_eq!((dead.len(), dead[0].code, dead[0].attempts), (1, code, 1), "{status} {body}");
        assert!(dead[0].reason.contains(&status.to_string()) && dead[0].reason.contains(body));
        assert_eq!(ended(&harness, &lead).await, Some(Ended::Dead));
        let receipt = harness.receipt(&lead).await.unwrap();
        assert_eq!((receipt.state, receipt.code), (ReceiptState::Failed, Some(code)));

        harness.slack.recover();
        harness.redrive_all().await;
        harness.work_for(MINUTE).await;
        assert_eq!(harness.shown(&lead), 1);
        assert!(!harness.slack.shown()[0].mentions(REPEAT), "nobody has seen it");
    }
}

#[tokio::test]
async fn what_slack_says_is_cleaned_before_it_is_stored() {
    let (harness, _) = with_alert().await;
    let long = format!("\u{1b}[2J\u{202e}{}", "x".repeat(100_000));
    harness.slack.rule(move |_| Some(Reply::status(404, &long)));
    harness.work_for(HOUR).await;
    let reason = harness.dead().await.remove(0).reason;
    assert!(reason.len() < 400 && !reason.chars().any(|c| c.is_control() || c == '\u{202e}'), "{reason:?}");
}

#[tokio::test]
async fn a_message_that_slack_cannot_read_goes_once_more_as_plain_text() {
    let (harness, lead) = with_alert().await;
    harness.slack.rule(|message| message.get("blocks").map(|_| Reply::status(400, "invalid_blocks")));
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted();
    assert_eq!(posted.iter().map(|p| p.has_blocks()).collect::<Vec<_>>(), [true, false]);
    assert!(posted[1].mentions("Name of lead_a") && posted[1].mentions(&lead.close_url()));
    assert_eq!((ended(&harness, &lead).await, harness.dead().await.len()), (Some(Ended::Notified), 0));
}

#[tokio::test]
async fn a_message_that_is_refused_as_plain_text_too_dies() {
    for body in
        ["invalid_payload", "no_text", "invalid_blocks", "too_many_attachments", "user_not_found", "what?"]
    {
        let (harness, lead) = with_alert().await;
        harness.slack.rule(move |_| Some(Reply::status(400, body)));
        harness.work_for(HOUR).await;
        assert_eq!(harness.slack.posted().len(), 2, "{body}");
        assert_eq!(harness.dead_codes().await, [Code::SlackPayloadRefused]);
        assert_eq!(ended(&harness, &lead).await, Some(Ended::Dead));
    }
}

#[tokio::test]
async fn a_fall_back_that_meets_a_wait_keeps_it() {
    let (harness, lead) = with_alert().await;
    harness.slack.answer([Reply::status(400, "invalid_blocks"), Reply::wait(MINUTE)]);
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted();
    assert!(posted[2].at >= posted[1].at + MINUTE);
    assert_eq!((harness.shown(&lead), harness.dead().await.len()), (1, 0));
}

/// Whoever has sent an alert again, and redrives the dead letter that it was sent again for.
#[tokio::test]
async fn an_alert_that_is_redriven_after_another_has_gone_out_in_its_place_is_labelled() {
    for resent in [false, true] {
        let (harness, lead) = with_alert().await;
        harness.slack.answer([Reply::status(404, "no_service")]);
        harness.work_for(MINUTE).await;
        assert_eq!(harness.dead().await.len(), 1);
        if resent {
            let actions = harness.ops.actions().unwrap();
            actions.resend(&lead, &SLACK, Recipients::All).await.unwrap();
            harness.work_for(MINUTE).await;
        }
        harness.redrive_all().await;
        harness.work_for(MINUTE).await;
        let shown = harness.slack.shown();
        assert_eq!(shown.len(), 1 + usize::from(resent));
        assert_eq!(shown.last().unwrap().mentions(REPEAT), resent);
    }
}
