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
use tests::close::{API_KEY, FERROUS, Instead, Limit, Limits, MARLOWE, OWNER_FIELD, Switches, TAMSIN};

use super::scene::{FRESH, LOOK, MINUTE, SECOND, Scene, named, outcome, under, under_every_switch};

const ASKED: Duration = Duration::from_millis(5_500);

/// Somebody who waits for no turn in place.
fn impatient(scene: &Scene) -> pipeline::owners::CloseOwners {
    let fields = OwnerFields { owner: FieldSetting::parse(OWNER_FIELD), funnel: None };
    scene.patient(fields, Arc::new(ApiKeys::parse(API_KEY).unwrap()), Duration::from_millis(100))
}

/// How long Close has asked to wait, as far as it has told it.
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
    under_every_switch(async |scene| {
        let owners = impatient(scene);
        scene.close.account().next(1, "/lead/", Instead::Wait(ASKED));
        let found = scene.find(&owners, MARLOWE, FRESH).await;
        let (Some(Code::CloseBusy), NextLookup::Wait(wait)) = outcome(&found) else { panic!("{found:?}") };
        assert!(is_as_asked(scene.switches.limits, wait), "{wait:?}");
        assert_eq!(scene.requests().len(), 1);
        // Another lead is told to wait for the rest of it.
        scene.clock.advance(wait / 2);
        let found = scene.find(&owners, FERROUS, LOOK).await;
        assert_eq!(outcome(&found), (Some(Code::CloseBusy), NextLookup::Wait(wait - wait / 2)));
        assert_eq!(scene.requests().len(), 0);
        scene.clock.advance(wait - wait / 2);
        let found = scene.find(&owners, MARLOWE, FRESH).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
    })
    .await;
}

#[tokio::test]
async fn whoever_has_the_time_waits_in_place() {
    under_every_switch(async |scene| {
        let owners = scene.owners();
        scene.close.account().next(1, "/lead/", Instead::Wait(ASKED));
        let found = scene.find(&owners, MARLOWE, FRESH).await;
        let NextLookup::Wait(wait) = found.then else { panic!("{found:?}") };
        let before = scene.clock.elapsed();
        let found = scene.find(&owners, MARLOWE, FRESH).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
        assert_eq!(scene.clock.elapsed() - before, wait);
        // Whoever has not does not, even where patience was set.
        scene.close.account().next(1, "/lead/", Instead::Wait(ASKED));
        scene.find(&owners, MARLOWE, FRESH).await;
        scene.requests();
        let look = LookupOptions { within: Some(SECOND), ..FRESH };
        let found = scene.find(&owners, MARLOWE, look).await;
        assert!(matches!(found.then, NextLookup::Wait(_)), "{found:?}");
        assert_eq!(scene.requests().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_wait_for_leads_is_none_for_members() {
    under_every_switch(async |scene| {
        let owners = impatient(scene);
        scene.close.account().next(1, "/lead/", Instead::Wait(ASKED));
        scene.find(&owners, FERROUS, LOOK).await;
        let found = scene.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
    })
    .await;
}
#[tokio::test]
async fn a_wait_for_the_members_is_no_attempt_either() {
    under_every_switch(async |scene| {
        let owners = impatient(scene);
        scene.close.account().next(1, "/organization/", Instead::Wait(ASKED));
        let found = scene.find(&owners, MARLOWE, LOOK).await;
        let (Some(Code::CloseBusy), NextLookup::Wait(wait)) = outcome(&found) else { panic!("{found:?}") };
        assert!(is_as_asked(scene.switches.limits, wait), "{wait:?}");
        scene.clock.advance(wait);
        let found = scene.find(&owners, MARLOWE, LOOK).await;
        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)], "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn an_endless_wait_is_not_believed() {
    under_every_switch(async |scene| {
        let owners = impatient(scene);
        scene.close.account().next(1, "/lead/", Instead::Wait(Duration::from_secs(86_400)));
        let found = scene.find(&owners, FERROUS, LOOK).await;
        let NextLookup::Wait(wait) = found.then else { panic!("{found:?}") };
        assert!(wait <= 2 * MINUTE, "{wait:?}");
    })
    .await;
}

/// Close takes few requests, and all leads come at once, however it tells its limits.
#[tokio::test]
async fn a_crowd_of_leads_keeps_to_a_small_limit() {
    let of_limits =
        |switches: &Switches| Switches { limits: Limits::Now, ..*switches } == Switches::default();
    under(Switches::each().into_iter().filter(of_limits).collect(), async |scene| {
        let leads = scene.close.account().add_leads(60);
        for lead in &leads {
            scene.close.account().own(lead.as_str(), &[TAMSIN]);
        }
        scene.close.account().limit = Limit { requests: 20, per: SECOND };
        let owners = scene.owners();
        let one = async |lead: &lead::LeadId| {
            let lead = scene.lead(lead.as_str());
            let mut attempts = 1;
            loop {
                let found = owners.find(&lead, FRESH).await;
                match found.then {
                    NextLookup::Done => {
                        assert_eq!(named(&found.facts), [("Tamsin Okafor-Test", true)]);
                        return attempts;
                    }
                    NextLookup::Wait(wait) => scene.clock.sleep(wait).await,
                    NextLookup::Retry => panic!("{found:?}"),
                }
                attempts += 1;
            }
        };
        let attempts: u32 = scene.run(join_all(leads.iter().map(one))).await.into_iter().sum();
        assert!(scene.clock.elapsed() < MINUTE, "{:?}", scene.clock.elapsed());
        assert!(attempts < 2 * 60, "{attempts} look-ups for 60 leads");
        assert_eq!(scene.close.asked("/organization/"), 1);
    })
    .await;
}
