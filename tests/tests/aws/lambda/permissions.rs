//! Each function may do what it needs, and nothing else.

use std::{collections::BTreeSet, time::Duration};

use demo::{Answer, DirectoryAnswer, SlackMode};
use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use pipeline::{Code, Function, Stage, ports::Queue};
use serde_json::json;
use tests::{
    aws::{Call, Permission, ProxyFault},
    lambda::AwsTestbed,
    process::{PATIENCE, until},
};

/// Everything that the functions ever do: whatever a role may do is used, and whatever is used is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_may_do_is_needed_and_what_is_needed_it_may_do() {
    let mut testbed = AwsTestbed::with(&[
        ("UseEmail", "true"),
        ("NotificationEmail", "sales@example.com"),
        ("Rechecks", "1"),
    ])
    .await;
    let mut leads = BTreeSet::new();
    // The record of a lead that is notified before it is written down: ingestion repairs what it then finds.
    let late = testbed.sample();
    testbed.to_aws.next(1, ProxyFault::Hangs, |call| call.writes("leads/"));
    // Looked for again: a message to the delay queue.
    let ownerless = testbed.ownerless();
    // Looked up again: another message to it.
    let slow = testbed.sample();
    testbed.owners.set_answer(slow.lead_id.clone(), DirectoryAnswer::SlowDown);
    // Tried again: a message's visibility.
    let refused = testbed.sample();
    let lead = refused.lead_id.clone();
    let enriched = move |call: &Call| call.writes("target/") && call.about.contains(lead.as_str());
    testbed.to_aws.next(6, ProxyFault::SlowDown, enriched);
    for sample in [&late, &ownerless, &slow, &refused] {
        assert_eq!(testbed.deliver(sample).await, Answer::Accepted);
        leads.insert(sample.lead_id.clone());
    }
    // Put there by hand: the processor makes up its record.
    let by_hand = testbed.sample();
    testbed.write(&raw(&by_hand.lead_id), &String::from_utf8_lossy(&by_hand.event)).await;
    leads.insert(by_hand.lead_id);
    testbed
        .until_in_time("all are notified", || async {
            leads.iter().all(|lead| testbed.alert_counts(lead).0 > 0)
        })
        .await;
    // A record that is lost is made up, too: by ingestion when Close comes again, and by the notification.
    testbed.delete(&record(&late.lead_id)).await;
    assert_eq!(testbed.deliver(&late).await, Answer::Duplicate);
    let busy = testbed.sample();
    let wait = Duration::from_secs(2);
    testbed.slack.set_mode_at(busy.lead_id.clone(), SlackMode::RateLimited { retry_after: wait }, wait);
    assert_eq!(testbed.deliver(&busy).await, Answer::Accepted);
    until("Slack has asked to wait", || async {
        let story = testbed.ops.history.of_lead(&busy.lead_id).await.unwrap();
        story.iter().any(|entry| entry.event.stage() == Stage::Retrying)
    })
    .await;
    testbed.delete(&record(&busy.lead_id)).await;
    testbed.until_notified(std::slice::from_ref(&busy.lead_id)).await;
    // Processed again: its receipt is there.
    testbed.ops.actions().unwrap().requeue(&busy.lead_id).await.unwrap();
    until("nothing is sent twice", || async {
        let story = testbed.ops.history.of_lead(&busy.lead_id).await.unwrap();
        story.iter().any(|entry| entry.event.stage() == Stage::AlreadyNotified)
    })
    .await;
    // Looked for again in an hour: an object until then, which the scheduler finds when its time has come.
    let later = |at: Timestamp| json!({"lead_id": busy.lead_id, "key": raw(&busy.lead_id), "not_before": at, "cause": "recheck", "number": 1});
    let hour = SignedDuration::from_hours(1);
    testbed.put_message(Queue::Delay, &later(Timestamp::now() + hour).to_string()).await;
    until("it waits", || async { testbed.keys("scheduled/").await.len() == 1 }).await;
    let key = format!("scheduled/00000000060/{}/0000000000000000.json", busy.lead_id);
    testbed.write(&key, &later(Timestamp::UNIX_EPOCH).to_string()).await;
    testbed.host.tick().await;
    until("it was sent", || async { !testbed.keys("scheduled/").await.contains(&key) }).await;
    // Dead letters of both queues.
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE);
    let dead = testbed.accept().await;
    testbed.until_dead(Queue::Notification, 1).await;
    testbed.write(&raw(&dead), "not what it was").await;
    testbed.until_dead(Queue::Delay, 1).await;

    let denied = Code::AwsDenied.as_str();
    let lines = testbed.log_lines().await;
    let refused: Vec<&String> = lines.iter().filter(|line| line.contains(denied)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let functions = testbed.stack.outputs.functions.iter();
    let roles: Vec<String> =
        functions.map(|(function, _)| testbed.host.configuration(*function).role_name().to_owned()).collect();
    let all = testbed.stack.moto.permissions().await;
    let of_functions = all.iter().filter(|permission| roles.contains(&permission.role));
    let unused: Vec<_> = of_functions.clone().filter(|permission| !permission.used).collect();
    assert!(of_functions.count() > 40, "{all:#?}");
    assert!(unused.is_empty(), "nobody needs these: {unused:#?}");
}

/// What the test above stands on: nobody may do what no statement of their role says.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_statement_says_is_refused() {
    let testbed = AwsTestbed::new().await;
    let (bucket, queues) = (&testbed.stack.outputs.bucket, &testbed.stack.outputs.queues);
    let config = testbed.host.config(Function::Notification);
    let s3 = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build(),
    );
    let sqs = aws_sdk_sqs::Client::new(&config);
    for (key, may) in [("pace/slack.json", true), ("source/crm_event_lead_a.json", false), ("x", false)] {
        let put = s3.put_object().bucket(bucket).key(key).send().await;
        assert_eq!(put.is_ok(), may, "{key}: {put:?}");
    }
    let (delay, dead) = (queues.delay.as_ref().unwrap(), queues.notification_dead.as_ref().unwrap());
    for (queue, may) in [(dead, true), (delay, false)] {
        let sent = sqs.send_message().queue_url(queue).message_body("x").send().await;
        assert_eq!(sent.is_ok(), may, "{queue}: {sent:?}");
    }
    let all = testbed.stack.moto.permissions().await;
    let unused = |permission: &&Permission| permission.action == "sns:Publish" && !permission.used;
    assert_eq!(all.iter().filter(unused).count(), 1, "{all:#?}");
}

fn raw(lead: &LeadId) -> String {
    format!("source/crm_event_{lead}.json")
}

fn record(lead: &LeadId) -> String {
    format!("leads/{lead}.json")
}
