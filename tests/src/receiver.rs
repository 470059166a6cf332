//! Somebody who takes signed webhooks, and checks them as the Standard Webhooks say.

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, HeaderValue, header::RETRY_AFTER},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

/// What it shares with the sender.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A message that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Its identity.
    pub id: String,
    /// What kind of alert it is.
    pub alert: String,
    /// The lead.
    pub lead: Value,
}

/// A receiver on this machine.
pub struct Receiver {
    /// Where it is.
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The statuses of the next answers, and how many seconds they ask to wait.
    next: Vec<(u16, Option<u64>)>,
    /// All that came, whether it was taken or not.
    came: Vec<Taken>,
    refused: usize,
}

impl Receiver {
    /// Starts one that takes what is signed with [`SECRET`].
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks/leads", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let router = Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
            let (status, wait) = take(&shared, &headers, &body);
            let wait: HeaderMap =
                wait.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))).into_iter().collect();
            async move { (status, wait) }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state }
    }

    /// Answers the next messages with these statuses, in this order.
    pub fn answer(&self, statuses: &[u16]) {
        self.state.lock().unwrap().next.extend(statuses.iter().rev().map(|status| (*status, None)));
    }

    /// Answers the next message with 503, and asks for so many seconds without another.
    pub fn ask_to_wait(&self, seconds: u64) {
        self.state.lock().unwrap().next.push((503, Some(seconds)));
    }

    /// All genuine messages that came, taken or not.
    pub fn came(&self) -> Vec<Taken> {
        self.state.lock().unwrap().came.clone()
    }

    /// How many came that were not genuine.
    pub fn refused(&self) -> usize {
        self.state.lock().unwrap().refused
    }
}

fn take(state: &Mutex<State>, headers: &HeaderMap, body: &[u8]) -> (StatusCode, Option<u64>) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, at) = (text("webhook-id"), text("webhook-timestamp"));
    let key = BASE64.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
    let is_genuine = text("webhook-signature").split(' ').any(|signature| {
        let bytes = signature.strip_prefix("v1,").and_then(|encoded| BASE64.decode(encoded).ok());
        bytes.is_some_and(|bytes| hmac::verify(&key, &signed, &bytes).is_ok())
    });
    let mut state = state.lock().unwrap();
    if !is_genuine {
        state.refused += 1;
        return (StatusCode::UNAUTHORIZED, None);
    }
    let lead = serde_json::from_slice(body).unwrap();
    state.came.push(Taken { id: id.to_owned(), alert: text("leadops-alert").to_owned(), lead });
    let next = state.next.pop().map(|(status, wait)| (StatusCode::from_u16(status).unwrap(), wait));
    next.unwrap_or((StatusCode::NO_CONTENT, None))
}
