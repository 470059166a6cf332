//! What the system that this one replaces did badly, one by one, through the real functions.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, MetricDatum},
};
use demo::{Answer, DirectoryAnswer, SlackMode};
use futures_util::future::join_all;
use pipeline::{
    Code,
    ports::{Body, Queue},
};
use serde_json::{Value, json};
use tests::{
    http::post,
    lambda::AwsTestbed,
    process::{KEY, until},
};

use super::samples;

/// Webhooks that are refused or ignored, and leave nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn only_signed_events_of_new_leads_with_a_valid_id_are_accepted() {
    let testbed = AwsTestbed::with(&[("Rechecks", "0")]).await;
    let good = samples::changed("lead_good", |_| ());
    let unsigned = tests::http::client().post(testbed.host.gateway.webhook.clone()).body(good.clone());
    assert_eq!(unsigned.send().await.unwrap().status().as_u16(), 401);
    // The key as text, which is the commonest mistake, and a body that was changed on its way.
    assert_eq!(testbed.post(&good, &hex(KEY.as_bytes()[..32].try_into().unwrap())).await.0, 401);
    let changed = |change: fn(&mut Value)| samples::changed("lead_x", change);
    for (body, status, expected) in [
        (samples::bytes("other_lead_updated"), 200, "ignored"),
        (changed(|event| event["event"]["object_type"] = "contact".into()), 200, "ignored"),
        (changed(|event| event["event"]["action"] = "deleted".into()), 200, "ignored"),
        (b"{\"event\": {".to_vec(), 400, "refused"),
        (b"not JSON".to_vec(), 400, "refused"),
    ] {
        let (got, answer) = testbed.post(&body, KEY).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        assert_eq!((got, &answer["status"]), (status, &expected.into()), "{shown}: {answer}");
    }
    for id in [
        "../../target/x",
        "lead_a/../b",
        "lead_",
        "LEAD_a",
        "lead_a.json",
        "lead_é",
        &format!("lead_{}", "a".repeat(65)),
    ] {
        let body = samples::changed(id, |_| ());
        let (status, answer) = testbed.post(&body, KEY).await;
        assert_eq!((status, &answer["status"]), (400, &"refused".into()), "{id}: {answer}");
    }
    assert_eq!(testbed.keys("").await, Vec::<String>::new());
    assert!(testbed.slack.messages().is_empty());
    // Each is counted by its status, and what was ignored is not.
    until_counted(&testbed, &json!({"last_hour": 11, "by_code": {"400": 9, "401": 2}})).await;
    // None was accepted, and each of them looked like one of Close's.
    let checks = testbed.operator().run(&["doctor", "--stack", &testbed.stack.name, "--json"]).await;
    let checks: Value = serde_json::from_slice(&checks.stdout).unwrap();
    let check = checks.as_array().unwrap().iter().find(|check| check["check"] == "webhooks").unwrap();
    assert_eq!((&check["result"], &check["code"]), (&"failed".into(), &"LO105".into()), "{check}");
    let detail = check["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("none was accepted in the last hour, and 11 that look like Close's"),
        "{detail}"
    );
    for (count, code) in [(1, "LO101"), (1, "LO102"), (2, "LO104"), (7, "LO105")] {
        assert!(detail.contains(&format!("{count} × {code} ")), "{detail}");
    }
    // API Gateway counts those as well, and three that it throttled and one whose function failed.
    let api = aws_sdk_cloudwatch::Client::new(&testbed.stack.moto.config());
    for (metric, count) in [("4XXError", 14.0), ("5XXError", 1.0)] {
        let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
        let datum = MetricDatum::builder().metric_name(metric).value(count);
        let datum = datum
            .dimensions(dimension("ApiName", &testbed.stack.name))
            .dimensions(dimension("Stage", "prod"));
        let datum = datum.timestamp(DateTime::from_secs(lead::Timestamp::now().as_second())).build();
        api.put_metric_data().namespace("AWS/ApiGateway").metric_data(datum).send().await.unwrap();
    }
    until_counted(&testbed, &json!({"last_hour": 15, "by_code": {"400": 9, "401": 2, "other": 4}})).await;
}

