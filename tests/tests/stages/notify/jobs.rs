//! What is asked for: resends, follow-ups, messages that are no alerts, hostile text.

use std::time::Duration;

use lead::{AlertKind, LeadId, OwnerStatus, keys};
use ops::Recipients;
use pipeline::{
    Code, Ended, Settings,
    destination::Destinations,
    job::{AlertId, AlertJob},
    ports::{Objects, Queue, WriteCondition},
};
use serde_json::Value;
use tests::{
    destinations::{EMAIL, SLACK},
    harness::Harness,
};

use super::{HOUR, MINUTE, REPEAT, SECOND, ended, first_alert, notified, plain, with_alert};

#[tokio::test]
async fn a_resend_is_a_new_alert_that_says_so() {
    let (harness, lead) = with_alert().await;
    harness.work_for(MINUTE).await;
    let actions = harness.ops.actions().unwrap();
    let waiting = actions.resend(&lead, &SLACK, Recipients::All).await.unwrap();
    harness.work_for(MINUTE).await;
    harness.ops.receipt(&waiting, Duration::ZERO).await.unwrap();
    let shown = harness.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions("Sent again on request.") && !shown[1].mentions(REPEAT));
    assert_eq!(notified(&harness, &lead).await[1], (AlertKind::Resend, 1, false, 1));
    actions.resend(&lead, &SLACK, Recipients::All).await.unwrap();
    harness.work_for(MINUTE).await;
    assert_eq!(harness.shown(&lead), 3);
}

#[tokio::test]
async fn follow_ups_about_one_owner_are_one() {
    let (harness, lead) = with_alert().await;
    harness.work_for(SECOND * 10).await;
    let follow_up = |owner: &str| AlertJob {
        lead_id: lead.clone(),
        destination: SLACK,
        alert: AlertId::follow_up(owner, 1),
        kind: AlertKind::FollowUp,
        due_at: None,
        owner: None,
    };
    let key = keys::enriched(&harness.settings.target_prefix, &lead);
    for owner in ["Sales North", "Sales North", "Sales South", "Sales North"] {
        let mut enriched = harness.enriched(&lead).await.unwrap();
        (enriched.lead_owner, enriched.owner_status) = (owner.to_owned(), OwnerStatus::Assigned);
        let body = serde_json::to_vec(&enriched).unwrap();
        Objects::put(&harness.memory, &key, body.into(), WriteCondition::Always).await.unwrap();
        harness.queue_alert(&follow_up(owner)).await;
        harness.work_for(SECOND * 10).await;
    }
    let kinds: Vec<AlertKind> = notified(&harness, &lead).await.iter().map(|n| n.0).collect();
    assert_eq!(kinds, [AlertKind::New, AlertKind::FollowUp, AlertKind::FollowUp]);
}

#[tokio::test]
async fn a_message_that_is_no_alert_makes_a_dead_letter() {
    let (harness, _) = with_alert().await;
    for body in ["", "junk", "{}", "{\"lead_id\":\"lead_a\",\"channel\":\"pager\"}"] {
        harness.send(Queue::Notification, body).await;
    }
    harness.work_for(MINUTE).await;
    assert_eq!(harness.dead_codes().await, [Code::AlertUnreadable; 4]);
    assert_eq!(harness.slack.posted().len(), 1, "the good one in the same batch is sent");
}

#[tokio::test]
async fn an_alert_whose_lead_is_gone_makes_a_dead_letter_and_requeueing_helps() {
    for content in [None, Some("junk")] {
        let harness = Harness::with(plain());
        let lead = harness.accept("a").await;
        let job = first_alert(&lead);
        if let Some(content) = content {
            let key = keys::enriched("target/", &lead);
            harness.memory.put(&key, content.into(), WriteCondition::Always).await.unwrap();
        }
        harness.queue_alert(&job).await;
        harness.work_for(SECOND).await;
        assert_eq!(harness.dead_codes().await, [Code::EnrichedLeadGone]);
        harness.ops.actions().unwrap().requeue(&lead).await.unwrap();
        harness.work_for(MINUTE).await;
        assert_eq!(harness.shown(&lead), 1);
    }
}

/// Nobody knows whether it was sent, so it is not: once, and not every few seconds for ever.
#[tokio::test]
async fn an_alert_whose_receipt_is_damaged_is_a_dead_letter_until_that_is_put_right() {
    for (old, new) in [("{", ""), ("lead_a", "lead_b"), ("\"queued\"", "\"of_a_later_version\"")] {
        let (harness, lead) = with_alert().await;
        let key = keys::receipt(&lead, "slack", AlertId::new_lead().as_str());
        let receipts = &harness.notify.receipts;
        receipts.ensure(&first_alert(&lead), harness.now(), Default::default()).await.unwrap();
        let good = harness.memory.get(&key).await.unwrap().unwrap().body;
        let bad = String::from_utf8(good.to_vec()).unwrap().replace(old, new);
        harness.memory.put(&key, bad.into(), WriteCondition::Always).await.unwrap();
        harness.work_for(HOUR).await;
        assert_eq!(
            (harness.slack.posted().len(), harness.dead_codes().await),
            (0, vec![Code::ReceiptUnreadable])
        );
        harness.memory.put(&key, good, WriteCondition::Always).await.unwrap();
        harness.redrive_all().await;
        harness.work_for(HOUR).await;
        assert_eq!((harness.shown(&lead), harness.dead().await.len()), (1, 0), "{new}");
    }
}

#[tokio::test]
async fn an_alert_for_a_channel_that_is_not_configured_makes_a_dead_letter() {
    let settings = Settings { destinations: vec![SLACK, EMAIL], ..plain() };
    let mut harness = Harness::with(settings);
    harness.notify.destinations = Destinations::default();
    let lead = harness.enrich("a").await;
    harness.work_for(MINUTE).await;
    let mut codes = harness.dead_codes().await;
    codes.sort_unstable();
    assert_eq!(codes, [Code::SlackNotConfigured, Code::MailNotConfigured]);
    assert_eq!(ended(&harness, &lead).await, Some(Ended::Dead));
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let harness = Harness::with(plain());
    let lead: LeadId = "lead_a".parse().unwrap();
    let hostile =
        "<!channel> *bold* <https://evil.example|Open in Close> \u{1b}[31m\u{202e}\r\nBcc: x@evil.example";
    let mut event: Value = serde_json::from_slice(&Harness::event(&lead)).unwrap();
    for field in ["display_name", "status_label", "date_created"] {
        event["event"]["data"][field] = hostile.into();
    }
    harness.deliver(event.to_string()).await;
    harness.owners.assign(&lead, hostile);
    harness.work_for(HOUR).await;
    let posted = harness.slack.posted();
    let message = posted[0].message.to_string();
    assert!(!message.contains("<!channel>") && !message.contains("<https://evil"), "{message}");
    assert!(!message.contains('\u{202e}') && !message.contains("\\u001b"), "{message}");
    for entry in harness.story(&lead).await {
        assert!(!entry.detail().chars().any(|c| c.is_control() || c == '\u{202e}'));
    }
}
