//! `leadops subscribe`: Close is subscribed once, whatever happens, and its key is kept.

use std::os::unix::fs::PermissionsExt;

use close::signature::Keys;
use serde_json::json;
use tests::{
    aws::{Mishap, Moto, Proxy, Stack},
    close::{API_KEY, Close, key},
    desk::Desk,
    process::text,
};

const STACK: [&str; 2] = ["--stack", "leads"];

struct Scene {
    close: Close,
    stack: Stack,
    desk: Desk,
}

impl Scene {
    async fn new() -> Self {
        let (moto, close) = (Moto::start().await, Close::start().await);
        let stack = Stack::create(&moto, &[]).await;
        let desk = Desk::new(moto.variables());
        let desk = desk.with(&[
            ("CLOSE_API_URL", &close.url),
            ("CLOSE_API_KEY", API_KEY),
            // No test depends on what the internet says of a stack that is not there.
            ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ]);
        Self { close, stack, desk }
    }

    /// The command's JSON.
    async fn subscribe(&self, more: &[&str]) -> serde_json::Value {
        self.desk.json(&[&["subscribe"][..], &STACK, more].concat()).await
    }

    /// The keys that the functions trust.
    async fn kept(&self) -> String {
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
    let scene = Scene::new().await;
    let url = scene.stack.outputs.webhook_url.as_str();
    let tried = scene.subscribe(&["--dry-run"]).await;
    assert_eq!((&tried["result"], &tried["url"]), (&json!("would create"), &json!(url)));
    assert_eq!(scene.requests(), ["GET /webhook/"]);
    let (status, line) = scene.desk.refused(&["subscribe", "--stack", "leads"]).await;
    assert!(status == Some(1) && line.contains("LO507") && line.contains(url), "{line}");
    assert_eq!((scene.requests().len(), scene.kept().await.as_str()), (1, ""));

    let made = scene.subscribe(&["--yes"]).await;
    let told = [&made["result"], &made["key"], &made["subscription_id"]];
    assert_eq!(told, [&json!("created"), &json!("kept"), &json!("whsub_1")]);
    assert_eq!(scene.kept().await, format!("whsub_1={}", key(1)));
    let subscription = scene.close.account().subscriptions[0].clone();
    assert_eq!(subscription["events"], json!([{"object_type": "lead", "action": "created"}]));
    scene.requests();

    // Again, without anything to ask about.
    let again = scene.subscribe(&[]).await;
    assert_eq!((&again["result"], &again["key"]), (&json!("unchanged"), &json!("already kept")));
    assert_eq!(scene.requests(), ["GET /webhook/", "GET /webhook/whsub_1/"]);

    // Another address has a subscription and a key of its own, and takes none away.
    let other = scene.subscribe(&["--yes", "--url", "https://elsewhere.example.com/crm/webhook"]).await;
    assert_eq!(other["subscription_id"], "whsub_2");
    assert_eq!(scene.kept().await, format!("whsub_2={},whsub_1={}", key(2), key(1)));
    assert_eq!(Keys::parse(&scene.kept().await).unwrap().len(), 2);
}

#[tokio::test]
async fn a_paused_subscription_is_set_active_once_its_key_is_known() {
    let scene = Scene::new().await;
    scene.subscribe(&["--yes"]).await;
    scene.close.account().subscriptions[0]["status"] = json!("paused");
    scene.close.account().subscriptions[0]["pause_reason"] = json!("all deliveries failed for 3 days");
    let dry = scene.desk.run(&["subscribe", "--stack", "leads", "--dry-run"]).await;
    let said = text(&dry.stderr);
    assert!(said.contains("whsub_1") && said.contains("3 days") && said.contains("reactivate"), "{said}");
    scene.requests();
    assert_eq!(scene.subscribe(&["--yes"]).await["result"], "activated");
    assert_eq!(scene.requests().last().unwrap(), "PUT /webhook/whsub_1/ {\"status\":\"active\"}");
    assert_eq!(scene.close.account().subscriptions.len(), 1);

    // Its key has gone and Close does not show it: nothing that works by accident is made of that.
    scene.close.account().subscriptions[0]["status"] = json!("paused");
    scene.stack.put_secret(&scene.stack.outputs.signature_secret, "{}").await;
    scene.requests();
    let (_, line) = scene.desk.refused(&["subscribe", "--stack", "leads", "--yes"]).await;
    assert!(line.starts_with("leadops: LO525") && line.contains("whsub_1"), "{line}");
    assert!(!scene.requests().iter().any(|request| request.starts_with("PUT")));

    // Where Close shows it, it is put back.
    scene.close.account().shows_keys = true;
    let put_back = scene.subscribe(&["--yes"]).await;
    assert_eq!((&put_back["result"], &put_back["key"]), (&json!("activated"), &json!("kept")));
    assert_eq!(scene.kept().await, format!("whsub_1={}", key(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_kept_leaves_no_subscription() {
    let scene = Scene::new().await;
    let proxy = Proxy::start(scene.stack.moto.endpoint()).await;
    proxy.next(20, Mishap::Broken, |call| call.operation == "PutSecretValue");
    let desk = scene.desk.with(&[("AWS_ENDPOINT_URL", &proxy.endpoint)]);
    let (_, line) = desk.refused(&["subscribe", "--stack", "leads", "--yes"]).await;
    for part in ["LO414", "whsub_1 was deleted again"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(scene.close.account().subscriptions.is_empty());
    assert!(scene.close.account().requests.contains(&"POST /webhook/".to_owned()));
}

#[tokio::test]
async fn an_embedded_pipeline_keeps_its_key_in_a_file_for_its_owner_alone() {
    let close = Close::start().await;
    let desk = super::address::desk(&close);
    let args = ["subscribe", "--url", "https://x.example.com/crm/webhook", "--yes"];
    let made = desk.json(&args).await;
    let file = desk.path("data/close.key");
    assert_eq!(made["kept_in"], file.display().to_string());
    let note = made["notes"][0].as_str().unwrap();
    assert!(note.contains("close_signature_key_file") && note.contains("leadops up"), "{note}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("whsub_1={}\n", key(1)));

    desk.write("config.toml", &format!("close_signature_key_file = {:?}", file.display().to_string()));
    let config = desk.print(&["config"]).await;
    assert!(config.contains("CLOSE_SIGNATURE_KEY") && !config.contains(&key(1)), "{config}");
    assert_eq!(desk.json(&args).await["result"], "unchanged");
    let doctor = desk.run(&["doctor", "--json"]).await;
    let checks: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let close_check = checks.as_array().unwrap().iter().find(|check| check["check"] == "close").unwrap();
    assert_eq!(close_check["result"], "ok", "{close_check}");
}

#[tokio::test]
async fn what_close_refuses_is_said_and_no_secret_with_it() {
    let scene = Scene::new().await;
    let args = ["subscribe", "--stack", "leads", "--yes"];
    // A wait is kept, and then it goes on.
    scene.close.account().refusals.push_back((429, "0.05"));
    assert_eq!(scene.subscribe(&["--yes"]).await["result"], "created");
    assert_eq!(scene.requests()[..2], ["GET /webhook/", "GET /webhook/"]);
    // One that is longer than anybody sits in front of is not.
    scene.close.account().refusals.push_back((429, "3600"));
    let (_, line) = scene.desk.refused(&args).await;
    assert!(line.starts_with("leadops: LO524"), "{line}");
    let strange = scene.desk.with(&[("CLOSE_API_KEY", "api_strange.key")]);
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