async fn until_counted(testbed: &AwsTestbed, refused: &Value) {
    until("all refusals are counted", || async {
        let status = testbed.operator().json(&["status", "--stack", &testbed.stack.name]).await;
        status["refused"] == *refused
    })
    .await;
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// However often Close, S3 and SQS deliver, and in whatever order.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_comes_many_times_is_stored_as_it_came_first_and_notified_once() {
    let mut testbed = AwsTestbed::new().await;
    testbed.stack.moto.deliver_events(3, 1).await;
    let samples: Vec<_> = (0..4).map(|_| testbed.sample()).collect();
    let url = &testbed.host.gateway.webhook;
    let answers = samples.iter().flat_map(|sample| (0..3).map(move |_| post(url, &sample.event, KEY)));
    let answers = join_all(answers).await;
    let accepted = answers.iter().filter(|(status, answer)| *status == 200 && answer["status"] == "accepted");
    let known = answers.iter().filter(|(status, answer)| *status == 200 && answer["status"] == "duplicate");
    assert_eq!((accepted.count(), known.count()), (4, 8), "{answers:?}");
    let leads: BTreeSet<_> = samples.iter().map(|sample| sample.lead_id.clone()).collect();
    testbed.until_notified(&leads.iter().cloned().collect::<Vec<_>>()).await;
    testbed.until_idle().await;
    assert_eq!(testbed.deliver(&samples[0]).await, Answer::Duplicate);
    testbed.until_idle().await;
    assert_eq!(testbed.not_notified_once(&leads), []);
    for sample in &samples {
        let key = format!("source/crm_event_{}.json", sample.lead_id);
        assert_eq!(testbed.ops.objects.get(&key).await.unwrap().unwrap().body, sample.event);
    }
}

/// A bad message, a missing event and an owner directory that fails concern nobody else in the batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_message_neither_stops_nor_repeats_the_others_of_its_batch() {
    let mut testbed = AwsTestbed::with(&[("Rechecks", "0")]).await;
    let bucket = testbed.stack.outputs.bucket.clone();
    let event = |key: &str| {
        json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "eventTime": "2026-01-01T00:00:00.000Z", "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
        }]})
    };
    let slow = testbed.sample();
    testbed.owners.set_answer(slow.lead_id.clone(), DirectoryAnswer::SlowDown);
    for body in ["garbage".to_owned(), "{}".to_owned(), event("source/crm_event_lead_gone.json").to_string()]
    {
        testbed.put_message(Queue::Delay, &body).await;
    }
    assert_eq!(testbed.deliver(&slow).await, Answer::Accepted);
    let mut leads = BTreeSet::new();
    for _ in 0..4 {
        leads.insert(testbed.accept().await);
    }
    let dead = testbed.until_dead(Queue::Delay, 3).await;
    let codes: BTreeSet<Code> = dead.iter().map(|letter| letter.code).collect();
    assert_eq!(codes, BTreeSet::from([Code::JobUnreadable, Code::RawEventGone]), "{dead:?}");
    testbed.until_notified(&leads.iter().cloned().collect::<Vec<_>>()).await;
    // The directory is asked again a few seconds later, and then the lead is notified without an owner.
    testbed
        .until_in_time("the slow one is notified", || async { testbed.alert_counts(&slow.lead_id).0 > 0 })
        .await;
    leads.insert(slow.lead_id.clone());
    testbed.until_idle().await;
    assert_eq!(testbed.not_notified_once(&leads), []);
    let enriched = testbed.object(&format!("target/enriched_{}.json", slow.lead_id)).await;
    assert_eq!(
        (&enriched["owner_status"], &enriched["lead_owner"]),
        (&"lookup_failed".into(), &"Unassigned".into())
    );
}

