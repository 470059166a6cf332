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
    faulty::{Call, InjectedFault, Moment},
    harness::Harness,
};

use super::{DAY, MINUTE, SECOND, storage_failed};

const OWNERS: [&str; 3] = ["Sales North", "Sales South", "Sales West"];

/// A harness in which a lead was announced with the first of the owners.
async fn announced() -> (Harness, LeadId) {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, OWNERS[0]);
    harness.work_for(harness.settings.delay).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0]]);
    (harness, lead)
}

/// Names another owner and has the lead processed again. Nothing is done yet.
async fn change(harness: &Harness, lead: &LeadId, owner: &str) {
    harness.owners.assign(lead, owner);
    harness.ops.actions().unwrap().requeue(lead).await.unwrap();
}

/// The owners that Slack's messages about a lead name, in their order.
fn named(harness: &Harness, lead: &LeadId) -> Vec<&'static str> {
    let about = harness.slack.shown().into_iter().filter(|posted| posted.mentions(lead.as_str()));
    about.map(|posted| OWNERS.into_iter().find(|owner| posted.mentions(owner)).unwrap()).collect()
}

#[tokio::test]
async fn each_change_of_the_owner_is_announced_once_also_one_back_to_an_earlier_owner() {
    let (harness, lead) = announced().await;
    let [north, south, west] = OWNERS;
    let mut expected = vec![north];
    for owner in [south, north, south, west, north, west] {
        expected.push(owner);
        // Whoever asks again, and however often, learns of nothing new.
        for _ in 0..3 {
            change(&harness, &lead, owner).await;
            harness.work_for(SECOND * 10).await;
            assert_eq!(named(&harness, &lead), expected);
        }
    }
    assert_eq!(harness.dead().await, []);
}

#[tokio::test]
async fn each_destination_has_its_own_last_owner() {
    let settings = Settings { destinations: vec![SLACK, EMAIL], ..Settings::default() };
    let harness = Harness::with(settings);
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, OWNERS[0]);
    harness.work_for(harness.settings.delay).await;
    for (number, owner) in [OWNERS[1], OWNERS[0], OWNERS[1]].into_iter().enumerate() {
        change(&harness, &lead, owner).await;
        harness.work_for(MINUTE).await;
        assert_eq!((harness.shown(&lead), harness.mailer.tried().len()), (number + 2, number + 2), "{owner}");
    }
}

#[tokio::test]
async fn a_follow_up_of_an_earlier_version_is_not_repeated_and_is_what_is_compared() {
    let (harness, lead) = announced().await;
    change(&harness, &lead, OWNERS[1]).await;
    harness.work_for(MINUTE).await;
    // Its receipt has the name that it had before they had numbers.
    let alert = AlertId::follow_up(OWNERS[1], 1);
    assert!(harness.memory.stored(&keys::receipt(&lead, "slack", alert.as_str())).is_some());
    change(&harness, &lead, OWNERS[1]).await;
    harness.work_for(MINUTE).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1]]);
}

#[tokio::test]
async fn what_an_operator_resent_counts_as_announced_too() {
    let (harness, lead) = announced().await;
    // Nobody is notified of the change by itself: the store fails for the follow-up.
    harness.faults.rule(|_, about| about.contains("/owner-").then(storage_failed));
    change(&harness, &lead, OWNERS[1]).await;
    harness.process_ready().await;
    harness.faults.clear();
    harness.ops.actions().unwrap().resend(&lead, &SLACK, Recipients::All).await.unwrap();
    harness.notify_ready().await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1]]);
    harness.work_for(DAY).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1]], "it was announced by the resend");
    change(&harness, &lead, OWNERS[0]).await;
    harness.work_for(MINUTE).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1], OWNERS[0]]);
}

#[tokio::test]
async fn a_follow_up_that_waits_for_its_turn_names_whoever_is_the_owner_then() {
    let (harness, lead) = announced().await;
    harness.slack.answer([Reply::wait(MINUTE * 5)]);
    change(&harness, &lead, OWNERS[1]).await;
    harness.work_for(MINUTE).await;
    change(&harness, &lead, OWNERS[2]).await;
    harness.work_for(MINUTE).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0]]);
    harness.work_for(MINUTE * 10).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[2]]);
}

