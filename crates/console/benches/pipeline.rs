//! What the embedded pipeline can do on this machine: `cargo bench --workspace --bench pipeline`.
//!
//! Starts the real `leadops up` and talks to it over HTTP, client and server on the same cores. Prints
//! each figure beside what is promised, and ends with an error where a promise is missed.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a benchmark may panic")]

use std::{
    fmt::Write as _,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, routing::post};
use lead::Timestamp;
use pipeline::signature::Keys;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{sleep_until, timeout},
};

const KEY: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";
const LEADOPS: &str = env!("CARGO_BIN_EXE_leadops");
/// How many leads are stored when the memory and the commands are measured.
const LEADS: usize = 100_000;
const CONNECTIONS: usize = 64;
/// Half of what is promised, for the latency.
const HALF_LOAD: usize = 5_000;
const HALF_LOAD_SECONDS: usize = 10;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let missed = runtime.block_on(run());
    if missed > 0 {
        eprintln!("{missed} of the promises missed");
        std::process::exit(1);
    }
}

async fn run() -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::default();
    let up = Up::start(folder.path(), "600", "http://127.0.0.1:9/x").await;

    let started = Instant::now();
    let mut latencies = load(&up.address, 0, LEADS, None).await;
    let seconds = started.elapsed().as_secs_f64();
    report.line("durable signed webhooks", LEADS as f64 / seconds, "/s", Limit::AtLeast(10_000.0));
    report.line("  p50 at full load", percentile(&mut latencies, 50.0), "ms", Limit::None);
    report.line("  p99 at full load", percentile(&mut latencies, 99.0), "ms", Limit::None);
    report.line("memory with 100,000 leads", up.memory(), "MB", Limit::AtMost(60.0));

    let mut latencies = load(&up.address, LEADS, HALF_LOAD * HALF_LOAD_SECONDS, Some(HALF_LOAD)).await;
    report.line("p50 at 5,000/s", percentile(&mut latencies, 50.0), "ms", Limit::None);
    report.line("p99 at 5,000/s", percentile(&mut latencies, 99.0), "ms", Limit::AtMost(20.0));
    report.line("memory after that", up.memory(), "MB", Limit::AtMost(60.0));

    for command in ["status", "pending", "leads"] {
        let mut times = Vec::new();
        for _ in 0..20 {
            let started = Instant::now();
            let status = Command::new(LEADOPS)
                .args([command, "--json", "--data"])
                .arg(folder.path())
                .stdout(Stdio::null())
                .status()
                .await
                .unwrap();
            assert!(status.success());
            times.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        report.line(
            &format!("leadops {command}, median"),
            percentile(&mut times, 50.0),
            "ms",
            Limit::AtMost(50.0),
        );
    }
    drop(up);

    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.extend(due_to_told().await);
    }
    report.line("due to told, p50", percentile(&mut taken, 50.0), "ms", Limit::None);
    report.line(
        &format!("due to told, p99 of {}", taken.len()),
        percentile(&mut taken, 99.0),
        "ms",
        Limit::AtMost(100.0),
    );
    report.missed
}

/// How long each alert of a short burst took from due to taken by Slack, in ms, as the journal has it.
async fn due_to_told() -> Vec<f64> {
    const BURST: usize = 30;
    let folder = tempfile::tempdir().unwrap();
    let posts = Arc::new(AtomicUsize::new(0));
    let counted = posts.clone();
    let slack = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = slack.local_addr().unwrap();
    let router = Router::new().route(
        "/slack",
        post(move || async move {
            counted.fetch_add(1, Ordering::Relaxed);
            "ok"
        }),
    );
    tokio::spawn(async move { axum::serve(slack, router).await });
    let up = Up::start(folder.path(), "1", &format!("http://{address}/slack")).await;
    load(&up.address, 0, BURST, Some(10)).await;
    while posts.load(Ordering::Relaxed) < BURST {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let output =
        Command::new(LEADOPS).args(["logs", "--json", "--data"]).arg(folder.path()).output().await.unwrap();
    assert!(output.status.success());
    let mut taken = Vec::new();
    for row in 0..BURST {
        let lead = lead_id(row);
        let output = Command::new(LEADOPS)
            .args(["lead", &lead, "--json", "--data"])
            .arg(folder.path())
            .output()
            .await
            .unwrap();
        let story: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let at = |name: &str| story[name].as_str().unwrap().parse::<Timestamp>().unwrap();
        let told = story["notifications"][0]["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
        taken.push(told.duration_since(at("due_at")).as_secs_f64() * 1_000.0);
    }
    taken
}

/// A running `leadops up`.
struct Up {
    child: Child,
    address: String,
}

impl Up {
    async fn start(folder: &Path, delay: &str, slack: &str) -> Self {
        let mut child = Command::new(LEADOPS)
            .args(["up", "--listen", "127.0.0.1:0", "--delay", delay, "--data"])
            .arg(folder)
            .env("LEADOPS_CONFIG", "")
            .env("CLOSE_SIGNATURE_KEY", KEY)
            .env("SLACK_WEBHOOK_URL", slack)
            .env("SLACK_BURST", "30")
            // An owner for nobody, without a network: every file is missing.
            .env("LOOKUP_BASE_URL", format!("file://{}", folder.display()))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
        let address = line
            .strip_prefix("listening on http://")
            .unwrap()
            .strip_suffix("/crm/webhook")
            .unwrap()
            .to_owned();
        Self { child, address }
    }

    /// Resident memory in MB.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }
}

/// Posts leads number `first` to `first + count` over many connections, as fast as it goes or at `rate`
/// a second. The latency of each in ms, counted from when it was to be sent.
async fn load(address: &str, first: usize, count: usize, rate: Option<usize>) -> Vec<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let keys = Keys::parse(KEY).unwrap();
    let started = Instant::now();
    let connections = (0..CONNECTIONS.min(count)).map(|_| {
        let (next, keys, address) = (next.clone(), keys.clone(), address.to_owned());
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut request, mut answer, mut latencies) = (String::new(), Vec::new(), Vec::new());
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return latencies;
                }
                let mut due = Instant::now();
                if let Some(rate) = rate {
                    due = started + Duration::from_secs_f64(index as f64 / rate as f64);
                    sleep_until(due.into()).await;
                }
                write_request(&mut request, &keys, first + index);
                stream.write_all(request.as_bytes()).await.unwrap();
                timeout(Duration::from_secs(30), read_answer(&mut stream, &mut answer)).await.unwrap();
                latencies.push(due.elapsed().as_secs_f64() * 1_000.0);
            }
        })
    });
    let mut latencies = Vec::new();
    for connection in connections.collect::<Vec<_>>() {
        latencies.extend(connection.await.unwrap());
    }
    latencies
}

