//! Looking owners up: when, how often, and what becomes of the lead whatever the directory says.

mod faults;
mod follow_ups;
mod fruitless_lookups;
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
    faulty::{Call, InjectedFault, Moment},
    harness::Harness,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn storage_failed() -> InjectedFault {
    InjectedFault::Fail(Fault::new(Code::StorageFailed, "the disk is broken"))
}

#[tokio::test]
async fn a_lead_is_announced_with_its_owner_when_its_delay_is_over_and_not_before() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(harness.settings.delay - TICK).await;
    assert_eq!((harness.owners.asked(&lead), harness.slack.posted().len()), (0, 0));
    harness.work_for(TICK).await;
    assert_eq!(harness.shown(&lead), 1);
    assert!(harness.slack.posted()[0].mentions("Sales North"));
    let enriched = harness.enriched(&lead).await.unwrap();
    assert_eq!((enriched.lead_owner.as_str(), enriched.owner_status), ("Sales North", OwnerStatus::Assigned));
    assert_eq!((enriched.lead_email.as_str(), enriched.funnel.as_str()), ("lead@example.org", "Trade fair"));
    assert_eq!(enriched.event_id.as_deref(), Some("ev_lead_a"));
    assert_eq!(harness.stages(&lead).await, [Stage::Received, Stage::Enriched, Stage::Notified]);
    assert!(matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))));
    harness.work_for(DAY * 2).await;
    assert_eq!((harness.owners.asked(&lead), harness.slack.posted().len()), (1, 1));
}

#[tokio::test]
async fn a_clock_that_steps_back_makes_no_lead_early() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let due_at = harness.now() + harness.settings.delay;
    harness.clock.advance(harness.settings.delay);
    // Received when due; by the time that it is handled, the clock has been set back.
    let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
    let [delivery] = deliveries.as_slice() else { panic!("the lead should be due") };
    harness.clock.step_back(Duration::from_secs(3_600));
    let disposition = harness.process.handle(delivery).await;
    harness.memory.settle(Queue::Delay, delivery, disposition).await.unwrap();

    let left = Duration::try_from(due_at.duration_since(harness.now())).unwrap();
    assert!(left > MAX_DELAY, "more than one message can wait");
    harness.work_for(left - TICK).await;
    assert_eq!(harness.owners.asked(&lead), 0);
    harness.work_for(TICK).await;
    assert_eq!((harness.owners.asked(&lead), harness.shown(&lead)), (1, 1));
}

#[tokio::test]
async fn a_wait_of_a_stepped_clock_uses_up_no_attempt() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.clock.step_back(DAY);
    harness.work_for(DAY + harness.settings.delay).await;
    assert_eq!((harness.shown(&lead), harness.dead().await.len()), (1, 0));
    assert_eq!(harness.retries(&lead).await, []);
}

#[tokio::test]
async fn a_missing_document_is_no_failure_and_the_alert_says_so() {
    for answer in [
        ScriptedOwners::missing(),
        ScriptedOwners::answer(404, "<Error><Code>NoSuchKey</Code></Error>"),
        ScriptedOwners::answer(404, ""),
    ] {
        let harness = Harness::new();
        let lead = harness.accept("a").await;
        harness.owners.script(&lead, [answer]);
        harness.work_for(harness.settings.delay).await;
        check_defaults(&harness, &lead, OwnerStatus::Missing, Code::OwnerMissing).await;
        assert_eq!(harness.owners.asked(&lead), 1, "403 and 404 are not tried again at once");
    }
}

