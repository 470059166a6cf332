//! What the Lambda functions cost: `cargo bench --workspace --bench functions`.
//!
//! Runs the packaged binaries (`infrastructure/package` makes them) on one core against the Runtime API
//! and an AWS that answers at once over TLS, and prints each figure beside what is aimed at. `warm` is a
//! whole invocation, with the requests to AWS that it makes; `own` is the CPU time of it. Variants beside
//! the shipped one:
//!
//! * `owner in the webhook`, `owner in Close`: `lead-processor` with `OWNER_SOURCE=close`. In the first the event
//!   names the owner, in the second Close is asked for the lead. Its members are known from the first invocation on.
//! * `no warm-up`: the same binaries with `LEADOPS_WARM_UP=false`.
//! * `entropy`: the binaries in the folder that `LEADOPS_BENCH_ENTROPY` names, with aws-lc's jitter entropy:
//!   `AWS_LC_SYS_NO_JITTER_ENTROPY=0 cargo build --locked --profile lambda -p lambdas --bins --target-dir
//!   target/entropy` makes `target/entropy/lambda`.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a benchmark may panic")]

mod runtime;
mod stub;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use close::{Incoming, signature::Keys};
use lead::Timestamp;
use pipeline::{Entry, Progress};
use serde_json::json;

use runtime::Process;
use stub::{Contents, Stub};

const KEY: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";
const LEAD: &str = "lead_YeOvwVn9XDXT4sNWmWZQargtcJoaCKMuFOzIf1cAATp";
const RAW: &str = include_str!("../../samples/close/webhook_lead_created_with_owner.json");
/// The field that the webhook carries, and one that only Close's answer has.
const CARRIED: &str = "cf_YZ3zQfDSI0uBIoXEkN8pdtkb3dqL2AzKlExZNdI2ZZM";
const ASKED: &str = "cf_dbJt1RX11y8FDiWyZIYYaFh0jocNGD4Cq2ynjkt4GsZ";
const OWNER: &str = include_str!("../../samples/owner_lookup_01_complete.json");
/// How often a function is started, and how often it is invoked once it is warm.
const STARTS: usize = 15;
const INVOCATIONS: usize = 300;
/// How far apart alerts are: SNS is given four mails a second, and `notification` waits for that once it is warm.
const PACE: Duration = Duration::from_millis(260);

/// Variables of a function, over those that all have.
type Settings<'a> = &'a [(&'static str, &'static str)];

const FUNCTIONS: [&str; 4] = ["webhook-ingestion", "lead-processor", "notification", "housekeeping"];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if runtime.block_on(run()) {
        eprintln!("some of the aims are missed");
        std::process::exit(1);
    }
}

async fn run() -> bool {
    let folder = std::env::var_os("LEADOPS_BENCH_FUNCTIONS").map_or_else(default_folder, PathBuf::from);
    let scratch = tempfile::tempdir().unwrap();
    let certificate = scratch.path().join("stub.pem");
    let stub = Stub::start(contents(), &certificate).await;
    println!(
        "{:<36}{:>8}{:>8}{:>12}{:>10}{:>10}{:>9}{:>10}{:>8}{:>8}",
        "function", "init", "first", "init+first", "warm p50", "warm p99", "own", "requests", "memory", "zip"
    );
    println!(
        "{:<36}{:>8}{:>8}{:>12}{:>10}{:>10}{:>9}{:>10}{:>8}{:>8}",
        "", "ms", "ms", "ms", "ms", "ms", "ms", "", "MiB", "MB"
    );
    let mut missed = false;
    let bucket = [("OWNER_SOURCE", "bucket")];
    let close = |field| [("OWNER_SOURCE", "close"), ("CLOSE_OWNER_FIELD", field)];
    let (carried, asked) = (close(CARRIED), close(ASKED));
    let processor = &FUNCTIONS[1..2];
    let mut variants: Vec<(&str, PathBuf, &[&str], Settings<'_>)> = vec![
        ("", folder.clone(), &FUNCTIONS, &bucket),
        (", owner in the webhook", folder.clone(), processor, &carried),
        (", owner in Close", folder.clone(), processor, &asked),
        (", no warm-up", folder.clone(), &FUNCTIONS, &[("LEADOPS_WARM_UP", "false")]),
    ];
    if let Some(entropy) = std::env::var_os("LEADOPS_BENCH_ENTROPY") {
        variants.push((", entropy", PathBuf::from(entropy), &FUNCTIONS, &bucket));
    }
    for (variant, folder, functions, settings) in variants {
        for function in functions {
            let figures = measure(&binary(&folder, function), function, &stub, &certificate, settings).await;
            let zip =
                std::fs::metadata(folder.join(format!("{function}.zip"))).map(|file| file.len() as f64 / 1e6);
            figures.print(&format!("{function}{variant}"), zip.as_ref().ok());
            // The variants are there to be compared with.
            missed |= variant.is_empty() && !figures.reach_the_aims(zip.unwrap_or(0.0));
        }
    }
    println!("aims: init+first under 15 ms, own under 1 ms, memory under 20 MiB, zip under 4.75 MB");
    missed
}

