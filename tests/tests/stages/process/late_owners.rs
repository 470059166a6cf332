//! Owners who turn up late, or are lost again on the way.

use std::time::Duration;

use futures_util::future::join;
use lead::{OwnerStatus, keys};
use pipeline::{
    Ended, Settings, Stage,
    ports::{Clock, Disposition, Inbox, Objects, Queue, WriteCondition},
};
use tests::{
    doubles::ScriptedOwners,
    faulty::{Call, InjectedFault, Moment},
    harness::Harness,
};

use super::{DAY, MINUTE, SECOND};

#[tokio::test]
async fn an_owner_who_turns_up_late_completes_the_lead_and_makes_one_follow_up() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.work_for(harness.settings.delay + Duration::from_secs(3_600)).await;
    assert_eq!(harness.shown(&lead), 1);
    let asked = harness.owners.asked(&lead);
    assert!(asked > 1, "it was looked for again");
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(DAY * 3).await;

    assert_eq!(harness.owners.asked(&lead), asked + 1, "once found, it is not looked for any more");
    let enriched = harness.enriched(&lead).await.unwrap();
    assert_eq!((enriched.lead_owner.as_str(), enriched.owner_status), ("Sales North", OwnerStatus::Assigned));
    let shown = harness.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions("Lead Owner Found") && shown[1].mentions("Sales North"));
    assert_eq!(
        harness.stages(&lead).await,
        [Stage::Received, Stage::Enriched, Stage::Notified, Stage::OwnerFound, Stage::Notified]
    );
    assert_eq!(harness.dead().await, []);
}

#[tokio::test]
async fn an_owner_a_day_late_is_still_found() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.work_for(harness.settings.delay + DAY).await;
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(DAY).await;
    assert_eq!(harness.enriched(&lead).await.unwrap().owner_status, OwnerStatus::Assigned);
    assert_eq!(harness.shown(&lead), 2);
}

#[tokio::test]
async fn looking_again_ends() {
    for answer in [ScriptedOwners::missing(), ScriptedOwners::unreachable()] {
        let settings = Settings { rechecks: 4, ..Settings::default() };
        let harness = Harness::with(settings);
        let lead = harness.accept("a").await;
        harness.owners.script(&lead, [answer]);
        harness.work_for(DAY).await;
        let asked = harness.owners.asked(&lead);
        assert!((5..=7).contains(&asked), "{asked}");
        harness.work_for(DAY * 7).await;
        assert_eq!(harness.owners.asked(&lead), asked);
        assert_eq!((harness.slack.posted().len(), harness.dead().await.len()), (1, 0));
        assert_eq!(harness.memory.next_ready(Queue::Delay), None);
    }
}

