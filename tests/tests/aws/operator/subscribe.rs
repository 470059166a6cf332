//! `leadops subscribe`: Close is subscribed once, whatever happens, and its key is stored.

use std::os::unix::fs::PermissionsExt;

use close::signature::Keys;
use serde_json::json;
use tests::{
    aws::{Moto, Proxy, ProxyFault, Stack},
    close::{API_KEY, Close, key},
    operator::Operator,
    process::text,
};

const STACK: [&str; 2] = ["--stack", "leads"];

struct SubscribeTestbed {
    close: Close,
    stack: Stack,
    operator: Operator,
}

impl SubscribeTestbed {
    async fn new() -> Self {
        let (moto, close) = (Moto::start().await, Close::start().await);
        let stack = Stack::create(&moto, &[]).await;
        let operator = Operator::new(moto.variables());
        let operator = operator.with(&[
            ("CLOSE_API_URL", &close.url),
            ("CLOSE_API_KEY", API_KEY),
            // No test depends on what the internet says of a stack that is not there.
            ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ]);
        Self { close, stack, operator }
    }

    /// The command's JSON.
    async fn subscribe(&self, more: &[&str]) -> serde_json::Value {
        self.operator.json(&[&["subscribe"][..], &STACK, more].concat()).await
    }

    /// The keys that the functions trust.
    async fn stored_keys(&self) -> String {
        let secrets = self.stack.moto.clients().secrets;
        let read = secrets.get_secret_value().secret_id(&self.stack.outputs.signature_secret).send().await;
        read.map(|read| read.secret_string.unwrap()).unwrap_or_default()
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.close.account().requests)
    }
}

#[tokio::test]
async fn close_is_subscribed_once_and_its_key_joins_the_others() {
    let testbed = SubscribeTestbed::new().await;
    let url = testbed.stack.outputs.webhook_url.as_str();
    let tried = testbed.subscribe(&["--dry-run"]).await;
    assert_eq!((&tried["result"], &tried["url"]), (&json!("would create"), &json!(url)));
    assert_eq!(testbed.requests(), ["GET /webhook/"]);
    let (status, line) = testbed.operator.refused(&["subscribe", "--stack", "leads"]).await;
    assert!(status == Some(1) && line.contains("LO507") && line.contains(url), "{line}");
    assert_eq!((testbed.requests().len(), testbed.stored_keys().await.as_str()), (1, ""));

    let made = testbed.subscribe(&["--yes"]).await;
    let printed = [&made["result"], &made["key"], &made["subscription_id"]];
    assert_eq!(printed, [&json!("created"), &json!("kept"), &json!("whsub_1")]);
    assert_eq!(testbed.stored_keys().await, format!("whsub_1={}", key(1)));
    let subscription = testbed.close.account().subscriptions[0].clone();
    assert_eq!(subscription["events"], json!([{"object_type": "lead", "action": "created"}]));
    testbed.requests();

    // Again, without anything to ask about.
    let again = testbed.subscribe(&[]).await;
    assert_eq!((&again["result"], &again["key"]), (&json!("unchanged"), &json!("already kept")));
    assert_eq!(testbed.requests(), ["GET /webhook/", "GET /webhook/whsub_1/"]);

    // Another address has a subscription and a key of its own, and takes none away.
    let other = testbed.subscribe(&["--yes", "--url", "https://elsewhere.example.com/crm/webhook"]).await;
    assert_eq!(other["subscription_id"], "whsub_2");
    assert_eq!(testbed.stored_keys().await, format!("whsub_2={},whsub_1={}", key(2), key(1)));
    assert_eq!(Keys::parse(&testbed.stored_keys().await).unwrap().len(), 2);
}

