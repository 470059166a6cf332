//! Everything takes its time: with no figure that the template allows is a lead left without its alert.

use std::time::Duration;

use pipeline::{Code, Function, JournalEvent, ports::Queue};
use tests::{aws::ProxyFault, lambda::AwsTestbed};

/// The shortest visibility timeout, and with it the shortest timeout of the function.
const SHORTEST: &[(&str, &str)] = &[("DelayVisibilitySeconds", "30"), ("Rechecks", "0")];
/// How long the owner directory takes for an answer.
const SLOW_DIRECTORY: Duration = Duration::from_millis(3_200);
/// How long S3 and SQS take for a request.
const SLOW_AWS: Duration = Duration::from_millis(800);

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_takes_seconds_is_waited_for_with_the_shortest_time_that_can_be_chosen() {
    let mut testbed = AwsTestbed::with(SHORTEST).await;
    testbed.to_owners.next(1, ProxyFault::Slow(SLOW_DIRECTORY), |_| true);
    let lead = testbed.deliver_until_notified().await;
    let enriched = testbed.object(&format!("target/enriched_{lead}.json")).await;
    assert_eq!(enriched["owner_status"], "assigned", "{enriched}");
    assert_eq!((testbed.alert_counts(&lead), testbed.depth(Queue::Delay).await.dead), ((1, 1), 0));
}

/// A stack whose template is that of before, with functions of today.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_stopped_before_the_directory_answers_counts_attempts_and_notifies() {
    let mut testbed = AwsTestbed::changed(SHORTEST, |function| {
        if function.function == Function::LeadProcessor {
            function.timeout = Duration::from_secs(5);
        }
    })
    .await;
    testbed.to_owners.next(usize::MAX, ProxyFault::Slow(SLOW_DIRECTORY), |_| true);
    let lead = testbed.accept().await;
    testbed.until_in_time("the team is notified", || async { testbed.alert_counts(&lead).0 > 0 }).await;
    testbed.until_idle().await;
    let enriched = testbed.object(&format!("target/enriched_{lead}.json")).await;
    assert_eq!(enriched["owner_status"], "lookup_failed", "{enriched}");
    assert_eq!((testbed.alert_counts(&lead), testbed.depth(Queue::Delay).await.dead), ((1, 1), 0));
    let story = testbed.ops.history.of_lead(&lead).await.unwrap();
    let attempts: Vec<(Code, u32)> = story
        .iter()
        .filter_map(|entry| match &entry.event {
            JournalEvent::Retrying { code, attempt, reason, .. } => {
                assert!(reason.contains("none within"), "{reason}");
                Some((*code, *attempt))
            }
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [(Code::OwnerLookupFailed, 1), (Code::OwnerLookupFailed, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_s3_and_a_slow_sqs_delay_an_alert_and_stop_none() {
    let mut testbed = AwsTestbed::with(SHORTEST).await;
    testbed
        .to_aws
        .next(usize::MAX, ProxyFault::Slow(SLOW_AWS), |call| call.service == "s3" || call.service == "sqs");
    testbed.to_owners.next(1, ProxyFault::Slow(SLOW_DIRECTORY), |_| true);
    let lead = testbed.deliver_until_notified().await;
    let enriched = testbed.object(&format!("target/enriched_{lead}.json")).await;
    assert_eq!(enriched["owner_status"], "assigned", "{enriched}");
    assert_eq!((testbed.alert_counts(&lead), testbed.depth(Queue::Delay).await.dead), ((1, 1), 0));
}
