//! Owners who change: the last alert on each channel names the one that the lead has now.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use close::CreatedLead;
use futures_util::future::join;
use lead::{AlertKind, LeadId, OwnerFacts, OwnerStatus, keys};
use ops::Recipients;
use pipeline::{
    Settings, Stage,
    job::{AlertId, AlertJob},
    ports::{
        Clock, Disposition, Inbox, LookupOptions, LookupOutcome, Objects, Owners, Queue, WriteCondition,
    },
    receipt::ReceiptState,
};
use tests::{
    destinations::{EMAIL, SLACK},
    doubles::{Reply, ScriptedOwners},
    faulty::{Call, Moment, Strike},
    world::World,
};

use super::{DAY, MINUTE, SECOND, storage_failed};

const OWNERS: [&str; 3] = ["Sales North", "Sales South", "Sales West"];

/// A world in which a lead was announced with the first of the owners.
async fn announced() -> (World, LeadId) {
    let world = World::new();
    let lead = world.accept("a").await;
    world.owners.assign(&lead, OWNERS[0]);
    world.work_for(world.settings.delay).await;
    assert_eq!(named(&world, &lead), [OWNERS[0]]);
    (world, lead)
}

/// Names another owner and has the lead processed again. Nothing is done yet.
async fn change(world: &World, lead: &LeadId, owner: &str) {
    world.owners.assign(lead, owner);
    world.ops.actions().unwrap().requeue(lead).await.unwrap();
}

/// The owners that Slack's messages about a lead name, in their order.
fn named(world: &World, lead: &LeadId) -> Vec<&'static str> {
    let about = world.slack.shown().into_iter().filter(|posted| posted.mentions(lead.as_str()));
    about.map(|posted| OWNERS.into_iter().find(|owner| posted.mentions(owner)).unwrap()).collect()
}

#[tokio::test]
async fn each_change_of_the_owner_is_announced_once_also_one_back_to_an_earlier_owner() {
    let (world, lead) = announced().await;
    let [north, south, west] = OWNERS;
    let mut expected = vec![north];
    for owner in [south, north, south, west, north, west] {
        expected.push(owner);
        // Whoever asks again, and however often, learns of nothing new.
        for _ in 0..3 {
            change(&world, &lead, owner).await;
            world.work_for(SECOND * 10).await;
            assert_eq!(named(&world, &lead), expected);
        }
    }
    assert_eq!(world.dead().await, []);
}

#[tokio::test]
async fn each_channel_has_its_own_last_word() {
    let settings = Settings { destinations: vec![SLACK, EMAIL], ..Settings::default() };
    let world = World::with(settings);
    let lead = world.accept("a").await;
    world.owners.assign(&lead, OWNERS[0]);
    world.work_for(world.settings.delay).await;
    for (number, owner) in [OWNERS[1], OWNERS[0], OWNERS[1]].into_iter().enumerate() {
        change(&world, &lead, owner).await;
        world.work_for(MINUTE).await;
        assert_eq!((world.shown(&lead), world.mailer.tried().len()), (number + 2, number + 2), "{owner}");
    }
}

#[tokio::test]
async fn a_follow_up_of_an_earlier_version_is_not_repeated_and_is_what_is_compared() {
    let (world, lead) = announced().await;
    change(&world, &lead, OWNERS[1]).await;
    world.work_for(MINUTE).await;
    // Its receipt has the name that it had before they had numbers.
    let alert = AlertId::follow_up(OWNERS[1], 1);
    assert!(world.memory.stored(&keys::receipt(&lead, "slack", alert.as_str())).is_some());
    change(&world, &lead, OWNERS[1]).await;
    world.work_for(MINUTE).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1]]);
}

