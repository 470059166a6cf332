//! Whether look-ups find anything at all: the warning comes where nothing is ever found, and never where something
//! was within a day.

use lead::{LeadId, OwnerStatus};
use ops::FruitlessLookups;
use pipeline::{Code, Settings};
use serde_json::json;
use tests::{doubles::ScriptedOwners, harness::Harness};

use super::{MINUTE, *};

/// Accepts so many leads, one every so many minutes, and lets all be processed.
async fn come(harness: &Harness, name: &str, count: usize, every: Duration) -> Vec<LeadId> {
    let mut leads = Vec::new();
    for number in 0..count {
        leads.push(harness.accept(&format!("{name}{number}")).await);
        harness.work_for(every).await;
    }
    harness.work_for(harness.settings.delay).await;
    leads
}

/// A harness whose leads are looked up once.
fn once() -> Harness {
    Harness::with(Settings { rechecks: 0, ..Settings::default() })
}

async fn warning(harness: &Harness) -> Option<FruitlessLookups> {
    let warning = harness.ops.fruitless_lookups().await.unwrap();
    assert_eq!(harness.ops.health().await.unwrap().fruitless_lookups, warning);
    warning
}

#[tokio::test]
async fn twenty_within_three_hours_or_more_that_found_nothing_are_a_warning() {
    let harness = once();
    assert_eq!(warning(&harness).await, None);
    come(&harness, "a", 19, MINUTE * 20).await;
    assert_eq!(warning(&harness).await, None, "nineteen");
    let since = harness.now();
    come(&harness, "b", 1, MINUTE).await;
    let found = warning(&harness).await.unwrap();
    assert_eq!((found.count, found.code), (20, Code::OwnersNeverFound));
    assert!(found.since < since - jiff::SignedDuration::from_hours(6));
    come(&harness, "c", 5, MINUTE).await;
    assert_eq!(warning(&harness).await.unwrap().count, 25, "all that found nothing are counted");
}

#[tokio::test]
async fn leads_that_come_all_at_once_are_given_three_hours() {
    let harness = once();
    come(&harness, "a", 40, Duration::ZERO).await;
    assert_eq!(warning(&harness).await, None);
    harness.work_for(MINUTE * 179).await;
    assert_eq!(warning(&harness).await, None);
    harness.work_for(MINUTE * 2).await;
    assert_eq!(warning(&harness).await.map(|found| found.count), Some(40));
    harness.work_for(DAY).await;
    let count = warning(&harness).await.map(|found| found.count);
    assert_eq!(count, Some(20), "the last twenty, whenever they were");
}

#[tokio::test]
async fn one_that_found_something_within_a_day_is_enough() {
    for (name, document) in [
        ("an owner", json!({"lead_owner": "Sales North"})),
        ("a document that names nobody", json!({"lead_id": "lead_first0", "lead_owner": null})),
    ] {
        let harness = once();
        harness
            .owners
            .script(&"lead_first0".parse().unwrap(), [ScriptedOwners::answer(200, document.to_string())]);
        come(&harness, "first", 1, MINUTE).await;
        // More than one page of the journal ago.
        come(&harness, "a", 250, MINUTE * 5).await;
        assert_eq!(warning(&harness).await, None, "{name}");
        harness.work_for(MINUTE * 60 * 4).await;
        assert_eq!(warning(&harness).await.map(|found| found.count > 200), Some(true), "{name}, a day ago");
    }
}

#[tokio::test]
async fn one_that_was_looked_up_again_and_found_counts_as_found() {
    let harness = Harness::new();
    let leads = come(&harness, "a", 30, MINUTE * 10).await;
    assert!(warning(&harness).await.is_some());
    harness.owners.assign(&leads[20], "Sales North");
    harness.work_for(MINUTE * 60 * 5).await;
    assert_eq!(harness.enriched(&leads[20]).await.unwrap().owner_status, OwnerStatus::Assigned);
    assert_eq!(warning(&harness).await, None);
}

#[tokio::test]
async fn failures_and_documents_of_others_do_not_count_as_found() {
    for answer in [
        ScriptedOwners::answer(500, ""),
        ScriptedOwners::answer(403, "<html>Blocked</html>"),
        ScriptedOwners::answer(200, r#"{"lead_owner":["Dana Field"]}"#),
        ScriptedOwners::answer(200, r#"{"lead_id":"lead_other","lead_owner":"Dana Field"}"#),
        ScriptedOwners::answer(200, r#"{"lead_owner":null}"#),
    ] {
        let harness = once();
        for number in 0..20 {
            harness.owners.script(&format!("lead_a{number}").parse().unwrap(), [answer.clone()]);
        }
        come(&harness, "a", 20, MINUTE * 12).await;
        assert_eq!(warning(&harness).await.map(|found| found.count), Some(20), "{answer:?}");
    }
}

/// A lead that has an owner, and is looked up again in vain, proves nothing of today's directory.
#[tokio::test]
async fn an_owner_of_before_does_not_count_as_found() {
    let harness = once();
    let leads = harness.enrich_many(20).await;
    harness.work_for(DAY + MINUTE).await;
    for lead in &leads {
        harness.owners.script(lead, [ScriptedOwners::answer(403, "<html>Blocked</html>")]);
        harness.ops.actions().unwrap().requeue(lead).await.unwrap();
        harness.work_for(MINUTE * 10).await;
        assert_eq!(harness.enriched(lead).await.unwrap().lead_owner, "Sales North");
    }
    assert_eq!(warning(&harness).await.map(|found| found.count), Some(20));
}
