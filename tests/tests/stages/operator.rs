//! What an operator does while the stages work: nothing is lost or doubled, and the journal stays true.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use async_trait::async_trait;
use close::CreatedLead;
use futures_util::future::join;
use lead::{LeadId, Owner, OwnerFacts, OwnerStatus};
use ops::LeadQuery;
use pipeline::{
    Code, Ended, Fault, Settings, Stage,
    ports::{Body, DeadLetter, Inbox, LookupOptions, LookupOutcome, Objects, Owners, Queue},
};
use tests::{
    doubles::Reply,
    faulty::{Call, InjectedFault, Moment},
    harness::Harness,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A harness with dead letters of so many leads, and a Slack that works again.
async fn with_dead(count: usize) -> (Harness, Vec<LeadId>) {
    let harness = Harness::with(Settings { rechecks: 0, ..Settings::default() });
    harness.slack.rule(|_| Some(Reply::status(404, "no_service")));
    let leads = harness.enrich_many(count).await;
    harness.work_for(MINUTE * 10).await;
    assert_eq!(harness.dead().await.len(), count);
    harness.slack.recover();
    (harness, leads)
}

async fn ended(harness: &Harness, lead: &LeadId) -> Option<Ended> {
    Some(harness.progress(lead).await.unwrap().ended?.0)
}

async fn redrive(harness: &Harness, letter: &DeadLetter) -> Result<(), Fault> {
    harness.ops.actions().unwrap().redrive(letter, Body::AsIs).await
}

#[tokio::test]
async fn a_redriven_alert_is_sent_once_and_says_who_redrove_it() {
    let (harness, leads) = with_dead(1).await;
    let letter = harness.dead().await.remove(0);
    redrive(&harness, &letter).await.unwrap();
    let again = redrive(&harness, &letter).await.unwrap_err();
    assert_eq!(again.code, Code::NoSuchDeadLetter);
    harness.work_for(MINUTE).await;
    assert_eq!((harness.shown(&leads[0]), harness.dead().await.len()), (1, 0));
    let stages = harness.stages(&leads[0]).await;
    assert_eq!(stages, [Stage::Received, Stage::Enriched, Stage::Dead, Stage::Redriven, Stage::Notified]);
    assert_eq!(ended(&harness, &leads[0]).await, Some(Ended::Notified));
}

#[tokio::test]
async fn a_lead_notified_before_the_redrive_is_recorded_has_ended() {
    // The message is in its queue at once; the worker can be quicker than the operator's journal entry.
    let (harness, leads) = with_dead(1).await;
    let letter = harness.dead().await.remove(0);
    harness.faults.at(1, Call::Redrive, Moment::After, InjectedFault::Slow(SECOND * 5));
    let worker = async {
        harness.clock.advance(SECOND);
        let alerts = harness.take_alerts().await;
        let dispositions = harness.notify.handle(&alerts).await;
        for (alert, disposition) in alerts.iter().zip(dispositions) {
            harness.memory.settle(Queue::Notification, alert, disposition).await.unwrap();
        }
    };
    let (redriven, ()) = harness.clock.run(join(redrive(&harness, &letter), worker)).await;
    redriven.unwrap();
    assert_eq!(harness.shown(&leads[0]), 1);
    assert_eq!(ended(&harness, &leads[0]).await, Some(Ended::Notified));
}

#[tokio::test]
async fn a_redrive_that_is_stopped_anywhere_goes_on_where_it_was() {
    for (nth, call, moment) in [
        (3, Call::Redrive, Moment::Before),
        (3, Call::Redrive, Moment::After),
        (3, Call::Append, Moment::Before),
        (3, Call::Append, Moment::After),
    ] {
        let (harness, leads) = with_dead(6).await;
        let actions = harness.ops.actions().unwrap();
        harness.faults.at(nth, call, moment, InjectedFault::Hang);
        let all = actions.redrive_all(harness.dead().await, Some(2.0), |_| ControlFlow::Continue(()));
        assert_eq!(harness.clock.run_for(MINUTE, all).await, None, "the operator's process is killed");
        harness.faults.clear();
        let (left, queued) =
            (harness.dead().await.len(), harness.memory.depth(Queue::Notification).await.unwrap().ready);
        assert_eq!(left + usize::try_from(queued).unwrap(), 6, "each is in the queue or a dead letter");
        harness.redrive_all().await;
        harness.work_for(MINUTE).await;
        for lead in &leads {
            assert_eq!(harness.shown(lead), 1, "{call:?} {moment:?}");
            assert_eq!(ended(&harness, lead).await, Some(Ended::Notified), "{call:?} {moment:?}");
        }
        assert_eq!(harness.dead().await, []);
    }
}

#[tokio::test]
async fn redriving_many_keeps_its_rate_and_can_be_stopped() {
    let (harness, _) = with_dead(6).await;
    let actions = harness.ops.actions().unwrap();
    let started_at = harness.clock.elapsed();
    let mut done = 0;
    let all = actions.redrive_all(harness.dead().await, Some(2.0), |redriven| {
        redriven.result.unwrap();
        done += 1;
        if done == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    harness.clock.run(all).await;
    assert_eq!((done, harness.dead().await.len()), (5, 1));
    assert_eq!(harness.clock.elapsed() - started_at, SECOND * 2, "four pauses of half a second");
}

#[tokio::test]
async fn a_flood_of_redriven_alerts_does_not_flood_slack() {
    let (harness, leads) = with_dead(40).await;
    let before = harness.slack.posted().len();
    harness.redrive_all().await;
    let started_at = harness.clock.elapsed();
    harness.work_for(MINUTE * 5).await;
    for lead in &leads {
        assert_eq!(harness.shown(lead), 1);
    }
    for (posted, number) in harness.slack.posted()[before..].iter().zip(0u32..) {
        let earliest = SECOND * number.saturating_sub(tests::harness::BURST - 1);
        assert!(posted.at - started_at >= earliest, "message {number} at {:?}", posted.at);
    }
}

#[tokio::test]
async fn deleting_keeps_a_copy_wherever_it_is_stopped() {
    for (call, moment) in [
        (Call::Put, Moment::Before),
        (Call::Put, Moment::After),
        (Call::Delete, Moment::Before),
        (Call::Delete, Moment::After),
        (Call::Append, Moment::Before),
    ] {
        let (harness, _) = with_dead(1).await;
        let (letter, body) = {
            let letter = harness.dead().await.remove(0);
            harness.ops.dead_letters.get(&letter.id).await.unwrap().unwrap()
        };
        harness.faults.at(1, call, moment, InjectedFault::Hang);
        let actions = harness.ops.actions().unwrap();
        assert!(harness.clock.run_for(SECOND, actions.delete(&letter.id)).await.is_none());
        harness.faults.clear();
        let copies = harness.memory.list("deleted/", None, 10).await.unwrap();
        let is_dead = !harness.dead().await.is_empty();
        assert!(is_dead || !copies.is_empty(), "{call:?} {moment:?}");
        if is_dead {
            actions.delete(&letter.id).await.unwrap();
        }
        let copies = harness.memory.list("deleted/", None, 10).await.unwrap();
        let copy = Objects::get(&harness.memory, &copies[0]).await.unwrap().unwrap();
        let copy: serde_json::Value = serde_json::from_slice(&copy.body).unwrap();
        assert_eq!((copies.len(), copy["body"].as_str()), (1, Some(body.as_str())));
        assert_eq!(harness.dead().await, []);
        let (deleted, count) = harness.ops.deleted(10).await.unwrap();
        let [row] = deleted.as_slice() else { panic!("{deleted:?}") };
        assert_eq!((&row.dead_letter, &row.body, count), (&letter, &body, 1));
        assert_eq!((&row.deleted_by, row.display_name.is_some()), (&harness.ops.operator, true));
    }
}

#[tokio::test]
async fn copies_of_another_form_are_counted_and_left_out_and_the_latest_come_first() {
    let (harness, _) = with_dead(3).await;
    for letter in harness.dead().await {
        harness.clock.advance(SECOND);
        harness.ops.actions().unwrap().delete(&letter.id).await.unwrap();
    }
    let odd = bytes::Bytes::from_static(b"{\"dead_letter\": 7}");
    Objects::put(&harness.memory, "deleted/0.json", odd, pipeline::ports::WriteCondition::Always)
        .await
        .unwrap();
    let (rows, count) = harness.ops.deleted(2).await.unwrap();
    assert_eq!((rows.len(), count), (2, 4));
    assert!(rows[0].deleted_at > rows[1].deleted_at);
}

#[tokio::test]
async fn requeueing_a_waiting_lead_sends_one_alert() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!(harness.shown(&lead), 1, "an operator may be early on purpose");
    harness.work_for(harness.settings.delay * 2).await;
    assert_eq!(harness.shown(&lead), 1);
}

/// Every lead has ten owners, of whom all but the last have left.
struct TenOwners;

#[async_trait]
impl Owners for TenOwners {
    async fn find(&self, _: &CreatedLead, _: LookupOptions) -> LookupOutcome {
        let name = |number: u32| format!("Desk {number} of the sales office in Rotterdam");
        let owner = |number| Owner { id: None, name: name(number), active: number == 10, unknown: false };
        let facts = OwnerFacts {
            lead_owner: Some(name(10)),
            owners: (1..=10).map(owner).collect(),
            ..OwnerFacts::none(OwnerStatus::Assigned)
        };
        LookupOutcome::of(facts, None)
    }
}

#[tokio::test]
async fn leads_are_found_by_each_of_their_owners_however_many_there_are() {
    let mut harness = Harness::new();
    harness.owners.assign(&"lead_Other".parse().unwrap(), "Sales North");
    let other = harness.enrich("Other").await;
    harness.process.owners = Arc::new(TenOwners);
    let lead = harness.enrich("Harbour").await;
    let found = async |query: LeadQuery| {
        let rows = harness.ops.leads(&query).await.unwrap();
        rows.into_iter().map(|row| row.lead.lead_id).collect::<Vec<_>>()
    };
    for owner in ["desk 10 of", "Desk 1 of", "DESK 9 OF", "departed"] {
        let by_owner = LeadQuery { owner: Some(owner.to_owned()), ..LeadQuery::default() };
        assert_eq!(found(by_owner).await, std::slice::from_ref(&lead), "{owner}");
        let by_text = LeadQuery { text: Some(owner.to_owned()), ..LeadQuery::default() };
        assert_eq!(found(by_text).await, std::slice::from_ref(&lead), "{owner}");
    }
    let nobody = LeadQuery { owner: Some("desk 11".to_owned()), ..LeadQuery::default() };
    assert!(found(nobody).await.is_empty());
    assert_eq!(found(LeadQuery::default()).await, [lead, other]);
}