#[tokio::test]
async fn a_paused_subscription_is_set_active_once_its_key_is_known() {
    let testbed = SubscribeTestbed::new().await;
    testbed.subscribe(&["--yes"]).await;
    testbed.close.account().subscriptions[0]["status"] = json!("paused");
    testbed.close.account().subscriptions[0]["pause_reason"] = json!("all deliveries failed for 3 days");
    let dry = testbed.operator.run(&["subscribe", "--stack", "leads", "--dry-run"]).await;
    let output = text(&dry.stderr);
    assert!(
        output.contains("whsub_1") && output.contains("3 days") && output.contains("reactivate"),
        "{output}"
    );
    testbed.requests();
    assert_eq!(testbed.subscribe(&["--yes"]).await["result"], "activated");
    assert_eq!(testbed.requests().last().unwrap(), "PUT /webhook/whsub_1/ {\"status\":\"active\"}");
    assert_eq!(testbed.close.account().subscriptions.len(), 1);

    // Its key has gone and Close does not show it: nothing that works by accident is made of that.
    testbed.close.account().subscriptions[0]["status"] = json!("paused");
    testbed.stack.put_secret(&testbed.stack.outputs.signature_secret, "{}").await;
    testbed.requests();
    let (_, line) = testbed.operator.refused(&["subscribe", "--stack", "leads", "--yes"]).await;
    assert!(line.starts_with("leadops: LO525") && line.contains("whsub_1"), "{line}");
    assert!(!testbed.requests().iter().any(|request| request.starts_with("PUT")));

    // Where Close shows it, it is put back.
    testbed.close.account().shows_keys = true;
    let put_back = testbed.subscribe(&["--yes"]).await;
    assert_eq!((&put_back["result"], &put_back["key"]), (&json!("activated"), &json!("kept")));
    assert_eq!(testbed.stored_keys().await, format!("whsub_1={}", key(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_stored_leaves_no_subscription() {
    let testbed = SubscribeTestbed::new().await;
    let proxy = Proxy::start(testbed.stack.moto.endpoint()).await;
    proxy.next(20, ProxyFault::Broken, |call| call.operation == "PutSecretValue");
    let operator = testbed.operator.with(&[("AWS_ENDPOINT_URL", &proxy.endpoint)]);
    let (_, line) = operator.refused(&["subscribe", "--stack", "leads", "--yes"]).await;
    for part in ["LO414", "whsub_1 was deleted again"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(testbed.close.account().subscriptions.is_empty());
    assert!(testbed.close.account().requests.contains(&"POST /webhook/".to_owned()));
}

#[tokio::test]
async fn an_embedded_pipeline_stores_its_key_in_a_file_for_its_owner_alone() {
    let close = Close::start().await;
    let operator = super::address::operator(&close);
    let args = ["subscribe", "--url", "https://x.example.com/crm/webhook", "--yes"];
    let made = operator.json(&args).await;
    let file = operator.path("data/close.key");
    assert_eq!(made["kept_in"], file.display().to_string());
    let note = made["notes"][0].as_str().unwrap();
    assert!(note.contains("close_signature_key_file") && note.contains("leadops up"), "{note}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("whsub_1={}\n", key(1)));

    operator.write("config.toml", &format!("close_signature_key_file = {:?}", file.display().to_string()));
    let config = operator.print(&["config"]).await;
    assert!(config.contains("CLOSE_SIGNATURE_KEY") && !config.contains(&key(1)), "{config}");
    assert_eq!(operator.json(&args).await["result"], "unchanged");
    let doctor = operator.run(&["doctor", "--json"]).await;
    let checks: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let close_check = checks.as_array().unwrap().iter().find(|check| check["check"] == "close").unwrap();
    assert_eq!(close_check["result"], "ok", "{close_check}");
}

#[tokio::test]
async fn what_close_refuses_is_reported_and_no_secret_with_it() {
    let testbed = SubscribeTestbed::new().await;
    let args = ["subscribe", "--stack", "leads", "--yes"];
    // A wait is observed, and then it goes on.
    testbed.close.account().refusals.push_back((429, "0.05"));
    assert_eq!(testbed.subscribe(&["--yes"]).await["result"], "created");
    assert_eq!(testbed.requests()[..2], ["GET /webhook/", "GET /webhook/"]);
    // One that is longer than anybody sits in front of is not.
    testbed.close.account().refusals.push_back((429, "3600"));
    let (_, line) = testbed.operator.refused(&args).await;
    assert!(line.starts_with("leadops: LO524"), "{line}");
    let strange = testbed.operator.with(&[("CLOSE_API_KEY", "api_strange.key")]);
    let (_, line) = strange.refused(&args).await;
    assert!(line.starts_with("leadops: LO522") && line.contains("401"), "{line}");
    assert!(!line.contains("strange"), "{line}");
    let keyless = strange.with(&[("CLOSE_API_KEY", "")]);
    let (_, line) = keyless.refused(&args).await;
    assert!(line.starts_with("leadops: LO521") && line.contains("CLOSE_API_KEY"), "{line}");
    let read_only = keyless.with(&[("CLOSE_API_KEY", API_KEY)]);
    let (_, line) = read_only.refused(&[&args[..], &["--read-only"]].concat()).await;
    assert!(line.starts_with("leadops: LO501"), "{line}");
}
