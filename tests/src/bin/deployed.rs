//! The deployed pipeline, from the HTTP webhook to the alert, the dead letter and back, through an
//! update under traffic, to its deletion:
//!
//! ```sh
//! LEADOPS_E2E_ENDPOINT=http://127.0.0.1:4566 target/debug/deployed   # after: cargo build --workspace
//! ```
//!
//! Deploys the unchanged template with the real zips (`infrastructure/package` first) by
//! `infrastructure/deploy`, which needs the AWS CLI. The endpoint is LocalStack's, or `aws` for the
//! account that the AWS CLI is signed in to; there Slack must be able to reach the team itself, so
//! `SLACK_WEBHOOK_URL` has to name a channel for tests, and what is sent is read from the receipts alone.
//! Prints its figures, and ends with an error where a lead is lost or notified twice.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use close::signature::Keys;
use demo::{Answer, FakeOwnerDirectory, FakeSlack, Sample, Scenario, Sender, SlackMode};
use lead::{LeadId, Timestamp};
use serde_json::Value;
use tests::process::{KEY, binary, text};
use tokio::{process::Command, sync::oneshot, time::sleep};

const STACK: &str = "leadops-e2e";
/// How long anything may take before it counts as lost: longer than the visibility timeout, as LocalStack ends
/// the functions that are at work when they are updated.
const PATIENCE: Duration = Duration::from_secs(300);
/// How many leads the first part sends, and how often one is sent during the update.
const LEADS: usize = 20;
const PACE: Duration = Duration::from_millis(500);
/// How long Slack's webhook is gone from the first message about a lead on. That message is a dead letter at
/// once.
const GONE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let endpoint = std::env::var("LEADOPS_E2E_ENDPOINT")
        .expect("LEADOPS_E2E_ENDPOINT names LocalStack's address, or is aws for a real account");
    let mut run = Run::new(endpoint).await;
    run.deploy(&["DelaySeconds=5", "DelayVisibilitySeconds=30", "NotificationVisibilitySeconds=210"]).await;
    run.put_key().await;
    run.doctor().await;
    run.notify_leads().await;
    run.a_dead_letter_is_redriven().await;
    run.an_update_loses_nothing().await;
    run.delete().await;
    println!("\n{} leads accepted, 0 lost, 0 notified twice without a label", run.sent.len());
}

struct Run {
    /// The endpoint, where it is not AWS itself.
    local: Option<String>,
    root: PathBuf,
    home: tempfile::TempDir,
    owners: FakeOwnerDirectory,
    slack: FakeSlack,
    scenario: Scenario,
    outputs: BTreeMap<String, String>,
    sent: Vec<LeadId>,
}

impl Run {
    async fn new(endpoint: String) -> Self {
        Self {
            local: (endpoint != "aws").then_some(endpoint),
            root: Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
            home: tempfile::tempdir().unwrap(),
            owners: FakeOwnerDirectory::start().await.unwrap(),
            slack: FakeSlack::start().await.unwrap(),
            scenario: Scenario::new(u64::from(std::process::id())),
            outputs: BTreeMap::new(),
            sent: Vec::new(),
        }
    }

