//! Signed webhooks.

use serde_json::json;
use tests::{
    aws::Stack,
    lambda::AwsTestbed,
    process::until,
    receiver::{Receiver, SECRET},
};

const NAME: &str = "sales/leads";
const PARAMETERS: [(&str, &str); 3] =
    [("UseSlack", "false"), ("UseWebhook", "true"), ("WebhookSecretName", NAME)];

async fn testbed(receiver: &Receiver) -> AwsTestbed {
    let secret = json!({"webhook_url": receiver.url, "webhook_secret": SECRET}).to_string();
    let make = async |stack: &Stack| {
        let create = stack.moto.clients().secrets.create_secret();
        create.name(NAME).secret_string(secret).send().await.unwrap();
    };
    AwsTestbed::prepared(&PARAMETERS, make, |_| ()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_posted_signed_and_once_by_a_role_that_may_read_that_secret_alone() {
    let receiver = Receiver::start().await;
    let mut testbed = testbed(&receiver).await;
    let lead = testbed.accept().await;
    until("it is posted", || async { !receiver.came().is_empty() }).await;
    testbed.until_idle().await;
    let came = receiver.came();
    assert_eq!((came.len(), receiver.refused(), testbed.host.failures()), (1, 0, vec![]));
    assert_eq!(came[0].id, format!("receipts/{lead}/webhook/new"));
    assert_eq!(came[0].lead, testbed.object(&format!("target/enriched_{lead}.json")).await);
    let lines = testbed.log_lines().await;
    assert!(!lines.iter().any(|line| line.contains("\"ERROR\"") || line.contains("\"WARN\"")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("whsec_") || line.contains("/hooks/")));
}