/// The alert went out with the defaults, and everything says why.
async fn check_defaults(harness: &Harness, lead: &LeadId, status: OwnerStatus, code: Code) {
    let enriched = harness.enriched(lead).await.unwrap();
    assert_eq!(enriched.owner_status, status);
    assert_eq!(
        (enriched.lead_owner.as_str(), enriched.lead_email.as_str(), enriched.funnel.as_str()),
        (UNASSIGNED, UNKNOWN_EMAIL, UNKNOWN)
    );
    assert_eq!(harness.shown(lead), 1);
    let shown = harness.slack.shown();
    assert!(shown[0].mentions(UNASSIGNED) && shown[0].mentions(UNKNOWN_EMAIL));
    let codes: Vec<_> = harness
        .story(lead)
        .await
        .into_iter()
        .filter_map(|entry| match entry.event {
            JournalEvent::Enriched { code, owner_status, .. } => Some((code, owner_status)),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [(Some(code), status)]);
    assert!(matches!(harness.progress(lead).await.unwrap().ended, Some((Ended::Notified, _))));
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
    for (given, code, asked, reason) in [
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
        let harness = Harness::new();
        let lead = harness.accept("a").await;
        harness.owners.script(&lead, [given]);
        harness.work_for(harness.settings.delay + MINUTE).await;
        check_defaults(&harness, &lead, OwnerStatus::LookupFailed, code).await;
        assert_eq!(harness.owners.asked(&lead), asked, "{reason}");
        let reasons: Vec<_> = harness
            .story(&lead)
            .await
            .into_iter()
            .filter_map(|entry| match entry.event {
                JournalEvent::Enriched { reason, .. } => reason,
                _ => None,
            })
            .collect();
        assert_eq!(reasons, [reason]);
        assert!(harness.slack.posted()[0].mentions("The owner could not be looked up"));
    }
}

/// Not as if nobody were assigned yet: somebody has to put the document right.
#[tokio::test]
async fn an_owner_under_another_name_or_of_another_type_is_reported_in_the_alert_and_the_history() {
    for (document, reason) in [
        (
            r#"{"lead_owner":["Dana Field"],"funnel":"Trade fair"}"#,
            "the owner document: its lead_owner is a list, not a text",
        ),
        (
            r#"{"owner":"Dana Field","rep":7,"funnel":"Trade fair"}"#,
            "the owner document: it has no lead_owner; it has owner, rep",
        ),
    ] {
        let harness = Harness::new();
        let lead = harness.accept("a").await;
        harness.owners.script(&lead, [ScriptedOwners::answer(200, document)]);
        harness.work_for(harness.settings.delay + MINUTE).await;
        let enriched = harness.enriched(&lead).await.unwrap();
        assert_eq!(
            (enriched.owner_status, enriched.funnel.as_str()),
            (OwnerStatus::LookupFailed, "Trade fair")
        );
        let story = harness.story(&lead).await;
        let entries = story.iter().map(|entry| (entry.event.code(), entry.detail()));
        let expected = format!("Name of lead_a, owner lookup failed: {reason} (LO123)");
        assert!(
            entries.clone().any(|entry| entry == (Some(Code::OwnerBroken), expected.clone())),
            "{:?}",
            entries.collect::<Vec<_>>()
        );
        assert!(harness.slack.posted()[0].mentions("The owner could not be looked up"));
        harness.owners.assign(&lead, "Dana Field");
        harness.work_for(harness.settings.recheck_wait(1)).await;
        assert_eq!(
            (harness.shown(&lead), harness.enriched(&lead).await.unwrap().lead_owner.as_str()),
            (2, "Dana Field")
        );
    }
}

#[tokio::test]
async fn a_directory_that_does_not_exist_is_told_apart_from_a_missing_document() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.script(&lead, [ScriptedOwners::answer(404, "<Error><Code>NoSuchBucket</Code></Error>")]);
    harness.work_for(harness.settings.delay).await;
    check_defaults(&harness, &lead, OwnerStatus::LookupFailed, Code::OwnerDirectoryGone).await;
}

