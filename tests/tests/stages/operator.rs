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
    faulty::{Call, Moment, Strike},
    world::World,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A world with dead letters of so many leads, and a Slack that works again.
async fn with_dead(count: usize) -> (World, Vec<LeadId>) {
    let world = World::with(Settings { rechecks: 0, ..Settings::default() });
    world.slack.rule(|_| Some(Reply::status(404, "no_service")));
    let leads = world.enrich_many(count).await;
    world.work_for(MINUTE * 10).await;
    assert_eq!(world.dead().await.len(), count);
    world.slack.recover();
    (world, leads)
}

async fn ended(world: &World, lead: &LeadId) -> Option<Ended> {
    Some(world.progress(lead).await.unwrap().ended?.0)
}

async fn redrive(world: &World, letter: &DeadLetter) -> Result<(), Fault> {
    world.ops.actions().unwrap().redrive(letter, Body::AsIs).await
}

#[tokio::test]
async fn a_redriven_alert_is_told_once_and_says_who_redrove_it() {
    let (world, leads) = with_dead(1).await;
    let letter = world.dead().await.remove(0);
    redrive(&world, &letter).await.unwrap();
    let again = redrive(&world, &letter).await.unwrap_err();
    assert_eq!(again.code, Code::NoSuchDeadLetter);
    world.work_for(MINUTE).await;
    assert_eq!((world.shown(&leads[0]), world.dead().await.len()), (1, 0));
    let stages = world.stages(&leads[0]).await;
    assert_eq!(stages, [Stage::Received, Stage::Enriched, Stage::Dead, Stage::Redriven, Stage::Notified]);
    assert_eq!(ended(&world, &leads[0]).await, Some(Ended::Notified));
}

#[tokio::test]
async fn a_lead_told_before_the_redrive_is_written_down_has_ended() {
    // The message is in its queue at once; the worker can be quicker than the operator's journal entry.
    let (world, leads) = with_dead(1).await;
    let letter = world.dead().await.remove(0);
    world.weather.at(1, Call::Redrive, Moment::After, Strike::Slow(SECOND * 5));
    let worker = async {
        world.clock.advance(SECOND);
        let alerts = world.take_alerts().await;
        let dispositions = world.notify.handle(&alerts).await;
        for (alert, disposition) in alerts.iter().zip(dispositions) {
            world.memory.settle(Queue::Notification, alert, disposition).await.unwrap();
        }
    };
    let (redriven, ()) = world.clock.run(join(redrive(&world, &letter), worker)).await;
    redriven.unwrap();
    assert_eq!(world.shown(&leads[0]), 1);
    assert_eq!(ended(&world, &leads[0]).await, Some(Ended::Notified));
}

#[tokio::test]
async fn a_redrive_that_is_stopped_anywhere_goes_on_where_it_was() {
    for (nth, call, moment) in [
        (3, Call::Redrive, Moment::Before),
        (3, Call::Redrive, Moment::After),
        (3, Call::Append, Moment::Before),
        (3, Call::Append, Moment::After),
    ] {
        let (world, leads) = with_dead(6).await;
        let actions = world.ops.actions().unwrap();
        world.weather.at(nth, call, moment, Strike::Hang);
        let all = actions.redrive_all(world.dead().await, Some(2.0), |_| ControlFlow::Continue(()));
        assert_eq!(world.clock.run_for(MINUTE, all).await, None, "the operator's process is killed");
        world.weather.clear();
        let (left, queued) =
            (world.dead().await.len(), world.memory.depth(Queue::Notification).await.unwrap().ready);
        assert_eq!(left + usize::try_from(queued).unwrap(), 6, "each is in the queue or a dead letter");
        world.redrive_all().await;
        world.work_for(MINUTE).await;
        for lead in &leads {
            assert_eq!(world.shown(lead), 1, "{call:?} {moment:?}");
            assert_eq!(ended(&world, lead).await, Some(Ended::Notified), "{call:?} {moment:?}");
        }
        assert_eq!(world.dead().await, []);
    }
}

