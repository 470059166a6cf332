//! Looking owners up: when, how often, and what becomes of the lead whatever the directory says.

mod faults;
mod follow_ups;
mod lately;
mod sources;

use std::time::Duration;

use futures_util::future::join;
use lead::{LeadId, OwnerStatus, UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL, keys};
use pipeline::{
    Code, Ended, Fault, JournalEvent, Settings, Stage,
    ports::{
        Body, Clock, Disposition, Inbox, MAX_DELAY, Objects, OtherRegion, OwnerAnswer, Queue, WriteCondition,
    },
};
use serde_json::{Value, json};
use tests::{
    destinations::{EMAIL, SLACK},
    doubles::ScriptedOwners,
    faulty::{Call, Moment, Strike},
    world::World,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn storage_failed() -> Strike {
    Strike::Fail(Fault::new(Code::StorageFailed, "the disk is broken"))
}

#[tokio::test]
async fn a_lead_is_told_with_its_owner_when_its_delay_is_over_and_not_before() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.owners.assign(&lead, "Sales North");
    world.work_for(world.settings.delay - TICK).await;
    assert_eq!((world.owners.asked(&lead), world.slack.posted().len()), (0, 0));
    world.work_for(TICK).await;
    assert_eq!(world.shown(&lead), 1);
    assert!(world.slack.posted()[0].mentions("Sales North"));
    let enriched = world.enriched(&lead).await.unwrap();
    assert_eq!((enriched.lead_owner.as_str(), enriched.owner_status), ("Sales North", OwnerStatus::Assigned));
    assert_eq!((enriched.lead_email.as_str(), enriched.funnel.as_str()), ("lead@example.org", "Trade fair"));
    assert_eq!(enriched.event_id.as_deref(), Some("ev_lead_a"));
    assert_eq!(world.stages(&lead).await, [Stage::Received, Stage::Enriched, Stage::Notified]);
    assert!(matches!(world.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))));
    world.work_for(DAY * 2).await;
    assert_eq!((world.owners.asked(&lead), world.slack.posted().len()), (1, 1));
}

#[tokio::test]
async fn a_clock_that_steps_back_makes_no_lead_early() {
    let world = World::new();
    let lead = world.accept("a").await;
    let due_at = world.now() + world.settings.delay;
    world.clock.advance(world.settings.delay);
    // Received when due; by the time that it is handled, the clock has been set back.
    let deliveries = world.memory.receive(Queue::Delay, 1).await.unwrap();
    let [delivery] = deliveries.as_slice() else { panic!("the lead should be due") };
    world.clock.step_back(Duration::from_secs(3_600));
    let disposition = world.process.handle(delivery).await;
    world.memory.settle(Queue::Delay, delivery, disposition).await.unwrap();

    let left = Duration::try_from(due_at.duration_since(world.now())).unwrap();
    assert!(left > MAX_DELAY, "more than one message can wait");
    world.work_for(left - TICK).await;
    assert_eq!(world.owners.asked(&lead), 0);
    world.work_for(TICK).await;
    assert_eq!((world.owners.asked(&lead), world.shown(&lead)), (1, 1));
}

#[tokio::test]
async fn a_wait_of_a_stepped_clock_uses_up_no_attempt() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.clock.step_back(DAY);
    world.work_for(DAY + world.settings.delay).await;
    assert_eq!((world.shown(&lead), world.dead().await.len()), (1, 0));
    assert_eq!(world.retries(&lead).await, []);
}

#[tokio::test]
async fn a_missing_document_is_no_failure_and_the_alert_says_so() {
    for answer in [
        ScriptedOwners::missing(),
        ScriptedOwners::answer(404, "<Error><Code>NoSuchKey</Code></Error>"),
        ScriptedOwners::answer(404, ""),
    ] {
        let world = World::new();
        let lead = world.accept("a").await;
        world.owners.script(&lead, [answer]);
        world.work_for(world.settings.delay).await;
        check_defaults(&world, &lead, OwnerStatus::Missing, Code::OwnerMissing).await;
        assert_eq!(world.owners.asked(&lead), 1, "403 and 404 are not tried again at once");
    }
}

