//! Samples in, alerts out.

use std::collections::BTreeSet;

use demo::DirectoryAnswer;
use jiff::SignedDuration;
use lead::{AlertKind, LeadId};
use ops::LeadQuery;
use pipeline::{Code, Ended, Entry, JournalEvent, Stage};
use serde_json::Value;
use tests::{
    destinations::{EMAIL, SLACK},
    http::post,
    lambda::{AwsTestbed, Shape},
    process::{KEY, PATIENCE, until},
};

use super::samples;

const SAMPLES: [&str; 4] = [
    "lead_created_01_oauth_app",
    "lead_created_02_other_key_order",
    "lead_created_03_api_key_company",
    "lead_created_05_unicode_and_markup",
];

/// SNS takes what is published to a topic that nobody has subscribed to.
#[tokio::test(flavor = "multi_thread")]
async fn mail_that_nobody_gets_is_not_sent_and_slack_is_alerted_all_the_same() {
    let mut testbed = AwsTestbed::with(&[("UseEmail", "true"), ("Rechecks", "0")]).await;
    let lead = testbed.accept().await;
    let tried = || async {
        let story = testbed.ops.history.of_lead(&lead).await.unwrap();
        let waits = |entry: &Entry| matches!(&entry.event, JournalEvent::Retrying { code, .. } if *code == Code::MailUnconfirmed);
        story.iter().any(waits) && testbed.alert_counts(&lead).0 > 0
    };
    until("the mail waits, and Slack has the alert", tried).await;
    assert_eq!(testbed.stack.moto.mails().await.len(), 0);
    let receipts = testbed.ops.lead(&lead).await.unwrap().notifications;
    let mail = receipts.iter().find(|receipt| receipt.destination == EMAIL).unwrap();
    assert_eq!((mail.state, mail.code), ("queued", Some(Code::MailUnconfirmed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_sent_once_on_slack_and_by_mail() {
    let testbed = AwsTestbed::with(&[
        ("UseEmail", "true"),
        ("NotificationEmail", "sales@example.com"),
        ("Rechecks", "0"),
    ])
    .await;
    for owner in ["owner_lookup_01_complete", "owner_lookup_03_null_owner"] {
        let document = samples::json(owner);
        let lead = samples::id(document["lead_id"].as_str().unwrap());
        testbed.owners.set_answer(lead, DirectoryAnswer::Document(document.to_string()));
    }
    let mut leads = BTreeSet::new();
    for sample in SAMPLES {
        let (status, answer) = testbed.post(&samples::bytes(sample), KEY).await;
        assert_eq!((status, &answer["status"]), (200, &"accepted".into()), "{sample}");
        leads.insert(samples::id(answer["lead_id"].as_str().unwrap()));
    }
    let (status, answer) = testbed.post(&samples::bytes("other_lead_updated"), KEY).await;
    assert_eq!((status, &answer["status"]), (200, &"ignored".into()));

    until("everybody is notified", || async {
        leads.iter().all(|lead| testbed.alert_counts(lead).0 > 0)
            && testbed.stack.moto.mails().await.len() >= leads.len()
    })
    .await;
    testbed.until_idle().await;
    assert_eq!((leads.len(), testbed.not_notified_once(&leads)), (4, vec![]));
    let mails = testbed.stack.moto.mails().await;
    for lead in &leads {
        let of_lead: Vec<_> =
            mails.iter().filter(|mail| mail.message.contains(&format!("Lead ID: {lead}\n"))).collect();
        let [mail] = of_lead[..] else { panic!("{lead} has {} mails", of_lead.len()) };
        let subject = mail.subject.as_deref().unwrap();
        assert!(
            subject.len() < 100 && subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()),
            "{subject}"
        );
        assert!(mail.topic == testbed.stack.outputs.topic);
    }

    // The original's document with its names and defaults, and ours beside them.
    let enriched =
        testbed.object("target/enriched_lead_YeOvwVn9XDXT4sNWmWZQargtcJoaCKMuFOzIf1cAATp.json").await;
    for (name, value) in [
        ("display_name", "Marlowe Quill"),
        ("status_label", "Potential"),
        ("lead_email", "marlowe.quill@example.com"),
        ("lead_owner", "Tamsin Okafor-Test"),
        ("funnel", "Example Academy Direct VSL"),
        ("owner_status", "assigned"),
    ] {
        assert_eq!(enriched[name], value, "{name}");
    }
    let unowned =
        testbed.object("target/enriched_lead_YafWJxhZ6f7we5LTeVHdUBE2GCrWBp1bZytacN9evid.json").await;
    for (name, value) in [
        ("lead_email", "unknown@example.com"),
        ("lead_owner", "Unassigned"),
        ("funnel", "Unknown"),
        ("owner_status", "missing"),
    ] {
        assert_eq!(unowned[name], value, "{name}");
    }

    // And an operator sees all of it.
    for lead in &leads {
        let ended = testbed.ops.history.progress(lead).await.unwrap().unwrap().ended.unwrap().0;
        assert_eq!(ended, Ended::Notified);
        let story = testbed.ops.history.of_lead(lead).await.unwrap();
        let stages: Vec<Stage> = story.iter().map(|entry| entry.event.stage()).collect();
        assert_eq!(stages, [Stage::Received, Stage::Enriched, Stage::Notified, Stage::Notified], "{lead}");
    }
    let status = testbed.ops.status().await.unwrap();
    assert_eq!((status.last_24h.accepted, status.last_24h.enriched, status.last_24h.notified), (4, 4, 4));
    assert_eq!((status.pending, status.processing, status.overdue), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_comes_in_by_any_kind_of_address_in_text_or_base64() {
    let testbed = AwsTestbed::with(&[("Rechecks", "0")]).await;
    // A REST API that takes a body for text would not pass on the bytes that were signed.
    assert_eq!(testbed.host.gateway.shape, Shape::Rest { binary: true });
    let shapes =
        [Shape::Rest { binary: false }, Shape::Rest { binary: true }, Shape::Http, Shape::FunctionUrl];
    let mut leads = BTreeSet::new();
    for (number, shape) in shapes.into_iter().enumerate() {
        let (gateway, other) =
            (testbed.host.gateway(shape).await, testbed.host.gateway(shapes[(number + 1) % 4]).await);
        let lead = format!("lead_shape{number}");
        // Outside of ASCII, and with a space that a second serialisation would not keep.
        let mut body = samples::changed(&lead, |event| {
            event["event"]["data"]["display_name"] = "Zoë 株式会社".into();
        });
        body.push(b' ');
        for (way, expected) in [(&gateway, "accepted"), (&other, "duplicate")] {
            let (status, answer) = post(&way.webhook, &body, KEY).await;
            assert_eq!((status, &answer["status"]), (200, &expected.into()), "{shape:?}: {answer}");
        }
        let raw = testbed.ops.objects.get(&format!("source/crm_event_{lead}.json")).await.unwrap().unwrap();
        assert_eq!(raw.body, body, "{shape:?}");
        leads.insert(samples::id(&lead));
    }
    let address = testbed.host.gateway(Shape::FunctionUrl).await;
    let got = tests::http::client().get(address.webhook.clone()).send().await.unwrap();
    let (status, answer) = (got.status().as_u16(), got.json::<Value>().await.unwrap());
    assert_eq!((status, &answer["status"]), (405, &"refused".into()));
    testbed.until_notified(&leads.iter().cloned().collect::<Vec<_>>()).await;
    testbed.until_idle().await;
    assert_eq!(testbed.not_notified_once(&leads), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_not_processed_before_its_time() {
    let mut testbed = AwsTestbed::with(&[("DelaySeconds", "2")]).await;
    let lead = testbed.accept().await;
    testbed.until_notified(std::slice::from_ref(&lead)).await;
    let story = testbed.ops.history.of_lead(&lead).await.unwrap();
    let JournalEvent::Received { due_at, .. } = story[0].event else { panic!("{story:?}") };
    assert_eq!(due_at - story[0].at, SignedDuration::from_secs(2));
    let enriched = story.iter().find(|entry| entry.event.stage() == Stage::Enriched).unwrap();
    assert!(enriched.at >= due_at, "{} is before {due_at}", enriched.at);
    until("it waits no more", || async { testbed.ops.history.open_leads(10).await.unwrap().is_empty() })
        .await;
}

/// A trial takes the way of every alert, and leaves nothing that a listing or a metric would show.
#[tokio::test(flavor = "multi_thread")]
async fn a_trial_arrives_and_leaves_its_receipt_alone() {
    let testbed = AwsTestbed::with(&[("Rechecks", "0")]).await;
    let waiting = testbed.ops.actions().unwrap().send_trial(&SLACK).await.unwrap();
    let receipt = testbed.ops.receipt(&waiting, PATIENCE).await.unwrap().notification;
    assert_eq!((receipt.state, receipt.kind), ("sent", AlertKind::Trial));
    let messages = testbed.slack.messages();
    assert_eq!((messages.len(), messages[0].title.as_str()), (1, "Trial Alert"));
    testbed.until_idle().await;
    let (status, trial) = (testbed.ops.status().await.unwrap(), LeadId::of_trial());
    assert_eq!((status.last_24h.notified, status.last_24h.failed, status.pending), (0, 0, 0));
    assert_eq!(testbed.ops.lead(&trial).await.unwrap_err().code, Code::NoSuchLead);
    assert!(testbed.ops.leads(&LeadQuery::default()).await.unwrap().is_empty());
    let metrics = testbed.log_lines().await.into_iter().filter(|line| line.contains("_aws"));
    let counted: Vec<_> = metrics.filter(|line| line.contains("Notified")).collect();
    assert!(counted.is_empty(), "{counted:#?}");
}
