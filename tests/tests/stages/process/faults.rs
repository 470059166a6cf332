//! What is no failure of the lead: a store that is away, and a worker that has little time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lead::{LeadId, OwnerStatus};
use pipeline::{
    Code, Ended, JournalEvent, Settings, Stage,
    owners::Documents,
    ports::{Clock, Inbox, MAX_DELAY, OwnerAnswer, OwnerDirectory, OwnerUnreachable, Queue},
    store_retry::RETRY_FOR,
};
use tests::{clock::VirtualClock, doubles::ScriptedOwners, faulty::Call, harness::Harness};

use super::{MINUTE, SECOND, storage_failed};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Refuses whatever is written of enriched leads from now on.
fn refuse_enriched_leads(harness: &Harness) {
    harness.faults.rule(|call, key| (call == Call::Put && key.starts_with("target/")).then(storage_failed));
}

#[tokio::test]
async fn a_store_that_refuses_writes_for_an_hour_uses_up_no_attempt_of_a_lead() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    refuse_enriched_leads(&harness);
    harness.work_for(harness.settings.delay + HOUR).await;
    assert_eq!((harness.shown(&lead), harness.dead().await), (0, vec![]));
    let waits: Vec<u64> = harness.retries(&lead).await.iter().map(|(_, _, wait)| wait.as_secs()).collect();
    assert_eq!(waits, [20, 40, 80, 160, 320, 640, 900, 900, 900]);
    let reasons = retrying(&harness, &lead).await;
    let until = "tried again until 2026-09-15 15:13 UTC";
    assert!(reasons.iter().all(|reason| reason.contains(until)), "{reasons:?}");

    harness.faults.clear();
    harness.work_for(MAX_DELAY).await;
    assert_eq!((harness.shown(&lead), harness.dead().await), (1, vec![]));
    assert!(harness.slack.posted()[0].mentions("Sales North"));
}

/// The reasons of the attempts that were made again.
async fn retrying(harness: &Harness, lead: &LeadId) -> Vec<String> {
    let story = harness.story(lead).await.into_iter();
    let reasons = story.filter_map(|entry| match entry.event {
        JournalEvent::Retrying { reason, .. } => Some(reason),
        _ => None,
    });
    reasons.collect()
}

#[tokio::test]
async fn a_store_that_fails_for_longer_than_a_day_makes_a_dead_letter_that_can_be_redriven() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    refuse_enriched_leads(&harness);
    harness.work_for(harness.settings.delay + RETRY_FOR).await;
    assert_eq!(harness.dead().await, []);
    harness.work_for(MAX_DELAY).await;
    let dead = harness.dead().await;
    assert_eq!((dead.len(), dead[0].code), (1, Code::StorageFailed));
    assert!(dead[0].reason.contains("tried for 24 hours"), "{}", dead[0].reason);
    assert!(matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Dead, _))));

    // Put back while the store is still away, it has a day again.
    harness.redrive_all().await;
    harness.work_for(HOUR * 20).await;
    assert_eq!(harness.dead().await, []);
    harness.faults.clear();
    harness.work_for(MAX_DELAY).await;
    assert_eq!((harness.shown(&lead), harness.dead().await.len()), (1, 0));
}

#[tokio::test]
async fn what_a_store_did_leaves_the_look_ups_their_attempts_and_the_other_way_round() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.script(&lead, [ScriptedOwners::unreachable()]);
    // The raw event cannot be read for a while; then the directory is away as well.
    harness.faults.rule(|call, key| (call == Call::Get && key.starts_with("source/")).then(storage_failed));
    harness.work_for(harness.settings.delay + MINUTE * 5).await;
    assert_eq!(harness.owners.asked(&lead), 0);
    refuse_enriched_leads(&harness);
    harness.work_for(HOUR).await;
    assert!(harness.owners.asked(&lead) >= 3, "each further try ends at what cannot be written");
    harness.faults.clear();
    harness.work_for(MAX_DELAY).await;
    let codes: Vec<(Code, u32)> = harness
        .retries(&lead)
        .await
        .iter()
        .filter(|(code, ..)| *code == Code::OwnerLookupFailed)
        .map(|(code, attempt, _)| (*code, *attempt))
        .collect();
    assert_eq!(codes, [(Code::OwnerLookupFailed, 1), (Code::OwnerLookupFailed, 2)]);
    assert_eq!(harness.enriched(&lead).await.unwrap().owner_status, OwnerStatus::LookupFailed);
    assert_eq!((harness.shown(&lead), harness.dead().await), (1, vec![]));
}

