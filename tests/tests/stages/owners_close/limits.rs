//! Close's rate limits.

use std::{sync::Arc, time::Duration};

use close::FieldSetting;
use close::client::ApiKeys;
use futures_util::future::join_all;
use pipeline::{
    Code,
    owners::OwnerFields,
    ports::{Clock, LookupOptions, NextLookup, Owners},
};
use tests::close::{API_KEY, FERROUS, ForcedAnswer, Limit, Limits, MARLOWE, OWNER_FIELD, Switches, TAMSIN};

use super::testbed::{FRESH, LOOK, MINUTE, OwnersTestbed, SECOND, named, outcome, under, under_every_switch};

const ASKED: Duration = Duration::from_millis(5_500);

/// Somebody who waits for no turn in place.
fn impatient(testbed: &OwnersTestbed) -> pipeline::owners::CloseOwners {
    let fields = OwnerFields { owner: FieldSetting::parse(OWNER_FIELD), funnel: None };
    testbed.patient(fields, Arc::new(ApiKeys::parse(API_KEY).unwrap()), Duration::from_millis(100))
}

/// How long Close has asked to wait, as far as it has said so.
fn is_as_asked(form: Limits, wait: Duration) -> bool {
    match form {
        Limits::Now | Limits::Apart | Limits::Older | Limits::Draft => wait == ASKED,
        // In whole seconds, and by the machine's clock.
        Limits::Date => wait > Duration::ZERO && wait <= ASKED + SECOND,
        Limits::Untold => wait == 2 * SECOND,
    }
}

#[tokio::test]
async fn a_wait_is_no_attempt_and_nothing_is_asked_before_it_is_over() {
    under_every_switch(async |testbed| {
        let owners = impatient(testbed);
        testbed.close.account().next(1, "/lead/", ForcedAnswer::Wait(ASKED));
        let found = testbed.find(&owners, MARLOWE, FRESH).await;
        let (Some(Code::CloseBusy), NextLookup::Wait(wait)) = outcome(&found) else { panic!("{found:?}") };
        assert!(is_as_asked(testbed.switches.limits, wait), "{wait:?}");
        assert_eq!(testbed.requests().len(), 1);
        // Another lead is asked to wait for the rest of it.
        testbed.clock.advance(wait / 2);
        let found = testbed.find(&owners, FERROUS, LOOK).await;
        assert_eq!(outcome(&found), (Some(Code::CloseBusy), NextLookup::Wait(wait - wait / 2)));
        assert_eq!(testbed.requests().len(), 0);
        testbed.clock.advance(wait - wait / 2);
        let found = testbed.find(&owners, MARLOWE, FRESH).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
    })
    .await;
}

#[tokio::test]
async fn whoever_has_the_time_waits_in_place() {
    under_every_switch(async |testbed| {
        let owners = testbed.owners();
        testbed.close.account().next(1, "/lead/", ForcedAnswer::Wait(ASKED));
        let found = testbed.find(&owners, MARLOWE, FRESH).await;
        let NextLookup::Wait(wait) = found.then else { panic!("{found:?}") };
        let before = testbed.clock.elapsed();
        let found = testbed.find(&owners, MARLOWE, FRESH).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(testbed.clock.elapsed() - before, wait);
        // Whoever has not does not, even where patience was set.
        testbed.close.account().next(1, "/lead/", ForcedAnswer::Wait(ASKED));
        testbed.find(&owners, MARLOWE, FRESH).await;
        testbed.requests();
        let look = LookupOptions { within: Some(SECOND), ..FRESH };
        let found = testbed.find(&owners, MARLOWE, look).await;
        assert!(matches!(found.then, NextLookup::Wait(_)), "{found:?}");
        assert_eq!(testbed.requests().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_wait_for_leads_is_none_for_members() {
    under_every_switch(async |testbed| {
        let owners = impatient(testbed);
        testbed.close.account().next(1, "/lead/", ForcedAnswer::Wait(ASKED));
        testbed.find(&owners, FERROUS, LOOK).await;
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
    })
    .await;
}
#[tokio::test]
async fn a_wait_for_the_members_is_no_attempt_either() {
    under_every_switch(async |testbed| {
        let owners = impatient(testbed);
        testbed.close.account().next(1, "/organization/", ForcedAnswer::Wait(ASKED));
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        let (Some(Code::CloseBusy), NextLookup::Wait(wait)) = outcome(&found) else { panic!("{found:?}") };
        assert!(is_as_asked(testbed.switches.limits, wait), "{wait:?}");
        testbed.clock.advance(wait);
        let found = testbed.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn an_endless_wait_is_not_believed() {
    under_every_switch(async |testbed| {
        let owners = impatient(testbed);
        testbed.close.account().next(1, "/lead/", ForcedAnswer::Wait(Duration::from_secs(86_400)));
        let found = testbed.find(&owners, FERROUS, LOOK).await;
        let NextLookup::Wait(wait) = found.then else { panic!("{found:?}") };
        assert!(wait <= 2 * MINUTE, "{wait:?}");
    })
    .await;
}

/// Close takes few requests, and all leads come at once, however it states its limits.
#[tokio::test]
async fn many_leads_at_once_stay_within_a_small_limit() {
    let of_limits =
        |switches: &Switches| Switches { limits: Limits::Now, ..*switches } == Switches::default();
    under(Switches::each().into_iter().filter(of_limits).collect(), async |testbed| {
        let leads = testbed.close.account().add_leads(60);
        for lead in &leads {
            testbed.close.account().own(lead.as_str(), &[TAMSIN]);
        }
        testbed.close.account().limit = Limit { requests: 20, per: SECOND };
        let owners = testbed.owners();
        let one = async |lead: &lead::LeadId| {
            let lead = testbed.lead(lead.as_str());
            let mut attempts = 1;
            loop {
                let found = owners.find(&lead, FRESH).await;
                match found.then {
                    NextLookup::Done => {
                        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
                        return attempts;
                    }
                    NextLookup::Wait(wait) => testbed.clock.sleep(wait).await,
                    NextLookup::Retry => panic!("{found:?}"),
                }
                attempts += 1;
            }
        };
        let attempts: u32 = testbed.run(join_all(leads.iter().map(one))).await.into_iter().sum();
        assert!(testbed.clock.elapsed() < MINUTE, "{:?}", testbed.clock.elapsed());
        assert!(attempts < 2 * 60, "{attempts} look-ups for 60 leads");
        assert_eq!(testbed.close.asked("/organization/"), 1);
    })
    .await;
}