/// The alert went out with the defaults, and everything says why.
async fn check_defaults(world: &World, lead: &LeadId, status: OwnerStatus, code: Code) {
    let enriched = world.enriched(lead).await.unwrap();
    assert_eq!(enriched.owner_status, status);
    assert_eq!(
        (enriched.lead_owner.as_str(), enriched.lead_email.as_str(), enriched.funnel.as_str()),
        (UNASSIGNED, UNKNOWN_EMAIL, UNKNOWN)
    );
    assert_eq!(world.shown(lead), 1);
    let shown = world.slack.shown();
    assert!(shown[0].mentions(UNASSIGNED) && shown[0].mentions(UNKNOWN_EMAIL));
    let codes: Vec<_> = world
        .story(lead)
        .await
        .into_iter()
        .filter_map(|entry| match entry.event {
            JournalEvent::Enriched { code, owner_status, .. } => Some((code, owner_status)),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [(Some(code), status)]);
    assert!(matches!(world.progress(lead).await.unwrap().ended, Some((Ended::Notified, _))));
}

/// Each with how often it is asked: another look is worth it where the answer may soon be another.
#[tokio::test]
async fn an_answer_that_is_not_the_directorys_word_is_no_missing_document() {
    let error =
        |status, code: &str| ScriptedOwners::answer(status, format!("<Error><Code>{code}</Code></Error>"));
    let answer = |status, body: &str| OwnerAnswer::new(status, body.to_owned());
    let region = OtherRegion {
        region: "eu-west-1".to_owned(),
        base: "https://owners.s3.eu-west-1.amazonaws.com".to_owned(),
    };
    for (given, code, asked, said) in [
        (
            error(403, "AllAccessDisabled"),
            Code::OwnerLookupFailed,
            3,
            "the owner directory answered 403 AllAccessDisabled",
        ),
        (
            ScriptedOwners::answer(403, "<!doctype html>Blocked"),
            Code::OwnersIntercepted,
            3,
            "somebody in between answered for the owner directory: 403 with a web page that begins with `<!doctype html>Blocked`",
        ),
        (
            ScriptedOwners::answer(407, ""),
            Code::OwnersIntercepted,
            3,
            "somebody in between answered for the owner directory: 407 with its own answer",
        ),
        (
            Ok(OwnerAnswer {
                points_to: Some("http://127.0.0.1:9".to_owned()),
                ..answer(302, r#"{"lead_owner":"A stranger"}"#)
            }),
            Code::OwnersRedirected,
            3,
            "the owner directory points to http://127.0.0.1:9 (302), which is not asked",
        ),
        (
            Ok(OwnerAnswer { region: Some(region), ..answer(301, "") }),
            Code::OwnersInOtherRegion,
            1,
            "the bucket is in eu-west-1: set LOOKUP_BASE_URL=https://owners.s3.eu-west-1.amazonaws.com",
        ),
    ] {
        let world = World::new();
        let lead = world.accept("a").await;
        world.owners.script(&lead, [given]);
        world.work_for(world.settings.delay + MINUTE).await;
        check_defaults(&world, &lead, OwnerStatus::LookupFailed, code).await;
        assert_eq!(world.owners.asked(&lead), asked, "{said}");
        let reasons: Vec<_> = world
            .story(&lead)
            .await
            .into_iter()
            .filter_map(|entry| match entry.event {
                JournalEvent::Enriched { reason, .. } => reason,
                _ => None,
            })
            .collect();
        assert_eq!(reasons, [said]);
        assert!(world.slack.posted()[0].mentions("The owner could not be looked up"));
    }
}

/// Not as if nobody were assigned yet: somebody has to put the document right.
#[tokio::test]
async fn an_owner_under_another_name_or_of_another_type_is_said_in_the_alert_and_the_story() {
    for (document, said) in [
        (
            r#"{"lead_owner":["Dana Field"],"funnel":"Trade fair"}"#,
            "the owner document: its lead_owner is a list, not a text",
        ),
        (
            r#"{"owner":"Dana Field","rep":7,"funnel":"Trade fair"}"#,
            "the owner document: it has no lead_owner; it has owner, rep",
        ),
    ] {
        let world = World::new();
        let lead = world.accept("a").await;
        world.owners.script(&lead, [ScriptedOwners::answer(200, document)]);
        world.work_for(world.settings.delay + MINUTE).await;
        let enriched = world.enriched(&lead).await.unwrap();
        assert_eq!(
            (enriched.owner_status, enriched.funnel.as_str()),
            (OwnerStatus::LookupFailed, "Trade fair")
        );
        let story = world.story(&lead).await;
        let told = story.iter().map(|entry| (entry.event.code(), entry.detail()));
        let expected = format!("Name of lead_a, owner lookup failed: {said} (LO123)");
        assert!(
            told.clone().any(|entry| entry == (Some(Code::OwnerBroken), expected.clone())),
            "{:?}",
            told.collect::<Vec<_>>()
        );
        assert!(world.slack.posted()[0].mentions("The owner could not be looked up"));
        world.owners.assign(&lead, "Dana Field");
        world.work_for(world.settings.recheck_wait(1)).await;
        assert_eq!(
            (world.shown(&lead), world.enriched(&lead).await.unwrap().lead_owner.as_str()),
            (2, "Dana Field")
        );
    }
}

#[tokio::test]
async fn a_directory_that_does_not_exist_is_told_apart_from_a_missing_document() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.owners.script(&lead, [ScriptedOwners::answer(404, "<Error><Code>NoSuchBucket</Code></Error>")]);
    world.work_for(world.settings.delay).await;
    check_defaults(&world, &lead, OwnerStatus::LookupFailed, Code::OwnerDirectoryGone).await;
}

#[tokio::test]
async fn trouble_with_the_directory_is_tried_again_then_the_alert_goes_out_with_the_defaults() {
    for (answer, code) in [
        (ScriptedOwners::answer(500, ""), Code::OwnerLookupFailed),
        (ScriptedOwners::answer(503, "SlowDown"), Code::OwnerLookupFailed),
        (ScriptedOwners::answer(301, ""), Code::OwnerLookupFailed),
        (ScriptedOwners::unreachable(), Code::OwnerLookupFailed),
        (ScriptedOwners::answer(200, "<html>"), Code::OwnerBroken),
        (ScriptedOwners::answer(200, ""), Code::OwnerBroken),
        (ScriptedOwners::answer(200, "[1]"), Code::OwnerBroken),
    ] {
        let world = World::new();
        let lead = world.accept("a").await;
        world.owners.script(&lead, [answer.clone()]);
        world.work_for(world.settings.delay + MINUTE).await;
        assert_eq!(world.owners.asked(&lead), 3, "{answer:?}");
        check_defaults(&world, &lead, OwnerStatus::LookupFailed, code).await;
        let retries = world.retries(&lead).await;
        assert_eq!(retries.iter().map(|(c, n, _)| (*c, *n)).collect::<Vec<_>>(), [(code, 1), (code, 2)]);
        assert!(retries[0].2 >= SECOND && retries[1].2 > retries[0].2, "{retries:?}");
        assert_eq!(world.dead().await, []);
    }
}

#[tokio::test]
async fn trouble_that_passes_costs_nothing_but_time() {
    let world = World::new();
    let lead = world.accept("a").await;
    let document = ScriptedOwners::document(&lead, "Sales North");
    world.owners.script(&lead, [ScriptedOwners::unreachable(), ScriptedOwners::answer(500, ""), document]);
    world.work_for(world.settings.delay + MINUTE).await;
    assert_eq!(world.enriched(&lead).await.unwrap().owner_status, OwnerStatus::Assigned);
    assert_eq!(world.slack.posted().len(), 1);
}

#[tokio::test]
async fn a_document_about_another_lead_is_not_used() {
    let world = World::new();
    let lead = world.accept("a").await;
    let another: LeadId = "lead_b".parse().unwrap();
    world.owners.script(&lead, [ScriptedOwners::document(&another, "Wrong Owner")]);
    world.work_for(world.settings.delay).await;
    check_defaults(&world, &lead, OwnerStatus::Mismatch, Code::OwnerMismatch).await;
    assert!(!world.slack.posted()[0].mentions("Wrong Owner"));
}

#[tokio::test]
async fn a_document_without_an_owner_is_used_for_what_it_has() {
    let world = World::new();
    let lead = world.accept("a").await;
    let document = json!({"lead_id": lead, "lead_owner": null, "lead_email": "x@example.org", "funnel": " "});
    world.owners.script(&lead, [ScriptedOwners::answer(200, document.to_string())]);
    world.work_for(world.settings.delay).await;
    let enriched = world.enriched(&lead).await.unwrap();
    assert_eq!(enriched.owner_status, OwnerStatus::Missing);
    assert_eq!(
        (enriched.lead_email.as_str(), enriched.lead_owner.as_str(), enriched.funnel.as_str()),
        ("x@example.org", UNASSIGNED, UNKNOWN)
    );
    assert_eq!(world.shown(&lead), 1);
}

#[tokio::test]
async fn a_word_for_nobody_is_no_owner_and_the_real_one_is_announced() {
    for word in ["None", "n/a", "-", "(none)", "Unassigned"] {
        let world = World::new();
        let lead = world.accept("a").await;
        let document = json!({"lead_id": lead, "lead_owner": word, "lead_email": word, "funnel": word});
        world.owners.script(&lead, [ScriptedOwners::answer(200, document.to_string())]);
        world.work_for(world.settings.delay).await;
        check_defaults(&world, &lead, OwnerStatus::Missing, Code::OwnerMissing).await;
        world.owners.assign(&lead, "Sales North");
        world.work_for(world.settings.recheck_wait(1) + MINUTE).await;
        let shown = world.slack.shown();
        assert_eq!(shown.len(), 2, "{word}");
        assert!(shown[1].mentions("Lead Owner Found") && shown[1].mentions("Sales North"), "{word}");
    }
}

#[tokio::test]
async fn a_word_for_nobody_that_an_earlier_version_took_for_an_owner_is_looked_for_again() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.owners.assign(&lead, "Sales North");
    world.work_for(world.settings.delay).await;
    let key = keys::enriched("target/", &lead);
    let stored = world.memory.get(&key).await.unwrap().unwrap();
    let earlier = String::from_utf8(stored.body.to_vec()).unwrap().replace("Sales North", "None");
    world.memory.put(&key, earlier.into(), WriteCondition::Always).await.unwrap();
    assert!(!world.enriched(&lead).await.unwrap().has_owner());

    world.owners.script(&lead, [ScriptedOwners::missing()]);
    world.ops.actions().unwrap().requeue(&lead).await.unwrap();
    world.work_for(SECOND).await;
    assert_eq!(world.enriched(&lead).await.unwrap().owner_status, OwnerStatus::Missing);
    world.owners.assign(&lead, "Sales South");
    world.work_for(world.settings.recheck_wait(1) + MINUTE).await;
    let shown = world.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions("Lead Owner Found") && shown[1].mentions("Sales South"));
}