#[tokio::test]
async fn an_owner_who_is_found_at_a_later_attempt_leaves_the_lead_due_when_it_was() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let document = ScriptedOwners::document(&lead, "Sales North");
    harness.owners.script(&lead, [ScriptedOwners::unreachable(), document]);
    harness.work_for(harness.settings.delay + MINUTE).await;
    let after = harness.story(&lead).await.into_iter().find_map(|entry| match entry.event {
        JournalEvent::Notified { after_ms, .. } => after_ms,
        _ => None,
    });
    assert!((1_000..3_000).contains(&after.unwrap()), "the pause is part of it: {after:?}");
}

/// A directory that takes its time.
struct SlowOwners {
    clock: Arc<VirtualClock>,
    takes: Duration,
    owners: Arc<ScriptedOwners>,
}

#[async_trait]
impl OwnerDirectory for SlowOwners {
    async fn fetch(&self, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable> {
        self.clock.sleep(self.takes).await;
        self.owners.fetch(lead).await
    }
}

/// Works on a lead whose owner is known, as a function that is stopped after so long would, whose directory
/// takes `takes` for each answer and whose store `store` for each call.
async fn with_little_time(time: Duration, takes: Duration, store: Duration) -> (Harness, LeadId) {
    let mut harness = Harness::with(Settings { rechecks: 0, ..Settings::default() });
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    let (clock, owners) = (harness.clock.clone(), harness.owners.clone());
    let directory = Arc::new(SlowOwners { clock: clock.clone(), takes, owners });
    harness.process.owners = Arc::new(Documents { directory, clock });
    if !store.is_zero() {
        harness.faults.rule(move |_, _| Some(tests::faulty::InjectedFault::Slow(store)));
    }
    harness.clock.advance(harness.settings.delay);
    for _ in 0..20 {
        let jobs = harness.memory.receive(Queue::Delay, 1).await.unwrap();
        for job in &jobs {
            let deadline = harness.now() + time;
            let work = harness.process.handle_until(job, Some(deadline));
            let outcome = harness.clock.run_for(time, work).await;
            let outcome = outcome.expect("the stage is done in time");
            harness.memory.settle(Queue::Delay, job, outcome).await.unwrap();
        }
        harness.clock.advance(SECOND * 10);
    }
    harness.faults.clear();
    harness.work_for(MINUTE).await;
    (harness, lead)
}

#[tokio::test]
async fn a_directory_that_is_slower_than_its_worker_can_wait_is_an_attempt_with_a_reason() {
    let (harness, lead) = with_little_time(SECOND * 3, SECOND * 32 / 10, Duration::ZERO).await;
    assert_eq!((harness.shown(&lead), harness.dead().await), (1, vec![]));
    assert_eq!(harness.enriched(&lead).await.unwrap().owner_status, OwnerStatus::LookupFailed);
    let reasons = retrying(&harness, &lead).await;
    assert_eq!(reasons.len(), 2, "and the third goes on without an owner: {reasons:?}");
    assert!(reasons.iter().all(|reason| reason.contains("none within 1.5 s")), "{reasons:?}");
}

#[tokio::test]
async fn a_slow_directory_is_waited_for_where_there_is_time() {
    let (harness, lead) = with_little_time(SECOND * 13, SECOND * 32 / 10, SECOND * 8 / 10).await;
    assert_eq!(harness.enriched(&lead).await.unwrap().lead_owner, "Sales North");
    let stages = harness.stages(&lead).await;
    assert_eq!(stages, [Stage::Received, Stage::Enriched, Stage::Notified]);
}

#[tokio::test]
async fn no_time_at_all_is_an_attempt_too() {
    let (harness, lead) = with_little_time(Duration::ZERO, SECOND, Duration::ZERO).await;
    assert_eq!((harness.shown(&lead), harness.dead().await), (1, vec![]));
}
