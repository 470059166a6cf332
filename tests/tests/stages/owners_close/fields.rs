//! Which custom field has the owner.

use std::sync::Arc;

use close::client::ApiKeys;
use lead::OwnerStatus;
use pipeline::{
    Code,
    ports::{NextLookup, Owners},
};
use tests::close::{
    API_KEY, FERROUS, FUNNEL_FIELD, ForcedAnswer, MARLOWE, OWNER_FIELD, QUILLWORK, TAMSIN, TEXT_FIELD,
    UnknownField, WALK_IN,
};

use super::testbed::{FRESH, LOOK, MINUTE, SECOND, named, outcome, under_every_switch};

const SCHEMA: &str = "/custom_field_schema/lead/";

#[tokio::test]
async fn a_field_is_named_by_its_id_old_or_new() {
    under_every_switch(async |testbed| {
        for setting in [TEXT_FIELD.to_owned(), format!("custom.{TEXT_FIELD}")] {
            let found = testbed.find(&testbed.process(&setting), WALK_IN, LOOK).await;
            assert_eq!(named(&found.facts), [("Rowan Testaverde", true)]);
        }
        assert_eq!(testbed.close.asked(SCHEMA), 0, "an id needs no looking for");
    })
    .await;
}

#[tokio::test]
async fn a_field_by_name_is_looked_for_once_for_all_processes_and_a_new_name_changes_nothing() {
    under_every_switch(async |testbed| {
        let owners = testbed.process("lead owner");
        for _ in 0..3 {
            let found = testbed.find(&owners, MARLOWE, LOOK).await;
            assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        }
        assert_eq!((testbed.close.asked(SCHEMA), testbed.requests().len()), (1, 2));
        testbed.close.account().rename_field(OWNER_FIELD, "Rep");
        let another = testbed.process("lead owner");
        let found = testbed.find(&another, MARLOWE, FRESH).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!((testbed.close.asked(SCHEMA), testbed.requests().len()), (0, 1));
        assert_eq!(testbed.retrieved().unwrap().fields["lead owner"].as_str(), OWNER_FIELD);
    })
    .await;
}

#[tokio::test]
async fn a_field_by_an_old_id_is_found_by_its_name() {
    under_every_switch(async |testbed| {
        let owners = testbed.process("Owner (text)");
        let found = testbed.find(&owners, WALK_IN, LOOK).await;
        assert_eq!(named(&found.facts), [("Rowan Testaverde", true)]);
        assert_eq!(testbed.retrieved().unwrap().fields["Owner (text)"].as_str(), TEXT_FIELD);
    })
    .await;
}

