//! Lambda's Runtime API for one process: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::{
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
};

type RuntimeCall = (Instant, Option<Bytes>);

struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<Bytes>>,
    sender: mpsc::UnboundedSender<RuntimeCall>,
    number: AtomicU64,
}

/// A function's process.
pub(crate) struct Process {
    child: Child,
    /// When it was started.
    pub(crate) started: Instant,
    events: mpsc::UnboundedSender<Bytes>,
    calls: mpsc::UnboundedReceiver<RuntimeCall>,
}

impl Process {
    /// Starts `binary`, on one core where `taskset` can see to that.
    pub(crate) async fn start(binary: &Path, environment: &[(&str, String)]) -> Self {
        let (events, received) = mpsc::unbounded_channel();
        let (sender, calls) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { events: Mutex::new(received), sender, number: AtomicU64::new(0) });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failure))
            .with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let mut command = Command::new("taskset");
        command.args(["-c", "1"]).arg(binary);
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().expect("taskset and the function's binary should start");
        Self { child, started, events, calls }
    }

    /// Waits until the function asks for its first event; how long that took since it was started.
    pub(crate) async fn init(&mut self) -> Duration {
        let (at, _) = self.next_call().await;
        at - self.started
    }

    /// Passes an event to it; how long the answer took, and the answer.
    pub(crate) async fn invoke(&mut self, event: &Bytes) -> (Duration, Bytes) {
        let began = Instant::now();
        self.events.send(event.clone()).unwrap();
        let (at, answer) = self.next_call().await;
        // The function asks for the next event after each answer.
        self.next_call().await;
        (at - began, answer.expect("an answer should come before the next question"))
    }

    async fn next_call(&mut self) -> RuntimeCall {
        tokio::select! {
            call = self.calls.recv() => call.unwrap(),
            status = self.child.wait() => panic!("the function ended by itself: {status:?}"),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the function says nothing"),
        }
    }

    /// The most memory that it has had, in MiB, and the CPU time that it has used.
    pub(crate) fn usage(&self) -> (f64, Duration) {
        let pid = self.child.id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: f64 = kib.trim().trim_end_matches("kB").trim().parse().unwrap();
        // Nanoseconds on the CPU, of the main thread and so of all: there is one.
        let schedstat = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
        let nanos = schedstat.split_whitespace().next().unwrap().parse().unwrap();
        (kib / 1024.0, Duration::from_nanos(nanos))
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> (HeaderMap, Bytes) {
    let _ = shared.sender.send((Instant::now(), None));
    let event = shared.events.lock().await.recv().await.unwrap_or_default();
    let number = shared.number.fetch_add(1, Ordering::Relaxed);
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(60);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{number:012}")),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:bench".to_owned(),
        ),
        ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000".to_owned()),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    (headers, event)
}

async fn response(State(shared): State<Arc<Shared>>, body: Bytes) {
    let _ = shared.sender.send((Instant::now(), Some(body)));
}

async fn failure(body: Bytes) {
    panic!("the function failed: {}", String::from_utf8_lossy(&body));
}
