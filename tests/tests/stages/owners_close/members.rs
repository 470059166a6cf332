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
    close::{FERROUS, ForcedAnswer, MARLOWE, NADIA, ORGANIZATION, ROWAN, TAMSIN, user},
    faulty::{Call, InjectedFault, Moment},
};

use super::testbed::{FRESH, LOOK, MINUTE, OwnersTestbed, SECOND, named, outcome, under_every_switch};

const MEMBERS: &str = "/organization/";

fn reads(testbed: &OwnersTestbed) -> usize {
    testbed.close.asked(MEMBERS)
}

#[tokio::test]
async fn they_are_read_once_for_two_hundred_leads_at_once() {
    under_every_switch(async |testbed| {
        let leads = testbed.close.account().add_leads(200);
        for (lead, owner) in leads.iter().zip([TAMSIN, NADIA, ROWAN].into_iter().cycle()) {
            testbed.close.account().own(lead.as_str(), &[owner]);
        }
        let owners = testbed.owners();
        let events: Vec<_> = leads.iter().map(|lead| testbed.lead(lead.as_str())).collect();
        let all = testbed.run(join_all(events.iter().map(|lead| owners.find(lead, LOOK)))).await;
        assert!(all.iter().all(|found| found.facts.status == OwnerStatus::Assigned));
        assert_eq!(testbed.requests(), [format!("GET {MEMBERS}{ORGANIZATION}/")]);
    })
    .await;
}

#[tokio::test]
async fn they_are_read_again_after_a_quarter_of_an_hour() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        let find = async |name: &str| {
            let found = testbed.find(&owners, MARLOWE, LOOK).await;
            assert_eq!(named(&found.facts)[0].0, name);
            found
        };
        find("Tamsin Okafor-Test").await;
        testbed.close.account().leave(TAMSIN);
        testbed.clock.advance(15 * MINUTE - SECOND);
        assert_eq!(find("Tamsin Okafor-Test").await.facts.status, OwnerStatus::Assigned);
        assert_eq!(reads(testbed), 1);
        testbed.clock.advance(SECOND);
        assert_eq!(find("Tamsin Okafor-Test").await.facts.status, OwnerStatus::Departed);
        assert_eq!(reads(testbed), 2);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_new_is_found_by_reading_them_again_at_most_once_a_minute() {
    under_every_switch(async |testbed| {
        let (owners, new) = (testbed.owners(), user(777_777));
        testbed.find(&owners, MARLOWE, LOOK).await;
        testbed.close.account().own(FERROUS, &[&new]);
        for (wait, expected) in [(59, 1), (1, 2), (1, 2), (58, 2), (1, 3)] {
            testbed.clock.advance(wait * SECOND);
            let found = testbed.find(&owners, FERROUS, LOOK).await;
            assert_eq!((outcome(&found).0, reads(testbed)), (Some(Code::OwnerUnknown), expected), "{wait}");
        }
        testbed.close.account().member(&new, "Quinn Newcomer", true);
        testbed.clock.advance(MINUTE);
        let found = testbed.find(&owners, FERROUS, LOOK).await;
        assert_eq!((named(&found.facts), reads(testbed)), (vec![("Quinn Newcomer", true)], 4));
    })
    .await;
}

/// Two leads at once of somebody who is new, neither of which says so by itself.
#[tokio::test]
async fn two_leads_of_somebody_new_both_name_them() {
    under_every_switch(async |testbed| {
        let (owners, new) = (testbed.owners(), user(777_777));
        testbed.find(&owners, MARLOWE, LOOK).await;
        testbed.close.account().member(&new, "Quinn Newcomer", true);
        testbed.close.account().own(FERROUS, &[&new]);
        testbed.clock.advance(2 * MINUTE);
        // So that the second one comes while the first one reads.
        testbed.plan.rule(|call, _| (call == Call::Get).then_some(InjectedFault::Slow(SECOND)));
        let lead = testbed.lead(FERROUS);
        let (first, second) = testbed.run(join(owners.find(&lead, FRESH), owners.find(&lead, FRESH))).await;
        assert_eq!(reads(testbed), 2);
        assert_eq!(named(&first.facts), [("Quinn Newcomer", true)], "{first:?}");
        assert_eq!(named(&second.facts), [("Quinn Newcomer", true)], "{second:?}");
    })
    .await;
}

#[tokio::test]
async fn of_two_processes_one_reads_them() {
    under_every_switch(async |testbed| {
        let (one, other) = (testbed.owners(), testbed.owners());
        let lead = testbed.lead(MARLOWE);
        for round in 1..=3 {
            let (first, second) = testbed.run(join(one.find(&lead, LOOK), other.find(&lead, LOOK))).await;
            assert_eq!(named(&first.facts), [("Tamsin Okafor-Test", true)]);
            assert_eq!(named(&second.facts), [("Tamsin Okafor-Test", true)]);
            assert_eq!(reads(testbed), round);
            testbed.clock.advance(15 * MINUTE);
        }
        let third = testbed.owners();
        testbed.find(&one, MARLOWE, LOOK).await;
        testbed.find(&third, MARLOWE, LOOK).await;
        assert_eq!(reads(testbed), 4);
    })
    .await;
}

#[tokio::test]
async fn the_reading_of_a_process_that_stopped_is_taken_over() {
    under_every_switch(async |testbed| {
        let (one, other) = (testbed.owners(), testbed.owners());
        let lead = testbed.lead(MARLOWE);
        testbed.close.account().next(1, MEMBERS, ForcedAnswer::Never);
        let look = LookupOptions { within: Some(MINUTE), ..LOOK };
        // It stops in the middle of its reading.
        let first = select(one.find(&lead, look), testbed.clock.sleep(SECOND));
        assert!(matches!(testbed.run(first).await, Either::Right(_)));
        // The other one waits for it, and not for ever.
        let found = testbed.run(other.find(&lead, LOOK)).await;
        assert_eq!(outcome(&found), (Some(Code::CloseBusy), NextLookup::Wait(SECOND)));
        assert_eq!(reads(testbed), 1);
        testbed.clock.advance(25 * SECOND);
        let found = testbed.run(other.find(&lead, LOOK)).await;
        assert_eq!((named(&found.facts), reads(testbed)), (vec![("Tamsin Okafor-Test", true)], 2));
    })
    .await;
}