#[tokio::test]
async fn what_an_operator_had_sent_again_is_the_last_word_too() {
    let (world, lead) = announced().await;
    // Nobody is notified of the change by itself: the store fails for the follow-up.
    world.weather.rule(|_, about| about.contains("/owner-").then(storage_failed));
    change(&world, &lead, OWNERS[1]).await;
    world.process_ready().await;
    world.weather.clear();
    world.ops.actions().unwrap().resend(&lead, &SLACK, Recipients::All).await.unwrap();
    world.notify_ready().await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1]]);
    world.work_for(DAY).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1]], "it was announced by the resend");
    change(&world, &lead, OWNERS[0]).await;
    world.work_for(MINUTE).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1], OWNERS[0]]);
}

#[tokio::test]
async fn a_follow_up_that_waits_for_its_turn_names_whoever_is_the_owner_then() {
    let (world, lead) = announced().await;
    world.slack.answer([Reply::wait(MINUTE * 5)]);
    change(&world, &lead, OWNERS[1]).await;
    world.work_for(MINUTE).await;
    change(&world, &lead, OWNERS[2]).await;
    world.work_for(MINUTE).await;
    assert_eq!(named(&world, &lead), [OWNERS[0]]);
    world.work_for(MINUTE * 10).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[2]]);
}

#[tokio::test]
async fn a_follow_up_that_died_is_sent_when_the_owner_is_the_same_still() {
    let (world, lead) = announced().await;
    world.slack.answer([Reply::status(404, "no_service")]);
    change(&world, &lead, OWNERS[1]).await;
    world.work_for(MINUTE).await;
    assert_eq!((named(&world, &lead).len(), world.dead().await.len()), (1, 1));
    change(&world, &lead, OWNERS[1]).await;
    world.work_for(MINUTE).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1]]);
    world.redrive_all().await;
    world.work_for(MINUTE).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1]], "the dead letter is the same alert");
}

#[tokio::test]
async fn a_receipt_that_cannot_be_read_hides_no_change() {
    let (world, lead) = announced().await;
    let key = keys::receipt(&lead, "slack", "resend-0");
    world.memory.put(&key, "junk".into(), WriteCondition::Always).await.unwrap();
    for owner in [OWNERS[1], OWNERS[0]] {
        change(&world, &lead, owner).await;
        world.work_for(MINUTE).await;
    }
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1], OWNERS[0]]);
}

#[tokio::test]
async fn a_clock_that_steps_back_between_two_changes_hides_neither() {
    let (world, lead) = announced().await;
    for (number, owner) in [OWNERS[1], OWNERS[0], OWNERS[1], OWNERS[0]].into_iter().enumerate() {
        world.clock.step_back(Duration::from_secs(600));
        change(&world, &lead, owner).await;
        world.work_for(MINUTE).await;
        change(&world, &lead, owner).await;
        world.work_for(MINUTE).await;
        assert_eq!(named(&world, &lead).len(), number + 2, "{owner}");
    }
    assert_eq!(named(&world, &lead).last(), Some(&OWNERS[0]));
}

