//! What an operator does on a stack, with the real `leadops --stack`.

use std::collections::BTreeSet;

use demo::{Answer, DirectoryAnswer, SlackMode};
use lead::LeadId;
use pipeline::ports::Queue;
use serde_json::{Value, json};
use tests::{
    aws::ProxyFault,
    lambda::AwsTestbed,
    process::{PATIENCE, until},
};

/// What a command on the stack prints.
async fn json_of(testbed: &AwsTestbed, args: &[&str]) -> Value {
    testbed.operator().json(&[args, &["--stack", &testbed.stack.name]].concat()).await
}

/// Runs a command on the stack that must succeed.
async fn done(testbed: &AwsTestbed, args: &[&str]) {
    testbed.operator().print(&[args, &["--stack", &testbed.stack.name]].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_and_redriven_and_leads_notified_again() {
    let mut testbed = AwsTestbed::new().await;
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE);
    let mut leads = BTreeSet::new();
    for _ in 0..3 {
        leads.insert(testbed.accept().await);
    }
    testbed.until_dead(Queue::Notification, 3).await;
    testbed.until_idle().await;
    let dead = json_of(&testbed, &["dead", "list"]).await;
    let dead = dead.as_array().unwrap();
    assert_eq!(dead.len(), 3, "{dead:?}");
    let about: BTreeSet<LeadId> =
        dead.iter().map(|row| row["lead_id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(about, leads);
    assert!(dead.iter().all(|row| row["code"] == "LO204" && row["queue"] == "notification"), "{dead:?}");
    let shown = json_of(&testbed, &["dead", "show", dead[0]["id"].as_str().unwrap()]).await;
    assert!(shown.to_string().contains("LO204"), "{shown}");
    // What SQS counts takes no notice of having been looked at.
    assert_eq!(testbed.depth(Queue::Notification).await.dead, 3);

    testbed.slack.set_mode(SlackMode::Normal, PATIENCE);
    done(&testbed, &["dead", "redrive", "--all", "--yes"]).await;
    testbed.until_notified(&leads.iter().cloned().collect::<Vec<_>>()).await;
    testbed.until_idle().await;
    assert_eq!(testbed.not_notified_once(&leads), []);
    assert_eq!(json_of(&testbed, &["dead", "list"]).await, json!([]));

    let lead = leads.first().unwrap().clone();
    done(&testbed, &["resend", lead.as_str(), "--yes"]).await;
    assert_eq!(testbed.alert_counts(&lead), (2, 1));
    let rows = json_of(&testbed, &["leads", "--limit", "10"]).await;
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
    let status = json_of(&testbed, &["status"]).await;
    assert_eq!(
        (&status["last_24h"]["accepted"], &status["queues"]["notification"]["dead"]),
        (&3.into(), &0.into())
    );
    let story = json_of(&testbed, &["lead", lead.as_str()]).await;
    let stages: Vec<&str> =
        story["timeline"].as_array().unwrap().iter().map(|step| step["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["received", "enriched", "dead", "redriven", "notified", "resent", "notified"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requeued_lead_gets_the_owner_that_was_put_right_since() {
    let mut testbed = AwsTestbed::with(&[("Rechecks", "0")]).await;
    let sample = testbed.ownerless();
    assert_eq!(testbed.deliver(&sample).await, Answer::Accepted);
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    testbed.until_idle().await;
    let document = json!({"lead_id": sample.lead_id, "lead_owner": "Sales North"});
    testbed.owners.set_answer(sample.lead_id.clone(), DirectoryAnswer::Document(document.to_string()));
    done(&testbed, &["requeue", sample.lead_id.as_str(), "--yes"]).await;
    until("the follow-up has come", || async { testbed.alert_counts(&sample.lead_id) == (2, 1) }).await;
    let lead = json_of(&testbed, &["lead", sample.lead_id.as_str()]).await;
    assert_eq!(lead["owner_status"], "assigned", "{lead}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_read_from_cloudwatch() {
    let mut testbed = AwsTestbed::new().await;
    let lead = testbed.deliver_until_notified().await;
    let lines = json_of(&testbed, &["logs", "--lead", lead.as_str()]).await;
    let lines = lines.as_array().unwrap();
    let functions: Vec<&str> = lines.iter().map(|line| line["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["webhook-ingestion", "lead-processor", "notification"], "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_cloudwatch_throttles_are_read_all_the_same() {
    let mut testbed = AwsTestbed::new().await;
    let lead = testbed.deliver_until_notified().await;
    // More than the groups that are asked.
    testbed.to_aws.next(5, ProxyFault::Throttled, |call| call.operation == "FilterLogEvents");
    let proxy = testbed.to_aws.endpoint.clone();
    let lines = json_of(&testbed, &["logs", "--lead", lead.as_str(), "--endpoint-url", &proxy]).await;
    assert!(testbed.to_aws.is_done(), "{:?}", testbed.to_aws.account());
    assert_eq!(lines.as_array().unwrap().len(), 3, "{lines}");
}
