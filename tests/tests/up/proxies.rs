//! The snippets of `infrastructure/proxy` with the real programs: a webhook passes them as it is, and what would not pass is
//! refused by leadops with a trace.

use serde_json::Value;
use tests::{
    process::{PATIENCE, Testbed, text, until},
    proxies::{CADDY, Kind, NGINX, Proxy},
};
use tokio::time::timeout;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/lead_created_01_oauth_app.json");
const OTHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/lead_created_03_api_key_company.json");

/// `leadops send` through a proxy: whether it succeeded, and what it printed.
async fn send(testbed: &Testbed, proxy: &Proxy, path: &str, file: &str) -> (bool, Value, String) {
    let url = proxy.url(path).to_string();
    let mut command = testbed.command(&["send", file, "--yes", "--json", "--to", &url]);
    if proxy.certificate().exists() {
        command.env("SSL_CERT_FILE", proxy.certificate());
    }
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let printed = text(&output.stdout);
    let rows = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"));
    (output.status.success(), rows, text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_passes_each_as_it_is() {
    for (kind, snippet) in [(Kind::Nginx, NGINX), (Kind::Caddy, CADDY)] {
        let testbed = Testbed::new().await;
        let up = testbed.up(&["--delay", "600"]).await;
        let proxy = Proxy::start(kind, snippet, &up.webhook).await;
        let (is_taken, rows, why) = send(&testbed, &proxy, "/crm/webhook", SAMPLE).await;
        assert!(is_taken && rows[0]["status"] == "accepted", "{kind:?}: {rows} {why}");
        // As an address looks that was pasted together.
        let (is_taken, rows, why) = send(&testbed, &proxy, "/crm/webhook/", OTHER).await;
        assert!(is_taken && rows[0]["status"] == "accepted", "{kind:?}: {rows} {why}");
        let (is_taken, rows, why) = send(&testbed, &proxy, "/elsewhere", SAMPLE).await;
        assert!(!is_taken && rows[0]["http"] == 404 && why.contains("LO508"), "{kind:?}: {rows} {why}");
        assert!(up.terminate().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_changes_the_path_is_named_where_it_can_be_seen() {
    let nginx = NGINX.replace("proxy_pass http://leadops;", "proxy_pass http://leadops/webhook;");
    let caddy = CADDY.replace("handle /crm/webhook*", "handle_path /crm*");
    assert!(nginx != NGINX && caddy != CADDY);
    for (kind, snippet, path) in [(Kind::Nginx, nginx, "/webhook"), (Kind::Caddy, caddy, "/webhook")] {
        let testbed = Testbed::new().await;
        let up = testbed.up(&["--delay", "600"]).await;
        let proxy = Proxy::start(kind, &snippet, &up.webhook).await;
        let (is_taken, rows, why) = send(&testbed, &proxy, "/crm/webhook", SAMPLE).await;
        assert!(!is_taken && rows[0]["http"] == 404, "{kind:?}: {rows} {why}");
        until("it is in the log and counted", || async {
            let lines = testbed.json(&["logs"]).await;
            let is_reported = |line: &Value| {
                let message = line["message"].as_str().unwrap_or_default();
                line["code"] == "LO109" && message.contains(path)
            };
            let status = testbed.json(&["status"]).await;
            lines.as_array().unwrap().iter().any(is_reported) && status["refused"]["by_code"]["404"] == 1
        })
        .await;
        assert!(up.terminate().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_webhooks_are_not_accepted_through_a_proxy() {
    for (kind, snippet) in [(Kind::Nginx, NGINX), (Kind::Caddy, CADDY)] {
        let testbed = Testbed::new().await;
        let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "600"]);
        command.env_remove("CLOSE_SIGNATURE_KEY").env("LEADOPS_ALLOW_UNSIGNED", "true");
        let up = tests::process::Up::start(command).await;
        let proxy = Proxy::start(kind, snippet, &up.webhook).await;
        let (is_taken, rows, why) = send(&testbed, &proxy, "/crm/webhook", SAMPLE).await;
        assert!(!is_taken && rows[0]["http"] == 401, "{kind:?}: {rows} {why}");
        assert_eq!(testbed.json(&["pending"]).await, serde_json::json!([]));
        assert!(up.terminate().await.success());
    }
}
