//! Who is named as the owner.

use lead::OwnerStatus;
use pipeline::{
    Code,
    ports::{NextLookup, Owners},
};
use serde_json::json;
use tests::close::{
    BRINDLE, FERROUS, IVO, Invited, MARLOWE, NADIA, OWNER_FIELD, QUILLWORK, ROWAN, SecondRequest, TAMSIN,
    TEAM_FIELD, TEXT_FIELD, Users, WALK_IN, sample_bytes, user,
};

use super::testbed::{FRESH, LOOK, OwnersTestbed, created, named, outcome, texts, under_every_switch};

#[tokio::test]
async fn an_owner_in_the_webhook_is_named_without_asking_for_the_lead() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        for lead in [
            created(&sample_bytes("webhook_lead_created_with_owner")),
            testbed.lead(MARLOWE),
            created(&sample_bytes("webhook_lead_created_with_owner")),
        ] {
            let found = testbed.run(owners.find(&lead, LOOK)).await;
            assert_eq!(outcome(&found), (None, NextLookup::Done));
            assert_eq!(found.facts.status, OwnerStatus::Assigned);
            assert_eq!(found.facts.lead_owner.as_deref(), Some("Tamsin Okafor-Test"));
            assert_eq!(found.facts.owners[0].id.as_deref(), Some(TAMSIN));
            assert_eq!(found.facts.funnel.as_deref(), Some("Example Academy Direct VSL"));
        }
        assert_eq!((testbed.close.asked_for(MARLOWE), testbed.requests().len()), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn otherwise_close_is_asked_for_the_lead_once_and_for_the_members_once() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.close.account().own_later(FERROUS, &[TAMSIN]);
        let found = testbed.run(owners.find(&testbed.lead(FERROUS), LOOK)).await;
        assert_eq!((outcome(&found), found.facts.status), ((None, NextLookup::Done), OwnerStatus::Assigned));
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(found.facts.funnel.as_deref(), Some("Newsletter"));
        let expected = match testbed.switches.second_request {
            SecondRequest::Missed => 1,
            SecondRequest::Carried => 0,
        };
        assert_eq!(testbed.close.asked_for(FERROUS), expected);
        assert_eq!(testbed.requests().len(), expected + 1);
    })
    .await;
}

#[tokio::test]
async fn what_close_knows_of_the_lead_comes_with_its_owner() {
    under_every_switch(async |testbed| {
        testbed.close.account().own(BRINDLE, &[NADIA]);
        let found = testbed.find(&testbed.owners(), BRINDLE, FRESH).await;
        let facts = &found.facts;
        assert_eq!(facts.lead_owner.as_deref(), Some("Nadia Exampelova"));
        assert_eq!(facts.lead_email.as_deref(), Some("petra@brindle.example"));
        assert_eq!(facts.lead_phone.as_deref(), Some("+1 202-555-0152"));
        assert_eq!((facts.status_label.as_deref(), facts.funnel.as_deref()), (Some("Qualified"), None));
    })
    .await;
}

#[tokio::test]
async fn of_two_owners_the_first_is_the_leads_and_both_are_named() {
    under_every_switch(async |testbed| {
        let owners = testbed.process(TEAM_FIELD);
        let (nadia, tamsin) = (("Nadia Exampelova", true), ("Tamsin Okafor-Test", true));
        for look in [LOOK, FRESH] {
            let found = testbed.find(&owners, QUILLWORK, look).await;
            let expected = match testbed.switches.users {
                Users::AsSet | Users::Lists => vec![nadia, tamsin],
                Users::Reversed => vec![tamsin, nadia],
                Users::First => vec![nadia],
            };
            assert_eq!(named(&found.facts), expected);
            assert_eq!(found.facts.lead_owner.as_deref(), Some(expected[0].0));
            assert_eq!(
                (outcome(&found), found.facts.status),
                ((None, NextLookup::Done), OwnerStatus::Assigned)
            );
        }
        assert_eq!(testbed.close.asked_for(QUILLWORK), 1);
    })
    .await;
}

