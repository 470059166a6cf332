//! What each answer that is none comes to.

use std::time::Duration;

use lead::OwnerStatus;
use pipeline::{
    Code,
    ports::{LookupOptions, NextLookup, Owners},
};
use tests::close::{FERROUS, ForcedAnswer, MARLOWE, TAMSIN};

use super::testbed::{FRESH, LOOK, OwnersTestbed, SECOND, outcome, under_every_switch};

const ME: &str = "/me/";
const LEAD: &str = "/lead/";
const MEMBERS: &str = "/organization/";

/// What each answer means, whatever was asked for, where it does not depend on the question.
fn failures() -> Vec<(ForcedAnswer, Code, NextLookup)> {
    let unavailable = |forced| (forced, Code::CloseUnavailable, NextLookup::Retry);
    let mut failures: Vec<_> =
        [500, 502, 503, 504, 599].map(|status| unavailable(ForcedAnswer::Status(status))).into();
    failures.extend(
        [
            ForcedAnswer::Maintenance,
            ForcedAnswer::Body("<html>".to_owned()),
            ForcedAnswer::Body(String::new()),
            ForcedAnswer::Body("[]".to_owned()),
            ForcedAnswer::Half,
            ForcedAnswer::Endless,
        ]
        .map(unavailable),
    );
    failures.push((ForcedAnswer::Status(400), Code::CloseUnavailable, NextLookup::Done));
    failures.push((ForcedAnswer::Status(405), Code::CloseUnavailable, NextLookup::Done));
    failures.push((ForcedAnswer::Status(402), Code::CloseForbidden, NextLookup::Done));
    failures
}

/// Looks for the owner of a lead that says nothing, while Close answers like this.
async fn answered_with(
    testbed: &OwnersTestbed,
    answers: &[(&str, ForcedAnswer)],
) -> (Option<Code>, NextLookup) {
    for (path, forced) in answers {
        testbed.close.account().next(1, path, forced.clone());
    }
    let found = testbed.find(&testbed.owners(), FERROUS, LOOK).await;
    testbed.close.account().forget_forced_answers();
    // Where the lead was read, its owner is somebody whom nobody could name.
    let is_read = answers.iter().all(|(path, _)| *path == MEMBERS);
    assert_eq!(
        (found.facts.status, found.facts.lead_owner.as_deref()),
        (OwnerStatus::LookupFailed, is_read.then_some("Close user …EziMkt")),
        "{answers:?}"
    );
    assert!(testbed.requests().len() <= 2, "{answers:?}");
    outcome(&found)
}

