//! HTTP on this machine.

use close::signature::Keys;
use lead::Timestamp;
use serde_json::Value;
use url::Url;

/// A client for servers on this machine. Making one that knows TLS reads all certificates of the machine.
pub fn client() -> reqwest::Client {
    let plain = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    plain.build().unwrap_or_else(|error| panic!("no HTTP client: {error}"))
}

/// Posts a body to a webhook, signed with a key, without another attempt. The status and what is answered.
pub async fn post(webhook: &Url, body: &[u8], key: &str) -> (u16, Value) {
    let timestamp = Timestamp::now().as_second().to_string();
    let hash = Keys::parse(key).unwrap().sign(&timestamp, body).unwrap();
    let post = client().post(webhook.clone()).body(body.to_vec());
    let post = post.header("close-sig-hash", hash).header("close-sig-timestamp", timestamp);
    let answer = post.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Posts a new lead as Close does, with no subscription named: the status and what is answered.
pub async fn post_lead(webhook: &Url, lead: &str) -> (u16, Value) {
    let event = serde_json::json!({"event": {"object_type": "lead", "action": "created", "lead_id": lead}});
    post(webhook, event.to_string().as_bytes(), crate::process::KEY).await
}
