//! A stand-in for Close's API, as far as webhook subscriptions go, over real HTTP.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The key that it knows.
pub const API_KEY: &str = "api_4geheimerSchluessel.part2";
/// The same as basic authentication.
const BASIC: &str = "Basic YXBpXzRnZWhlaW1lclNjaGx1ZXNzZWwucGFydDI6";

/// Close's API. It ends when it is dropped.
pub struct Close {
    /// Where it is, for `CLOSE_API_URL`.
    pub url: String,
    state: Arc<Mutex<Account>>,
    server: JoinHandle<()>,
}

/// What Close knows.
#[derive(Default)]
pub struct Account {
    /// The subscriptions, as Close answers them.
    pub subscriptions: Vec<Value>,
    /// Whether a key is shown again after it was made.
    pub shows_keys: bool,
    /// Repeats that come before the next answers: a status and the wait that is asked for.
    pub refusals: VecDeque<(u16, &'static str)>,
    /// Every request: its method and path.
    pub requests: Vec<String>,
}

type Shared = State<Arc<Mutex<Account>>>;

impl Close {
    /// An account without a subscription, which does not show keys again.
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(Account::default()));
        let router = Router::new()
            .route("/api/v1/webhook/", get(list).post(create))
            .route("/api/v1/webhook/{id}/", get(one).put(change).delete(remove))
            .with_state(Arc::clone(&state));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, server }
    }

    /// What it knows.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.state.lock().unwrap()
    }
}

impl Drop for Close {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The key of the subscription with this number.
pub fn key(number: usize) -> String {
    format!("{:064x}", 0x00c1_05e0 + number)
}

/// Notes a request, and refuses it where it is to be.
fn enter(account: &mut Account, headers: &HeaderMap, request: String) -> Result<(), Box<Response>> {
    account.requests.push(request);
    if headers.get("authorization").is_none_or(|value| value != BASIC) {
        let told = json!({"error": format!("no user has the key {API_KEY}")});
        return Err(Box::new((StatusCode::UNAUTHORIZED, Json(told)).into_response()));
    }
    match account.refusals.pop_front() {
        None => Ok(()),
        Some((status, wait)) => {
            let status = StatusCode::from_u16(status).unwrap();
            Err(Box::new((status, [("retry-after", wait)], Json(json!({}))).into_response()))
        }
    }
}

async fn list(State(state): Shared, headers: HeaderMap) -> Response {
    let mut account = state.lock().unwrap();
    if let Err(refusal) = enter(&mut account, &headers, "GET /webhook/".to_owned()) {
        return *refusal;
    }
    let rows: Vec<Value> = account.subscriptions.iter().map(|it| account.shown(it)).collect();
    Json(json!({"has_more": false, "data": rows})).into_response()
}

async fn create(State(state): Shared, headers: HeaderMap, Json(wish): Json<Value>) -> Response {
    let mut account = state.lock().unwrap();
    if let Err(refusal) = enter(&mut account, &headers, "POST /webhook/".to_owned()) {
        return *refusal;
    }
    let number = account.subscriptions.len() + 1;
    let made = json!({
        "id": format!("whsub_{number}"), "url": wish["url"], "events": wish["events"], "status": "active",
        "health_status": "healthy", "pause_reason": null, "latest_error": null,
        "signature_key": key(number), "verify_ssl": wish["verify_ssl"],
    });
    account.subscriptions.push(made.clone());
    (StatusCode::CREATED, Json(made)).into_response()
}

async fn one(State(state): Shared, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let mut account = state.lock().unwrap();
    if let Err(refusal) = enter(&mut account, &headers, format!("GET /webhook/{id}/")) {
        return *refusal;
    }
    let found = account.subscriptions.iter().find(|it| it["id"] == id.as_str());
    found.map_or(StatusCode::NOT_FOUND.into_response(), |it| Json(account.shown(it)).into_response())
}

async fn change(
    State(state): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(wish): Json<Value>,
) -> Response {
    let mut account = state.lock().unwrap();
    if let Err(refusal) = enter(&mut account, &headers, format!("PUT /webhook/{id}/ {wish}")) {
        return *refusal;
    }
    let Some(found) = account.subscriptions.iter_mut().find(|it| it["id"] == id.as_str()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    for (name, value) in wish.as_object().unwrap() {
        found[name] = value.clone();
    }
    Json(found.clone()).into_response()
}

async fn remove(State(state): Shared, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let mut account = state.lock().unwrap();
    if let Err(refusal) = enter(&mut account, &headers, format!("DELETE /webhook/{id}/")) {
        return *refusal;
    }
    account.subscriptions.retain(|it| it["id"] != id.as_str());
    Json(json!({})).into_response()
}

impl Account {
    fn shown(&self, subscription: &Value) -> Value {
        let mut shown = subscription.clone();
        if !self.shows_keys {
            shown.as_object_mut().unwrap().remove("signature_key");
        }
        shown
    }
}