/// Where `infrastructure/package` leaves the binaries.
fn default_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    target.join("package")
}

/// A function's binary in a folder of packages, or of Cargo's.
fn binary(folder: &Path, function: &str) -> PathBuf {
    let packaged = folder.join(function).join("bootstrap");
    if packaged.exists() { packaged } else { folder.join(function) }
}

struct Figures {
    init: Duration,
    first: Duration,
    both: Duration,
    warm: Vec<Duration>,
    own: Duration,
    /// Requests of a warm invocation.
    requests: f64,
    memory: f64,
}

impl Figures {
    fn print(&self, name: &str, zip: Option<&f64>) {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let (p50, p99) = (percentile(&self.warm, 50), percentile(&self.warm, 99));
        let zip = zip.map_or_else(|| "-".to_owned(), |zip| format!("{zip:.2}"));
        println!(
            "{name:<36}{:>8.1}{:>8.1}{:>12.1}{:>10.2}{:>10.2}{:>9.2}{:>10.2}{:>8.1}{zip:>8}",
            ms(self.init),
            ms(self.first),
            ms(self.both),
            ms(p50),
            ms(p99),
            ms(self.own),
            self.requests,
            self.memory
        );
    }

    fn reach_the_aims(&self, zip: f64) -> bool {
        self.both < Duration::from_millis(15)
            && self.own < Duration::from_millis(1)
            && self.memory < 20.0
            && zip < 4.75
    }
}

async fn measure(
    binary: &Path,
    function: &str,
    stub: &Stub,
    certificate: &Path,
    settings: Settings<'_>,
) -> Figures {
    assert!(binary.is_file(), "{} is missing: run infrastructure/package first", binary.display());
    let mut environment = environment(&stub.url, certificate);
    environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let (mut inits, mut firsts, mut boths) = (Vec::new(), Vec::new(), Vec::new());
    let (mut warm, mut memory, mut own) = (Vec::new(), 0.0_f64, Duration::ZERO);
    let mut requests = 0;
    for start in 0..STARTS {
        let mut process = Process::start(binary, &environment).await;
        let init = process.init().await;
        let (first, answer) = process.invoke(&event(function, 0)).await;
        check(function, &answer);
        inits.push(init);
        firsts.push(first);
        boths.push(init + first);
        if start == 0 {
            let (_, before) = process.usage();
            let asked = stub.requests();
            for number in 0..INVOCATIONS {
                if function == "notification" {
                    tokio::time::sleep(PACE).await;
                }
                warm.push(process.invoke(&event(function, number)).await.0);
            }
            let (_, after) = process.usage();
            requests = stub.requests() - asked;
            own = (after - before) / u32::try_from(INVOCATIONS).unwrap();
        }
        memory = memory.max(process.usage().0);
    }
    Figures {
        init: percentile(&inits, 50),
        first: percentile(&firsts, 50),
        both: percentile(&boths, 50),
        warm,
        own,
        requests: requests as f64 / INVOCATIONS as f64,
        memory,
    }
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

fn environment(url: &str, certificate: &Path) -> Vec<(&'static str, String)> {
    let queue = |name: &str| format!("{url}/123456789012/{name}");
    vec![
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "example".to_owned()),
        ("AWS_ENDPOINT_URL", url.to_owned()),
        ("SSL_CERT_FILE", certificate.display().to_string()),
        ("BUCKET_NAME", "leads".to_owned()),
        ("PROJECT_NAME", "bench".to_owned()),
        ("DELAY_SECONDS", "600".to_owned()),
        ("CLOSE_SIGNATURE_SECRET_NAME", "close".to_owned()),
        ("SLACK_SECRET_NAME", "slack".to_owned()),
        ("SNS_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:leads".to_owned()),
        ("LOOKUP_BASE_URL", format!("{url}/owners")),
        ("USE_EMAIL", "true".to_owned()),
        ("SLACK_BURST", "30".to_owned()),
        ("DELAY_QUEUE_URL", queue("delay")),
        ("DELAY_DEAD_LETTER_QUEUE_URL", queue("delay-dead")),
        ("NOTIFICATION_QUEUE_URL", queue("notification")),
        ("NOTIFICATION_DEAD_LETTER_QUEUE_URL", queue("notification-dead")),
        ("CLOSE_API_URL", format!("{url}/close")),
        ("CLOSE_API_KEY_SECRET_NAME", "api-key".to_owned()),
    ]
}

