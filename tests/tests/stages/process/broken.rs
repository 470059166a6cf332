//! Crashes, a store that fails, raw events and jobs that are none.

use std::time::Duration;

use lead::{LeadId, keys};
use pipeline::{
    Code, Ended,
    ports::{Body, Inbox, Objects, Queue, WriteCondition},
};
use serde_json::json;
use tests::{
    faulty::{Call, InjectedFault, Moment},
    harness::Harness,
};

use super::{DAY, SECOND, TICK, storage_failed};

#[tokio::test]
async fn a_crash_at_any_step_of_processing_loses_and_doubles_nothing() {
    for (call, nths) in [(Call::Get, 4), (Call::Put, 3), (Call::Append, 2), (Call::Send, 3)] {
        for nth in 1..=nths {
            for moment in [Moment::Before, Moment::After] {
                let harness = Harness::new();
                let lead = harness.accept("a").await;
                harness.clock.advance(harness.settings.delay);
                let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
                harness.faults.at(nth, call, moment, InjectedFault::Hang);
                // The worker hangs there and is killed, or gets through where there is no such step.
                let _ = harness.clock.run_for(Duration::ZERO, harness.process.handle(&deliveries[0])).await;
                harness.faults.clear();
                harness.work_for(DAY * 3).await;
                assert_eq!(harness.shown(&lead), 1, "{call:?} {nth} {moment:?}");
                assert_eq!(harness.dead().await, [], "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_once_anywhere_is_worked_around() {
    for call in [Call::Get, Call::Put, Call::Append, Call::Send] {
        for nth in 1..=4 {
            let harness = Harness::new();
            let lead = harness.accept("a").await;
            harness.faults.at(nth, call, Moment::Before, storage_failed());
            harness.work_for(harness.settings.delay + Duration::from_secs(120)).await;
            assert_eq!(harness.shown(&lead), 1, "{call:?} {nth}");
            assert_eq!(harness.dead().await, [], "{call:?} {nth}");
            assert!(
                matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))),
                "{call:?} {nth}"
            );
        }
    }
}

/// Puts `body` where a lead's raw event was, and works until the lead is due.
async fn with_raw_event(body: &str) -> (Harness, LeadId) {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let key = keys::raw("source/", &lead);
    harness.memory.put(&key, body.to_owned().into(), WriteCondition::Always).await.unwrap();
    harness.work_for(harness.settings.delay).await;
    (harness, lead)
}

#[tokio::test]
async fn a_raw_event_that_is_not_ours_makes_a_dead_letter_at_once() {
    let other = String::from_utf8(Harness::event(&"lead_b".parse().unwrap())).unwrap();
    let updated = json!({"event": {"object_type": "lead", "action": "updated", "lead_id": "lead_a"}});
    for (body, code) in [
        ("\u{0}junk", Code::RawEventUnreadable),
        ("{}", Code::RawEventUnreadable),
        (&updated.to_string(), Code::RawEventUnreadable),
        (&other, Code::RawEventMismatch),
    ] {
        let (harness, lead) = with_raw_event(body).await;
        let dead = harness.dead().await;
        assert_eq!(dead.len(), 1, "{body:?}");
        assert_eq!((dead[0].queue, dead[0].code, dead[0].attempts), (Queue::Delay, code, 1));
        assert_eq!(dead[0].lead_id.as_ref(), Some(&lead));
        assert!(dead[0].reason.chars().all(|c| !c.is_control()), "{:?}", dead[0].reason);
        assert_eq!((harness.slack.posted().len(), harness.owners.asked(&lead)), (0, 0));
        assert!(matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Dead, _))));
    }
}

#[tokio::test]
async fn a_raw_event_that_is_gone_makes_a_dead_letter_and_restoring_it_helps() {
    let harness = Harness::new();
    let lead: LeadId = "lead_a".parse().unwrap();
    let job = json!({"lead_id": lead, "key": "source/crm_event_lead_a.json", "not_before": harness.now(), "cause": "arrival"});
    harness.send(Queue::Delay, &job.to_string()).await;
    harness.work_for(SECOND).await;
    assert_eq!(harness.dead_codes().await, [Code::RawEventGone]);
    let key = keys::raw("source/", &lead);
    harness.memory.put(&key, Harness::event(&lead).into(), WriteCondition::Always).await.unwrap();
    harness.redrive_all().await;
    harness.work_for(SECOND).await;
    assert_eq!((harness.shown(&lead), harness.dead().await.len()), (1, 0));
}

#[tokio::test]
async fn a_message_that_is_no_job_makes_a_dead_letter_that_an_edit_fixes() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    for body in ["", "junk", "{\"lead_id\":\"lead_a\"}", "{\"lead_id\":\"lead_../x\",\"key\":\"k\"}"] {
        harness.send(Queue::Delay, body).await;
        harness.work_for(TICK).await;
    }
    let dead = harness.dead().await;
    assert_eq!(harness.dead_codes().await, [Code::JobUnreadable; 4]);
    let named: Vec<_> = dead.iter().filter_map(|letter| letter.lead_id.clone()).collect();
    assert_eq!(named, std::slice::from_ref(&lead), "the lead is named where it can be read");
    let job = json!({"lead_id": lead, "key": "source/crm_event_lead_a.json", "not_before": harness.now(), "cause": "requeue"});
    harness.ops.actions().unwrap().redrive(&dead[0], Body::Edited(job.to_string())).await.unwrap();
    harness.work_for(SECOND).await;
    assert_eq!(harness.shown(&lead), 1);
}

#[tokio::test]
async fn a_key_in_a_job_reads_no_other_lead() {
    let harness = Harness::new();
    let (mine, other) = (harness.accept("a").await, harness.accept("b").await);
    let job = json!({"lead_id": mine, "key": keys::raw("source/", &other), "not_before": harness.now(), "cause": "arrival"});
    harness.send(Queue::Delay, &job.to_string()).await;
    harness.work_for(TICK).await;
    assert_eq!(harness.dead_codes().await, [Code::RawEventMismatch]);
}