#[tokio::test]
async fn a_failing_directory_is_asked_again_then_the_alert_goes_out_with_the_defaults() {
    for (answer, code) in [
        (ScriptedOwners::answer(500, ""), Code::OwnerLookupFailed),
        (ScriptedOwners::answer(503, "SlowDown"), Code::OwnerLookupFailed),
        (ScriptedOwners::answer(301, ""), Code::OwnerLookupFailed),
        (ScriptedOwners::unreachable(), Code::OwnerLookupFailed),
        (ScriptedOwners::answer(200, "<html>"), Code::OwnerBroken),
        (ScriptedOwners::answer(200, ""), Code::OwnerBroken),
        (ScriptedOwners::answer(200, "[1]"), Code::OwnerBroken),
    ] {
        let harness = Harness::new();
        let lead = harness.accept("a").await;
        harness.owners.script(&lead, [answer.clone()]);
        harness.work_for(harness.settings.delay + MINUTE).await;
        assert_eq!(harness.owners.asked(&lead), 3, "{answer:?}");
        check_defaults(&harness, &lead, OwnerStatus::LookupFailed, code).await;
        let retries = harness.retries(&lead).await;
        assert_eq!(retries.iter().map(|(c, n, _)| (*c, *n)).collect::<Vec<_>>(), [(code, 1), (code, 2)]);
        assert!(retries[0].2 >= SECOND && retries[1].2 > retries[0].2, "{retries:?}");
        assert_eq!(harness.dead().await, []);
    }
}

#[tokio::test]
async fn transient_failures_cost_nothing_but_time() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let document = ScriptedOwners::document(&lead, "Sales North");
    harness.owners.script(&lead, [ScriptedOwners::unreachable(), ScriptedOwners::answer(500, ""), document]);
    harness.work_for(harness.settings.delay + MINUTE).await;
    assert_eq!(harness.enriched(&lead).await.unwrap().owner_status, OwnerStatus::Assigned);
    assert_eq!(harness.slack.posted().len(), 1);
}

#[tokio::test]
async fn a_document_about_another_lead_is_not_used() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let another: LeadId = "lead_b".parse().unwrap();
    harness.owners.script(&lead, [ScriptedOwners::document(&another, "Wrong Owner")]);
    harness.work_for(harness.settings.delay).await;
    check_defaults(&harness, &lead, OwnerStatus::Mismatch, Code::OwnerMismatch).await;
    assert!(!harness.slack.posted()[0].mentions("Wrong Owner"));
}

#[tokio::test]
async fn a_document_without_an_owner_is_used_for_what_it_has() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let document = json!({"lead_id": lead, "lead_owner": null, "lead_email": "x@example.org", "funnel": " "});
    harness.owners.script(&lead, [ScriptedOwners::answer(200, document.to_string())]);
    harness.work_for(harness.settings.delay).await;
    let enriched = harness.enriched(&lead).await.unwrap();
    assert_eq!(enriched.owner_status, OwnerStatus::Missing);
    assert_eq!(
        (enriched.lead_email.as_str(), enriched.lead_owner.as_str(), enriched.funnel.as_str()),
        ("x@example.org", UNASSIGNED, UNKNOWN)
    );
    assert_eq!(harness.shown(&lead), 1);
}

#[tokio::test]
async fn a_word_for_nobody_is_no_owner_and_the_real_one_is_announced() {
    for word in ["None", "n/a", "-", "(none)", "Unassigned"] {
        let harness = Harness::new();
        let lead = harness.accept("a").await;
        let document = json!({"lead_id": lead, "lead_owner": word, "lead_email": word, "funnel": word});
        harness.owners.script(&lead, [ScriptedOwners::answer(200, document.to_string())]);
        harness.work_for(harness.settings.delay).await;
        check_defaults(&harness, &lead, OwnerStatus::Missing, Code::OwnerMissing).await;
        harness.owners.assign(&lead, "Sales North");
        harness.work_for(harness.settings.recheck_wait(1) + MINUTE).await;
        let shown = harness.slack.shown();
        assert_eq!(shown.len(), 2, "{word}");
        assert!(shown[1].mentions("Lead Owner Found") && shown[1].mentions("Sales North"), "{word}");
    }
}

