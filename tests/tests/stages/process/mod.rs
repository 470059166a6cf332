//! Looking owners up: when, how often, and what becomes of the lead whatever the directory says.

mod broken;
mod documents;
mod faults;
mod follow_ups;
mod fruitless_lookups;
mod late_owners;
mod sources;

use std::time::Duration;

use lead::{OwnerStatus, keys};
use pipeline::{
    Code, Ended, Fault, Settings, Stage,
    ports::{Inbox, MAX_DELAY, Objects, Queue, WriteCondition},
};
use tests::{
    destinations::{EMAIL, SLACK},
    faulty::InjectedFault,
    harness::Harness,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn storage_failed() -> InjectedFault {
    InjectedFault::Fail(Fault::new(Code::StorageFailed, "the disk is broken"))
}

#[tokio::test]
async fn a_lead_is_announced_with_its_owner_when_its_delay_is_over_and_not_before() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(harness.settings.delay - TICK).await;
    assert_eq!((harness.owners.asked(&lead), harness.slack.posted().len()), (0, 0));
    harness.work_for(TICK).await;
    assert_eq!(harness.shown(&lead), 1);
    assert!(harness.slack.posted()[0].mentions("Sales North"));
    let enriched = harness.enriched(&lead).await.unwrap();
    assert_eq!((enriched.lead_owner.as_str(), enriched.owner_status), ("Sales North", OwnerStatus::Assigned));
    assert_eq!((enriched.lead_email.as_str(), enriched.funnel.as_str()), ("lead@example.org", "Trade fair"));
    assert_eq!(enriched.event_id.as_deref(), Some("ev_lead_a"));
    assert_eq!(harness.stages(&lead).await, [Stage::Received, Stage::Enriched, Stage::Notified]);
    assert!(matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))));
    harness.work_for(DAY * 2).await;
    assert_eq!((harness.owners.asked(&lead), harness.slack.posted().len()), (1, 1));
}

#[tokio::test]
async fn a_clock_that_steps_back_makes_no_lead_early() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let due_at = harness.now() + harness.settings.delay;
    harness.clock.advance(harness.settings.delay);
    // Received when due; by the time that it is handled, the clock has been set back.
    let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
    let [delivery] = deliveries.as_slice() else { panic!("the lead should be due") };
    harness.clock.step_back(Duration::from_secs(3_600));
    let disposition = harness.process.handle(delivery).await;
    harness.memory.settle(Queue::Delay, delivery, disposition).await.unwrap();

    let left = Duration::try_from(due_at.duration_since(harness.now())).unwrap();
    assert!(left > MAX_DELAY, "more than one message can wait");
    harness.work_for(left - TICK).await;
    assert_eq!(harness.owners.asked(&lead), 0);
    harness.work_for(TICK).await;
    assert_eq!((harness.owners.asked(&lead), harness.shown(&lead)), (1, 1));
}

#[tokio::test]
async fn a_wait_of_a_stepped_clock_uses_up_no_attempt() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.clock.step_back(DAY);
    harness.work_for(DAY + harness.settings.delay).await;
    assert_eq!((harness.shown(&lead), harness.dead().await.len()), (1, 0));
    assert_eq!(harness.retries(&lead).await, []);
}

#[tokio::test]
async fn a_bad_lead_does_not_hold_up_the_others() {
    let harness = Harness::new();
    let leads = [harness.accept("a").await, harness.accept("b").await, harness.accept("c").await];
    let key = keys::raw("source/", &leads[1]);
    harness.memory.put(&key, "junk".into(), WriteCondition::Always).await.unwrap();
    harness.work_for(harness.settings.delay + SECOND * 5).await;
    let shown: Vec<usize> = leads.iter().map(|lead| harness.shown(lead)).collect();
    assert_eq!((shown.as_slice(), harness.dead().await.len()), (&[1, 0, 1][..], 1));
}

#[tokio::test]
async fn each_destination_is_notified_once() {
    let settings = Settings { destinations: vec![SLACK, EMAIL], ..Settings::default() };
    let harness = Harness::with(settings);
    let lead = harness.accept("a").await;
    harness.work_for(DAY).await;
    assert_eq!((harness.shown(&lead), harness.mailer.tried().len()), (1, 1));
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(DAY).await;
    assert_eq!((harness.shown(&lead), harness.mailer.tried().len()), (2, 2), "and once of the owner");
}

#[tokio::test]
async fn a_delay_of_zero_is_a_lead_at_once() {
    let harness = Harness::with(Settings { delay: Duration::ZERO, ..Settings::default() });
    let lead = harness.accept("a").await;
    harness.work_for(Duration::ZERO).await;
    assert_eq!(harness.shown(&lead), 1);
}
