//! The Runtime API of one process: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};

/// An event on its way to a function.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    /// The id of the request.
    pub(super) id: String,
    /// When it has to be answered, in milliseconds since 1970.
    pub(super) deadline: i64,
    /// The ARN that was invoked.
    pub(super) arn: String,
    /// The header that its calls pass on.
    pub(super) trace: String,
    /// The event.
    pub(super) event: Bytes,
}

/// A function's call of the Runtime API.
#[derive(Debug)]
pub(super) enum RuntimeCall {
    /// It has nothing to do.
    Next,
    /// Its answer to a request.
    Answer(String, Bytes),
    /// That it failed over a request.
    Failure(String, Bytes),
    /// That it could not start.
    CouldNotStart(Bytes),
}

/// The Runtime API. It ends when it is dropped.
pub(super) struct Api {
    /// Its `AWS_LAMBDA_RUNTIME_API`.
    pub(super) address: String,
    /// Events for the function.
    pub(super) invocations: mpsc::UnboundedSender<Invocation>,
    /// Its calls, in their order.
    pub(super) calls: mpsc::UnboundedReceiver<RuntimeCall>,
    server: JoinHandle<()>,
}

struct Shared {
    invocations: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    sender: mpsc::UnboundedSender<RuntimeCall>,
}

impl Api {
    /// Starts one on a free port of the loopback interface.
    pub(super) async fn start() -> Self {
        let (invocations, received) = mpsc::unbounded_channel();
        let (sender, calls) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { invocations: Mutex::new(received), sender });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failure))
            .route("/2018-06-01/runtime/init/error", post(could_not_start))
            .with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, invocations, calls, server }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> (HeaderMap, Bytes) {
    let mut invocations = shared.invocations.lock().await;
    // Nobody listens any more where the process is about to be ended.
    let _ = shared.sender.send(RuntimeCall::Next);
    let Some(invocation) = invocations.recv().await else { return std::future::pending().await };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", &invocation.id),
        ("lambda-runtime-deadline-ms", &invocation.deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", &invocation.arn),
        ("lambda-runtime-trace-id", &invocation.trace),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    (headers, invocation.event)
}

async fn response(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Accepted {
    accepted(&shared, RuntimeCall::Answer(id, body))
}

async fn failure(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Accepted {
    accepted(&shared, RuntimeCall::Failure(id, body))
}

async fn could_not_start(State(shared): State<Arc<Shared>>, body: Bytes) -> Accepted {
    accepted(&shared, RuntimeCall::CouldNotStart(body))
}

type Accepted = (StatusCode, Json<Value>);

fn accepted(shared: &Shared, call: RuntimeCall) -> Accepted {
    let _ = shared.sender.send(call);
    (StatusCode::ACCEPTED, Json(json!({"status": "OK"})))
}