#[tokio::test]
async fn a_reading_that_fails_keeps_those_that_were_read_before() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.find(&owners, MARLOWE, LOOK).await;
        let read_at = testbed.retrieved().unwrap().read_at;
        assert_eq!(read_at, Some(testbed.clock.now()));
        let forced = [
            ForcedAnswer::Status(502),
            ForcedAnswer::Status(403),
            ForcedAnswer::Maintenance,
            ForcedAnswer::Half,
        ];
        for (round, forced) in forced.into_iter().enumerate() {
            testbed.clock.advance(15 * MINUTE);
            testbed.close.account().next(1, MEMBERS, forced.clone());
            for _ in 0..3 {
                let found = testbed.find(&owners, MARLOWE, LOOK).await;
                assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{forced:?}");
            }
            assert_eq!(reads(testbed), round + 2, "not for every lead");
            let retrieved = testbed.retrieved().unwrap();
            assert_eq!((retrieved.read_at, retrieved.failure.unwrap().at), (read_at, testbed.clock.now()));
        }
        testbed.clock.advance(MINUTE);
        testbed.find(&owners, MARLOWE, LOOK).await;
        let retrieved = testbed.retrieved().unwrap();
        assert_eq!((retrieved.read_at, retrieved.failure), (Some(testbed.clock.now()), None));
        // Nor does a wait for the members keep a lead waiting.
        testbed.clock.advance(15 * MINUTE);
        testbed.close.account().next(1, MEMBERS, ForcedAnswer::Wait(20 * SECOND));
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_a_reading_where_there_are_members_already() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.find(&owners, MARLOWE, LOOK).await;
        testbed.clock.advance(15 * MINUTE);
        testbed.close.account().next(1, MEMBERS, ForcedAnswer::Never);
        let (lead, before) = (testbed.lead(MARLOWE), testbed.clock.elapsed());
        let look = LookupOptions { within: Some(9 * SECOND), ..LOOK };
        let timed = async || (owners.find(&lead, look).await, testbed.clock.elapsed() - before);
        let ((first, slow), (second, quick)) = testbed.run(join(timed(), timed())).await;
        assert_eq!(named(&second.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(named(&first.facts), [("Tamsin Okafor-Test", true)], "the former ones will do");
        assert_eq!((slow, quick), (9 * SECOND, Duration::ZERO));
        assert_eq!(reads(testbed), 2);
    })
    .await;
}

/// One has the members and is about to store them, when another stores which field it has looked for.
#[tokio::test]
async fn members_are_stored_although_something_else_was_stored_meanwhile() {
    under_every_switch(async |testbed| {
        let (one, other) = (testbed.owners(), testbed.process("Lead Owner"));
        // The first puts its claim and then the members.
        testbed.plan.at(2, Call::Put, Moment::Before, InjectedFault::Slow(3 * SECOND));
        let lead = testbed.lead(MARLOWE);
        let later = async {
            testbed.clock.sleep(SECOND).await;
            other.warm_up().await
        };
        testbed.run(join(one.find(&lead, LOOK), later)).await;
        let found = testbed.find(&testbed.owners(), MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn without_any_members_a_failure_is_not_repeated_for_every_lead() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.close.account().next(1, MEMBERS, ForcedAnswer::Status(500));
        for _ in 0..4 {
            let found = testbed.find(&owners, MARLOWE, LOOK).await;
            assert_eq!(outcome(&found), (Some(Code::CloseUnavailable), NextLookup::Retry));
        }
        assert_eq!(reads(testbed), 1);
        let failure = testbed.retrieved().unwrap().failure.unwrap();
        assert_eq!((failure.code, failure.at), (Code::CloseUnavailable, testbed.clock.now()));
        testbed.clock.advance(5 * SECOND);
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(testbed.retrieved().unwrap().failure, None);
    })
    .await;
}

#[tokio::test]
async fn a_lead_without_an_organisation_is_looked_up_in_its_own() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        let mut lead = testbed.lead(MARLOWE);
        lead.organization_id = None;
        // The webhook alone says too little.
        let found = testbed.run(owners.find(&lead, FRESH)).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        let retrieved: Retrieved = testbed.retrieved().unwrap();
        assert_eq!(retrieved.organization_id.as_deref(), Some(ORGANIZATION));
        // From now on it is known.
        testbed.clock.advance(15 * MINUTE);
        let found = testbed.run(testbed.owners().find(&lead, LOOK)).await;
        assert_eq!((named(&found.facts), reads(testbed)), (vec![("Tamsin Okafor-Test", true)], 2));
    })
    .await;
}

/// The very first lead carries its owner, and not its organisation, which Close knows.
#[tokio::test]
async fn an_owner_in_a_webhook_without_an_organisation_is_named_all_the_same() {
    under_every_switch(async |testbed| {
        let mut lead = testbed.lead(MARLOWE);
        lead.organization_id = None;
        let found = testbed.run(testbed.owners().find(&lead, LOOK)).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_reads_them_again() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.find(&owners, MARLOWE, LOOK).await;
        testbed.clock.step_back(60 * MINUTE);
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!((named(&found.facts), reads(testbed)), (vec![("Tamsin Okafor-Test", true)], 2));
    })
    .await;
}