#[tokio::test]
async fn redriving_many_keeps_its_rate_and_can_be_stopped() {
    let (world, _) = with_dead(6).await;
    let actions = world.ops.actions().unwrap();
    let started_at = world.clock.elapsed();
    let mut done = 0;
    let all = actions.redrive_all(world.dead().await, Some(2.0), |redriven| {
        redriven.result.unwrap();
        done += 1;
        if done == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    world.clock.run(all).await;
    assert_eq!((done, world.dead().await.len()), (5, 1));
    assert_eq!(world.clock.elapsed() - started_at, SECOND * 2, "four pauses of half a second");
}

#[tokio::test]
async fn a_flood_of_redriven_alerts_does_not_flood_slack() {
    let (world, leads) = with_dead(40).await;
    let before = world.slack.posted().len();
    world.redrive_all().await;
    let started_at = world.clock.elapsed();
    world.work_for(MINUTE * 5).await;
    for lead in &leads {
        assert_eq!(world.shown(lead), 1);
    }
    for (posted, number) in world.slack.posted()[before..].iter().zip(0u32..) {
        let earliest = SECOND * number.saturating_sub(tests::world::BURST - 1);
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
        let (world, _) = with_dead(1).await;
        let (letter, body) = {
            let letter = world.dead().await.remove(0);
            world.ops.dead_letters.get(&letter.id).await.unwrap().unwrap()
        };
        world.weather.at(1, call, moment, Strike::Hang);
        let actions = world.ops.actions().unwrap();
        assert!(world.clock.run_for(SECOND, actions.delete(&letter.id)).await.is_none());
        world.weather.clear();
        let copies = world.memory.list("deleted/", None, 10).await.unwrap();
        let is_dead = !world.dead().await.is_empty();
        assert!(is_dead || !copies.is_empty(), "{call:?} {moment:?}");
        if is_dead {
            actions.delete(&letter.id).await.unwrap();
        }
        let copies = world.memory.list("deleted/", None, 10).await.unwrap();
        let copy = Objects::get(&world.memory, &copies[0]).await.unwrap().unwrap();
        let copy: serde_json::Value = serde_json::from_slice(&copy.body).unwrap();
        assert_eq!((copies.len(), copy["body"].as_str()), (1, Some(body.as_str())));
        assert_eq!(world.dead().await, []);
        let (deleted, count) = world.ops.deleted(10).await.unwrap();
        let [row] = deleted.as_slice() else { panic!("{deleted:?}") };
        assert_eq!((&row.dead_letter, &row.body, count), (&letter, &body, 1));
        assert_eq!((&row.deleted_by, row.display_name.is_some()), (&world.ops.operator, true));
    }
}

#[tokio::test]
async fn copies_of_another_form_are_counted_and_left_out_and_the_latest_come_first() {
    let (world, _) = with_dead(3).await;
    for letter in world.dead().await {
        world.clock.advance(SECOND);
        world.ops.actions().unwrap().delete(&letter.id).await.unwrap();
    }
    let odd = bytes::Bytes::from_static(b"{\"dead_letter\": 7}");
    Objects::put(&world.memory, "deleted/0.json", odd, pipeline::ports::WriteCondition::Always)
        .await
        .unwrap();
    let (rows, count) = world.ops.deleted(2).await.unwrap();
    assert_eq!((rows.len(), count), (2, 4));
    assert!(rows[0].deleted_at > rows[1].deleted_at);
}

#[tokio::test]
async fn requeueing_a_waiting_lead_tells_it_once() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.ops.actions().unwrap().requeue(&lead).await.unwrap();
    world.work_for(MINUTE).await;
    assert_eq!(world.shown(&lead), 1, "an operator may be early on purpose");
    world.work_for(world.settings.delay * 2).await;
    assert_eq!(world.shown(&lead), 1);
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
    let mut world = World::new();
    world.owners.assign(&"lead_Other".parse().unwrap(), "Sales North");
    let other = world.enrich("Other").await;
    world.process.owners = Arc::new(TenOwners);
    let lead = world.enrich("Harbour").await;
    let found = async |query: LeadQuery| {
        let rows = world.ops.leads(&query).await.unwrap();
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