#[tokio::test]
async fn a_follow_up_that_died_is_sent_when_the_owner_is_the_same_still() {
    let (harness, lead) = announced().await;
    harness.slack.answer([Reply::status(404, "no_service")]);
    change(&harness, &lead, OWNERS[1]).await;
    harness.work_for(MINUTE).await;
    assert_eq!((named(&harness, &lead).len(), harness.dead().await.len()), (1, 1));
    change(&harness, &lead, OWNERS[1]).await;
    harness.work_for(MINUTE).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1]]);
    harness.redrive_all().await;
    harness.work_for(MINUTE).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1]], "the dead letter is the same alert");
}

#[tokio::test]
async fn a_receipt_that_cannot_be_read_hides_no_change() {
    let (harness, lead) = announced().await;
    let key = keys::receipt(&lead, "slack", "resend-0");
    harness.memory.put(&key, "junk".into(), WriteCondition::Always).await.unwrap();
    for owner in [OWNERS[1], OWNERS[0]] {
        change(&harness, &lead, owner).await;
        harness.work_for(MINUTE).await;
    }
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1], OWNERS[0]]);
}

#[tokio::test]
async fn a_clock_that_steps_back_between_two_changes_hides_neither() {
    let (harness, lead) = announced().await;
    for (number, owner) in [OWNERS[1], OWNERS[0], OWNERS[1], OWNERS[0]].into_iter().enumerate() {
        harness.clock.step_back(Duration::from_secs(600));
        change(&harness, &lead, owner).await;
        harness.work_for(MINUTE).await;
        change(&harness, &lead, owner).await;
        harness.work_for(MINUTE).await;
        assert_eq!(named(&harness, &lead).len(), number + 2, "{owner}");
    }
    assert_eq!(named(&harness, &lead).last(), Some(&OWNERS[0]));
}

#[tokio::test]
async fn a_change_is_announced_after_the_alert_that_is_on_its_way_with_the_earlier_owner() {
    let harness = Harness::new();
    let lead = harness.enrich("a").await;
    harness.owners.assign(&lead, OWNERS[0]);
    harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
    harness.process_ready().await;
    // Slack takes its time over the first alert, and meanwhile the owner changes.
    harness.slack.takes(SECOND * 9);
    let alerts = harness.take_alerts().await;
    let meanwhile = async {
        harness.clock.sleep(SECOND).await;
        harness.owners.assign(&lead, OWNERS[1]);
        harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
        let jobs = harness.memory.receive(Queue::Delay, 1).await.unwrap();
        assert_eq!(harness.process.handle(&jobs[0]).await, Disposition::Done);
        harness.memory.settle(Queue::Delay, &jobs[0], Disposition::Done).await.unwrap();
        let depth = harness.memory.depth(Queue::Notification).await.unwrap();
        assert_eq!(depth.waiting, 1, "the follow-up, until the claim is over");
    };
    let notifying = async {
        for (alert, outcome) in alerts.iter().zip(harness.notify.handle(&alerts).await) {
            harness.memory.settle(Queue::Notification, alert, outcome).await.unwrap();
        }
    };
    harness.clock.run(join(notifying, meanwhile)).await;
    harness.work_for(MINUTE * 5).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1]]);
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_change_back_loses_and_doubles_no_follow_up() {
    for (call, nths) in
        [(Call::Get, 7), (Call::Put, 4), (Call::ListKeys, 2), (Call::Append, 2), (Call::Send, 3)]
    {
        for nth in 1..=nths {
            for moment in [Moment::Before, Moment::After] {
                let (harness, lead) = announced().await;
                change(&harness, &lead, OWNERS[1]).await;
                harness.work_for(MINUTE).await;
                change(&harness, &lead, OWNERS[0]).await;
                let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
                harness.faults.at(nth, call, moment, InjectedFault::Hang);
                let _ = harness.clock.run_for(Duration::ZERO, harness.process.handle(&deliveries[0])).await;
                harness.faults.clear();
                harness.work_for(DAY).await;
                let expected = [OWNERS[0], OWNERS[1], OWNERS[0]];
                assert_eq!(named(&harness, &lead), expected, "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_lead_that_lost_its_owner_to_a_failed_look_up_makes_no_follow_up() {
    let (harness, lead) = announced().await;
    for answer in [ScriptedOwners::missing(), ScriptedOwners::unreachable()] {
        harness.owners.script(&lead, [answer]);
        harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
        harness.work_for(DAY).await;
        assert_eq!(named(&harness, &lead), [OWNERS[0]]);
    }
}

/// What an alert on its way names is read after it is claimed, and a follow-up may have been queued before that.
#[tokio::test]
async fn a_follow_up_is_not_sent_whose_owner_another_has_named_meanwhile() {
    let (harness, lead) = announced().await;
    change(&harness, &lead, OWNERS[1]).await;
    harness.work_for(MINUTE).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1]]);
    let late = AlertJob {
        lead_id: lead.clone(),
        destination: SLACK,
        alert: AlertId::follow_up(OWNERS[1], 2),
        kind: AlertKind::FollowUp,
        due_at: None,
        owner: None,
    };
    harness.queue_alert(&late).await;
    harness.work_for(DAY).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1]]);
    let receipt = harness.notify.receipts.get(&lead, &SLACK, &late.alert).await.unwrap().unwrap();
    assert_eq!((receipt.state, receipt.attempts), (ReceiptState::Sent, 0));
    assert_eq!(harness.stages(&lead).await.last(), Some(&Stage::AlreadyNotified));
    assert_eq!(harness.dead().await, []);
    // The next change has its follow-up, as ever.
    change(&harness, &lead, OWNERS[0]).await;
    harness.work_for(MINUTE).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0], OWNERS[1], OWNERS[0]]);
}

