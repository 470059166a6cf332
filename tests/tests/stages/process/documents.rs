//! What the owner directory answers, and what becomes of it in the lead and its alert.

use lead::{LeadId, OwnerStatus, UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL, keys};
use pipeline::{
    Code, Ended, JournalEvent,
    ports::{Objects, OtherRegion, OwnerAnswer, WriteCondition},
};
use serde_json::{Value, json};
use tests::{doubles::ScriptedOwners, harness::Harness};

use super::{MINUTE, SECOND};

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