#[tokio::test]
async fn a_broken_field_of_the_document_takes_no_other_with_it() {
    for field in
        [r#""score":NaN"#, r#""name":"Ada \ud83d""#, r#""limit":1e999"#, "\"note\":\"a\nb\"", r#""x":[1,2,]"#]
    {
        let world = World::new();
        let lead = world.accept("a").await;
        let document = format!(r#"{{{field},"lead_id":"{lead}","lead_owner":"Dana Field",}}"#);
        world.owners.script(&lead, [ScriptedOwners::answer(200, document)]);
        world.work_for(world.settings.delay).await;
        assert_eq!(world.owners.asked(&lead), 1, "{field}");
        assert_eq!(world.enriched(&lead).await.unwrap().lead_owner, "Dana Field", "{field}");
    }
}

/// Not as if nobody were assigned yet: somebody has to put the document right.
#[tokio::test]
async fn an_owner_that_cannot_be_read_is_said_and_costs_neither_the_alert_nor_the_other_fields() {
    let world = World::new();
    let lead = world.accept("a").await;
    let document = r#"{"funnel":"Trade fair",lead_owner:"Dana Field"}"#;
    world.owners.script(&lead, [ScriptedOwners::answer(200, document)]);
    world.work_for(world.settings.delay + MINUTE).await;
    let enriched = world.enriched(&lead).await.unwrap();
    assert_eq!((enriched.lead_owner.as_str(), enriched.funnel.as_str()), (UNASSIGNED, "Trade fair"));
    let codes: Vec<_> = world.story(&lead).await.iter().filter_map(|entry| entry.event.code()).collect();
    assert_eq!((world.shown(&lead), codes), (1, vec![Code::OwnerBroken]));
    world.owners.script(&lead, [ScriptedOwners::answer(200, r#"{"lead_owner":"Dana Field"}"#)]);
    world.work_for(world.settings.recheck_wait(1)).await;
    assert_eq!(
        (world.shown(&lead), world.enriched(&lead).await.unwrap().lead_owner.as_str()),
        (2, "Dana Field")
    );
}

#[tokio::test]
async fn what_came_instead_of_an_owner_document_is_said() {
    for (body, expected) in [
        ("<!doctype html><title>Sign in</title>", "it begins with `<!doctype html><title>Sign in</title>`"),
        ("", "it is empty"),
        ("[1]", "it is JSON, but no object (a list)"),
        ("{\0\"\0", "it is UTF-16, not UTF-8"),
        ("{\"lead_owner\":\"Da", "it is a JSON object that breaks off after 17 bytes"),
    ] {
        let world = World::new();
        let lead = world.accept("a").await;
        world.owners.script(&lead, [ScriptedOwners::answer(200, body)]);
        world.work_for(world.settings.delay + MINUTE).await;
        let reasons: Vec<String> = world
            .story(&lead)
            .await
            .into_iter()
            .filter_map(|entry| match entry.event {
                JournalEvent::Retrying { reason, .. } => Some(reason),
                _ => None,
            })
            .collect();
        assert_eq!(reasons.len(), 2);
        for reason in reasons {
            assert_eq!(reason, format!("the owner document is broken: {expected}"));
        }
    }
}

#[tokio::test]
async fn a_lead_whose_name_does_not_show_is_announced_by_its_id() {
    for name in ["\u{3164}", "\u{2800}\u{2800}", "\u{200d}", "\u{301}", "\u{115f}\u{1160}"] {
        let world = World::new();
        let lead: LeadId = "lead_a".parse().unwrap();
        let mut event: Value = serde_json::from_slice(&World::event(&lead)).unwrap();
        event["event"]["data"]["display_name"] = json!(name);
        world.deliver(event.to_string()).await;
        assert_eq!(world.progress(&lead).await.unwrap().name, lead.as_str());
        world.work_for(world.settings.delay).await;
        assert_eq!(world.enriched(&lead).await.unwrap().display_name, lead.as_str(), "{name:?}");
        assert!(world.slack.posted()[0].mentions("Name\\nlead_a"), "{name:?}");
    }
}

#[tokio::test]
async fn an_owner_who_turns_up_late_completes_the_lead_and_makes_one_follow_up() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.work_for(world.settings.delay + Duration::from_secs(3_600)).await;
    assert_eq!(world.shown(&lead), 1);
    let asked = world.owners.asked(&lead);
    assert!(asked > 1, "it was looked for again");
    world.owners.assign(&lead, "Sales North");
    world.work_for(DAY * 3).await;

    assert_eq!(world.owners.asked(&lead), asked + 1, "once found, it is not looked for any more");
    let enriched = world.enriched(&lead).await.unwrap();
    assert_eq!((enriched.lead_owner.as_str(), enriched.owner_status), ("Sales North", OwnerStatus::Assigned));
    let shown = world.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions("Lead Owner Found") && shown[1].mentions("Sales North"));
    assert_eq!(
        world.stages(&lead).await,
        [Stage::Received, Stage::Enriched, Stage::Notified, Stage::OwnerFound, Stage::Notified]
    );
    assert_eq!(world.dead().await, []);
}

#[tokio::test]
async fn an_owner_a_day_late_is_still_found() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.work_for(world.settings.delay + DAY).await;
    world.owners.assign(&lead, "Sales North");
    world.work_for(DAY).await;
    assert_eq!(world.enriched(&lead).await.unwrap().owner_status, OwnerStatus::Assigned);
    assert_eq!(world.shown(&lead), 2);
}

#[tokio::test]
async fn looking_again_ends() {
    for answer in [ScriptedOwners::missing(), ScriptedOwners::unreachable()] {
        let settings = Settings { rechecks: 4, ..Settings::default() };
        let world = World::with(settings);
        let lead = world.accept("a").await;
        world.owners.script(&lead, [answer]);
        world.work_for(DAY).await;
        let asked = world.owners.asked(&lead);
        assert!((5..=7).contains(&asked), "{asked}");
        world.work_for(DAY * 7).await;
        assert_eq!(world.owners.asked(&lead), asked);
        assert_eq!((world.slack.posted().len(), world.dead().await.len()), (1, 0));
        assert_eq!(world.memory.next_ready(Queue::Delay), None);
    }
}

#[tokio::test]
async fn a_late_owner_is_in_the_first_alert_where_that_had_to_wait() {
    let world = World::new();
    let lead = world.enrich("a").await;
    world.owners.assign(&lead, "Sales North");
    world.clock.advance(world.settings.recheck_wait(1));
    assert!(world.process_ready().await);
    world.work_for(DAY).await;
    let posted = world.slack.posted();
    assert_eq!(posted.len(), 1, "nobody was told of an unassigned lead, so nothing is to be corrected");
    assert!(posted[0].mentions("Sales North") && posted[0].mentions("New Lead Alert"));
}

#[tokio::test]
async fn an_owner_found_while_the_alert_waits_for_its_turn_is_told_in_the_end() {
    // The alert has been read for sending, with its lead still unassigned, and waits for the pace of
    // the webhook. Meanwhile the owner is found. Whatever the order, the team must learn of it.
    let world = World::new();
    for name in ["b1", "b2", "b3"] {
        world.enrich(name).await;
    }
    let lead = world.enrich("a").await;
    world.owners.assign(&lead, "Sales North");
    world.clock.advance(world.settings.recheck_wait(1));
    // Empties the burst, so that the next alert has to wait.
    let mut alerts = world.take_alerts().await;
    let last = alerts.pop().unwrap();
    assert!(last.body.contains(lead.as_str()));
    world.notify_these(&alerts).await;

    let meanwhile = async {
        world.clock.sleep(SECOND / 2).await;
        loop {
            let deliveries = world.memory.receive(Queue::Delay, 1).await.unwrap();
            let [recheck] = deliveries.as_slice() else { break };
            assert_eq!(world.process.handle(recheck).await, Disposition::Done);
            world.memory.settle(Queue::Delay, recheck, Disposition::Done).await.unwrap();
        }
    };
    let slice = std::slice::from_ref(&last);
    let both = join(world.notify.handle(slice), meanwhile);
    let (dispositions, ()) = world.clock.run(both).await;
    assert_eq!(dispositions, [Disposition::Done]);
    world.memory.settle(Queue::Notification, &last, Disposition::Done).await.unwrap();
    assert_eq!(world.enriched(&lead).await.unwrap().lead_owner, "Sales North");
    world.work_for(DAY).await;
    let told: Vec<_> =
        world.slack.shown().into_iter().filter(|posted| posted.mentions(lead.as_str())).collect();
    assert!(told.iter().any(|posted| posted.mentions("Sales North")), "{told:#?}");
}

#[tokio::test]
async fn an_owner_once_found_is_not_lost_to_a_failed_look_up() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.owners.assign(&lead, "Sales North");
    world.work_for(world.settings.delay).await;
    for answer in [ScriptedOwners::missing(), ScriptedOwners::unreachable()] {
        world.owners.script(&lead, [answer]);
        world.ops.actions().unwrap().requeue(&lead).await.unwrap();
        world.work_for(DAY).await;
        let enriched = world.enriched(&lead).await.unwrap();
        assert_eq!(
            (enriched.lead_owner.as_str(), enriched.owner_status),
            ("Sales North", OwnerStatus::Assigned)
        );
    }
    assert_eq!(world.slack.posted().len(), 1);
}

#[tokio::test]
async fn an_owner_found_by_one_worker_is_not_lost_to_a_slower_one_that_found_none() {
    let world = World::with(Settings { rechecks: 0, ..Settings::default() });
    let lead = world.accept("a").await;
    let document = ScriptedOwners::document(&lead, "Sales North");
    world.owners.script(&lead, [ScriptedOwners::missing(), document]);
    world.clock.advance(world.settings.delay);
    let deliveries = world.memory.receive(Queue::Delay, 1).await.unwrap();
    // The job is delivered twice; the first worker is about to write when the second overtakes it.
    world.weather.at(1, Call::Put, Moment::Before, Strike::Slow(SECOND * 5));
    let both = join(world.process.handle(&deliveries[0]), world.process.handle(&deliveries[0]));
    assert_eq!(world.clock.run(both).await, (Disposition::Done, Disposition::Done));
    assert_eq!(world.enriched(&lead).await.unwrap().lead_owner, "Sales North");
    world.work_for(MINUTE * 10).await;
    assert_eq!(world.slack.posted().len(), 1);
    assert!(world.slack.posted()[0].mentions("Sales North"));
}

#[tokio::test]
async fn a_re_check_that_finds_none_says_so_even_where_the_enriched_lead_was_damaged() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.work_for(world.settings.delay).await;
    let key = keys::enriched("target/", &lead);
    world.memory.put(&key, "junk".into(), WriteCondition::Always).await.unwrap();
    world.work_for(world.settings.recheck_wait(1)).await;
    assert_eq!(world.enriched(&lead).await.unwrap().owner_status, OwnerStatus::Missing, "it is mended");
    let stages = world.stages(&lead).await;
    assert_eq!(stages, [Stage::Received, Stage::Enriched, Stage::Notified, Stage::Enriched]);
}

