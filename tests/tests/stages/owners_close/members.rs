//! The members of the organisation, whom all leads share.

use std::time::Duration;

use futures_util::future::{Either, join, join_all, select};
use lead::OwnerStatus;
use pipeline::{
    Code,
    owners::Retrieved,
    ports::{Clock, LookupOptions, NextLookup, Owners},
};
use tests::{
    close::{FERROUS, Instead, MARLOWE, NADIA, ORGANIZATION, ROWAN, TAMSIN, user},
    faulty::{Call, Moment, Strike},
};

use super::scene::{FRESH, LOOK, MINUTE, SECOND, Scene, named, outcome, under_every_switch};

const MEMBERS: &str = "/organization/";

fn reads(scene: &Scene) -> usize {
    scene.close.asked(MEMBERS)
}

#[tokio::test]
async fn they_are_read_once_for_two_hundred_leads_at_once() {
    under_every_switch(async |scene| {
        let leads = scene.close.account().add_leads(200);
        for (lead, owner) in leads.iter().zip([TAMSIN, NADIA, ROWAN].into_iter().cycle()) {
            scene.close.account().own(lead.as_str(), &[owner]);
        }
        let owners = scene.owners();
        let events: Vec<_> = leads.iter().map(|lead| scene.lead(lead.as_str())).collect();
        let all = scene.run(join_all(events.iter().map(|lead| owners.find(lead, LOOK)))).await;
        assert!(all.iter().all(|found| found.facts.status == OwnerStatus::Assigned));
        assert_eq!(scene.requests(), [format!("GET {MEMBERS}{ORGANIZATION}/")]);
    })
    .await;
}