/// A lead whose alert was queued when its owner was North, and taken when it was `before`. While the nth such call of
/// the notification takes its time it becomes `owner`.
async fn changed_during(call: Call, nth: u32, before: &str, owner: &str) -> (Harness, LeadId) {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, OWNERS[0]);
    harness.clock.advance(harness.settings.delay);
    while harness.process_ready().await {}
    let alerts = harness.take_alerts().await;
    if before != OWNERS[0] {
        change(&harness, &lead, before).await;
        while harness.process_ready().await {}
    }
    harness.faults.at(nth, call, Moment::Before, InjectedFault::Slow(SECOND * 9));
    let meanwhile = async {
        harness.clock.sleep(SECOND).await;
        change(&harness, &lead, owner).await;
        let jobs = harness.memory.receive(Queue::Delay, 1).await.unwrap();
        assert_eq!(harness.process.handle(&jobs[0]).await, Disposition::Done);
        harness.memory.settle(Queue::Delay, &jobs[0], Disposition::Done).await.unwrap();
    };
    let notifying = async {
        for (alert, outcome) in alerts.iter().zip(harness.notify.handle(&alerts).await) {
            harness.memory.settle(Queue::Notification, alert, outcome).await.unwrap();
        }
    };
    harness.clock.run(join(notifying, meanwhile)).await;
    harness.work_for(DAY).await;
    assert_eq!(harness.dead().await, []);
    (harness, lead)
}

#[tokio::test]
async fn an_owner_who_is_found_between_the_claim_and_the_reading_is_announced_once() {
    // The pace is read, then the lead.
    let (harness, lead) = changed_during(Call::Get, 2, OWNERS[0], OWNERS[1]).await;
    assert_eq!(named(&harness, &lead), [OWNERS[1]]);
    assert_eq!(harness.stages(&lead).await.last(), Some(&Stage::AlreadyNotified), "the follow-up");
}

/// The claim says North, as the alert was queued so, and the lead South: whoever finds North again meanwhile sees
/// nothing to correct.
#[tokio::test]
async fn an_owner_who_returns_while_the_claim_is_corrected_is_announced() {
    // The pace, the claim, the claim with the other owner.
    let (harness, lead) = changed_during(Call::Put, 3, OWNERS[1], OWNERS[0]).await;
    assert_eq!(named(&harness, &lead), [OWNERS[0]]);
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
    let mut harness = Harness::new();
    harness.process.owners = Arc::new(Moved);
    let lead = harness.accept("a").await;
    // Before its time, an operator has it processed.
    harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!(named(&harness, &lead), [OWNERS[1]]);
    harness.work_for(DAY).await;
    assert_eq!(named(&harness, &lead), [OWNERS[1]]);
    assert_eq!(harness.enriched(&lead).await.unwrap().lead_owner, OWNERS[1]);
}