#[tokio::test]
async fn a_change_is_announced_after_the_alert_that_is_on_its_way_with_the_earlier_owner() {
    let world = World::new();
    let lead = world.enrich("a").await;
    world.owners.assign(&lead, OWNERS[0]);
    world.ops.actions().unwrap().requeue(&lead).await.unwrap();
    world.process_ready().await;
    // Slack takes its time over the first alert, and meanwhile the owner changes.
    world.slack.takes(SECOND * 9);
    let alerts = world.take_alerts().await;
    let meanwhile = async {
        world.clock.sleep(SECOND).await;
        world.owners.assign(&lead, OWNERS[1]);
        world.ops.actions().unwrap().requeue(&lead).await.unwrap();
        let jobs = world.memory.receive(Queue::Delay, 1).await.unwrap();
        assert_eq!(world.process.handle(&jobs[0]).await, Disposition::Done);
        world.memory.settle(Queue::Delay, &jobs[0], Disposition::Done).await.unwrap();
        let depth = world.memory.depth(Queue::Notification).await.unwrap();
        assert_eq!(depth.waiting, 1, "the follow-up, until the claim is over");
    };
    let notifying = async {
        for (alert, outcome) in alerts.iter().zip(world.notify.handle(&alerts).await) {
            world.memory.settle(Queue::Notification, alert, outcome).await.unwrap();
        }
    };
    world.clock.run(join(notifying, meanwhile)).await;
    world.work_for(MINUTE * 5).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1]]);
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_change_back_loses_and_doubles_no_follow_up() {
    for (call, nths) in
        [(Call::Get, 7), (Call::Put, 4), (Call::ListKeys, 2), (Call::Append, 2), (Call::Send, 3)]
    {
        for nth in 1..=nths {
            for moment in [Moment::Before, Moment::After] {
                let (world, lead) = announced().await;
                change(&world, &lead, OWNERS[1]).await;
                world.work_for(MINUTE).await;
                change(&world, &lead, OWNERS[0]).await;
                let deliveries = world.memory.receive(Queue::Delay, 1).await.unwrap();
                world.weather.at(nth, call, moment, Strike::Hang);
                let _ = world.clock.run_for(Duration::ZERO, world.process.handle(&deliveries[0])).await;
                world.weather.clear();
                world.work_for(DAY).await;
                let expected = [OWNERS[0], OWNERS[1], OWNERS[0]];
                assert_eq!(named(&world, &lead), expected, "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_lead_that_lost_its_owner_to_a_failed_look_up_makes_no_follow_up() {
    let (world, lead) = announced().await;
    for answer in [ScriptedOwners::missing(), ScriptedOwners::unreachable()] {
        world.owners.script(&lead, [answer]);
        world.ops.actions().unwrap().requeue(&lead).await.unwrap();
        world.work_for(DAY).await;
        assert_eq!(named(&world, &lead), [OWNERS[0]]);
    }
}

/// What an alert on its way names is read after it is claimed, and a follow-up may have been queued before that.
#[tokio::test]
async fn a_follow_up_is_not_sent_whose_owner_another_has_named_meanwhile() {
    let (world, lead) = announced().await;
    change(&world, &lead, OWNERS[1]).await;
    world.work_for(MINUTE).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1]]);
    let late = AlertJob {
        lead_id: lead.clone(),
        destination: SLACK,
        alert: AlertId::follow_up(OWNERS[1], 2),
        kind: AlertKind::FollowUp,
        due_at: None,
    };
    world.queue_alert(&late).await;
    world.work_for(DAY).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1]]);
    let receipt = world.notify.receipts.get(&lead, &SLACK, &late.alert).await.unwrap().unwrap();
    assert_eq!((receipt.state, receipt.attempts), (ReceiptState::Sent, 0));
    assert_eq!(world.stages(&lead).await.last(), Some(&Stage::AlreadyNotified));
    assert_eq!(world.dead().await, []);
    // The next change has its follow-up, as ever.
    change(&world, &lead, OWNERS[0]).await;
    world.work_for(MINUTE).await;
    assert_eq!(named(&world, &lead), [OWNERS[0], OWNERS[1], OWNERS[0]]);
}

/// A source that has one owner from the event, and another since.
struct Moved;

#[async_trait]
impl Owners for Moved {
    async fn find(&self, _: &CreatedLead, look: LookupOptions) -> LookupOutcome {
        let owner = if look.fresh { OWNERS[1] } else { OWNERS[0] };
        let facts =
            OwnerFacts { lead_owner: Some(owner.to_owned()), ..OwnerFacts::none(OwnerStatus::Assigned) };
        LookupOutcome { of_event: !look.fresh, ..LookupOutcome::of(facts, None) }
    }
}

#[tokio::test]
async fn an_owner_whom_the_event_names_replaces_none_who_was_looked_up() {
    let mut world = World::new();
    world.process.owners = Arc::new(Moved);
    let lead = world.accept("a").await;
    // Before its time, an operator has it processed.
    world.ops.actions().unwrap().requeue(&lead).await.unwrap();
    world.work_for(MINUTE).await;
    assert_eq!(named(&world, &lead), [OWNERS[1]]);
    world.work_for(DAY).await;
    assert_eq!(named(&world, &lead), [OWNERS[1]]);
    assert_eq!(world.enriched(&lead).await.unwrap().lead_owner, OWNERS[1]);
}