#[tokio::test]
async fn they_are_read_again_after_a_quarter_of_an_hour() {
    under_every_switch(async |scene| {
        let owners = scene.owners();
        let find = async |name: &str| {
            let found = scene.find(&owners, MARLOWE, LOOK).await;
            assert_eq!(named(&found.facts)[0].0, name);
            found
        };
        find("Tamsin Okafor-Test").await;
        scene.close.account().leave(TAMSIN);
        scene.clock.advance(15 * MINUTE - SECOND);
        assert_eq!(find("Tamsin Okafor-Test").await.facts.status, OwnerStatus::Assigned);
        assert_eq!(reads(scene), 1);
        scene.clock.advance(SECOND);
        assert_eq!(find("Tamsin Okafor-Test").await.facts.status, OwnerStatus::Departed);
        assert_eq!(reads(scene), 2);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_new_is_found_by_reading_them_again_at_most_once_a_minute() {
    under_every_switch(async |scene| {
        let (owners, new) = (scene.owners(), user(777_777));
        scene.find(&owners, MARLOWE, LOOK).await;
        scene.close.account().own(FERROUS, &[&new]);
        for (wait, expected) in [(59, 1), (1, 2), (1, 2), (58, 2), (1, 3)] {
            scene.clock.advance(wait * SECOND);
            let found = scene.find(&owners, FERROUS, LOOK).await;
            assert_eq!((outcome(&found).0, reads(scene)), (Some(Code::OwnerUnknown), expected), "{wait}");
        }
        scene.close.account().member(&new, "Quinn Newcomer", true);
        scene.clock.advance(MINUTE);
        let found = scene.find(&owners, FERROUS, LOOK).await;
        assert_eq!((named(&found.facts), reads(scene)), (vec![("Quinn Newcomer", true)], 4));
    })
    .await;
}

/// Two leads at once of somebody who is new, neither of which says so by itself.
#[tokio::test]
async fn two_leads_of_somebody_new_both_name_them() {
    under_every_switch(async |scene| {
        let (owners, new) = (scene.owners(), user(777_777));
        scene.find(&owners, MARLOWE, LOOK).await;
        scene.close.account().member(&new, "Quinn Newcomer", true);
        scene.close.account().own(FERROUS, &[&new]);
        scene.clock.advance(2 * MINUTE);
        // So that the second one comes while the first one reads.
        scene.plan.rule(|call, _| (call == Call::Get).then_some(Strike::Slow(SECOND)));
        let lead = scene.lead(FERROUS);
        let (first, second) = scene.run(join(owners.find(&lead, FRESH), owners.find(&lead, FRESH))).await;
        assert_eq!(reads(scene), 2);
        assert_eq!(named(&first.facts), [("Quinn Newcomer", true)], "{first:?}");
        assert_eq!(named(&second.facts), [("Quinn Newcomer", true)], "{second:?}");
    })
    .await;
}

#[tokio::test]
async fn of_two_processes_one_reads_them() {
    under_every_switch(async |scene| {
        let (one, other) = (scene.owners(), scene.owners());
        let lead = scene.lead(MARLOWE);
        for round in 1..=3 {
            let (first, second) = scene.run(join(one.find(&lead, LOOK), other.find(&lead, LOOK))).await;
            assert_eq!(named(&first.facts), [("Tamsin Okafor-Test", true)]);
            assert_eq!(named(&second.facts), [("Tamsin Okafor-Test", true)]);
            assert_eq!(reads(scene), round);
            scene.clock.advance(15 * MINUTE);
        }
        let third = scene.owners();
        scene.find(&one, MARLOWE, LOOK).await;
        scene.find(&third, MARLOWE, LOOK).await;
        assert_eq!(reads(scene), 4);
    })
    .await;
}

#[tokio::test]
async fn the_reading_of_a_process_that_stopped_is_taken_over() {
    under_every_switch(async |scene| {
        let (one, other) = (scene.owners(), scene.owners());
        let lead = scene.lead(MARLOWE);
        scene.close.account().next(1, MEMBERS, Instead::Never);
        let look = LookupOptions { within: Some(MINUTE), ..LOOK };
        // It stops in the middle of its reading.
        let first = select(one.find(&lead, look), scene.clock.sleep(SECOND));
        assert!(matches!(scene.run(first).await, Either::Right(_)));
        // The other one waits for it, and not for ever.
        let found = scene.run(other.find(&lead, LOOK)).await;
        assert_eq!(outcome(&found), (Some(Code::CloseBusy), NextLookup::Wait(SECOND)));
        assert_eq!(reads(scene), 1);
        scene.clock.advance(25 * SECOND);
        let found = scene.run(other.find(&lead, LOOK)).await;
        assert_eq!((named(&found.facts), reads(scene)), (vec![("Tamsin Okafor-Test", true)], 2));
    })
    .await;
}

#[tokio::test]
async fn a_reading_that_fails_keeps_those_that_were_read_before() {
    under_every_switch(async |scene| {
        let owners = scene.owners();
        scene.find(&owners, MARLOWE, LOOK).await;
        let read_at = scene.retrieved().unwrap().read_at;
        assert_eq!(read_at, Some(scene.clock.now()));
        let instead = [Instead::Status(502), Instead::Status(403), Instead::Maintenance, Instead::Half];
        for (round, instead) in instead.into_iter().enumerate() {
            scene.clock.advance(15 * MINUTE);
            scene.close.account().next(1, MEMBERS, instead.clone());
            for _ in 0..3 {
                let found = scene.find(&owners, MARLOWE, LOOK).await;
                assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{instead:?}");
            }
            assert_eq!(reads(scene), round + 2, "not for every lead");
            let retrieved = scene.retrieved().unwrap();
            assert_eq!((retrieved.read_at, retrieved.failure.unwrap().at), (read_at, scene.clock.now()));
        }
        scene.clock.advance(MINUTE);
        scene.find(&owners, MARLOWE, LOOK).await;
        let retrieved = scene.retrieved().unwrap();
        assert_eq!((retrieved.read_at, retrieved.failure), (Some(scene.clock.now()), None));
        // Nor does a wait for the members keep a lead waiting.
        scene.clock.advance(15 * MINUTE);
        scene.close.account().next(1, MEMBERS, Instead::Wait(20 * SECOND));
        let found = scene.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_a_reading_where_there_are_members_already() {
    under_every_switch(async |scene| {
        let owners = scene.owners();
        scene.find(&owners, MARLOWE, LOOK).await;
        scene.clock.advance(15 * MINUTE);
        scene.close.account().next(1, MEMBERS, Instead::Never);
        let (lead, before) = (scene.lead(MARLOWE), scene.clock.elapsed());
        let look = LookupOptions { within: Some(9 * SECOND), ..LOOK };
        let timed = async || (owners.find(&lead, look).await, scene.clock.elapsed() - before);
        let ((first, slow), (second, quick)) = scene.run(join(timed(), timed())).await;
        assert_eq!(named(&second.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(named(&first.facts), [("Tamsin Okafor-Test", true)], "the former ones will do");
        assert_eq!((slow, quick), (9 * SECOND, Duration::ZERO));
        assert_eq!(reads(scene), 2);
    })
    .await;
}

/// One has the members and is about to store them, when another stores which field it has looked for.
#[tokio::test]
async fn members_are_stored_although_something_else_was_stored_meanwhile() {
    under_every_switch(async |scene| {
        let (one, other) = (scene.owners(), scene.process("Lead Owner"));
        // The first puts its claim and then the members.
        scene.plan.at(2, Call::Put, Moment::Before, Strike::Slow(3 * SECOND));
        let lead = scene.lead(MARLOWE);
        let later = async {
            scene.clock.sleep(SECOND).await;
            other.warm_up().await
        };
        scene.run(join(one.find(&lead, LOOK), later)).await;
        let found = scene.find(&scene.owners(), MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn without_any_members_a_failure_is_not_repeated_for_every_lead() {
    under_every_switch(async |scene| {
        let owners = scene.owners();
        scene.close.account().next(1, MEMBERS, Instead::Status(500));
        for _ in 0..4 {
            let found = scene.find(&owners, MARLOWE, LOOK).await;
            assert_eq!(outcome(&found), (Some(Code::CloseUnavailable), NextLookup::Retry));
        }
        assert_eq!(reads(scene), 1);
        let failure = scene.retrieved().unwrap().failure.unwrap();
        assert_eq!((failure.code, failure.at), (Code::CloseUnavailable, scene.clock.now()));
        scene.clock.advance(5 * SECOND);
        let found = scene.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(scene.retrieved().unwrap().failure, None);
    })
    .await;
}

#[tokio::test]
async fn a_lead_without_an_organisation_is_looked_up_in_its_own() {
    under_every_switch(async |scene| {
        let owners = scene.owners();
        let mut lead = scene.lead(MARLOWE);
        lead.organization_id = None;
        // The webhook alone says too little.
        let found = scene.run(owners.find(&lead, FRESH)).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        let retrieved: Retrieved = scene.retrieved().unwrap();
        assert_eq!(retrieved.organization_id.as_deref(), Some(ORGANIZATION));
        // From now on it is known.
        scene.clock.advance(15 * MINUTE);
        let found = scene.run(scene.owners().find(&lead, LOOK)).await;
        assert_eq!((named(&found.facts), reads(scene)), (vec![("Tamsin Okafor-Test", true)], 2));
    })
    .await;
}

/// The very first lead carries its owner, and not its organisation, which Close knows.
#[tokio::test]
async fn an_owner_in_a_webhook_without_an_organisation_is_named_all_the_same() {
    under_every_switch(async |scene| {
        let mut lead = scene.lead(MARLOWE);
        lead.organization_id = None;
        let found = scene.run(scene.owners().find(&lead, LOOK)).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_reads_them_again() {
    under_every_switch(async |scene| {
        let owners = scene.owners();
        scene.find(&owners, MARLOWE, LOOK).await;
        scene.clock.step_back(60 * MINUTE);
        let found = scene.find(&owners, MARLOWE, LOOK).await;
        assert_eq!((named(&found.facts), reads(scene)), (vec![("Tamsin Okafor-Test", true)], 2));
    })
    .await;
}
