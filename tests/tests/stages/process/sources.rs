//! What a source of owners asks for: to be left alone, or to be asked again.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use close::CreatedLead;
use lead::{OwnerFacts, OwnerStatus};
use pipeline::{
    Code, Fault, JournalEvent,
    ports::{LookupOptions, LookupOutcome, NextLookup, Owners},
};
use tests::harness::Harness;

use super::{MINUTE, SECOND};

/// A source that says these, one after the other, and the last one for ever.
struct ScriptedSource(Mutex<Vec<LookupOutcome>>);

#[async_trait]
impl Owners for ScriptedSource {
    async fn find(&self, _: &CreatedLead, _: LookupOptions) -> LookupOutcome {
        let mut answers = self.0.lock().unwrap();
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    }
}

fn answers(outcomes: impl IntoIterator<Item = LookupOutcome>) -> Harness {
    let mut harness = Harness::new();
    harness.process.owners = Arc::new(ScriptedSource(Mutex::new(outcomes.into_iter().collect())));
    harness
}

fn busy(wait: Duration) -> LookupOutcome {
    LookupOutcome::failed(Code::CloseBusy, "it has to wait", NextLookup::Wait(wait))
}

fn named(owner: &str) -> LookupOutcome {
    LookupOutcome::of(
        OwnerFacts { lead_owner: Some(owner.to_owned()), ..OwnerFacts::none(OwnerStatus::Assigned) },
        None,
    )
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_no_attempt_and_stands_in_the_history_once() {
    let failed = || LookupOutcome::failed(Code::CloseUnavailable, "502", NextLookup::Retry);
    let waits = (0..5).map(|_| busy(SECOND));
    let harness = answers([failed()].into_iter().chain(waits).chain([failed(), named("Sales North")]));
    let lead = harness.accept("a").await;
    harness.work_for(harness.settings.delay + 5 * MINUTE).await;
    let enriched = harness.enriched(&lead).await.unwrap();
    assert_eq!((enriched.owner_status, enriched.lead_owner.as_str()), (OwnerStatus::Assigned, "Sales North"));
    assert_eq!(harness.shown(&lead), 1);
    let retries: Vec<(Code, u32)> =
        harness.retries(&lead).await.into_iter().map(|(code, attempt, _)| (code, attempt)).collect();
    let expected = [(Code::CloseUnavailable, 1), (Code::CloseBusy, 2), (Code::CloseUnavailable, 2)];
    assert_eq!(retries, expected);
}

#[tokio::test]
async fn no_alert_waits_for_long_because_a_source_asks_to() {
    for (wait, longest) in [(SECOND / 10, 5), (20 * SECOND, 5), (44 * SECOND, 9), (120 * SECOND, 6)] {
        let harness = answers([busy(wait)]);
        let lead = harness.accept("a").await;
        harness.work_for(harness.settings.delay + longest * MINUTE).await;
        assert_eq!(harness.shown(&lead), 1, "{wait:?}");
        assert_eq!(harness.enriched(&lead).await.unwrap().owner_status, OwnerStatus::LookupFailed);
        assert_eq!(harness.dead().await, []);
    }
}

#[tokio::test]
async fn a_look_up_that_finds_nothing_newer_says_so_and_why() {
    let gone = LookupOutcome::failed(Code::CloseLeadHidden, "it answers 404", NextLookup::Done);
    let none = LookupOutcome::of(
        OwnerFacts::none(OwnerStatus::Missing),
        Some(Fault::new(Code::OwnerMissing, "the owner field is empty")),
    );
    let harness = answers([named("Sales North"), gone, none]);
    let lead = harness.accept("a").await;
    harness.work_for(harness.settings.delay + MINUTE).await;
    for _ in 0..2 {
        harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
        harness.work_for(MINUTE).await;
    }
    assert_eq!(harness.enriched(&lead).await.unwrap().lead_owner, "Sales North");
    assert_eq!(harness.shown(&lead), 1);
    let story = harness.story(&lead).await;
    let enriched = story.iter().filter(|entry| matches!(entry.event, JournalEvent::Enriched { .. }));
    let details: Vec<String> = enriched.map(|entry| entry.detail()).collect();
    assert_eq!(
        details,
        [
            "Name of lead_a, owner Sales North",
            "Name of lead_a, owner Sales North as before: it answers 404 (LO133)",
            "Name of lead_a, owner Sales North as before (LO121)",
        ]
    );
}
