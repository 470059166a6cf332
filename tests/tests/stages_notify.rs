//! Telling the team: once, at the channel's pace, and whatever the channel answers.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::future::{join, join_all};
use lead::{AlertKind, LeadId, keys};
use pipeline::{
    Channel, Code, Ended, Fault, Happened, Settings, Stage,
    job::{AlertId, AlertJob},
    ports::{Clock, Disposition, Inbox, MailError, Objects, Queue, When},
    receipt::{CLAIM, ReceiptState},
};
use serde_json::Value;
use tests::{
    doubles::Reply,
    faulty::{Call, Moment, Strike},
    world::{BURST, World},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const REPEAT: &str = "Possible repeat";

fn storage_failed() -> Strike {
    Strike::Fail(Fault::new(Code::StorageFailed, "the disk is broken"))
}

/// Does not look for owners again, so that nothing but the alert is in the queues.
fn plain() -> Settings {
    Settings { rechecks: 0, ..Settings::default() }
}

/// A world in which one lead is ready to be told.
async fn with_alert() -> (World, LeadId) {
    let world = World::with(plain());
    let lead = world.enrich("a").await;
    (world, lead)
}

/// The `Notified` entries of a lead: kind, how many together, whether labelled, attempts.
async fn notified(world: &World, lead: &LeadId) -> Vec<(AlertKind, usize, bool, u32)> {
    let story = world.story(lead).await;
    let notified = story.into_iter().filter_map(|entry| match entry.happened {
        Happened::Notified { kind, together, repeat, attempts, .. } => {
            Some((kind, together, repeat, attempts))
        }
        _ => None,
    });
    notified.collect()
}

async fn ended(world: &World, lead: &LeadId) -> Option<Ended> {
    Some(world.progress(lead).await.unwrap().ended?.0)
}

#[tokio::test]
async fn an_alert_is_claimed_before_it_is_sent_and_its_receipt_completed_after() {
    let (world, lead) = with_alert().await;
    assert_eq!(world.receipt(&lead).await.unwrap().state, ReceiptState::Queued);
    world.slack.takes(SECOND * 2);
    let deliveries = world.take_alerts().await;
    let look = async {
        world.clock.sleep(SECOND).await;
        (world.slack.posted().len(), world.receipt(&lead).await.unwrap().state)
    };
    let (dispositions, (posted, state)) = world.clock.run(join(world.notify.handle(&deliveries), look)).await;
    assert!(posted == 1 && matches!(state, ReceiptState::Claimed { .. }), "{state:?}");
    assert_eq!(dispositions, [Disposition::Done]);
    let receipt = world.receipt(&lead).await.unwrap();
    assert_eq!((receipt.state, receipt.attempts, receipt.code), (ReceiptState::Sent, 1, None));
    assert_eq!(notified(&world, &lead).await, [(AlertKind::New, 1, false, 1)]);
    assert_eq!(ended(&world, &lead).await, Some(Ended::Notified));
}

#[tokio::test]
async fn the_alert_says_the_seven_facts_and_how_long_it_took() {
    let world = World::with(plain());
    let lead = world.accept("a").await;
    world.owners.assign(&lead, "Sales North");
    world.work_for(HOUR).await;
    let message = world.slack.posted()[0].message.to_string();
    for fact in [
        "Name of lead_a",
        "lead_a",
        "2026-09-14T15:02:11.642000",
        "Potential",
        "lead@example.org",
        "Sales North",
        "Trade fair",
    ] {
        assert!(message.contains(fact), "{fact}: {message}");
    }
    let story = world.story(&lead).await;
    let Happened::Notified { after_ms, .. } = story.last().unwrap().happened else { panic!("{story:?}") };
    assert_eq!(after_ms, Some(0));
}

#[tokio::test]
async fn a_crash_between_slacks_acceptance_and_our_record_is_repeated_with_a_label() {
    let (world, lead) = with_alert().await;
    world.slack.answer([Reply::Hang]);
    world.notify_and_crash().await;
    assert_eq!(world.shown(&lead), 1);
    world.work_for(HOUR).await;
    let shown = world.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(!shown[0].mentions(REPEAT) && shown[1].mentions(REPEAT));
    assert!(shown[1].at >= shown[0].at + CLAIM, "the claim of the dead worker is waited for");
    assert_eq!(notified(&world, &lead).await, [(AlertKind::New, 1, true, 2)]);
    assert_eq!(world.dead().await, []);
}

#[tokio::test]
async fn a_crash_before_slack_is_asked_or_after_all_is_recorded_repeats_nothing() {
    // Before: the pace, the claim. After: the receipt, the journal.
    for (nth, call, moment, most) in [
        (1, Call::Get, Moment::Before, 1),
        (1, Call::Put, Moment::Before, 1),
        (2, Call::Put, Moment::Before, 1),
        (3, Call::Put, Moment::After, 1),
        (1, Call::Append, Moment::Before, 1),
        (1, Call::Append, Moment::After, 1),
    ] {
        let (world, lead) = with_alert().await;
        world.weather.at(nth, call, moment, Strike::Hang);
        world.notify_and_crash().await;
        world.weather.clear();
        world.work_for(HOUR).await;
        assert_eq!(world.shown(&lead), most, "{call:?} {nth} {moment:?}");
        assert!(!world.slack.shown()[0].mentions(REPEAT));
        assert_eq!(ended(&world, &lead).await, Some(Ended::Notified));
    }
}

#[tokio::test]
async fn a_crash_anywhere_is_told_once_or_labelled() {
    for call in [Call::Get, Call::Put, Call::Append] {
        for nth in 1..=6 {
            for moment in [Moment::Before, Moment::After] {
                let (world, lead) = with_alert().await;
                world.weather.at(nth, call, moment, Strike::Hang);
                let deliveries = world.take_alerts().await;
                if world.clock.run_for(Duration::ZERO, world.notify.handle(&deliveries)).await.is_some() {
                    continue;
                }
                world.weather.clear();
                world.work_for(HOUR).await;
                let shown = world.slack.shown();
                assert!((1..=2).contains(&shown.len()), "{call:?} {nth} {moment:?}");
                if let Some(second) = shown.get(1) {
                    assert!(second.mentions(REPEAT), "{call:?} {nth} {moment:?}");
                }
                assert_eq!(ended(&world, &lead).await, Some(Ended::Notified), "{call:?} {nth} {moment:?}");
                assert_eq!(world.dead().await, [], "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_once_anywhere_doubles_nothing_unlabelled() {
    for call in [Call::Get, Call::Put, Call::Append] {
        for nth in 1..=6 {
            for moment in [Moment::Before, Moment::After] {
                let (world, lead) = with_alert().await;
                world.weather.at(nth, call, moment, storage_failed());
                world.work_for(HOUR).await;
                let shown = world.slack.shown();
                let labelled = shown.get(1).is_none_or(|second| second.mentions(REPEAT));
                assert!(!shown.is_empty() && labelled, "{call:?} {nth} {moment:?}: {}", shown.len());
                assert_eq!(ended(&world, &lead).await, Some(Ended::Notified), "{call:?} {nth} {moment:?}");
                assert_eq!(world.dead().await, [], "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_for_hours_uses_up_no_alert() {
    let (world, lead) = with_alert().await;
    let receives = world.memory.rules(Queue::Notification).max_receives;
    // Each time the receipt and the lead are read.
    for nth in 1..receives * 2 {
        world.weather.at(nth, Call::Get, Moment::Before, storage_failed());
    }
    world.work_for(HOUR * 12).await;
    assert_eq!((world.shown(&lead), world.dead_codes().await), (0, vec![]), "the store is still away");
    world.weather.clear();
    world.work_for(MINUTE * 2).await;
    assert_eq!((world.shown(&lead), world.dead_codes().await), (1, vec![]));
}

#[tokio::test]
async fn a_store_that_fails_while_the_receipt_is_completed_gets_several_chances() {
    let (world, lead) = with_alert().await;
    // The first writes are the pace and the claim.
    for nth in 3..=5 {
        world.weather.at(nth, Call::Put, Moment::Before, storage_failed());
    }
    world.work_for(HOUR).await;
    assert_eq!(world.slack.posted().len(), 1);
    assert_eq!(notified(&world, &lead).await, [(AlertKind::New, 1, false, 1)]);
}

#[tokio::test]
async fn a_store_that_keeps_failing_while_the_receipt_is_completed_makes_a_labelled_repeat() {
    let (world, lead) = with_alert().await;
    for nth in 3..=6 {
        world.weather.at(nth, Call::Put, Moment::Before, storage_failed());
    }
    world.work_for(HOUR).await;
    let shown = world.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions(REPEAT) && shown[1].at >= shown[0].at + CLAIM);
    assert_eq!(ended(&world, &lead).await, Some(Ended::Notified));
}

#[tokio::test]
async fn however_often_the_message_comes_it_is_one_alert() {
    let (world, lead) = with_alert().await;
    let job = AlertJob {
        lead_id: lead.clone(),
        channel: Channel::Slack,
        alert: AlertId::new_lead(),
        kind: AlertKind::New,
        due_at: None,
    };
    for _ in 0..4 {
        world.queue_alert(&job).await;
    }
    world.work_for(HOUR).await;
    world.queue_alert(&job).await;
    world.work_for(HOUR).await;
    assert_eq!(world.slack.posted().len(), 1);
    assert_eq!(ended(&world, &lead).await, Some(Ended::Notified));
}

#[tokio::test]
async fn workers_that_race_for_one_alert_send_it_once() {
    let (world, _) = with_alert().await;
    world.slack.takes(SECOND);
    let deliveries = world.take_alerts().await;
    let workers = join_all((0..4).map(|_| world.notify.handle(&deliveries)));
    let dispositions = world.clock.run(workers).await.concat();
    assert_eq!(world.slack.posted().len(), 1);
    let done = dispositions.iter().filter(|disposition| **disposition == Disposition::Done).count();
    assert!(done >= 1, "{dispositions:?}");
    for disposition in dispositions.iter().filter(|disposition| **disposition != Disposition::Done) {
        let Disposition::Retry(wait) = disposition else { panic!("{disposition:?}") };
        assert!(*wait <= CLAIM, "the others look again when the claim is over");
    }
}

#[tokio::test]
async fn a_worker_that_stood_still_until_its_claim_ran_out_sends_nothing() {
    let (world, lead) = with_alert().await;
    let deliveries = world.take_alerts().await;
    // The lead is read once more after the claim: the fourth object that is read.
    world.weather.at(4, Call::Get, Moment::Before, Strike::Slow(MINUTE * 2));
    let other = async {
        world.clock.sleep(MINUTE).await;
        world.notify.handle(&deliveries).await
    };
    let (slow, quick) = world.clock.run(join(world.notify.handle(&deliveries), other)).await;
    assert_eq!((quick, slow), (vec![Disposition::Done], vec![Disposition::Retry(Duration::ZERO)]));
    assert_eq!((world.shown(&lead), world.slack.posted().len()), (1, 1));
    assert_eq!(world.receipt(&lead).await.unwrap().state, ReceiptState::Sent);
}

#[tokio::test]
async fn a_claim_that_all_but_ran_out_is_given_back_and_the_alert_is_no_repeat() {
    let (world, lead) = with_alert().await;
    world.weather.at(4, Call::Get, Moment::Before, Strike::Slow(SECOND * 40));
    world.notify_ready().await;
    assert_eq!(world.slack.posted(), []);
    world.work_for(MINUTE * 3).await;
    assert_eq!(world.shown(&lead), 1);
    assert!(!world.slack.posted()[0].mentions(REPEAT), "nothing was sent before");
}

#[tokio::test]
async fn a_wait_that_slack_asks_for_is_kept_in_full_and_counts_for_nothing() {
    for wait in [SECOND * 7, SECOND * 30, SECOND * 2_000] {
        let (world, lead) = with_alert().await;
        // As many as would use up all attempts.
        let times = usize::try_from(world.settings.notify_attempts).unwrap() + 3;
        world.slack.answer(vec![Reply::wait(wait); times]);
        world.work_for(wait * u32::try_from(times).unwrap() + MINUTE).await;
        let posted = world.slack.posted();
        assert_eq!(posted.len(), times + 1);
        for pair in posted.windows(2) {
            assert!(pair[1].at >= pair[0].at + wait, "{:?}, then {:?}", pair[0].at, pair[1].at);
        }
        assert_eq!(notified(&world, &lead).await, [(AlertKind::New, 1, false, 1)]);
        assert_eq!(world.dead().await, []);
    }
}

/// Or a second instance, or the same after a restart: none of them has heard Slack ask.
#[tokio::test]
async fn the_wait_holds_for_a_worker_that_has_not_heard_of_it() {
    let (mut world, _) = with_alert().await;
    world.slack.answer([Reply::wait(MINUTE)]);
    world.notify_ready().await;
    let asked_at = world.clock.elapsed();
    world.restart_notify();
    world.enrich_many(1).await;
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert_eq!(posted.len(), 3);
    assert!(posted[1..].iter().all(|posted| posted.at >= asked_at + MINUTE));
}

/// What cannot be over in time is left for the next time, and not even begun.
#[tokio::test]
async fn nothing_is_begun_that_might_not_be_over_at_the_deadline() {
    let (world, lead) = with_alert().await;
    let deliveries = world.take_alerts().await;
    let soon = world.clock.now() + SECOND * 10;
    let dispositions = world.notify.handle_until(&deliveries, Some(soon)).await;
    assert_eq!(dispositions, [Disposition::Retry(Duration::ZERO)]);
    assert_eq!(world.shown(&lead), 0);
    let later = world.clock.now() + MINUTE;
    assert_eq!(world.notify.handle_until(&deliveries, Some(later)).await, [Disposition::Done]);
    assert_eq!(world.shown(&lead), 1);
}

#[tokio::test]
async fn the_wait_holds_for_all_alerts() {
    let (world, _) = with_alert().await;
    world.slack.answer([Reply::wait(MINUTE)]);
    world.notify_ready().await;
    let asked_at = world.clock.elapsed();
    // Meanwhile another lead is due, and has never been tried.
    world.enrich_many(1).await;
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert_eq!(posted.len(), 3);
    assert!(posted[1..].iter().all(|posted| posted.at >= asked_at + MINUTE));
}

#[tokio::test]
async fn the_wait_holds_for_a_worker_that_waits_for_its_turn_already() {
    let world = World::with(plain());
    world.enrich_many(2).await;
    for name in ["x", "y", "z"].into_iter().take(usize::try_from(BURST).unwrap() - 1) {
        world.enrich(name).await;
    }
    // One token is left: the first worker takes it, and the second waits for the next.
    let mut alerts = world.take_alerts().await;
    let rest = alerts.split_off(2);
    world.notify_these(&rest).await;
    let before = world.slack.posted().len();
    world.slack.takes(SECOND / 2);
    world.slack.answer([Reply::wait(MINUTE)]);
    let started_at = world.clock.elapsed();
    let [first, second] = alerts.as_slice() else { panic!("two alerts") };
    let workers = join(
        world.notify.handle(std::slice::from_ref(first)),
        world.notify.handle(std::slice::from_ref(second)),
    );
    let outcomes: [_; 2] = world.clock.run(workers).await.into();
    for (delivery, outcome) in [first, second].into_iter().zip(outcomes.concat()) {
        world.memory.settle(Queue::Notification, delivery, outcome).await.unwrap();
    }
    world.work_for(HOUR).await;
    let posted = world.slack.posted().split_off(before);
    assert_eq!(posted.len(), 3);
    assert!(posted[1].at >= started_at + SECOND / 2 + MINUTE, "{:?} after {started_at:?}", posted[1].at);
}

#[tokio::test]
async fn a_429_without_a_wait_is_not_asked_again_at_once() {
    let (world, _) = with_alert().await;
    world.slack.answer([Reply::status(429, ""), Reply::status(200, "rate_limited")]);
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert_eq!(posted.len(), 3);
    assert!(posted.windows(2).all(|pair| pair[1].at >= pair[0].at + SECOND * 10));
}

#[tokio::test]
async fn trouble_on_the_way_is_tried_again_with_growing_pauses_and_an_end() {
    for (reply, code) in [
        (Reply::status(500, "rollup_error"), Code::SlackUnavailable),
        (Reply::status(503, ""), Code::SlackUnavailable),
        (Reply::status(302, ""), Code::SlackUnavailable),
        (Reply::not_sent(), Code::SlackUnavailable),
        (Reply::unknown(), Code::SlackUnknown),
    ] {
        let (world, lead) = with_alert().await;
        let scripted = reply.clone();
        world.slack.rule(move |_| Some(scripted.clone()));
        world.work_for(DAY).await;

        let attempts = world.settings.notify_attempts;
        assert_eq!(world.slack.posted().len(), usize::try_from(attempts).unwrap(), "{reply:?}");
        let dead = world.dead().await;
        assert_eq!(dead.len(), 1);
        assert_eq!((dead[0].queue, dead[0].code, dead[0].attempts), (Queue::Notification, code, attempts));
        assert_eq!((dead[0].lead_id.as_ref(), ended(&world, &lead).await), (Some(&lead), Some(Ended::Dead)));

        let retries = world.retries(&lead).await;
        let pauses: Vec<Duration> = retries.iter().map(|(_, _, pause)| *pause).collect();
        assert!(pauses[0] < SECOND * 2 && pauses[3] > pauses[0] * 3, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause < MINUTE * 15), "{pauses:?}");
        assert!(retries.iter().zip(1..).all(|((c, n, _), number)| (*c, *n) == (code, number)));

        // Mended, it is redriven and told; labelled only where an attempt may have arrived.
        world.slack.recover();
        world.redrive_all().await;
        world.work_for(HOUR).await;
        assert_eq!((world.shown(&lead), world.dead().await.len()), (1, 0));
        assert_eq!(world.slack.shown()[0].mentions(REPEAT), code == Code::SlackUnknown);
        assert_eq!(ended(&world, &lead).await, Some(Ended::Notified));
    }
}

#[tokio::test]
async fn a_redriven_alert_has_all_its_attempts_again() {
    let (world, lead) = with_alert().await;
    world.slack.rule(|_| Some(Reply::not_sent()));
    world.work_for(DAY).await;
    world.redrive_all().await;
    world.work_for(DAY).await;
    let attempts = usize::try_from(world.settings.notify_attempts).unwrap();
    assert_eq!(world.slack.posted().len(), attempts * 2);
    assert_eq!(ended(&world, &lead).await, Some(Ended::Dead));
}

#[tokio::test]
async fn an_answer_that_never_came_is_tried_again_with_a_label() {
    let (world, lead) = with_alert().await;
    world.slack.answer([Reply::unknown()]);
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert_eq!(posted.len(), 2);
    assert!(posted[1].mentions(REPEAT));
    assert_eq!(notified(&world, &lead).await, [(AlertKind::New, 1, true, 2)]);
}

#[tokio::test]
async fn a_dead_alert_whose_last_attempt_may_have_arrived_is_redriven_with_a_label() {
    let world = World::with(Settings { notify_attempts: 1, ..plain() });
    let lead = world.enrich("a").await;
    world.slack.answer([Reply::unknown()]);
    world.work_for(MINUTE).await;
    assert_eq!(world.dead_codes().await, [Code::SlackUnknown]);
    world.redrive_all().await;
    world.work_for(MINUTE).await;
    assert_eq!(world.shown(&lead), 1);
    assert!(world.slack.shown()[0].mentions(REPEAT));
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
        (410, "gone", Code::SlackChannelClosed),
        (403, "action_prohibited", Code::SlackForbidden),
        (403, "invalid_token", Code::SlackForbidden),
        (400, "invalid_token", Code::SlackForbidden),
        (400, "posting_to_general_channel_denied", Code::SlackForbidden),
        (403, "<html>", Code::SlackForbidden),
    ] {
        let (world, lead) = with_alert().await;
        world.slack.rule(move |_| Some(Reply::status(status, body)));
        world.work_for(HOUR).await;
        assert_eq!(world.slack.posted().len(), 1, "{status} {body}");
        let dead = world.dead().await;
        assert_eq!((dead.len(), dead[0].code, dead[0].attempts), (1, code, 1), "{status} {body}");
        assert!(dead[0].reason.contains(&status.to_string()) && dead[0].reason.contains(body));
        assert_eq!(ended(&world, &lead).await, Some(Ended::Dead));
        let receipt = world.receipt(&lead).await.unwrap();
        assert_eq!((receipt.state, receipt.code), (ReceiptState::Failed, Some(code)));

        world.slack.recover();
        world.redrive_all().await;
        world.work_for(MINUTE).await;
        assert_eq!(world.shown(&lead), 1);
        assert!(!world.slack.shown()[0].mentions(REPEAT), "nobody has seen it");
    }
}

#[tokio::test]
async fn what_slack_says_is_cleaned_before_it_is_kept() {
    let (world, _) = with_alert().await;
    let long = format!("\u{1b}[2J\u{202e}{}", "x".repeat(100_000));
    world.slack.rule(move |_| Some(Reply::status(404, &long)));
    world.work_for(HOUR).await;
    let reason = world.dead().await.remove(0).reason;
    assert!(reason.len() < 400 && !reason.chars().any(|c| c.is_control() || c == '\u{202e}'), "{reason:?}");
}

#[tokio::test]
async fn a_message_that_slack_cannot_read_goes_once_more_as_plain_text() {
    let (world, lead) = with_alert().await;
    world.slack.rule(|message| message.get("blocks").map(|_| Reply::status(400, "invalid_blocks")));
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert_eq!(posted.iter().map(|p| p.has_blocks()).collect::<Vec<_>>(), [true, false]);
    assert!(posted[1].mentions("Name of lead_a") && posted[1].mentions(&lead.close_url()));
    assert_eq!((ended(&world, &lead).await, world.dead().await.len()), (Some(Ended::Notified), 0));
}

#[tokio::test]
async fn a_message_that_is_refused_as_plain_text_too_dies() {
    for body in
        ["invalid_payload", "no_text", "invalid_blocks", "too_many_attachments", "user_not_found", "what?"]
    {
        let (world, lead) = with_alert().await;
        world.slack.rule(move |_| Some(Reply::status(400, body)));
        world.work_for(HOUR).await;
        assert_eq!(world.slack.posted().len(), 2, "{body}");
        assert_eq!(world.dead_codes().await, [Code::SlackPayloadRefused]);
        assert_eq!(ended(&world, &lead).await, Some(Ended::Dead));
    }
}

#[tokio::test]
async fn a_fall_back_that_meets_a_wait_keeps_it() {
    let (world, lead) = with_alert().await;
    world.slack.answer([Reply::status(400, "invalid_blocks"), Reply::wait(MINUTE)]);
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert!(posted[2].at >= posted[1].at + MINUTE);
    assert_eq!((world.shown(&lead), world.dead().await.len()), (1, 0));
}

/// Ids that a message names in its links, once each.
fn leads_in(message: &Value) -> Vec<String> {
    let text = message["blocks"].to_string();
    let mut ids: Vec<String> = text
        .split("https://app.close.com/lead/")
        .skip(1)
        .map(|rest| rest.split('/').next().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_burst_folds_into_digests_that_carry_every_lead_exactly_once() {
    let world = World::with(plain());
    let leads = world.enrich_many(100).await;
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert!(posted.len() < 30, "{} messages for 100 leads", posted.len());
    let mut told: Vec<String> = posted.iter().flat_map(|posted| leads_in(&posted.message)).collect();
    told.sort_unstable();
    assert_eq!(told, leads.iter().map(LeadId::to_string).collect::<Vec<_>>());
    let digest = posted.iter().find(|posted| leads_in(&posted.message).len() > 1).unwrap();
    for id in leads_in(&digest.message) {
        assert!(digest.mentions(&format!("Name of {id}\\nLead ID: {id}\\nLead Owner: Sales North")));
    }
    for lead in &leads {
        let notified = notified(&world, lead).await;
        assert!(matches!(notified[..], [(AlertKind::New, _, false, 1)]), "{notified:?}");
        assert_eq!(ended(&world, lead).await, Some(Ended::Notified));
    }
    check_pace(&world);
}

/// After the burst no more than one message a second, in every window.
fn check_pace(world: &World) {
    let posted = world.slack.posted();
    for (first, from) in posted.iter().enumerate() {
        for (last, to) in posted.iter().enumerate().skip(first) {
            let messages = u32::try_from(last - first + 1).unwrap();
            let allowed = BURST + u32::try_from((to.at - from.at).as_secs()).unwrap();
            assert!(messages <= allowed, "{messages} messages from {:?} to {:?}", from.at, to.at);
        }
    }
}

#[tokio::test]
async fn single_alerts_keep_the_pace_too() {
    let world = World::with(plain());
    for number in 0..20 {
        world.enrich(&format!("n{number}")).await;
        world.notify_ready().await;
    }
    let actions = world.ops.actions().unwrap();
    let lead = world.enrich("a").await;
    for _ in 0..20 {
        actions.resend(&lead, Channel::Slack).await.unwrap();
        world.notify_ready().await;
    }
    world.work_for(HOUR).await;
    assert_eq!(world.shown(&lead), 21);
    check_pace(&world);
}

#[tokio::test]
async fn a_few_alerts_within_the_pace_keep_their_details() {
    let world = World::with(plain());
    let leads = world.enrich_many(usize::try_from(BURST).unwrap()).await;
    world.work_for(SECOND).await;
    assert_eq!(world.slack.posted().len(), leads.len());
    assert!(world.slack.posted().iter().all(|posted| posted.mentions("New Lead Alert")));
}

#[tokio::test]
async fn a_refused_digest_is_taken_apart_so_that_one_lead_harms_no_other() {
    let world = World::with(plain());
    let leads = world.enrich_many(10).await;
    let poison = leads[4].clone();
    let poisoned = poison.to_string();
    world.slack.rule(move |message| {
        message.to_string().contains(&poisoned).then(|| Reply::status(400, "invalid_blocks"))
    });
    world.work_for(HOUR).await;
    for lead in &leads {
        assert_eq!(world.shown(lead), usize::from(*lead != poison), "{lead}");
    }
    let dead = world.dead().await;
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].lead_id.as_ref(), dead[0].code), (Some(&poison), Code::SlackPayloadRefused));
    check_pace(&world);

    world.slack.recover();
    world.redrive_all().await;
    world.work_for(MINUTE).await;
    assert_eq!(world.shown(&poison), 1);
}

#[tokio::test]
async fn a_digest_that_crashed_is_repeated_with_a_label_on_each_lead() {
    let world = World::with(plain());
    let leads = world.enrich_many(10).await;
    world.slack.answer([Reply::Hang]);
    world.notify_and_crash().await;
    world.work_for(HOUR).await;
    for lead in &leads {
        let told: Vec<_> = notified(&world, lead).await;
        assert!(matches!(told[..], [(AlertKind::New, _, true, 2)]), "{told:?}");
    }
    let digests = world.slack.shown().split_off(1);
    let labels: usize = digests.iter().map(|p| p.message["blocks"].to_string().matches(REPEAT).count()).sum();
    assert_eq!(labels, leads.len());
}

#[tokio::test]
async fn a_digest_that_slack_asks_to_wait_with_is_told_later_and_whole() {
    let world = World::with(plain());
    let leads = world.enrich_many(12).await;
    world.slack.answer([Reply::wait(MINUTE)]);
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    assert!(posted[1].at >= posted[0].at + MINUTE);
    for lead in &leads {
        assert_eq!(world.shown(lead), 1);
    }
}

#[tokio::test]
async fn an_outage_of_slack_enriches_nothing_twice_and_loses_nothing() {
    let world = World::with(plain());
    world.slack.rule(|_| Some(Reply::status(503, "")));
    let leads = world.enrich_many(30).await;
    world.work_for(MINUTE * 10).await;
    world.slack.recover();
    world.work_for(HOUR).await;
    for lead in &leads {
        assert_eq!((world.owners.asked(lead), world.shown(lead)), (1, 1));
        assert_eq!(ended(&world, lead).await, Some(Ended::Notified));
    }
    assert_eq!(world.dead().await, []);
    check_pace(&world);
}

#[tokio::test]
async fn a_resend_is_a_new_alert_that_says_so() {
    let (world, lead) = with_alert().await;
    world.work_for(MINUTE).await;
    let actions = world.ops.actions().unwrap();
    let waiting = actions.resend(&lead, Channel::Slack).await.unwrap();
    world.work_for(MINUTE).await;
    world.ops.receipt(&waiting, Duration::ZERO).await.unwrap();
    let shown = world.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions("Sent again on request.") && !shown[1].mentions(REPEAT));
    assert_eq!(notified(&world, &lead).await[1], (AlertKind::Resend, 1, false, 1));
    actions.resend(&lead, Channel::Slack).await.unwrap();
    world.work_for(MINUTE).await;
    assert_eq!(world.shown(&lead), 3);
}

#[tokio::test]
async fn follow_ups_about_one_owner_are_one() {
    let (world, lead) = with_alert().await;
    let follow_up = |owner: &str| AlertJob {
        lead_id: lead.clone(),
        channel: Channel::Slack,
        alert: AlertId::follow_up(owner),
        kind: AlertKind::FollowUp,
        due_at: None,
    };
    for owner in ["Sales North", "Sales North", "Sales South", "Sales North"] {
        world.queue_alert(&follow_up(owner)).await;
        world.work_for(SECOND * 10).await;
    }
    let kinds: Vec<AlertKind> = notified(&world, &lead).await.iter().map(|n| n.0).collect();
    assert_eq!(kinds, [AlertKind::New, AlertKind::FollowUp, AlertKind::FollowUp]);
}

#[tokio::test]
async fn a_message_that_is_no_alert_makes_a_dead_letter() {
    let (world, _) = with_alert().await;
    for body in ["", "junk", "{}", "{\"lead_id\":\"lead_a\",\"channel\":\"pager\"}"] {
        world.send(Queue::Notification, body).await;
    }
    world.work_for(MINUTE).await;
    assert_eq!(world.dead_codes().await, [Code::AlertUnreadable; 4]);
    assert_eq!(world.slack.posted().len(), 1, "the good one in the same batch is told");
}

#[tokio::test]
async fn an_alert_whose_lead_is_gone_makes_a_dead_letter_and_requeueing_helps() {
    for content in [None, Some("junk")] {
        let world = World::with(plain());
        let lead = world.accept("a").await;
        let job = AlertJob {
            lead_id: lead.clone(),
            channel: Channel::Slack,
            alert: AlertId::new_lead(),
            kind: AlertKind::New,
            due_at: None,
        };
        if let Some(content) = content {
            let key = keys::enriched("target/", &lead);
            world.memory.put(&key, content.into(), When::Always).await.unwrap();
        }
        world.queue_alert(&job).await;
        world.work_for(SECOND).await;
        assert_eq!(world.dead_codes().await, [Code::EnrichedLeadGone]);
        world.ops.actions().unwrap().requeue(&lead).await.unwrap();
        world.work_for(MINUTE).await;
        assert_eq!(world.shown(&lead), 1);
    }
}

#[tokio::test]
async fn an_alert_for_a_channel_that_is_not_configured_makes_a_dead_letter() {
    let settings = Settings { channels: vec![Channel::Slack, Channel::Email], ..plain() };
    let mut world = World::with(settings);
    (world.notify.slack, world.notify.mailer) = (None, None);
    let lead = world.enrich("a").await;
    world.work_for(MINUTE).await;
    let mut codes = world.dead_codes().await;
    codes.sort_unstable();
    assert_eq!(codes, [Code::SlackNotConfigured, Code::MailNotConfigured]);
    assert_eq!(ended(&world, &lead).await, Some(Ended::Dead));
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let world = World::with(plain());
    let lead: LeadId = "lead_a".parse().unwrap();
    let hostile =
        "<!channel> *bold* <https://evil.example|Open in Close> \u{1b}[31m\u{202e}\r\nBcc: x@evil.example";
    let mut event: Value = serde_json::from_slice(&World::event(&lead)).unwrap();
    for field in ["display_name", "status_label", "date_created"] {
        event["event"]["data"][field] = hostile.into();
    }
    world.deliver(event.to_string()).await;
    world.owners.assign(&lead, hostile);
    world.work_for(HOUR).await;
    let posted = world.slack.posted();
    let message = posted[0].message.to_string();
    assert!(!message.contains("<!channel>") && !message.contains("<https://evil"), "{message}");
    assert!(!message.contains('\u{202e}') && !message.contains("\\u001b"), "{message}");
    for entry in world.story(&lead).await {
        assert!(!entry.happened.detail().chars().any(|c| c.is_control() || c == '\u{202e}'));
    }
}

mod by_mail {
    use super::*;

    /// A world in which one lead is ready to be told by mail alone.
    async fn with_mail() -> (World, LeadId) {
        let world = World::with(Settings { channels: vec![Channel::Email], ..plain() });
        let lead = world.enrich("a").await;
        (world, lead)
    }

    #[tokio::test]
    async fn a_mail_is_sent_once() {
        let (world, lead) = with_mail().await;
        world.work_for(HOUR).await;
        let taken = world.mailer.taken();
        assert_eq!((taken.len(), world.slack.posted().len()), (1, 0));
        assert!(taken[0].subject.contains("Name of lead_a") && taken[0].body.contains("Unassigned"));
        assert_eq!(ended(&world, &lead).await, Some(Ended::Notified));
        assert_eq!(world.stages(&lead).await, [Stage::Received, Stage::Enriched, Stage::Notified]);
    }

    #[tokio::test]
    async fn a_refused_mail_dies_at_once() {
        let (world, lead) = with_mail().await;
        world.mailer.answer([Err(MailError::Refused("550 no such user\r\nX".to_owned()))]);
        world.work_for(HOUR).await;
        let dead = world.dead().await;
        assert_eq!((dead.len(), dead[0].code, dead[0].attempts), (1, Code::MailRefused, 1));
        assert!(dead[0].reason.contains("550") && !dead[0].reason.contains('\n'));
        assert_eq!((world.mailer.tried().len(), ended(&world, &lead).await), (1, Some(Ended::Dead)));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_tried_again_with_an_end() {
        let (world, _) = with_mail().await;
        let attempts = world.settings.notify_attempts;
        let away = Err(MailError::Unavailable("451 later".to_owned()));
        world.mailer.answer(vec![away; usize::try_from(attempts).unwrap()]);
        world.work_for(DAY).await;
        let dead = world.dead().await;
        assert_eq!((dead.len(), dead[0].code, dead[0].attempts), (1, Code::MailUnavailable, attempts));
        world.redrive_all().await;
        world.work_for(MINUTE).await;
        assert_eq!(world.mailer.taken().len(), 1);
        assert!(!world.mailer.taken()[0].body.contains(REPEAT));
    }

    #[tokio::test]
    async fn a_mail_without_confirmation_is_repeated_with_a_label() {
        let (world, lead) = with_mail().await;
        world.mailer.answer([Err(MailError::Unknown("connection lost".to_owned()))]);
        world.work_for(HOUR).await;
        assert_eq!((world.mailer.tried().len(), world.mailer.taken().len()), (2, 1));
        assert!(world.mailer.taken()[0].body.contains(REPEAT));
        assert_eq!(world.retries(&lead).await[0].0, Code::MailUnknown);
    }

    #[tokio::test]
    async fn one_channels_trouble_is_not_the_others() {
        let world = World::with(Settings { channels: vec![Channel::Slack, Channel::Email], ..plain() });
        let lead = world.enrich("a").await;
        world.slack.rule(|_| Some(Reply::status(404, "no_service")));
        world.work_for(DAY).await;
        assert_eq!(world.mailer.taken().len(), 1);
        assert_eq!(world.dead_codes().await, [Code::SlackWebhookGone]);
        assert_eq!(ended(&world, &lead).await, Some(Ended::Notified), "somebody was told");
        world.slack.recover();
        world.redrive_all().await;
        world.work_for(HOUR).await;
        assert_eq!((world.shown(&lead), world.mailer.tried().len()), (1, 1));
    }
}
