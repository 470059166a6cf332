//! The object in which what was read of Close is stored: missing, damaged, broken.

use pipeline::{
    Code, Fault,
    owners::Retrieved,
    ports::{Clock, Objects, WriteCondition},
};
use tests::{
    close::{MARLOWE, OWNER_FIELD},
    faulty::{Call, InjectedFault, Moment},
};

use super::testbed::{FRESH, LOOK, MINUTE, OwnersTestbed, named, under_the_likeliest};

fn broken() -> InjectedFault {
    InjectedFault::Fail(Fault::new(Code::StorageFailed, "the disk is broken"))
}

/// Looks up the owner of a lead in Close, which can be done whatever is stored.
async fn names_tamsin(testbed: &OwnersTestbed, owners: &pipeline::owners::CloseOwners) {
    let found = testbed.find(owners, MARLOWE, FRESH).await;
    assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{found:?}");
}

#[tokio::test]
async fn a_damaged_object_is_as_good_as_none_and_is_replaced() {
    under_the_likeliest(async |testbed| {
        for damaged in [
            "",
            "\0\0\0",
            "{\"roster\":",
            "[]",
            "null",
            r#"{"roster":7}"#,
            r#"{"roster":{"members":[{"id":7}]},"read_at":"2026-09-14T15:00:00Z"}"#,
            r#"{"fields":{"Lead Owner":"../x"}}"#,
            r#"{"read_at":"yesterday","claimed_until":{}}"#,
        ] {
            testbed.memory.put(Retrieved::KEY, damaged.into(), WriteCondition::Always).await.unwrap();
            names_tamsin(testbed, &testbed.owners()).await;
            assert_eq!(testbed.retrieved().unwrap().read_at, Some(testbed.clock.now()), "{damaged}");
        }
        assert_eq!(testbed.close.asked("/organization/"), 9);
    })
    .await;
}

/// `claimed_until` and `read_at` of a clock that ran ahead.
#[tokio::test]
async fn an_object_of_the_future_is_not_waited_for() {
    under_the_likeliest(async |testbed| {
        let future = r#"{"organization_id":"orga_1","roster":{"members":[]},"read_at":"2036-01-01T00:00:00Z",
            "claimed_until":"2036-01-01T00:00:00Z","failure":{"at":"2036-01-01T00:00:00Z","code":"LO134","what":"x"}}"#;
        testbed.memory.put(Retrieved::KEY, future.into(), WriteCondition::Always).await.unwrap();
        names_tamsin(testbed, &testbed.owners()).await;
        assert_eq!(testbed.retrieved().unwrap().read_at, Some(testbed.clock.now()));
    })
    .await;
}

#[tokio::test]
async fn a_store_that_fails_costs_a_reading_and_no_owner() {
    under_the_likeliest(async |testbed| {
        for call in [Call::Get, Call::Put] {
            let owners = testbed.owners();
            testbed.plan.rule(move |called, _| (called == call).then(broken));
            names_tamsin(testbed, &owners).await;
            let read = testbed.close.asked("/organization/");
            // It is known in this process.
            names_tamsin(testbed, &owners).await;
            assert_eq!(testbed.close.asked("/organization/"), read);
            testbed.clock.advance(15 * MINUTE);
            names_tamsin(testbed, &owners).await;
            assert_eq!(testbed.close.asked("/organization/"), read + 1);
            testbed.plan.clear();
        }
    })
    .await;
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_costs_no_owner() {
    under_the_likeliest(async |testbed| {
        // By name, so that both the field and the members are written.
        for (call, nth) in [(Call::Get, 1), (Call::Get, 2), (Call::Put, 1), (Call::Put, 2), (Call::Put, 3)] {
            for moment in [Moment::Before, Moment::After] {
                testbed.memory.put(Retrieved::KEY, "".into(), WriteCondition::Always).await.unwrap();
                let owners = testbed.process("Lead Owner");
                testbed.plan.at(nth, call, moment, broken());
                let found = testbed.find(&owners, MARLOWE, LOOK).await;
                assert_eq!(
                    named(&found.facts),
                    [("Tamsin Okafor-Test", true)],
                    "{call:?} {nth} {moment:?}: {found:?}"
                );
                testbed.plan.clear();
                names_tamsin(testbed, &owners).await;
                testbed.clock.advance(MINUTE);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn fields_that_were_looked_for_survive_what_is_read_of_the_members() {
    under_the_likeliest(async |testbed| {
        let owners = testbed.process("Lead Owner");
        testbed.find(&owners, MARLOWE, LOOK).await;
        testbed.clock.advance(15 * MINUTE);
        testbed.find(&owners, MARLOWE, LOOK).await;
        let retrieved = testbed.retrieved().unwrap();
        assert_eq!(retrieved.fields["Lead Owner"].as_str(), OWNER_FIELD);
        assert_eq!((retrieved.read_at, retrieved.roster.counts()), (Some(testbed.clock.now()), (3, 1)));
    })
    .await;
}
