//! An alert is sent once, whatever crashes, races or fails.

use std::time::Duration;

use futures_util::future::{join, join_all};
use lead::AlertKind;
use pipeline::{
    Ended, JournalEvent,
    ports::{Clock, Disposition, Queue},
    receipt::{ReceiptState, claim_for},
};
use tests::{
    doubles::Reply,
    faulty::{Call, InjectedFault, Moment},
    harness::Harness,
};

use super::{
    HOUR, MINUTE, REPEAT, SECOND, ended, first_alert, notified, overtaken, plain, storage_failed, with_alert,
};

#[tokio::test]
async fn an_alert_is_claimed_before_it_is_sent_and_its_receipt_completed_after() {
    let (harness, lead) = with_alert().await;
    assert_eq!(harness.receipt(&lead).await, None, "its claim is the first");
    harness.slack.takes(SECOND * 2);
    let deliveries = harness.take_alerts().await;
    let look = async {
        harness.clock.sleep(SECOND).await;
        (harness.slack.posted().len(), harness.receipt(&lead).await.unwrap().state)
    };
    let (dispositions, (posted, state)) =
        harness.clock.run(join(harness.notify.handle(&deliveries), look)).await;
    assert!(posted == 1 && matches!(state, ReceiptState::Claimed { .. }), "{state:?}");
    assert_eq!(dispositions, [Disposition::Done]);
    let receipt = harness.receipt(&lead).await.unwrap();
    assert_eq!((receipt.state, receipt.attempts, receipt.code), (ReceiptState::Sent, 1, None));
    assert_eq!(notified(&harness, &lead).await, [(AlertKind::New, 1, false, 1)]);
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified));
}

#[tokio::test]
async fn the_alert_says_the_seven_facts_and_how_long_it_took() {
    let harness = Harness::with(plain());
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(HOUR).await;
    let message = harness.slack.posted()[0].message.to_string();
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
    let story = harness.story(&lead).await;
    let JournalEvent::Notified { after_ms, .. } = story.last().unwrap().event else { panic!("{story:?}") };
    assert_eq!(after_ms, Some(0));
}

#[tokio::test]
async fn a_crash_between_slacks_acceptance_and_our_record_is_repeated_with_a_label() {
    let (harness, lead) = with_alert().await;
    harness.slack.answer([Reply::Hang]);
    harness.notify_and_crash().await;
    assert_eq!(harness.shown(&lead), 1);
    harness.work_for(HOUR).await;
    let shown = harness.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(!shown[0].mentions(REPEAT) && shown[1].mentions(REPEAT));
    assert!(shown[1].at >= shown[0].at + claim(), "the claim of the dead worker is waited for");
    assert_eq!(notified(&harness, &lead).await, [(AlertKind::New, 1, true, 2)]);
    assert_eq!(harness.dead().await, []);
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
        let (harness, lead) = with_alert().await;
        harness.faults.at(nth, call, moment, InjectedFault::Hang);
        harness.notify_and_crash().await;
        harness.faults.clear();
        harness.work_for(HOUR).await;
        assert_eq!(harness.shown(&lead), most, "{call:?} {nth} {moment:?}");
        assert!(!harness.slack.shown()[0].mentions(REPEAT));
        assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified));
    }
}