#[tokio::test]
async fn a_word_for_nobody_that_an_earlier_version_took_for_an_owner_is_looked_for_again() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(harness.settings.delay).await;
    let key = keys::enriched("target/", &lead);
    let stored = harness.memory.get(&key).await.unwrap().unwrap();
    let earlier = String::from_utf8(stored.body.to_vec()).unwrap().replace("Sales North", "None");
    harness.memory.put(&key, earlier.into(), WriteCondition::Always).await.unwrap();
    assert!(!harness.enriched(&lead).await.unwrap().has_owner());

    harness.owners.script(&lead, [ScriptedOwners::missing()]);
    harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
    harness.work_for(SECOND).await;
    assert_eq!(harness.enriched(&lead).await.unwrap().owner_status, OwnerStatus::Missing);
    harness.owners.assign(&lead, "Sales South");
    harness.work_for(harness.settings.recheck_wait(1) + MINUTE).await;
    let shown = harness.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions("Lead Owner Found") && shown[1].mentions("Sales South"));
}

#[tokio::test]
async fn a_broken_field_of_the_document_takes_no_other_with_it() {
    for field in
        [r#""score":NaN"#, r#""name":"Ada \ud83d""#, r#""limit":1e999"#, "\"note\":\"a\nb\"", r#""x":[1,2,]"#]
    {
        let harness = Harness::new();
        let lead = harness.accept("a").await;
        let document = format!(r#"{{{field},"lead_id":"{lead}","lead_owner":"Dana Field",}}"#);
        harness.owners.script(&lead, [ScriptedOwners::answer(200, document)]);
        harness.work_for(harness.settings.delay).await;
        assert_eq!(harness.owners.asked(&lead), 1, "{field}");
        assert_eq!(harness.enriched(&lead).await.unwrap().lead_owner, "Dana Field", "{field}");
    }
}

/// Not as if nobody were assigned yet: somebody has to put the document right.
#[tokio::test]
async fn an_owner_that_cannot_be_read_is_reported_and_costs_neither_the_alert_nor_the_other_fields() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let document = r#"{"funnel":"Trade fair",lead_owner:"Dana Field"}"#;
    harness.owners.script(&lead, [ScriptedOwners::answer(200, document)]);
    harness.work_for(harness.settings.delay + MINUTE).await;
    let enriched = harness.enriched(&lead).await.unwrap();
    assert_eq!((enriched.lead_owner.as_str(), enriched.funnel.as_str()), (UNASSIGNED, "Trade fair"));
    let codes: Vec<_> = harness.story(&lead).await.iter().filter_map(|entry| entry.event.code()).collect();
    assert_eq!((harness.shown(&lead), codes), (1, vec![Code::OwnerBroken]));
    harness.owners.script(&lead, [ScriptedOwners::answer(200, r#"{"lead_owner":"Dana Field"}"#)]);
    harness.work_for(harness.settings.recheck_wait(1)).await;
    assert_eq!(
        (harness.shown(&lead), harness.enriched(&lead).await.unwrap().lead_owner.as_str()),
        (2, "Dana Field")
    );
}

#[tokio::test]
async fn what_came_instead_of_an_owner_document_is_reported() {
    for (body, expected) in [
        ("<!doctype html><title>Sign in</title>", "it begins with `<!doctype html><title>Sign in</title>`"),
        ("", "it is empty"),
        ("[1]", "it is JSON, but no object (a list)"),
        ("{\0\"\0", "it is UTF-16, not UTF-8"),
        ("{\"lead_owner\":\"Da", "it is a JSON object that breaks off after 17 bytes"),
    ] {
        let harness = Harness::new();
        let lead = harness.accept("a").await;
        harness.owners.script(&lead, [ScriptedOwners::answer(200, body)]);
        harness.work_for(harness.settings.delay + MINUTE).await;
        let reasons: Vec<String> = harness
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
        let harness = Harness::new();
        let lead: LeadId = "lead_a".parse().unwrap();
        let mut event: Value = serde_json::from_slice(&Harness::event(&lead)).unwrap();
        event["event"]["data"]["display_name"] = json!(name);
        harness.deliver(event.to_string()).await;
        assert_eq!(harness.progress(&lead).await.unwrap().name, lead.as_str());
        harness.work_for(harness.settings.delay).await;
        assert_eq!(harness.enriched(&lead).await.unwrap().display_name, lead.as_str(), "{name:?}");
        assert!(harness.slack.posted()[0].mentions("Name\\nlead_a"), "{name:?}");
    }
}

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

#[tokio::test]
async fn a_crash_at_any_step_of_processing_loses_and_doubles_nothing() {
    for (call, nths) in [(Call::Get, 4), (Call::Put, 3), (Call::Append, 2), (Call::Send, 3)] {
        for nth in 1..=nths {
            for moment in [Moment::Before, Moment::After] {
                let harness = Harness::new();
                let lead = harness.accept("a").await;
                harness.clock.advance(harness.settings.delay);
                let deliveries = harness.memory.receive(Queue::Delay, 1).await.unwrap();
                harness.faults.at(nth, call, moment, InjectedFault::Hang);
                // The worker hangs there and is killed, or gets through where there is no such step.
                let _ = harness.clock.run_for(Duration::ZERO, harness.process.handle(&deliveries[0])).await;
                harness.faults.clear();
                harness.work_for(DAY * 3).await;
                assert_eq!(harness.shown(&lead), 1, "{call:?} {nth} {moment:?}");
                assert_eq!(harness.dead().await, [], "{call:?} {nth} {moment:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_once_anywhere_is_worked_around() {
    for call in [Call::Get, Call::Put, Call::Append, Call::Send] {
        for nth in 1..=4 {
            let harness = Harness::new();
            let lead = harness.accept("a").await;
            harness.faults.at(nth, call, Moment::Before, storage_failed());
            harness.work_for(harness.settings.delay + Duration::from_secs(120)).await;
            assert_eq!(harness.shown(&lead), 1, "{call:?} {nth}");
            assert_eq!(harness.dead().await, [], "{call:?} {nth}");
            assert!(
                matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Notified, _))),
                "{call:?} {nth}"
            );
        }
    }
}

/// Puts `body` where a lead's raw event was, and works until the lead is due.
async fn with_raw_event(body: &str) -> (Harness, LeadId) {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let key = keys::raw("source/", &lead);
    harness.memory.put(&key, body.to_owned().into(), WriteCondition::Always).await.unwrap();
    harness.work_for(harness.settings.delay).await;
    (harness, lead)
}

#[tokio::test]
async fn a_raw_event_that_is_not_ours_makes_a_dead_letter_at_once() {
    let other = String::from_utf8(Harness::event(&"lead_b".parse().unwrap())).unwrap();
    let updated = json!({"event": {"object_type": "lead", "action": "updated", "lead_id": "lead_a"}});
    for (body, code) in [
        ("\u{0}junk", Code::RawEventUnreadable),
        ("{}", Code::RawEventUnreadable),
        (&updated.to_string(), Code::RawEventUnreadable),
        (&other, Code::RawEventMismatch),
    ] {
        let (harness, lead) = with_raw_event(body).await;
        let dead = harness.dead().await;
        assert_eq!(dead.len(), 1, "{body:?}");
        assert_eq!((dead[0].queue, dead[0].code, dead[0].attempts), (Queue::Delay, code, 1));
        assert_eq!(dead[0].lead_id.as_ref(), Some(&lead));
        assert!(dead[0].reason.chars().all(|c| !c.is_control()), "{:?}", dead[0].reason);
        assert_eq!((harness.slack.posted().len(), harness.owners.asked(&lead)), (0, 0));
        assert!(matches!(harness.progress(&lead).await.unwrap().ended, Some((Ended::Dead, _))));
    }
}

#[tokio::test]
async fn a_raw_event_that_is_gone_makes_a_dead_letter_and_restoring_it_helps() {
    let harness = Harness::new();
    let lead: LeadId = "lead_a".parse().unwrap();
    let job = json!({"lead_id": lead, "key": "source/crm_event_lead_a.json", "not_before": harness.now(), "cause": "arrival"});
    harness.send(Queue::Delay, &job.to_string()).await;
    harness.work_for(SECOND).await;
    assert_eq!(harness.dead_codes().await, [Code::RawEventGone]);
    let key = keys::raw("source/", &lead);
    harness.memory.put(&key, Harness::event(&lead).into(), WriteCondition::Always).await.unwrap();
    harness.redrive_all().await;
    harness.work_for(SECOND).await;
    assert_eq!((harness.shown(&lead), harness.dead().await.len()), (1, 0));
}

#[tokio::test]
async fn a_message_that_is_no_job_makes_a_dead_letter_that_an_edit_fixes() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    for body in ["", "junk", "{\"lead_id\":\"lead_a\"}", "{\"lead_id\":\"lead_../x\",\"key\":\"k\"}"] {
        harness.send(Queue::Delay, body).await;
        harness.work_for(TICK).await;
    }
    let dead = harness.dead().await;
    assert_eq!(harness.dead_codes().await, [Code::JobUnreadable; 4]);
    let named: Vec<_> = dead.iter().filter_map(|letter| letter.lead_id.clone()).collect();
    assert_eq!(named, std::slice::from_ref(&lead), "the lead is named where it can be read");
    let job = json!({"lead_id": lead, "key": "source/crm_event_lead_a.json", "not_before": harness.now(), "cause": "requeue"});
    harness.ops.actions().unwrap().redrive(&dead[0], Body::Edited(job.to_string())).await.unwrap();
    harness.work_for(SECOND).await;
    assert_eq!(harness.shown(&lead), 1);
}

#[tokio::test]
async fn a_key_in_a_job_reads_no_other_lead() {
    let harness = Harness::new();
    let (mine, other) = (harness.accept("a").await, harness.accept("b").await);
    let job = json!({"lead_id": mine, "key": keys::raw("source/", &other), "not_before": harness.now(), "cause": "arrival"});
    harness.send(Queue::Delay, &job.to_string()).await;
    harness.work_for(TICK).await;
    assert_eq!(harness.dead_codes().await, [Code::RawEventMismatch]);
}

#[tokio::test]
async fn a_bad_lead_does_not_hold_up_the_others() {
    let harness = Harness::new();
    let leads = [harness.accept("a").await, harness.accept("b").await, harness.accept("c").await];
    let key = keys::raw("source/", &leads[1]);
    harness.memory.put(&key, "junk".into(), WriteCondition::Always).await.unwrap();
    harness.work_for(harness.settings.delay + SECOND * 5).await;
    let shown: Vec<usize> = leads.iter().map(|lead| harness.shown(lead)).collect();
    assert_eq!((shown.as_slice(), harness.dead().await.len()), (&[1, 0, 1][..], 1));
}

#[tokio::test]
async fn each_destination_is_notified_once() {
    let settings = Settings { destinations: vec![SLACK, EMAIL], ..Settings::default() };
    let harness = Harness::with(settings);
    let lead = harness.accept("a").await;
    harness.work_for(DAY).await;
    assert_eq!((harness.shown(&lead), harness.mailer.tried().len()), (1, 1));
    harness.owners.assign(&lead, "Sales North");
    harness.work_for(DAY).await;
    assert_eq!((harness.shown(&lead), harness.mailer.tried().len()), (2, 2), "and once of the owner");
}

#[tokio::test]
async fn a_delay_of_zero_is_a_lead_at_once() {
    let harness = Harness::with(Settings { delay: Duration::ZERO, ..Settings::default() });
    let lead = harness.accept("a").await;
    harness.work_for(Duration::ZERO).await;
    assert_eq!(harness.shown(&lead), 1);
}