fn contents() -> Contents {
    let enriched = json!({
        "lead_id": LEAD, "display_name": "Example", "status_label": "Potential", "date_created": "2026-09-14T15:02:11.642000+00:00",
        "lead_email": "lead@example.org", "lead_owner": "Sales North", "funnel": "Trade fair",
        "enriched_at": "2026-09-14T15:12:12Z", "event_id": "ev_1", "received_at": "2026-09-14T15:02:12Z",
        "owner_status": "assigned", "custom": {},
    });
    let record = record();
    Contents {
        close_secret: KEY.to_owned(),
        objects: Arc::new(vec![
            (format!("source/crm_event_{LEAD}.json"), new_event()),
            (format!("target/enriched_{LEAD}.json"), enriched.to_string()),
            (format!("leads/{LEAD}.json"), record.to_string()),
        ]),
        owner: OWNER.to_owned(),
        lead: include_str!("../../samples/close/lead_owner_two.json")
            .replace("lead_uYE4V0x6OWYD8xxbtE8l8mnrrnLsUcqpqdX6jm2oDmD", LEAD),
        members: include_str!("../../samples/close/organization_members.json").to_owned(),
    }
}

/// The event of a lead that Close has made today.
fn new_event() -> String {
    let today = Timestamp::now().strftime("%Y-%m-%d").to_string();
    RAW.replace("2026-09-14", &today)
}

/// The lead's record, as `webhook-ingestion` has written it.
fn record() -> serde_json::Value {
    let Ok(Incoming::Created(created)) = Incoming::parse(RAW.as_bytes()) else {
        panic!("the sample is a new lead")
    };
    let received_at: Timestamp = "2026-09-14T15:02:12Z".parse().unwrap();
    let received = Entry::received(&created, received_at, received_at + Duration::from_secs(600), 1);
    let (progress, _) = Progress::after(None, &received);
    json!({"progress": progress, "entries": [received], "markers": []})
}

/// An event of the kind that the function takes: a webhook, a message of S3, an alert by e-mail.
fn event(function: &str, number: usize) -> Bytes {
    let record = |body: String| {
        json!({"Records": [{
            "messageId": format!("00000000-0000-4000-8000-{number:012}"), "receiptHandle": "handle", "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1789398133120",
                "ApproximateFirstReceiveTimestamp": "1789398733130"},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
        }]})
    };
    let event = match function {
        "webhook-ingestion" => {
            let timestamp = Timestamp::now().as_second().to_string();
            let hash = Keys::parse(KEY).unwrap().sign(&timestamp, RAW.as_bytes()).unwrap();
            json!({
                "httpMethod": "POST", "path": "/crm/webhook", "body": RAW, "isBase64Encoded": false,
                "headers": {"Close-Sig-Hash": hash, "Close-Sig-Timestamp": timestamp},
            })
        }
        "lead-processor" => record(
            json!({"Records": [{
                "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                "eventTime": "2026-09-14T15:02:12.913Z", "eventName": "ObjectCreated:Put",
                "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": "leads"},
                    "object": {"key": format!("source/crm_event_{LEAD}.json"), "size": RAW.len(), "sequencer": "0A"}},
            }]})
            .to_string(),
        ),
        "housekeeping" => json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
        _ => record(
            json!({"lead_id": LEAD, "channel": "email", "alert": "new", "kind": "new", "due_at": null, "owner_digest": pipeline::job::OwnerDigest::of("Sales North")}).to_string(),
        ),
    };
    event.to_string().into()
}

fn check(function: &str, answer: &Bytes) {
    let answer = String::from_utf8_lossy(answer);
    let good = match function {
        "webhook-ingestion" => answer.contains("\"statusCode\":200"),
        "housekeeping" => answer == "null",
        _ => answer.contains("\"batchItemFailures\":[]"),
    };
    assert!(good, "{function} answered {answer}");
}