/// Three questions are more than a look-up may ask, so the rest is for the next one.
#[tokio::test]
async fn looking_for_a_field_the_lead_and_the_members_takes_two_looks() {
    under_every_switch(async |testbed| {
        let owners = testbed.process("Lead Owner");
        let lead = testbed.lead(MARLOWE);
        let found = testbed.run(owners.find(&lead, FRESH)).await;
        assert_eq!(outcome(&found), (Some(Code::CloseBusy), NextLookup::Wait(SECOND)));
        assert_eq!(testbed.requests().len(), 2);
        testbed.clock.advance(SECOND);
        let found = testbed.run(owners.find(&lead, FRESH)).await;
        assert_eq!(outcome(&found), (None, NextLookup::Done), "{found:?}");
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(testbed.requests().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_first_lead_need_not_wait_for_a_field_that_was_looked_for_at_the_start() {
    under_every_switch(async |testbed| {
        let owners = testbed.process("Lead Owner");
        testbed.run(owners.warm_up()).await;
        assert_eq!(testbed.requests(), [format!("GET {SCHEMA}")]);
        let found = testbed.find(&owners, MARLOWE, FRESH).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        testbed.requests();
        // Whoever starts when the organisation is known reads its members as well, where they have grown old.
        testbed.clock.advance(20 * MINUTE);
        let another = testbed.process("Lead Owner");
        testbed.run(another.warm_up()).await;
        assert_eq!((testbed.close.asked(SCHEMA), testbed.close.asked("/organization/")), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn the_start_does_not_wait_for_ever() {
    under_every_switch(async |testbed| {
        let owners = testbed.process("Lead Owner");
        testbed.close.account().next(1, SCHEMA, ForcedAnswer::Never);
        let before = testbed.clock.elapsed();
        testbed.run(owners.warm_up()).await;
        assert_eq!(testbed.clock.elapsed() - before, 4 * SECOND);
        testbed.clock.advance(5 * SECOND);
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_no_field_has_or_several_have_is_reported_once_a_minute() {
    under_every_switch(async |testbed| {
        testbed.close.account().rename_field(FUNNEL_FIELD, "Partner");
        for name in ["Lead Ownr", "Partner"] {
            let owners = testbed.process_with(name, None, Arc::new(ApiKeys::parse(API_KEY).unwrap()));
            for lead in [MARLOWE, QUILLWORK, FERROUS] {
                let found = testbed.find(&owners, lead, LOOK).await;
                assert_eq!(outcome(&found), (Some(Code::CloseFieldUnknown), NextLookup::Done));
                assert_eq!((found.facts.status, &found.facts.lead_owner), (OwnerStatus::LookupFailed, &None));
                assert!(found.why.unwrap().what.contains(name));
            }
            assert_eq!(testbed.requests(), [format!("GET {SCHEMA}")]);
            testbed.clock.advance(MINUTE);
            testbed.find(&owners, MARLOWE, LOOK).await;
            assert_eq!(testbed.requests().len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_field_that_is_not_set_is_reported_and_costs_no_request() {
    under_every_switch(async |testbed| {
        let owners = testbed.process_with("", None, Arc::new(ApiKeys::parse(API_KEY).unwrap()));
        testbed.run(owners.warm_up()).await;
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(outcome(&found), (Some(Code::CloseFieldUnknown), NextLookup::Done));
        assert_eq!(testbed.requests().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_funnel_that_is_not_found_takes_no_owner_away() {
    under_every_switch(async |testbed| {
        let keys = Arc::new(ApiKeys::parse(API_KEY).unwrap());
        let owners = testbed.process_with("Lead Owner", Some("Funel"), keys);
        let find = async || {
            let found = testbed.find(&owners, MARLOWE, LOOK).await;
            assert_eq!(
                (named(&found.facts), &found.facts.funnel),
                (vec![("Tamsin Okafor-Test", true)], &None)
            );
        };
        find().await;
        find().await;
        assert_eq!(testbed.close.asked(SCHEMA), 1);
        testbed.clock.advance(15 * MINUTE);
        find().await;
        assert_eq!(testbed.close.asked(SCHEMA), 2, "it may have been made by now");
    })
    .await;
}
#[tokio::test]
async fn a_funnel_that_cannot_be_looked_for_takes_no_owner_away() {
    under_every_switch(async |testbed| {
        let keys = Arc::new(ApiKeys::parse(API_KEY).unwrap());
        testbed.close.account().forbid(SCHEMA);
        let owners = testbed.process_with(OWNER_FIELD, Some("Funnel"), keys);
        let found = testbed.find_in_the_end(&owners, MARLOWE, LOOK).await;
        assert_eq!(outcome(&found), (None, NextLookup::Done), "{found:?}");
        assert_eq!((named(&found.facts), &found.facts.funnel), (vec![("Tamsin Okafor-Test", true)], &None));
    })
    .await;
}

#[tokio::test]
async fn a_schema_that_cannot_be_had_is_asked_for_again() {
    under_every_switch(async |testbed| {
        let owners = testbed.process("Lead Owner");
        for (forced, code, then) in [
            (ForcedAnswer::Status(503), Code::CloseUnavailable, NextLookup::Retry),
            (ForcedAnswer::Maintenance, Code::CloseUnavailable, NextLookup::Retry),
            (ForcedAnswer::Half, Code::CloseUnavailable, NextLookup::Retry),
            (ForcedAnswer::Status(403), Code::CloseForbidden, NextLookup::Done),
        ] {
            testbed.close.account().next(1, SCHEMA, forced);
            for _ in 0..2 {
                let found = testbed.find(&owners, MARLOWE, LOOK).await;
                assert_eq!(outcome(&found), (Some(code), then));
            }
            assert_eq!(testbed.requests().len(), 1, "not for every lead");
            testbed.clock.advance(MINUTE);
        }
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
    })
    .await;
}

#[tokio::test]
async fn a_field_that_was_deleted_names_nobody() {
    under_every_switch(async |testbed| {
        let owners = testbed.process("Lead Owner");
        testbed.run(owners.warm_up()).await;
        testbed.close.account().own(FERROUS, &[TAMSIN]);
        testbed.close.account().delete_field(OWNER_FIELD);
        let found = testbed.find(&owners, FERROUS, LOOK).await;
        let expected = match testbed.switches.unknown_field {
            UnknownField::Skipped => Code::CloseFieldUnknown,
            UnknownField::Refused => Code::CloseUnavailable,
        };
        assert_eq!(outcome(&found), (Some(expected), NextLookup::Done));
        assert_eq!(found.facts.lead_owner, None);
    })
    .await;
}