#[tokio::test]
async fn of_a_departed_and_a_present_owner_the_present_one_is_the_leads() {
    under_every_switch(async |testbed| {
        testbed.close.account().own(FERROUS, &[IVO, ROWAN]);
        let found = testbed.find(&testbed.owners(), FERROUS, LOOK).await;
        match testbed.switches.users {
            Users::First => assert_eq!(found.facts.status, OwnerStatus::Departed),
            _ => {
                assert_eq!(found.facts.status, OwnerStatus::Assigned);
                assert_eq!(found.facts.lead_owner.as_deref(), Some("Rowan Testaverde"));
                assert!(named(&found.facts).contains(&("Ivo Sampleton", false)));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_has_left_is_said_to_have_left_and_close_is_asked_who_came_instead() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        let lead = testbed.lead(BRINDLE);
        let found = testbed.run(owners.find(&lead, LOOK)).await;
        assert_eq!(outcome(&found), (Some(Code::OwnerDeparted), NextLookup::Done));
        assert_eq!(found.facts.status, OwnerStatus::Departed);
        assert_eq!(found.facts.lead_owner.as_deref(), Some("Ivo Sampleton"));
        assert_eq!(named(&found.facts), [("Ivo Sampleton", false)]);
        assert_eq!(found.facts.lead_email.as_deref(), Some("petra@brindle.example"), "Close was asked");
        assert_eq!((testbed.close.asked_for(BRINDLE), testbed.requests().len()), (1, 2));
        // The same webhook, and by now another owner.
        testbed.close.account().own(BRINDLE, &[NADIA]);
        let found = testbed.run(owners.find(&lead, LOOK)).await;
        assert_eq!((outcome(&found), found.facts.status), ((None, NextLookup::Done), OwnerStatus::Assigned));
        assert_eq!(named(&found.facts), [("Nadia Exampelova", true)]);
        assert_eq!(testbed.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_departed_owner_of_a_webhook_is_all_there_is_where_close_fails() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        let lead = testbed.lead(BRINDLE);
        testbed.close.account().next(1, "/lead/", tests::close::ForcedAnswer::Status(502));
        let found = testbed.run(owners.find(&lead, LOOK)).await;
        assert_eq!(
            (outcome(&found).0, found.facts.status),
            (Some(Code::OwnerDeparted), OwnerStatus::Departed)
        );
        assert_eq!(found.facts.lead_owner.as_deref(), Some("Ivo Sampleton"));
    })
    .await;
}

#[tokio::test]
async fn a_fresh_look_leaves_the_webhook_aside() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        let lead = testbed.lead(MARLOWE);
        testbed.close.account().own(MARLOWE, &[NADIA]);
        let found = testbed.run(owners.find(&lead, LOOK)).await;
        assert_eq!(found.facts.lead_owner.as_deref(), Some("Tamsin Okafor-Test"));
        let found = testbed.run(owners.find(&lead, FRESH)).await;
        assert_eq!(found.facts.lead_owner.as_deref(), Some("Nadia Exampelova"));
        testbed.close.account().own(MARLOWE, &[]);
        let found = testbed.run(owners.find(&lead, FRESH)).await;
        assert_eq!((outcome(&found).0, found.facts.lead_owner), (Some(Code::OwnerMissing), None));
        assert_eq!(testbed.close.asked_for(MARLOWE), 2);
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_nobody_owns_is_missing_one() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        for lead in [created(&sample_bytes("webhook_lead_created_without_owner")), testbed.lead(FERROUS)] {
            let found = testbed.run(owners.find(&lead, LOOK)).await;
            assert_eq!(outcome(&found), (Some(Code::OwnerMissing), NextLookup::Done));
            assert_eq!((found.facts.status, &found.facts.lead_owner), (OwnerStatus::Missing, &None));
            assert_eq!(found.facts.funnel.as_deref(), Some("Newsletter"));
            assert_eq!(found.facts.status_label.as_deref(), Some("Potential"));
        }
        // Nobody asks for members of whom none is named.
        // Whether there is such a field at all is looked at once.
        let asked = format!("GET /lead/{FERROUS}/");
        let schema = "GET /custom_field_schema/lead/".to_owned();
        assert_eq!(testbed.requests(), [asked.clone(), schema, asked]);
        for nothing in [json!(""), json!([]), json!("Unassigned"), json!([null, " "])] {
            testbed.close.account().set(FERROUS, OWNER_FIELD, nothing.clone());
            if testbed.switches.users == Users::First && nothing == json!([]) {
                continue;
            }
            let found = testbed.find(&owners, FERROUS, FRESH).await;
            assert_eq!(outcome(&found).0, Some(Code::OwnerMissing), "{nothing}");
        }
        for odd in [json!(7), json!(true), json!({"id": TAMSIN})] {
            testbed.close.account().set(FERROUS, OWNER_FIELD, odd.clone());
            let found = testbed.find(&owners, FERROUS, FRESH).await;
            assert_eq!(outcome(&found).0, Some(Code::OwnerUnknown), "{odd}");
            assert_eq!(found.facts.status, OwnerStatus::LookupFailed, "{odd}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_user_whom_nobody_knows_is_not_shown_by_the_whole_id() {
    under_every_switch(async |testbed| {
        let (owners, stranger) = (testbed.owners(), user(123_456));
        testbed.close.account().own(FERROUS, &[&stranger]);
        for look in [LOOK, FRESH] {
            let found = testbed.find(&owners, FERROUS, look).await;
            assert_eq!(outcome(&found), (Some(Code::OwnerUnknown), NextLookup::Done));
            assert_eq!(found.facts.status, OwnerStatus::LookupFailed);
            assert_eq!(found.facts.lead_owner.as_deref(), Some("Close user …123456"));
            assert!(found.why.as_ref().unwrap().what.contains("Close user …123456"));
            assert!(!texts(&found).contains(&stranger), "{}", texts(&found));
            assert_eq!(found.facts.funnel.as_deref(), Some("Newsletter"));
        }
        // One who is known counts for more than one who is not.
        testbed.close.account().own(FERROUS, &[&stranger, TAMSIN]);
        let found = testbed.find(&owners, FERROUS, FRESH).await;
        if testbed.switches.users != Users::First {
            assert_eq!(
                (found.facts.status, found.facts.lead_owner.as_deref()),
                (OwnerStatus::Assigned, Some("Tamsin Okafor-Test"))
            );
            // And none is left out.
            let unknown: Vec<bool> = found.facts.owners.iter().map(|owner| owner.unknown).collect();
            assert_eq!(unknown.iter().filter(|unknown| **unknown).count(), 1, "{found:?}");
        }
        assert!(!texts(&found).contains(&stranger), "{}", texts(&found));
    })
    .await;
}

#[tokio::test]
async fn an_owner_may_be_written_as_a_name_or_an_address() {
    under_every_switch(async |testbed| {
        let owners = testbed.process(TEXT_FIELD);
        let find = async |value: &str| {
            testbed.close.account().set(WALK_IN, TEXT_FIELD, value.into());
            testbed.find(&owners, WALK_IN, LOOK).await
        };
        for value in ["Rowan Testaverde", "rowan@sales.example", " Rowan@Sales.Example\n", ROWAN] {
            let found = find(value).await;
            assert_eq!(
                (outcome(&found), found.facts.status),
                ((None, NextLookup::Done), OwnerStatus::Assigned)
            );
            assert_eq!(named(&found.facts), [("Rowan Testaverde", true)], "{value}");
        }
        let found = find("Ivo Sampleton").await;
        assert_eq!(
            (outcome(&found).0, found.facts.status),
            (Some(Code::OwnerDeparted), OwnerStatus::Departed)
        );
        for value in
            ["Rowan", "rowan testaverde", "Rowan Testaverde, Tamsin Okafor-Test", "nobody@sales.example"]
        {
            let found = find(value).await;
            assert_eq!(outcome(&found), (Some(Code::OwnerUnknown), NextLookup::Done), "{value}");
            assert_eq!((found.facts.status, &found.facts.lead_owner), (OwnerStatus::LookupFailed, &None));
            assert!(found.why.unwrap().what.contains(value));
        }
    })
    .await;
}

/// What joins the values of a list writes such texts.
#[tokio::test]
async fn ids_in_a_text_are_not_shown_whole_either() {
    under_every_switch(async |testbed| {
        let owners = testbed.process(TEXT_FIELD);
        for value in [format!("{TAMSIN}, {ROWAN}"), format!("rep: {TAMSIN}"), format!("[\"{TAMSIN}\"]")] {
            testbed.close.account().set(WALK_IN, TEXT_FIELD, value.into());
            let found = testbed.find(&owners, WALK_IN, LOOK).await;
            assert_eq!(found.facts.status, OwnerStatus::LookupFailed);
            assert!(!texts(&found).contains(TAMSIN), "{}", texts(&found));
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_that_several_have_names_nobody() {
    under_every_switch(async |testbed| {
        let owners = testbed.process(TEXT_FIELD);
        testbed.close.account().member(&user(1), "Alex Sample", true);
        testbed.close.account().member(&user(2), "Alex Sample", false);
        testbed.close.account().set(WALK_IN, TEXT_FIELD, "Alex Sample".into());
        let found = testbed.find(&owners, WALK_IN, LOOK).await;
        assert_eq!(named(&found.facts), [("Alex Sample", true)], "the other one has left");
        testbed.close.account().member(&user(3), "Alex Sample", true);
        // Once the members are read again.
        testbed.clock.advance(20 * super::testbed::MINUTE);
        let found = testbed.find(&owners, WALK_IN, LOOK).await;
        assert_eq!(outcome(&found), (Some(Code::OwnerAmbiguous), NextLookup::Done));
        assert_eq!((found.facts.status, &found.facts.lead_owner), (OwnerStatus::LookupFailed, &None));
        assert!(found.why.unwrap().what.contains("Alex Sample"));
    })
    .await;
}

#[tokio::test]
async fn whoever_was_invited_is_named_by_address_and_whoever_came_back_is_there() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        let invited = user(654_321);
        testbed.close.account().invite(&invited, "new@sales.example");
        testbed.close.account().come_back(IVO);
        testbed.close.account().own(FERROUS, &[&invited]);
        let found = testbed.find(&owners, FERROUS, LOOK).await;
        match testbed.switches.invited {
            Invited::Nameless | Invited::Absent => {
                assert_eq!(named(&found.facts), [("new@sales.example", true)]);
                assert_eq!(found.facts.status, OwnerStatus::Assigned);
            }
            Invited::Unlisted => {
                assert_eq!(found.facts.lead_owner.as_deref(), Some("Close user …654321"));
                assert_eq!(outcome(&found).0, Some(Code::OwnerUnknown));
            }
        }
        assert!(!texts(&found).contains(&invited));
        let found = testbed.find(&owners, BRINDLE, LOOK).await;
        assert_eq!(
            (found.facts.status, named(&found.facts)),
            (OwnerStatus::Assigned, vec![("Ivo Sampleton", true)])
        );
    })
    .await;
}

#[tokio::test]
async fn a_small_role_sees_its_own_leads_and_says_which_it_does_not() {
    under_every_switch(async |testbed: &OwnersTestbed| {
        let owners = testbed.owners();
        testbed.close.account().restrict();
        let found = testbed.find(&owners, FERROUS, LOOK).await;
        assert_eq!(outcome(&found), (Some(Code::CloseLeadHidden), NextLookup::Done));
        assert_eq!((found.facts.status, &found.facts.lead_owner), (OwnerStatus::LookupFailed, &None));
        let found = testbed.find(&owners, MARLOWE, FRESH).await;
        match testbed.switches.small_role {
            tests::close::SmallRole::ShowsAll => assert_eq!(found.facts.status, OwnerStatus::Assigned),
            // Nothing in the answer distinguishes it from a lead that nobody owns. `doctor` warns of the role.
            tests::close::SmallRole::LeavesOut => assert_eq!(outcome(&found).0, Some(Code::OwnerMissing)),
        }
    })
    .await;
}
