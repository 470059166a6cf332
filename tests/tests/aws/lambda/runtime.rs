//! How the functions run on Lambda: starting, running out of time, dying, and what they report of it.

use std::time::Duration;

use demo::Answer;
use pipeline::{Function, ports::Queue};
use serde_json::Value;
use tests::{
    aws::ProxyFault,
    lambda::{AwsTestbed, Failure},
    process::{KEY, until},
};

use super::samples;

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_setting_stops_the_start_by_its_name_and_close_is_asked_to_come_again() {
    let testbed = AwsTestbed::changed(&[], |configuration| {
        configuration.variables.insert("DELAY_SECONDS".to_owned(), "soon".to_owned());
    })
    .await;
    let (status, _) = testbed.post(&samples::changed("lead_a", |_| ()), KEY).await;
    assert_eq!(status, 502);
    let failures = testbed.host.failures();
    let failure = failures.iter().find(|(function, _)| *function == Function::WebhookIngestion);
    let Some((_, Failure::NotStarted(reason))) = failure else { panic!("{failures:?}") };
    assert!(reason.contains("DELAY_SECONDS") && reason.contains("LO906"), "{reason}");
    let lines = testbed.log_lines().await;
    assert!(
        lines.iter().any(|line| line.contains("DELAY_SECONDS") && line.contains("\"ERROR\"")),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_too_long_is_killed_and_close_comes_again() {
    let mut testbed = AwsTestbed::changed(&[], |configuration| {
        if configuration.function == Function::WebhookIngestion {
            // Less than the function's own patience with S3.
            configuration.timeout = Duration::from_secs(3);
        }
    })
    .await;
    testbed.to_aws.next(1, ProxyFault::Hangs, |call| call.writes("source/"));
    let sample = testbed.sample();
    assert_eq!(testbed.post(&sample.event, KEY).await.0, 502);
    assert_eq!(testbed.host.failures(), [(Function::WebhookIngestion, Failure::TimedOut)]);
    assert_eq!(testbed.deliver(&sample).await, Answer::Accepted);
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    let lines = testbed.log_lines().await;
    assert!(lines.iter().any(|line| line.contains("Task timed out after 3.00 seconds")), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_sees_its_time_end_gives_the_lead_back_to_its_queue() {
    let mut testbed = AwsTestbed::changed(&[], |configuration| {
        if configuration.function == Function::LeadProcessor {
            configuration.timeout = Duration::from_secs(6);
        }
    })
    .await;
    testbed.to_aws.next(1, ProxyFault::Hangs, |call| call.writes("target/"));
    let lead = testbed.accept().await;
    until("it has given up", || async {
        testbed.to_aws.is_done() && testbed.log_lines().await.iter().any(|line| line.contains("LO406"))
    })
    .await;
    assert_eq!((testbed.alert_counts(&lead).0, testbed.depth(Queue::Delay).await.in_flight), (0, 1));
    // It comes back when its visibility timeout ends, and no earlier.
    testbed.pass_in_queues(Duration::from_secs(170)).await;
    assert_eq!(testbed.depth(Queue::Delay).await.in_flight, 1);
    testbed.pass_in_queues(Duration::from_secs(10)).await;
    testbed.until_notified(std::slice::from_ref(&lead)).await;
    testbed.until_idle().await;
    assert_eq!((testbed.alert_counts(&lead), testbed.host.failures()), ((1, 1), vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_dies_at_work_leaves_its_lead_to_the_next() {
    let mut testbed = AwsTestbed::new().await;
    testbed.to_aws.next(1, ProxyFault::DoneAndHangs, |call| call.writes("target/"));
    let lead = testbed.accept().await;
    until("it is in the middle of it", || async { testbed.to_aws.is_done() }).await;
    testbed.host.kill(Function::LeadProcessor).await;
    until("Lambda has seen it", || async { !testbed.host.failures().is_empty() }).await;
    let failures = testbed.host.failures();
    assert!(
        matches!(&failures[..], [(Function::LeadProcessor, Failure::Exited(how))] if how.contains("9")),
        "{failures:?}"
    );
    assert_eq!((testbed.alert_counts(&lead).0, testbed.depth(Queue::Delay).await.in_flight), (0, 1));
    testbed.pass_in_queues(Duration::from_secs(180)).await;
    testbed.until_notified(std::slice::from_ref(&lead)).await;
    testbed.until_idle().await;
    assert_eq!(testbed.alert_counts(&lead), (1, 1));
}

/// The one window in which a lead is notified twice: between Slack's acceptance and our record of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_dies_before_it_knows_is_followed_by_one_that_says_so() {
    let mut testbed = AwsTestbed::new().await;
    testbed.to_slack.next(1, ProxyFault::DoneAndHangs, |_| true);
    let lead = testbed.accept().await;
    testbed.until_notified(std::slice::from_ref(&lead)).await;
    testbed.host.kill(Function::Notification).await;
    until("Lambda has seen it", || async { !testbed.host.failures().is_empty() }).await;
    testbed.let_claims_run_out().await;
    testbed.pass_in_queues(Duration::from_secs(420)).await;
    until("it is notified again", || async { testbed.alert_counts(&lead).0 == 2 }).await;
    testbed.until_idle().await;
    let messages = testbed.slack.messages();
    let labels = messages.iter().flat_map(|message| &message.leads).map(|mention| mention.possible_repeat);
    assert_eq!(labels.collect::<Vec<_>>(), [false, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_json_and_says_which_lead_and_which_request() {
    let mut testbed = AwsTestbed::new().await;
    let lead = testbed.deliver_until_notified().await;
    testbed.put_message(Queue::Delay, "garbage").await;
    testbed.until_dead(Queue::Delay, 1).await;
    testbed.until_idle().await;
    let lines = testbed.log_lines().await;
    let of_lambda = ["INIT_START ", "START ", "END ", "REPORT "];
    let (platform, ours): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| of_lambda.iter().any(|start| line.starts_with(start)));
    assert!(platform.iter().any(|line| line.contains("Max Memory Used: ")), "{platform:#?}");
    let ours: Vec<Value> = ours
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let events: Vec<&Value> = ours.iter().filter(|line| line.get("_aws").is_none()).collect();
    for function in ["webhook-ingestion", "lead-processor", "notification"] {
        let about = |line: &&&Value| line["function"] == function && line["lead_id"] == lead.as_str();
        let logged: Vec<_> = events.iter().filter(about).collect();
        assert_eq!(logged.len(), 1, "one event, one line: {logged:#?}");
        assert!(logged[0]["request_id"].is_string() && logged[0]["message"].is_string(), "{logged:?}");
    }
    assert!(events.iter().any(|line| line["code"] == "LO111"), "{events:#?}");
    let query = pipeline::ports::LogQuery { lead: Some(lead), limit: 100, ..Default::default() };
    let found = testbed.ops.logs(&query).await.unwrap();
    assert_eq!(found.len(), 3, "{found:#?}");
}