#[tokio::test]
async fn a_requeued_lead_is_not_told_twice_but_a_changed_owner_is() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.owners.assign(&lead, "Sales North");
    world.work_for(world.settings.delay).await;
    let actions = world.ops.actions().unwrap();
    actions.requeue(&lead).await.unwrap();
    world.work_for(SECOND * 10).await;
    assert_eq!(world.slack.posted().len(), 1);
    assert!(matches!(world.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))));

    for _ in 0..2 {
        world.owners.assign(&lead, "Sales South");
        actions.requeue(&lead).await.unwrap();
        world.work_for(SECOND * 10).await;
        let shown = world.slack.shown();
        assert_eq!(shown.len(), 2, "the same owner is told once");
        assert!(shown[1].mentions("Lead Owner Found") && shown[1].mentions("Sales South"));
        assert!(matches!(world.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))));
    }
}

#[tokio::test]
async fn a_job_delivered_again_makes_no_second_alert() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.clock.advance(world.settings.delay);
    for _ in 0..3 {
        // Handled, and the worker dies before it can say so.
        let deliveries = world.memory.receive(Queue::Delay, 1).await.unwrap();
        let Some(delivery) = deliveries.first() else { break };
        assert_eq!(world.process.handle(delivery).await, Disposition::Done);
        world.clock.advance(world.memory.rules(Queue::Delay).visibility);
    }
    world.work_for(MINUTE).await;
    assert_eq!(world.slack.posted().len(), 1);
    assert_eq!(world.receipt(&lead).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn duplicate_re_checks_make_one_follow_up() {
    let world = World::new();
    let lead = world.accept("a").await;
    world.work_for(world.settings.delay).await;
    world.owners.assign(&lead, "Sales North");
    world.clock.advance(world.settings.recheck_wait(1));
    let deliveries = world.memory.receive(Queue::Delay, 1).await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.process.handle(&deliveries[0]).await, Disposition::Done);
    }
    world.work_for(DAY).await;
    assert_eq!(world.shown(&lead), 2, "the alert and its follow-up");
}

