//! What S3 and SQS send to the processor: tests, encoded keys, several records, anything.

use std::{collections::BTreeSet, time::Duration};

use demo::Answer;
use lead::keys;
use pipeline::{Code, Function, ports::Queue};
use serde_json::{Value, json};
use tests::{
    lambda::AwsTestbed,
    process::{KEY, text},
};

use super::{clocked::Clocked, samples};

fn record(bucket: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": "2026-01-01T00:00:00.000Z", "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": {"key": key, "sequencer": "0A"}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_any_kind_come_to_an_end_each_for_itself() {
    let testbed = AwsTestbed::with(&[("Rechecks", "0"), ("SourcePrefix", "in=1/a_b/")]).await;
    let bucket = &testbed.stack.outputs.bucket;
    let mut leads = BTreeSet::new();
    for lead in ["lead_a", "lead_b", "lead_c"] {
        assert_eq!(testbed.post(&samples::changed(lead, |_| ()), KEY).await.0, 200);
        leads.insert(samples::id(lead));
    }
    // Word of the same objects once more: by a test of S3's, encoded, two in one message.
    let encoded = "in%3D1/a_b/crm_event_lead_a.json";
    for body in [
        String::from_utf8(samples::bytes("s3_test_event")).unwrap(),
        json!({"Records": [record(bucket, encoded)]}).to_string(),
        json!({"Records": [
            record(bucket, "in=1/a_b/crm_event_lead_b.json"), record(bucket, "in=1/a_b/crm_event_lead_c.json"),
        ]})
        .to_string(),
        json!({"Records": []}).to_string(),
        json!({"Records": [record(bucket, "in=1/a_b/red+flower%2B.json")]}).to_string(),
        json!({"Records": [record("somebody-elses", "in=1/a_b/crm_event_lead_a.json")]}).to_string(),
        json!({"Records": [{"eventVersion": "9.0"}]}).to_string(),
        "[1, 2]".to_owned(),
        "\u{feff}株".to_owned(),
    ] {
        testbed.put_message(Queue::Delay, &body).await;
    }
    let dead = testbed.until_dead(Queue::Delay, 6).await;
    let codes: BTreeSet<Code> = dead.iter().map(|letter| letter.code).collect();
    assert_eq!(codes, BTreeSet::from([Code::JobUnreadable]), "{dead:#?}");
    assert!(dead.iter().any(|letter| letter.reason.contains("red flower+")), "{dead:#?}");
    testbed.until_notified(&leads.iter().cloned().collect::<Vec<_>>()).await;
    testbed.until_idle().await;
    assert_eq!(testbed.not_notified_once(&leads), []);
    assert_eq!(testbed.depth(Queue::Delay).await.dead, 6);
}

/// The batch of the samples, with receipt handles that SQS has never given: what is answered to Lambda is
/// exact all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_batch_is_answered_with_exactly_what_is_to_come_again() {
    let testbed = AwsTestbed::with(&[("Rechecks", "0")]).await;
    let (batch, bucket) = (samples::bytes("sqs_lambda_batch_mixed"), &testbed.stack.outputs.bucket);
    let batch = String::from_utf8(batch).unwrap().replace("example-crm-leads", bucket);
    let batch: Value = serde_json::from_str(&batch).unwrap();
    let answer = testbed.host.invoke(Function::LeadProcessor, &batch).await.unwrap();
    // None of the leads is in the bucket, so each of them is a dead letter: nothing is to come again.
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let count = batch["Records"].as_array().unwrap().len() as u64 - 1;
    let dead = testbed.until_dead(Queue::Delay, count).await;
    let codes: BTreeSet<Code> = dead.iter().map(|letter| letter.code).collect();
    assert_eq!(codes, BTreeSet::from([Code::JobUnreadable, Code::RawEventGone]), "{dead:#?}");

    let nameless = json!({"Records": [{"body": "x"}]});
    let failure = testbed.host.invoke(Function::LeadProcessor, &nameless).await.unwrap_err();
    assert!(format!("{failure:?}").contains("messageId"), "{failure:?}");
}

/// Re-encrypted, restored, moved: S3 announces an object that is written again like any other, and by then the
/// receipts of the lead are gone.
#[tokio::test(flavor = "multi_thread")]
async fn the_raw_event_of_a_lead_that_ended_long_ago_may_be_written_again() {
    let mut clocked =
        Clocked::new(&[("Rechecks", "0"), ("SignatureMaxAgeSeconds", "31536000")], |_| ()).await;
    let old = clocked.ownerless().await.lead_id;
    clocked.pass(Duration::from_secs(100 * 86_400)).await;
    let testbed = &mut clocked.testbed;
    for key in [testbed.keys("receipts/").await, testbed.keys("journal/").await].concat() {
        testbed.delete(&key).await;
    }
    let (bucket, key) = (testbed.stack.outputs.bucket.clone(), keys::raw("source/", &old));
    let copy = testbed.stack.moto.clients().s3.copy_object().bucket(&bucket).key(&key);
    let copy = copy.copy_source(format!("{bucket}/{key}")).metadata_directive("REPLACE".into());
    copy.server_side_encryption("AES256".into()).send().await.unwrap();
    // By a tool that puts what it had fetched, so that even the time of the first writing is lost.
    let raw = testbed.ops.objects.get(&key).await.unwrap().unwrap();
    testbed.write(&key, &String::from_utf8_lossy(&raw.body)).await;
    // An operator who wants it is warned.
    let requeue = ["requeue", old.as_str(), "--dry-run", "--stack", &testbed.stack.name];
    let output = testbed.operator().run(&requeue).await;
    let output = text(&output.stdout) + &text(&output.stderr);
    assert!(output.contains("1 lead announced again, as their receipts have expired"), "{output}");
    // A new one comes through meanwhile.
    let sample = testbed.ownerless();
    let answers = testbed.host.close().send(&sample).await;
    assert_eq!(answers, [Answer::Accepted]);
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    clocked.pass(Duration::from_secs(60)).await;
    assert_eq!(clocked.testbed.alert_counts(&old).0, 1);
    let lines = clocked.testbed.log_lines().await;
    let output = lines.iter().filter(|line| line.contains("the lead ended long ago"));
    assert_eq!(output.count(), 2, "{lines:#?}");
    assert_eq!(clocked.testbed.keys("receipts/").await.len(), 1);
}
