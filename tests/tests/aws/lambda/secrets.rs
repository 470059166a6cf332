//! Secrets: rotated while everything runs, and in no line of any log.

use std::collections::BTreeSet;

use demo::{FakeSlack, SlackMode};
use pipeline::ports::Queue;
use serde_json::json;
use tests::{
    aws::Stack,
    lambda::AwsTestbed,
    process::{KEY, PATIENCE, until},
};

use super::samples;

const NEW_KEY: &str = "5f0c2a7be1d94c3388aa0b1d2c3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f50";

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_signature_key_is_good_at_once_and_the_old_one_still() {
    let testbed = AwsTestbed::with(&[("Rechecks", "0")]).await;
    assert_eq!(testbed.post(&samples::changed("lead_a", |_| ()), KEY).await.0, 200);
    assert_eq!(testbed.post(&samples::changed("lead_b", |_| ()), NEW_KEY).await.0, 401);
    testbed.stack.put_secret(&testbed.stack.outputs.signature_secret, NEW_KEY).await;
    // A refusal has the secret read again, but not more often than every ten seconds.
    until("the new key is good", || async {
        testbed.post(&samples::changed("lead_b", |_| ()), NEW_KEY).await.0 == 200
    })
    .await;
    assert_eq!(testbed.post(&samples::changed("lead_c", |_| ()), KEY).await.0, 200);
    let leads = ["lead_a", "lead_b", "lead_c"].map(samples::id);
    testbed.until_notified(&leads).await;
    testbed.until_idle().await;
    assert_eq!(testbed.not_notified_once(&BTreeSet::from(leads)), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_read_in_every_form_of_a_secret_and_nothing_else_passes_as_one() {
    let testbed = AwsTestbed::with(&[("Rechecks", "0")]).await;
    let with = async |secret: &str| {
        testbed.stack.put_secret(&testbed.stack.outputs.signature_secret, secret).await;
        testbed.host.recycle();
    };
    let subscription = "whsub_2l329YJ4Ds2RiLBHVBGS55";
    for (number, secret) in [
        // As the console of Secrets Manager makes it.
        json!({"CLOSE_SIGNATURE_KEY": KEY}).to_string(),
        json!({"key": KEY}).to_string(),
        json!({"signature_key": [NEW_KEY, KEY]}).to_string(),
        json!({subscription: NEW_KEY, "closeSignatureKey": KEY}).to_string(),
        format!("\u{feff}\"{KEY}\"\r\n"),
        format!("{subscription}={NEW_KEY}\n{KEY}"),
    ]
    .into_iter()
    .enumerate()
    {
        with(&secret).await;
        let event = samples::changed(&format!("lead_form{number}"), |_| ());
        assert_eq!(testbed.post(&event, KEY).await.0, 200, "{secret}");
    }
    for (secret, part) in [
        (format!("CLOSE_SIGNATURE_KEY={KEY}"), "CLOSE_SIGNATURE_KEY"),
        (format!("={KEY}"), "nothing in front"),
        (format!("whsb_2l329YJ4Ds2RiLBHVBGS55={KEY}"), "whsub_…"),
        (json!({"prod": KEY}).to_string(), "whsub_…"),
        ("0".repeat(64), "placeholder"),
    ] {
        // The former value is none either, so that nothing is good in its place.
        with("no key").await;
        with(&secret).await;
        let event = samples::changed("lead_refused", |_| ());
        assert!(testbed.post(&event, KEY).await.0 >= 500, "{secret}");
        let lines = testbed.log_lines().await;
        assert!(lines.iter().any(|line| line.contains("LO902") && line.contains(part)), "{lines:#?}");
        assert!(!lines.iter().any(|line| line.contains(KEY)), "{lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_slack_webhook_is_used_as_soon_as_the_old_one_is_refused() {
    let mut testbed = AwsTestbed::new().await;
    let first = testbed.accept().await;
    testbed.until_notified(std::slice::from_ref(&first)).await;
    let new = FakeSlack::start().await.unwrap();
    // Secrets are read again for somebody who was refused, once they are ten seconds old.
    until("the secret is old enough", || async {
        let read = first_read(&testbed).await;
        lead::Timestamp::now().as_second() - read > 11
    })
    .await;
    let secret = json!({ "webhook_url": new.url() }).to_string();
    testbed.stack.put_secret(slack_secret(&testbed.stack), &secret).await;
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE);
    let second = testbed.accept().await;
    until("the new channel is notified", || async { !new.messages().is_empty() }).await;
    assert_eq!(new.messages()[0].leads[0].lead_id, second);
    assert_eq!((testbed.alert_counts(&second).0, testbed.depth(Queue::Notification).await.dead), (0, 0));
}

/// When the notification function read its secret, at the latest: when it sent the first alert.
async fn first_read(testbed: &AwsTestbed) -> i64 {
    testbed.slack.messages()[0].at.as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_line() {
    let mut testbed = AwsTestbed::new().await;
    let (notified, gone) = (testbed.accept().await, testbed.sample());
    testbed.until_notified(std::slice::from_ref(&notified)).await;
    // Failures say much: those of Slack, of signatures, of AWS.
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE);
    testbed.deliver(&gone).await;
    testbed.until_dead(Queue::Notification, 1).await;
    testbed.post(&samples::changed("lead_b", |_| ()), NEW_KEY).await;
    testbed.put_message(Queue::Delay, "garbage").await;
    testbed.until_dead(Queue::Delay, 1).await;
    testbed.stack.put_secret(slack_secret(&testbed.stack), "no URL, but hunter2").await;
    testbed.stack.put_secret(&testbed.stack.outputs.signature_secret, "no key, but hunter2").await;
    testbed.host.recycle();
    testbed.post(&samples::changed("lead_c", |_| ()), KEY).await;
    testbed.put_message(Queue::Notification, "garbage").await;
    testbed.until_dead(Queue::Notification, 2).await;
    let lines = testbed.log_lines().await;
    assert!(lines.len() > 10, "{lines:#?}");
    let path = testbed.slack.url().rsplit('/').next().unwrap().to_owned();
    for line in &lines {
        for secret in [KEY, NEW_KEY, "hunter2", path.as_str(), "/services/"] {
            assert!(!line.contains(secret), "{secret} is in: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerting_by_mail_alone_needs_no_secret_of_slack() {
    let parameters =
        [("UseSlack", "false"), ("UseEmail", "true"), ("NotificationEmail", "sales@example.com")];
    let mut testbed = AwsTestbed::prepared(&parameters, delete_slack_secret, |_| ()).await;
    let lead = testbed.accept().await;
    until("the mail is sent", || async { !testbed.stack.moto.mails().await.is_empty() }).await;
    testbed.until_idle().await;
    assert_eq!((testbed.alert_counts(&lead).0, testbed.host.failures()), (0, vec![]));
    let lines = testbed.log_lines().await;
    assert!(!lines.iter().any(|line| line.contains("\"ERROR\"") || line.contains("\"WARN\"")), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_slack_that_cannot_be_read_holds_up_alerts_on_slack_alone() {
    let parameters = [("UseEmail", "true"), ("NotificationEmail", "sales@example.com")];
    let mut testbed = AwsTestbed::prepared(&parameters, delete_slack_secret, |_| ()).await;
    let lead = testbed.accept().await;
    until("the mail is sent", || async { !testbed.stack.moto.mails().await.is_empty() }).await;
    until("the alert on Slack waits", || async { testbed.depth(Queue::Notification).await.in_flight == 1 })
        .await;
    assert_eq!((testbed.alert_counts(&lead).0, testbed.host.failures()), (0, vec![]));
    let lines = testbed.log_lines().await;
    assert!(
        lines.iter().any(|line| line.contains("its alert on Slack waits") && line.contains(lead.as_str()))
    );

    let secrets = &testbed.stack.moto.clients().secrets;
    secrets.restore_secret().secret_id(slack_secret(&testbed.stack)).send().await.unwrap();
    let notified = || async { testbed.alert_counts(&lead).0 == 1 };
    testbed.until_in_time("it is sent when the secret is back", notified).await;
    testbed.until_idle().await;
    assert_eq!((testbed.alert_counts(&lead), testbed.depth(Queue::Notification).await.dead), ((1, 1), 0));
    assert_eq!(testbed.stack.moto.mails().await.len(), 1);
}

/// Deletes the secret, as far as it can be brought back.
async fn delete_slack_secret(stack: &Stack) {
    let delete = stack.moto.clients().secrets.delete_secret().secret_id(slack_secret(stack));
    delete.send().await.unwrap();
}

/// The name of Slack's secret.
fn slack_secret(stack: &Stack) -> &str {
    stack.outputs.secret("SLACK_SECRET_NAME").unwrap()
}