    /// A command with the credentials and the endpoint of this run.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null()).kill_on_drop(true);
        if let Some(endpoint) = &self.local {
            command
                .env("AWS_ENDPOINT_URL", endpoint)
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", "test")
                .env("AWS_REGION", "us-east-1")
                .env("AWS_DEFAULT_REGION", "us-east-1")
                .env("LEADOPS_CONFIG", self.home.path().join("none.toml"))
                .env("SLACK_WEBHOOK_URL", self.slack.url());
            std::fs::write(self.home.path().join("none.toml"), "").unwrap();
        }
        command
    }

    async fn output(&self, mut command: Command) -> String {
        let output = command.output().await.unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{command:?} failed:\n{stdout}\n{stderr}");
        stdout
    }

    async fn leadops(&self, arguments: &[&str]) -> Value {
        let mut command = self.command(binary());
        command.args(["--stack", STACK, "--json"]).args(arguments);
        let stdout = self.output(command).await;
        serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {stdout}"))
    }

    async fn aws(&self, arguments: &[&str]) -> String {
        let mut command = self.command("aws");
        command.args(arguments);
        self.output(command).await
    }

    /// Deploys the template as it is, with these parameters.
    async fn deploy(&mut self, parameters: &[&str]) {
        let began = Instant::now();
        let mut command = self.command(self.root.join("infrastructure/deploy"));
        command.arg(STACK).args(parameters);
        if self.local.is_some() {
            // The stand-ins are on this machine, and so are the functions.
            command.arg(format!("LookupBaseUrl={}", self.owners.base()));
            command.arg(format!("SslCertFile={}", certificates()));
        }
        self.output(command).await;
        let query = "Stacks[0].Outputs[].[OutputKey,OutputValue]";
        let described = ["cloudformation", "describe-stacks", "--stack-name", STACK, "--query", query];
        let described = self.aws(&[&described[..], &["--output", "text"]].concat()).await;
        let outputs = described.lines().filter_map(|line| line.split_once('\t'));
        let outputs: BTreeMap<_, _> =
            outputs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if !self.outputs.is_empty() {
            assert_eq!(self.outputs, outputs, "an update leaves every address as it was");
        }
        self.outputs = outputs;
        println!("deployed with {} in {:.1} s", parameters.join(" "), began.elapsed().as_secs_f64());
    }

    /// The webhook, where it can be reached from here.
    fn webhook(&self) -> String {
        let url = &self.outputs["WebhookUrl"];
        let Some(endpoint) = &self.local else { return url.clone() };
        let rest = url.strip_prefix("https://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let (api, (stage, path)) = (host.split('.').next().unwrap(), path.split_once('/').unwrap());
        format!("{endpoint}/restapis/{api}/{stage}/_user_request_/{path}")
    }

    async fn put_key(&self) {
        let secret = &self.outputs["CloseSignatureSecretName"];
        let put = ["secretsmanager", "put-secret-value", "--secret-id", secret, "--secret-string", KEY];
        self.aws(&put).await;
    }

    /// All is well, but that LocalStack's address for the webhook is no URL where its own host is an IP
    /// address: `https://API.execute-api.127.0.0.1:4566`.
    async fn doctor(&self) {
        let mut command = self.command(binary());
        command.args(["--stack", STACK, "doctor"]);
        let printed = text(&command.output().await.unwrap().stdout);
        print!("{printed}");
        let wrong: Vec<&str> = printed.lines().filter(|line| line.starts_with('✗')).collect();
        let is_known = |line: &&str| self.local.is_some() && line.starts_with("✗ webhook");
        assert!(printed.contains("✓ stack") && wrong.iter().all(is_known), "doctor finds {wrong:?}");
    }

    fn sender(&self) -> Sender {
        Sender::new(self.webhook().parse().unwrap(), Keys::parse(KEY).unwrap()).unwrap()
    }

    /// A lead without misfortunes, whose owner the directory knows.
    fn sample(&mut self) -> Sample {
        let sample = self.scenario.next_with(Timestamp::now(), None);
        self.owners.add_lead(&sample);
        sample
    }

    async fn send(&mut self, sender: &Sender) -> (LeadId, Duration) {
        let sample = self.sample();
        let began = Instant::now();
        let answers = sender.send(&sample).await;
        assert_eq!(answers, [Answer::Accepted], "{}", sample.lead_id);
        self.sent.push(sample.lead_id.clone());
        (sample.lead_id, began.elapsed())
    }

    async fn notify_leads(&mut self) {
        let (sender, mut took) = (self.sender(), Vec::new());
        for _ in 0..LEADS {
            took.push(self.send(&sender).await.1);
        }
        let sent = Instant::now();
        self.until_all_are_notified().await;
        println!("all notified {:.1} s after the last webhook", sent.elapsed().as_secs_f64());
        took.sort_unstable();
        let ms = |index: usize| took[index].as_secs_f64() * 1e3;
        println!("{LEADS} webhooks: p50 {:.0} ms, slowest {:.0} ms", ms(LEADS / 2), ms(LEADS - 1));
        // LocalStack looks through its figures minute by minute, which takes it longer than a day's may take.
        if self.local.is_none() {
            let speed = &self.leadops(&["status"]).await["speed"];
            println!("due to notified: p50 {} ms, p99 {} ms", speed["p50_ms"], speed["p99_ms"]);
        }
    }

    /// Slack's webhook is gone; the alert dies; the webhook is back; the alert is redriven.
    async fn a_dead_letter_is_redriven(&mut self) {
        if self.local.is_none() {
            println!("the dead letter is left out: it needs a Slack that says no");
            return;
        }
        let sample = self.sample();
        self.slack.set_mode_at(sample.lead_id.clone(), SlackMode::Gone, GONE);
        assert_eq!(self.sender().send(&sample).await, [Answer::Accepted]);
        let lead = sample.lead_id.clone();
        self.sent.push(lead.clone());
        let began = Instant::now();
        let letter = loop {
            let letters = self.leadops(&["dead", "list"]).await;
            let found = letters.as_array().unwrap().iter().find(|row| row["lead_id"] == lead.as_str());
            if let Some(found) = found {
                break found.clone();
            }
            assert!(began.elapsed() < PATIENCE, "no dead letter: {letters}");
            sleep(PACE).await;
        };
        assert_eq!(letter["code"], "LO204", "{letter}");
        println!("dead letter after {:.1} s: {}", began.elapsed().as_secs_f64(), letter["reason"]);
        sleep(GONE).await;
        let began = Instant::now();
        self.leadops(&["dead", "redrive", letter["id"].as_str().unwrap(), "--yes"]).await;
        self.until_all_are_notified().await;
        println!("notified {:.1} s after it was redriven", began.elapsed().as_secs_f64());
        let left = self.leadops(&["dead", "list"]).await;
        assert_eq!(left.as_array().map(Vec::len), Some(0), "{left}");
    }

    async fn an_update_loses_nothing(&mut self) {
        let (sender, before) = (Arc::new(self.sender()), self.sent.len());
        let (stop, mut stopped) = oneshot::channel::<()>();
        let samples: Vec<Sample> = (0..2_000).map(|_| self.sample()).collect();
        let traffic = tokio::spawn(async move {
            let (mut sent, mut slowest) = (Vec::new(), Duration::ZERO);
            for sample in samples {
                let began = Instant::now();
                // Like Close, the sender tries again whatever is not answered with success.
                assert_eq!(sender.send(&sample).await, [Answer::Accepted]);
                slowest = slowest.max(began.elapsed());
                sent.push(sample.lead_id);
                tokio::select! {
                    _ = &mut stopped => break,
                    () = sleep(PACE) => {}
                }
            }
            (sent, slowest)
        });
        self.deploy(&["DelaySeconds=7", "LeadProcessorMemorySize=512", "ProcessAttempts=4"]).await;
        sleep(PACE * 4).await;
        stop.send(()).unwrap();
        let (sent, slowest) = traffic.await.unwrap();
        self.sent.extend(sent);
        self.until_all_are_notified().await;
        let count = self.sent.len() - before;
        println!("{count} leads during the update, slowest webhook {:.0} ms", slowest.as_secs_f64() * 1e3);
    }

    /// Waits until every lead is notified; none of them twice without the label of a possible repeat.
    async fn until_all_are_notified(&self) {
        let began = Instant::now();
        loop {
            let counts = self.alert_counts().await;
            let missing: Vec<_> =
                self.sent.iter().filter(|lead| !counts.contains_key(lead.as_str())).collect();
            if missing.is_empty() {
                let twice: Vec<_> = counts.iter().filter(|(_, count)| count.unlabelled > 1).collect();
                assert!(twice.is_empty(), "notified more than once: {twice:?}");
                let repeats: usize = counts.values().map(|count| count.labelled).sum();
                if repeats > 0 {
                    println!("{repeats} alerts were labelled as possible repeats");
                }
                return;
            }
            assert!(began.elapsed() < PATIENCE, "not notified: {missing:?}");
            sleep(PACE).await;
        }
    }

    /// How often each lead has been notified.
    async fn alert_counts(&self) -> BTreeMap<String, AlertCount> {
        let mut counts: BTreeMap<String, AlertCount> = BTreeMap::new();
        if self.local.is_some() {
            for lead in self.slack.messages().iter().flat_map(|message| &message.leads) {
                let count = counts.entry(lead.lead_id.to_string()).or_default();
                *if lead.is_first() { &mut count.unlabelled } else { &mut count.labelled } += 1;
            }
            return counts;
        }
        let limit = (self.sent.len() + 10).to_string();
        for lead in self.leadops(&["leads", "--limit", &limit]).await.as_array().unwrap() {
            let sent = lead["notifications"].as_array().unwrap().iter().filter(|one| one["state"] == "sent");
            let count = counts.entry(lead["lead_id"].as_str().unwrap().to_owned()).or_default();
            count.unlabelled += sent.count();
        }
        counts.retain(|_, count| count.unlabelled > 0);
        counts
    }

    async fn delete(&self) {
        let began = Instant::now();
        self.aws(&["cloudformation", "delete-stack", "--stack-name", STACK]).await;
        self.aws(&["cloudformation", "wait", "stack-delete-complete", "--stack-name", STACK]).await;
        println!("deleted in {:.1} s", began.elapsed().as_secs_f64());
        // LocalStack deletes the bucket as well: it reads no DeletionPolicy.
        if self.local.is_none() {
            let bucket = &self.outputs["BucketName"];
            self.aws(&["s3api", "head-bucket", "--bucket", bucket]).await;
            println!("the bucket {bucket} is kept");
        }
    }
}

/// How often a lead has been notified.
#[derive(Debug, Clone, Copy, Default)]
struct AlertCount {
    /// As a first alert.
    unlabelled: usize,
    /// As a possible repeat. A receipt does not distinguish those.
    labelled: usize,
}

/// Where this machine keeps the certificates that it trusts. The template's default is Lambda's place.
fn certificates() -> &'static str {
    let places =
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    places.into_iter().find(|place| Path::new(place).exists()).unwrap_or_default()
}