#[tokio::test]
async fn a_late_owner_is_in_the_first_alert_where_that_had_to_wait() {
    let harness = Harness::new();
    let lead = harness.enrich("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.clock.advance(harness.settings.recheck_wait(1));
    assert!(harness.process_ready().await);
    harness.work_for(DAY).await;
    let posted = harness.slack.posted();
    assert_eq!(posted.len(), 1, "nobody was notified of an unassigned lead, so nothing is to be corrected");
    assert!(posted[0].mentions("Sales North") && posted[0].mentions("New Lead Alert"));
}

#[tokio::test]
async fn an_owner_found_while_the_alert_waits_for_its_turn_is_announced_in_the_end() {
    // The alert has been read for sending, with its lead still unassigned, and waits for the pace of
    // the webhook. Meanwhile the owner is found. Whatever the order, the team must learn of it.
    let harness = Harness::new();
    for name in ["b1", "b2", "b3"] {
        harness.enrich(name).await;
    }
    let lead = harness.enrich("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.clock.advance(harness.settings.recheck_wait(1));
    // Empties the burst, so that the next alert has to wait.
    let mut alerts = harness.take_alerts().await;
    let last = alerts.pop().unwrap();
    assert!(last.body.contains(lead.as_str()));
    harness.notify_these(&alerts).await;

    let meanwhile = async {
        harness.clock.sleep(SECOND / 2).await;
        loop {
            let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
            let [recheck] = deliveries.as_slice() else { break };
            assert_eq!(harness.process.handle(recheck).await, Disposition::Done);
            harness.memory.settle(Queue::Delay, recheck, Disposition::Done).await.unwrap();
        }
    };
    let slice = std::slice::from_ref(&last);
    let both = join(harness.notify.handle(slice), meanwhile);
    let (dispositions, ()) = harness.clock.run(both).await;
    assert_eq!(dispositions, [Disposition::Done]);
    harness.memory.settle(Queue::Notification, &last, Disposition::Done).await.unwrap();
    assert_eq!(harness.enriched(&lead).await.unwrap().lead_owner, "Sales North");
    harness.work_for(DAY).await;
    let sent: Vec<_> =
        harness.slack.shown().into_iter().filter(|posted| posted.mentions(lead.as_str())).collect();
    assert!(sent.iter().any(|posted| posted.mentions("Sales North")), "{sent:#?}");
}

#[tokio::test]
async fn an_owner_once_found_is_not_lost_to_a_failed_look_up() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(harness.settings.delay).await;
    for answer in [ScriptedOwners::missing(), ScriptedOwners::unreachable()] {
        harness.owners.script(&lead, [answer]);
        harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
        harness.work_for(DAY).await;
        let enriched = harness.enriched(&lead).await.unwrap();
        assert_eq!(
            (enriched.lead_owner.as_str(), enriched.owner_status),
            ("Sales North", OwnerStatus::Assigned)
        );
    }
    assert_eq!(harness.slack.posted().len(), 1);
}

#[tokio::test]
async fn an_owner_found_by_one_worker_is_not_lost_to_a_slower_one_that_found_none() {
    let harness = Harness::with(Settings { rechecks: 0, ..Settings::default() });
    let lead = harness.accept("a").await;
    let document = ScriptedOwners::document(&lead, "Sales North");
    harness.owners.script(&lead, [ScriptedOwners::missing(), document]);
    harness.clock.advance(harness.settings.delay);
    let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
    // The job is delivered twice; the first worker is about to write when the second overtakes it.
    harness.faults.at(1, Call::Put, Moment::Before, InjectedFault::Slow(SECOND * 5));
    let both = join(harness.process.handle(&deliveries[0]), harness.process.handle(&deliveries[0]));
    assert_eq!(harness.clock.run(both).await, (Disposition::Done, Disposition::Done));
    assert_eq!(harness.enriched(&lead).await.unwrap().lead_owner, "Sales North");
    harness.work_for(MINUTE * 10).await;
    assert_eq!(harness.slack.posted().len(), 1);
    assert!(harness.slack.posted()[0].mentions("Sales North"));
}

#[tokio::test]
async fn a_re_check_that_finds_none_says_so_even_where_the_enriched_lead_was_damaged() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.work_for(harness.settings.delay).await;
    let key = keys::enriched("target/", &lead);
    harness.memory.put(&key, "junk".into(), WriteCondition::Always).await.unwrap();
    harness.work_for(harness.settings.recheck_wait(1)).await;
    assert_eq!(harness.enriched(&lead).await.unwrap().owner_status, OwnerStatus::Missing, "it is corrected");
    let stages = harness.stages(&lead).await;
    assert_eq!(stages, [Stage::Received, Stage::Enriched, Stage::Notified, Stage::Enriched]);
}

#[tokio::test]
async fn a_requeued_lead_is_not_announced_twice_but_a_changed_owner_is() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(harness.settings.delay).await;
    let actions = harness.ops.actions().unwrap();
    actions.requeue(&lead).await.unwrap();
    harness.work_for(SECOND * 10).await;
    assert_eq!(harness.slack.posted().len(), 1);
    assert!(matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))));

    for _ in 0..2 {
        harness.owners.assign(&lead, "Sales South");
        actions.requeue(&lead).await.unwrap();
        harness.work_for(SECOND * 10).await;
        let shown = harness.slack.shown();
        assert_eq!(shown.len(), 2, "the same owner is announced once");
        assert!(shown[1].mentions("Lead Owner Found") && shown[1].mentions("Sales South"));
        assert!(matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))));
    }
}

#[tokio::test]
async fn a_job_delivered_again_makes_no_second_alert() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.clock.advance(harness.settings.delay);
    for _ in 0..3 {
        // Handled, and the worker dies before it can say so.
        let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
        let Some(delivery) = deliveries.first() else { break };
        assert_eq!(harness.process.handle(delivery).await, Disposition::Done);
        harness.clock.advance(harness.memory.rules(Queue::Delay).visibility);
    }
    harness.work_for(MINUTE).await;
    assert_eq!(harness.slack.posted().len(), 1);
    assert_eq!(harness.receipt(&lead).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn duplicate_re_checks_make_one_follow_up() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.work_for(harness.settings.delay).await;
    harness.owners.assign(&lead, "Sales North");
    harness.clock.advance(harness.settings.recheck_wait(1));
    let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
    for _ in 0..3 {
        assert_eq!(harness.process.handle(&deliveries[0]).await, Disposition::Done);
    }
    harness.work_for(DAY).await;
    assert_eq!(harness.shown(&lead), 2, "the alert and its follow-up");
}