fn lead_id(number: usize) -> String {
    format!("lead_{number:043}")
}

/// A webhook of the usual size, about 1.7 kB, signed as Close does.
fn write_request(request: &mut String, keys: &Keys, number: usize) {
    let lead = lead_id(number);
    let body = format!(
        r#"{{"subscription_id": "whsub_2l329YJ4Ds2RiLBHVBGS55", "event": {{"id": "ev_{number:022}", "date_created": "2026-09-14T15:02:11.674000", "date_updated": "2026-09-14T15:02:11.674000", "organization_id": "orga_PKSgUng4vUb2zXsiJCT9kcdhjmqParUFDPUkFhBt1nu", "user_id": "user_JqithYZtDjtjkaZvhj62vnVJNPeWINKpkjGmtFxVAr2", "request_id": "req_0t26tw3zlXd7HnSYlCgNZL", "api_key_id": null, "oauth_client_id": "oa2client_zv564Zh3BVqi4bc09Yz3tB", "oauth_scope": "all.full_access offline_access", "object_type": "lead", "object_id": "{lead}", "lead_id": "{lead}", "action": "created", "changed_fields": [], "meta": {{"request_path": "/api/v1/lead/", "request_method": "POST"}}, "data": {{"date_updated": "2026-09-14T15:02:11.672000+00:00", "addresses": [], "organization_id": "orga_PKSgUng4vUb2zXsiJCT9kcdhjmqParUFDPUkFhBt1nu", "updated_by": "user_JqithYZtDjtjkaZvhj62vnVJNPeWINKpkjGmtFxVAr2", "display_name": "Harbour Logistics {number}", "updated_by_name": "Integration", "contact_ids": ["cont_UxQL40a13htLrofX6ZjWSva0ArKKjf2jomAkUGuFndd"], "id": "{lead}", "name": "", "created_by_name": "Integration", "created_by": "user_JqithYZtDjtjkaZvhj62vnVJNPeWINKpkjGmtFxVAr2", "url": null, "date_created": "2026-09-14T15:02:11.642000+00:00", "status_label": "Potential", "description": "", "status_id": "stat_hMIt1dpZlBPigkop43B70RsvJFY6MitahKJZcXOtOqa", "custom.cf_mLGb4kWzZlDB5mpWe7iZ24A6pJmoQkL0pIxCjrABYCN": "Trade fair", "custom.cf_kqchQqTYy3QILTfUoeaU7if8ZLyq1mhJQDVCHhgWL62": "Arizona"}}, "previous_data": {{}}}}}}"#
    );
    let timestamp = Timestamp::now().as_second().to_string();
    let hash = keys.sign(&timestamp, body.as_bytes()).unwrap();
    request.clear();
    write!(
        request,
        "POST /crm/webhook HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nuser-agent: Close Webhooks 2.0\r\n\
         close-sig-hash: {hash}\r\nclose-sig-timestamp: {timestamp}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
}

/// Reads one answer and checks that it says accepted.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    loop {
        assert!(stream.read_buf(answer).await.unwrap() > 0, "the connection was closed");
        let text = std::str::from_utf8(answer).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if body.len() >= length.unwrap().parse::<usize>().unwrap() {
            assert!(head.starts_with("HTTP/1.1 200") && body.contains("accepted"), "{text}");
            return;
        }
    }
}

fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * percent / 100.0).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

enum Limit {
    AtLeast(f64),
    AtMost(f64),
    None,
}

#[derive(Default)]
struct Report {
    missed: usize,
}

impl Report {
    fn line(&mut self, what: &str, value: f64, unit: &str, limit: Limit) {
        let (kept, promise) = match limit {
            Limit::AtLeast(least) => (value >= least, format!("at least {least}")),
            Limit::AtMost(most) => (value <= most, format!("at most {most}")),
            Limit::None => (true, String::new()),
        };
        self.missed += usize::from(!kept);
        println!("{what:<32} {value:>10.1} {unit:<3} {promise:<18} {}", if kept { "" } else { "MISSED" });
    }
}