#[tokio::test]
async fn a_crash_anywhere_leaves_one_alert_or_a_labelled_repeat() {
    for call in [Call::Get, Call::Put, Call::Append] {
        for nth in 1..=6 {
            for moment in [Moment::Before, Moment::After] {
                let (harness, lead) = with_alert().await;
                harness.faults.at(nth, call, moment, InjectedFault::Hang);
                let deliveries = harness.take_alerts().await;
                if harness.clock.run_for(Duration::ZERO, harness.notify.handle(&deliveries)).await.is_some() {
                    continue;
                }
                harness.faults.clear();
                harness.work_for(HOUR).await;
                let shown = harness.slack.shown();
                assert!((1..=2).contains(&shown.len()), "{call:?} {nth} {moment:?}");
                if let Some(second) = shown.get(1) {
                    assert!(second.mentions(REPEAT), "{call:?} {nth} {moment:?}");
                }
                assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified), "{call:?} {nth} {moment:?}");
                assert_eq!(harness.dead().await, [], "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_once_anywhere_doubles_nothing_unlabelled() {
    for call in [Call::Get, Call::Put, Call::Append] {
        for nth in 1..=6 {
            for moment in [Moment::Before, Moment::After] {
                let (harness, lead) = with_alert().await;
                harness.faults.at(nth, call, moment, storage_failed());
                harness.work_for(HOUR).await;
                let shown = harness.slack.shown();
                let labelled = shown.get(1).is_none_or(|second| second.mentions(REPEAT));
                assert!(!shown.is_empty() && labelled, "{call:?} {nth} {moment:?}: {}", shown.len());
                assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified), "{call:?} {nth} {moment:?}");
                assert_eq!(harness.dead().await, [], "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_for_hours_uses_up_no_alert() {
    let (harness, lead) = with_alert().await;
    let receives = harness.memory.rules(Queue::Notification).max_receives;
    // Each time the receipt is read, the pace, or the lead.
    for nth in 1..receives * 2 {
        harness.faults.at(nth, Call::Get, Moment::Before, storage_failed());
    }
    harness.work_for(HOUR * 12).await;
    assert_eq!((harness.shown(&lead), harness.dead_codes().await), (0, vec![]), "the store is still away");
    harness.faults.clear();
    harness.work_for(MINUTE * 2).await;
    assert_eq!((harness.shown(&lead), harness.dead_codes().await), (1, vec![]));
}

#[tokio::test]
async fn a_store_that_fails_while_the_receipt_is_completed_gets_several_chances() {
    let (harness, lead) = with_alert().await;
    // The first writes are the pace and the claim.
    for nth in 3..=5 {
        harness.faults.at(nth, Call::Put, Moment::Before, storage_failed());
    }
    harness.work_for(HOUR).await;
    assert_eq!(harness.slack.posted().len(), 1);
    assert_eq!(notified(&harness, &lead).await, [(AlertKind::New, 1, false, 1)]);
}

#[tokio::test]
async fn a_store_that_keeps_failing_while_the_receipt_is_completed_makes_a_labelled_repeat() {
    let (harness, lead) = with_alert().await;
    for nth in 3..=6 {
        harness.faults.at(nth, Call::Put, Moment::Before, storage_failed());
    }
    harness.work_for(HOUR).await;
    let shown = harness.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions(REPEAT) && shown[1].at >= shown[0].at + claim());
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified));
}

#[tokio::test]
async fn however_often_the_message_comes_it_is_one_alert() {
    let (harness, lead) = with_alert().await;
    let job = first_alert(&lead);
    for _ in 0..4 {
        harness.queue_alert(&job).await;
    }
    harness.work_for(HOUR).await;
    harness.queue_alert(&job).await;
    harness.work_for(HOUR).await;
    assert_eq!(harness.slack.posted().len(), 1);
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Notified));
}

#[tokio::test]
async fn workers_that_race_for_one_alert_send_it_once() {
    let (harness, _) = with_alert().await;
    harness.slack.takes(SECOND);
    let deliveries = harness.take_alerts().await;
    let workers = join_all((0..4).map(|_| harness.notify.handle(&deliveries)));
    let dispositions = harness.clock.run(workers).await.concat();
    assert_eq!(harness.slack.posted().len(), 1);
    let done = dispositions.iter().filter(|disposition| **disposition == Disposition::Done).count();
    assert!(done >= 1, "{dispositions:?}");
    for disposition in dispositions.iter().filter(|disposition| **disposition != Disposition::Done) {
        let Disposition::Retry(wait) = disposition else { panic!("{disposition:?}") };
        assert!(*wait <= claim(), "the others look again when the claim is over");
    }
}

#[tokio::test]
async fn a_worker_that_was_frozen_until_its_claim_expired_sends_nothing() {
    let (harness, lead) = with_alert().await;
    let deliveries = harness.take_alerts().await;
    // The lead is read after the claim: the second object that is read.
    harness.faults.at(2, Call::Get, Moment::Before, InjectedFault::Slow(MINUTE * 2));
    let (slow, quick) = overtaken(&harness, &deliveries).await;
    assert_eq!((quick, slow), (vec![Disposition::Done], vec![Disposition::Retry(Duration::ZERO)]));
    assert_eq!((harness.shown(&lead), harness.slack.posted().len()), (1, 1));
    assert_eq!(harness.receipt(&lead).await.unwrap().state, ReceiptState::Sent);
}

#[tokio::test]
async fn a_claim_that_has_almost_expired_is_released_and_the_alert_is_no_repeat() {
    let (harness, lead) = with_alert().await;
    harness.faults.at(2, Call::Get, Moment::Before, InjectedFault::Slow(SECOND * 40));
    harness.notify_ready().await;
    assert_eq!(harness.slack.posted(), []);
    harness.work_for(MINUTE * 3).await;
    assert_eq!(harness.shown(&lead), 1);
    assert!(!harness.slack.posted()[0].mentions(REPEAT), "nothing was sent before");
}

/// How long a claim on an alert for Slack lasts.
fn claim() -> Duration {
    claim_for(Duration::from_secs(20))
}