/// The delay is not the only chance: who turns up later is announced, too.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_turns_up_late_is_announced_in_a_follow_up() {
    let mut testbed = AwsTestbed::new().await;
    let late = testbed.ownerless();
    assert_eq!(testbed.deliver(&late).await, Answer::Accepted);
    testbed.until_notified(std::slice::from_ref(&late.lead_id)).await;
    let document = json!({"lead_id": late.lead_id, "lead_owner": "Sales North"});
    testbed.owners.set_answer(late.lead_id.clone(), DirectoryAnswer::Document(document.to_string()));
    until("the follow-up has come", || async { testbed.alert_counts(&late.lead_id) == (2, 1) }).await;
    let messages = testbed.slack.messages();
    let about =
        messages.iter().flat_map(|message| &message.leads).filter(|mention| mention.lead_id == late.lead_id);
    assert_eq!(about.map(|mention| mention.owner_found).collect::<Vec<_>>(), [false, true]);
    // A document without an address is none the worse.
    let enriched = testbed.object(&format!("target/enriched_{}.json", late.lead_id)).await;
    assert_eq!(
        (&enriched["lead_owner"], &enriched["lead_email"]),
        (&"Sales North".into(), &"unknown@example.com".into())
    );
}

/// Slack's refusal is nobody's secret: it is a dead letter with the reason, and can be redriven.
#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_slack_refuses_is_a_dead_letter_until_it_is_redriven() {
    let mut testbed = AwsTestbed::new().await;
    testbed.slack.set_mode(SlackMode::Gone, tests::process::PATIENCE);
    let lead = testbed.accept().await;
    let dead = testbed.until_dead(Queue::Notification, 1).await;
    assert_eq!((dead[0].code, dead[0].lead_id.as_ref()), (Code::SlackWebhookGone, Some(&lead)));
    testbed.slack.set_mode(SlackMode::Normal, tests::process::PATIENCE);
    testbed.ops.actions().unwrap().redrive(&dead[0], Body::AsIs).await.unwrap();
    testbed.until_notified(std::slice::from_ref(&lead)).await;
    testbed.until_idle().await;
    assert_eq!((testbed.alert_counts(&lead), testbed.depth(Queue::Notification).await.dead), ((1, 1), 0));
}

/// All seven fields, and none of them can steer Slack or a mail's head.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_lead_says_is_sent_in_full_and_steers_nothing() {
    let testbed = AwsTestbed::with(&[
        ("UseEmail", "true"),
        ("NotificationEmail", "sales@example.com"),
        ("Rechecks", "0"),
    ])
    .await;
    let names = ["🚀 <!channel> *x*", "two\r\nBcc: a@example.com", &"long ".repeat(60), ""];
    for (number, name) in names.iter().enumerate() {
        let lead = format!("lead_hostile{number}");
        let body = samples::changed(&lead, |event| event["event"]["data"]["display_name"] = (*name).into());
        assert_eq!(testbed.post(&body, KEY).await.0, 200, "{name}");
    }
    let leads: Vec<_> =
        (0..names.len()).map(|number| samples::id(&format!("lead_hostile{number}"))).collect();
    testbed.until_notified(&leads).await;
    until("the mails are there", || async { testbed.stack.moto.mails().await.len() == names.len() }).await;
    let posted: Vec<Value> =
        testbed.to_slack.calls().iter().map(|call| serde_json::from_str(&call.about).unwrap()).collect();
    for message in &posted {
        let text = message.to_string();
        assert!(!text.contains("<!channel>") || text.contains("plain_text"), "{text}");
        assert!(!message["text"].as_str().unwrap().contains("<!channel>"), "{text}");
    }
    let single = posted.iter().find(|message| message.to_string().contains("Created Date"));
    if let Some(message) = single {
        let text = message.to_string();
        for label in ["Name", "Lead ID", "Created Date", "Label", "Email", "Lead Owner", "Funnel"] {
            assert!(text.contains(label), "{label}: {text}");
        }
    }
    for mail in testbed.stack.moto.mails().await {
        let subject = mail.subject.unwrap();
        assert!(subject.len() < 100 && subject.starts_with("New Lead Alert: "), "{subject}");
        assert!(subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{subject}");
        for label in
            ["Name: ", "Lead ID: ", "Created Date: ", "Label: ", "Email: ", "Lead Owner: ", "Funnel: "]
        {
            assert_eq!(mail.message.lines().filter(|line| line.starts_with(label)).count(), 1, "{label}");
        }
    }
}