#[tokio::test]
async fn whatever_is_answered_for_a_lead_comes_to_an_outcome() {
    under_every_switch(async |testbed| {
        for (forced, code, then) in failures() {
            assert_eq!(
                answered_with(testbed, &[(LEAD, forced.clone())]).await,
                (Some(code), then),
                "{forced:?}"
            );
        }
        for status in [301, 302, 307, 308, 404, 410] {
            let expected = (Some(Code::CloseLeadHidden), NextLookup::Done);
            assert_eq!(
                answered_with(testbed, &[(LEAD, ForcedAnswer::Status(status))]).await,
                expected,
                "{status}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_for_a_lead_is_the_keys_or_the_leads() {
    under_every_switch(async |testbed| {
        for status in [401, 403] {
            let refused = (LEAD, ForcedAnswer::Status(status));
            let hidden = (Some(Code::CloseLeadHidden), NextLookup::Done);
            assert_eq!(answered_with(testbed, std::slice::from_ref(&refused)).await, hidden);
            for (me, code, then) in [
                (401, Code::CloseKeyRefused, NextLookup::Done),
                (402, Code::CloseForbidden, NextLookup::Done),
                (403, Code::CloseForbidden, NextLookup::Done),
                (500, Code::CloseUnavailable, NextLookup::Retry),
            ] {
                let expected = (Some(code), then);
                assert_eq!(
                    answered_with(testbed, &[refused.clone(), (ME, ForcedAnswer::Status(me))]).await,
                    expected,
                    "{me}"
                );
            }
        }
        let (path, wait) = (LEAD, ForcedAnswer::Wait(7 * SECOND));
        testbed.close.account().next(1, path, ForcedAnswer::Status(401));
        testbed.close.account().next(1, ME, wait);
        let found = testbed.find(&testbed.owners(), FERROUS, LOOK).await;
        assert!(matches!(outcome(&found), (Some(Code::CloseBusy), NextLookup::Wait(_))), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn whose_fault_it_is_is_asked_once_a_minute() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.close.account().next(7, LEAD, ForcedAnswer::Status(401));
        for _ in 0..5 {
            let found = testbed.find(&owners, FERROUS, LOOK).await;
            assert_eq!(outcome(&found), (Some(Code::CloseLeadHidden), NextLookup::Done));
        }
        assert_eq!((testbed.close.asked(LEAD), testbed.close.asked(ME)), (5, 1));
        testbed.clock.advance(61 * SECOND);
        testbed.find(&owners, FERROUS, LOOK).await;
        testbed.find(&owners, FERROUS, LOOK).await;
        assert_eq!((testbed.close.asked(LEAD), testbed.close.asked(ME)), (7, 2));
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_was_deleted_or_merged_is_not_shown_and_its_alert_still_has_an_outcome() {
    under_every_switch(async |testbed| {
        let (owners, lead) = (testbed.owners(), testbed.lead(FERROUS));
        testbed.close.account().delete(FERROUS);
        let found = testbed.run(owners.find(&lead, LOOK)).await;
        assert_eq!(outcome(&found), (Some(Code::CloseLeadHidden), NextLookup::Done));
        assert_eq!((found.facts.status, found.facts.lead_owner), (OwnerStatus::LookupFailed, None));
        // What the webhook said still holds for whoever does not ask.
        let lead = testbed.lead(MARLOWE);
        testbed.close.account().delete(MARLOWE);
        let found = testbed.run(owners.find(&lead, LOOK)).await;
        assert_eq!(found.facts.lead_owner.as_deref(), Some("Tamsin Okafor-Test"));
        let found = testbed.run(owners.find(&lead, FRESH)).await;
        assert_eq!(outcome(&found), (Some(Code::CloseLeadHidden), NextLookup::Done));
    })
    .await;
}

#[tokio::test]
async fn whatever_is_answered_for_the_members_comes_to_an_outcome() {
    under_every_switch(async |testbed| {
        testbed.close.account().own_later(FERROUS, &[TAMSIN]);
        for (forced, code, then) in failures() {
            assert_eq!(
                answered_with(testbed, &[(MEMBERS, forced.clone())]).await,
                (Some(code), then),
                "{forced:?}"
            );
        }
        for (status, code) in [(403, Code::CloseForbidden), (404, Code::CloseUnavailable)] {
            let answered = answered_with(testbed, &[(MEMBERS, ForcedAnswer::Status(status))]).await;
            assert_eq!(answered, (Some(code), NextLookup::Done), "{status}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_known_of_the_lead_is_kept_where_its_owner_cannot_be_named() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.close.account().next(1, MEMBERS, ForcedAnswer::Status(502));
        let found = testbed.find(&owners, MARLOWE, FRESH).await;
        assert_eq!(outcome(&found), (Some(Code::CloseUnavailable), NextLookup::Retry));
        assert_eq!(
            (found.facts.status, found.facts.lead_owner.as_deref()),
            (OwnerStatus::LookupFailed, Some("Close user …EziMkt"))
        );
        assert_eq!(found.facts.lead_email.as_deref(), Some("marlowe.quill@customer.example"));
        assert_eq!(found.facts.lead_phone.as_deref(), Some("+1 202-555-0141"));
        assert_eq!(found.facts.funnel.as_deref(), Some("Example Academy Direct VSL"));
        assert_eq!(found.facts.status_label.as_deref(), Some("Potential"));
    })
    .await;
}

/// A permission that is missing may be answered with 401 as well, and that says nothing against the key.
#[tokio::test]
async fn a_role_that_may_not_read_the_members_is_not_a_refused_key() {
    under_every_switch(async |testbed| {
        testbed.close.account().forbid(MEMBERS);
        let found = testbed.find(&testbed.owners(), MARLOWE, LOOK).await;
        assert_eq!(outcome(&found), (Some(Code::CloseForbidden), NextLookup::Done), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn a_look_up_takes_no_longer_than_it_may() {
    under_every_switch(async |testbed| {
        let look = LookupOptions { within: Some(5 * SECOND), ..LOOK };
        testbed.close.account().own_later(FERROUS, &[TAMSIN]);
        for path in [LEAD, MEMBERS] {
            let (owners, before) = (testbed.owners(), testbed.clock.elapsed());
            testbed.close.account().next(usize::MAX, path, ForcedAnswer::Never);
            let lead = if path == LEAD { FERROUS } else { MARLOWE };
            let found = testbed.find(&owners, lead, look).await;
            testbed.close.account().forget_forced_answers();
            // A webhook that carries its owner asks for no lead.
            if found.facts.status == OwnerStatus::Assigned {
                continue;
            }
            assert_eq!(outcome(&found), (Some(Code::CloseUnavailable), NextLookup::Retry));
            assert_eq!(testbed.clock.elapsed() - before, 5 * SECOND);
            // And it is over with it.
            testbed.clock.advance(10 * SECOND);
            let found = testbed.find(&owners, lead, look).await;
            assert_eq!(found.facts.lead_owner.as_deref(), Some("Tamsin Okafor-Test"));
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_waits_for_another_look_up_waits_no_longer_than_it_may() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.close.account().next(1, MEMBERS, ForcedAnswer::Never);
        let lead = testbed.lead(MARLOWE);
        let look = |seconds: u64| LookupOptions { within: Some(Duration::from_secs(seconds)), ..LOOK };
        let before = testbed.clock.elapsed();
        let both = futures_util::future::join(owners.find(&lead, look(60)), async {
            let found = owners.find(&lead, look(3)).await;
            (found, testbed.clock.elapsed() - before)
        });
        let (first, (second, waited)) = testbed.run(both).await;
        assert_eq!(outcome(&first), (Some(Code::CloseUnavailable), NextLookup::Retry));
        assert_eq!(
            (outcome(&second), waited),
            ((Some(Code::CloseUnavailable), NextLookup::Retry), 3 * SECOND)
        );
        assert_eq!(testbed.requests().len(), 1);
    })
    .await;
}