#[tokio::test]
async fn a_crash_at_any_step_of_processing_loses_and_doubles_nothing() {
    for (call, nths) in [(Call::Get, 4), (Call::Put, 3), (Call::Append, 2), (Call::Send, 3)] {
        for nth in 1..=nths {
            for moment in [Moment::Before, Moment::After] {
                let world = World::new();
                let lead = world.accept("a").await;
                world.clock.advance(world.settings.delay);
                let deliveries = world.memory.receive(Queue::Delay, 1).await.unwrap();
                world.weather.at(nth, call, moment, Strike::Hang);
                // The worker hangs there and is killed, or gets through where there is no such step.
                let _ = world.clock.run_for(Duration::ZERO, world.process.handle(&deliveries[0])).await;
                world.weather.clear();
                world.work_for(DAY * 3).await;
                assert_eq!(world.shown(&lead), 1, "{call:?} {nth} {moment:?}");
                assert_eq!(world.dead().await, [], "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_once_anywhere_is_gone_around() {
    for call in [Call::Get, Call::Put, Call::Append, Call::Send] {
        for nth in 1..=4 {
            let world = World::new();
            let lead = world.accept("a").await;
            world.weather.at(nth, call, Moment::Before, storage_failed());
            world.work_for(world.settings.delay + Duration::from_secs(120)).await;
            assert_eq!(world.shown(&lead), 1, "{call:?} {nth}");
            assert_eq!(world.dead().await, [], "{call:?} {nth}");
            assert!(
                matches!(world.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))),
                "{call:?} {nth}"
            );
        }
    }
}

/// Puts `body` where a lead's raw event was, and works until the lead is due.
async fn with_raw_event(body: &str) -> (World, LeadId) {
    let world = World::new();
    let lead = world.accept("a").await;
    let key = keys::raw("source/", &lead);
    world.memory.put(&key, body.to_owned().into(), WriteCondition::Always).await.unwrap();
    world.work_for(world.settings.delay).await;
    (world, lead)
}

#[tokio::test]
async fn a_raw_event_that_is_not_ours_makes_a_dead_letter_at_once() {
    let other = String::from_utf8(World::event(&"lead_b".parse().unwrap())).unwrap();
    let updated = json!({"event": {"object_type": "lead", "action": "updated", "lead_id": "lead_a"}});
    for (body, code) in [
        ("\u{0}junk", Code::RawEventUnreadable),
        ("{}", Code::RawEventUnreadable),
        (&updated.to_string(), Code::RawEventUnreadable),
        (&other, Code::RawEventMismatch),
    ] {
        let (world, lead) = with_raw_event(body).await;
        let dead = world.dead().await;
        assert_eq!(dead.len(), 1, "{body:?}");
        assert_eq!((dead[0].queue, dead[0].code, dead[0].attempts), (Queue::Delay, code, 1));
        assert_eq!(dead[0].lead_id.as_ref(), Some(&lead));
        assert!(dead[0].reason.chars().all(|c| !c.is_control()), "{:?}", dead[0].reason);
        assert_eq!((world.slack.posted().len(), world.owners.asked(&lead)), (0, 0));
        assert!(matches!(world.progress(&lead).await.unwrap().ended, Some((Ended::Dead, _))));
    }
}

#[tokio::test]
async fn a_raw_event_that_is_gone_makes_a_dead_letter_and_restoring_it_helps() {
    let world = World::new();
    let lead: LeadId = "lead_a".parse().unwrap();
    let job = json!({"lead_id": lead, "key": "source/crm_event_lead_a.json", "not_before": world.now(), "cause": "arrival"});
    world.send(Queue::Delay, &job.to_string()).await;
    world.work_for(SECOND).await;
    assert_eq!(world.dead_codes().await, [Code::RawEventGone]);
    let key = keys::raw("source/", &lead);
    world.memory.put(&key, World::event(&lead).into(), WriteCondition::Always).await.unwrap();
    world.redrive_all().await;
    world.work_for(SECOND).await;
    assert_eq!((world.shown(&lead), world.dead().await.len()), (1, 0));
}

#[tokio::test]
async fn a_message_that_is_no_job_makes_a_dead_letter_that_an_edit_mends() {
    let world = World::new();
    let lead = world.accept("a").await;
    for body in ["", "junk", "{\"lead_id\":\"lead_a\"}", "{\"lead_id\":\"lead_../x\",\"key\":\"k\"}"] {
        world.send(Queue::Delay, body).await;
        world.work_for(TICK).await;
    }
    let dead = world.dead().await;
    assert_eq!(world.dead_codes().await, [Code::JobUnreadable; 4]);
    let named: Vec<_> = dead.iter().filter_map(|letter| letter.lead_id.clone()).collect();
    assert_eq!(named, std::slice::from_ref(&lead), "the lead is named where it can be read");
    let job = json!({"lead_id": lead, "key": "source/crm_event_lead_a.json", "not_before": world.now(), "cause": "requeue"});
    world.ops.actions().unwrap().redrive(&dead[0], Body::Edited(job.to_string())).await.unwrap();
    world.work_for(SECOND).await;
    assert_eq!(world.shown(&lead), 1);
}

#[tokio::test]
async fn a_key_in_a_job_reads_no_other_lead() {
    let world = World::new();
    let (mine, other) = (world.accept("a").await, world.accept("b").await);
    let job = json!({"lead_id": mine, "key": keys::raw("source/", &other), "not_before": world.now(), "cause": "arrival"});
    world.send(Queue::Delay, &job.to_string()).await;
    world.work_for(TICK).await;
    assert_eq!(world.dead_codes().await, [Code::RawEventMismatch]);
}

#[tokio::test]
async fn a_bad_lead_does_not_hold_up_the_others() {
    let world = World::new();
    let leads = [world.accept("a").await, world.accept("b").await, world.accept("c").await];
    let key = keys::raw("source/", &leads[1]);
    world.memory.put(&key, "junk".into(), WriteCondition::Always).await.unwrap();
    world.work_for(world.settings.delay + SECOND * 5).await;
    let shown: Vec<usize> = leads.iter().map(|lead| world.shown(lead)).collect();
    assert_eq!((shown.as_slice(), world.dead().await.len()), (&[1, 0, 1][..], 1));
}

#[tokio::test]
async fn each_channel_is_told_once() {
    let settings = Settings { destinations: vec![SLACK, EMAIL], ..Settings::default() };
    let world = World::with(settings);
    let lead = world.accept("a").await;
    world.work_for(DAY).await;
    assert_eq!((world.shown(&lead), world.mailer.tried().len()), (1, 1));
    world.owners.assign(&lead, "Sales North");
    world.work_for(DAY).await;
    assert_eq!((world.shown(&lead), world.mailer.tried().len()), (2, 2), "and once of the owner");
}

#[tokio::test]
async fn a_delay_of_zero_is_a_lead_at_once() {
    let world = World::with(Settings { delay: Duration::ZERO, ..Settings::default() });
    let lead = world.accept("a").await;
    world.work_for(Duration::ZERO).await;
    assert_eq!(world.shown(&lead), 1);
}
