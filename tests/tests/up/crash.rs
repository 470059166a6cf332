//! `leadops up` when it is killed, and when its disk is full.
//!
//! It is killed at moments that can be seen from outside: by the neighbour that it is talking to.

use std::{process::Stdio, time::Duration};

use close::signature::Keys;
use demo::{Sample, SlackMode};
use futures_util::future::join_all;
use lead::{LeadId, Timestamp};
use pipeline::ports::Random;
use serde_json::{Value, json};
use system::SystemRandom;
use tests::{
    hanging_server::HangingServer,
    process::{KEY, PATIENCE, Testbed, Up, text, until},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
    time::{sleep, timeout},
};
use url::Url;

/// Posts a lead as Close does, once. The status and the answer, or `None` where nothing came back.
async fn post(client: &reqwest::Client, webhook: &Url, sample: &Sample) -> Option<(u16, Value)> {
    let timestamp = Timestamp::now().as_second().to_string();
    let hash = Keys::parse(KEY).unwrap().sign(&timestamp, &sample.event)?;
    let request =
        client.post(webhook.clone()).header("close-sig-hash", hash).header("close-sig-timestamp", timestamp);
    let answer = request.body(sample.event.clone()).send().await.ok()?;
    Some((answer.status().as_u16(), answer.json().await.ok()?))
}

/// How often it is killed: `LEADOPS_CRASHES=200 cargo test --workspace --test up -- --nocapture killed_again`.
fn rounds() -> usize {
    std::env::var("LEADOPS_CRASHES").map_or(8, |rounds| rounds.parse().expect("LEADOPS_CRASHES is a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_accepted_is_notified_though_it_is_killed_again_and_again() {
    let mut testbed = Testbed::new().await;
    let mut accepted: Vec<LeadId> = Vec::new();
    for round in 0..rounds() {
        let up = testbed.up(&["--delay", if round % 2 == 0 { "0" } else { "1" }]).await;
        let client = reqwest::Client::new();
        let (webhook, lifetime) = (up.webhook.clone(), Duration::from_millis(30 + SystemRandom.bits() % 400));
        // Killed at some moment of some webhook, some look-up, some alert.
        let killed = tokio::spawn(async move {
            sleep(lifetime).await;
            up.kill().await;
        });
        let before = accepted.len();
        while !killed.is_finished() && accepted.len() < before + 15 {
            let samples: Vec<Sample> = (0..4).map(|_| testbed.sample()).collect();
            let answers = join_all(samples.iter().map(|sample| post(&client, &webhook, sample))).await;
            for (sample, answer) in samples.into_iter().zip(answers) {
                if answer.is_some_and(|(status, _)| status == 200) {
                    accepted.push(sample.lead_id);
                }
            }
        }
        killed.await.unwrap();
    }
    let up = testbed.up(&["--delay", "0"]).await;
    assert!(accepted.len() > 20, "only {} leads were accepted", accepted.len());
    testbed.until_notified(&accepted).await;
    until("every lead has ended", || async { testbed.json(&["pending"]).await == json!([]) }).await;
    let (mut notified, mut repeats) = (0, 0);
    for lead in &accepted {
        let (times, unlabelled) = testbed.alert_counts(lead);
        assert!(unlabelled <= 1, "{lead} was notified {unlabelled} times without a label");
        assert_eq!(testbed.json(&["lead", lead.as_str()]).await["state"], "notified");
        notified += usize::from(times > 0);
        repeats += times - unlabelled;
    }
    println!(
        "killed {} times: {} accepted, {notified} notified, {repeats} messages labelled as possible repeats, {} lost",
        rounds(),
        accepted.len(),
        accepted.len() - notified
    );
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_body_arrives_nothing_is_stored_of_it() {
    let mut testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "0"]).await;
    let sample = testbed.sample();
    let mut stream = TcpStream::connect(up.webhook.socket_addrs(|| None).unwrap()[0]).await.unwrap();
    let half = format!(
        "POST /crm/webhook HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        sample.event.len()
    );
    stream.write_all(half.as_bytes()).await.unwrap();
    // It says that it reads the body.
    stream.read_exact(&mut [0; 12]).await.unwrap();
    stream.write_all(&sample.event[..sample.event.len() / 2]).await.unwrap();
    up.kill().await;
    let up = testbed.up(&["--delay", "0"]).await;
    let (status, answer) = post(&reqwest::Client::new(), &up.webhook, &sample).await.unwrap();
    assert_eq!((status, &answer["status"]), (200, &json!("accepted")));
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    assert_eq!(testbed.alert_counts(&sample.lead_id), (1, 1));
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_owner_is_looked_up_the_lead_is_notified_once() {
    let mut testbed = Testbed::new().await;
    let (hanging, sample) = (HangingServer::start().await, testbed.sample());
    let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "0"]);
    command.env("LOOKUP_BASE_URL", hanging.url());
    let up = Up::start(command).await;
    assert_eq!(post(&reqwest::Client::new(), &up.webhook, &sample).await.unwrap().0, 200);
    hanging.is_asked().await;
    up.kill().await;
    let up = testbed.up(&["--delay", "0"]).await;
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    assert_eq!(testbed.alert_counts(&sample.lead_id), (1, 1));
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_posting_and_slacks_answer_the_alert_goes_out_again_at_once_and_says_so() {
    let mut testbed = Testbed::new().await;
    let (hanging, sample) = (HangingServer::start().await, testbed.sample());
    let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "0"]);
    command.env("SLACK_WEBHOOK_URL", hanging.url() + "/services/T/B/x");
    let up = Up::start(command).await;
    assert_eq!(post(&reqwest::Client::new(), &up.webhook, &sample).await.unwrap().0, 200);
    hanging.is_asked().await;
    up.kill().await;
    let begun = Timestamp::now();
    let up = testbed.up(&["--delay", "0"]).await;
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    // Slack may have had it before: this one says so.
    assert_eq!(testbed.alert_counts(&sample.lead_id), (1, 0));
    // The claim of 45 s need not run out: the lock says that its worker is gone.
    let waited = Timestamp::now().duration_since(begun).as_secs();
    assert!(waited < 40, "notified {waited} s after the restart");
    until("the lead has ended", || async {
        testbed.json(&["lead", sample.lead_id.as_str()]).await["state"] == "notified"
    })
    .await;
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_makes_its_file_it_starts_the_next_time() {
    let testbed = Testbed::new().await;
    for millis in 0..12 {
        let mut child =
            testbed.command(&["up", "--listen", "127.0.0.1:0"]).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(millis * 3)).await;
        child.kill().await.unwrap();
    }
    let up = testbed.up(&["--delay", "0"]).await;
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_is_stopped_has_reported_what_it_did_and_goes_on_later() {
    let mut testbed = Testbed::new().await;
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE * 10);
    let up = testbed.up(&["--delay", "0"]).await;
    let samples: Vec<Sample> = (0..4).map(|_| testbed.sample()).collect();
    for sample in &samples {
        assert_eq!(post(&reqwest::Client::new(), &up.webhook, sample).await.unwrap().0, 200);
    }
    let dead = async || testbed.json(&["dead", "list"]).await.as_array().unwrap().len();
    until("all are dead", || async { dead().await == 4 }).await;
    testbed.slack.set_mode(SlackMode::Normal, Duration::ZERO);

    let redrive = ["dead", "redrive", "--all", "--yes", "--rate", "0.5"];
    let mut stopped = Vec::new();
    for signal in ["-KILL", "-INT"] {
        let mut child = testbed.command(&redrive).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A line for each letter as soon as it is done.
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        assert!(line.starts_with("redriven  "), "{line}");
        let id = child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
        let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
        stopped.push(text(&output.stderr));
    }
    assert!(stopped[1].contains("LO519") && stopped[1].contains("of 3"), "{stopped:?}");
    let left = dead().await;
    assert!((1..=2).contains(&left), "{left} dead letters are left");
    testbed.json(&["dead", "redrive", "--all", "--yes"]).await;
    let leads: Vec<LeadId> = samples.into_iter().map(|sample| sample.lead_id).collect();
    testbed.until_notified(&leads).await;
    for lead in &leads {
        assert_eq!(testbed.alert_counts(lead), (1, 1), "{lead}");
    }
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_by_another_name_is_the_same_folder() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&[]).await;
    let other = testbed.folder.path().join("other");
    std::os::unix::fs::symlink(testbed.data(), &other).unwrap();
    let args = ["up", "--listen", "127.0.0.1:0", "--data", other.to_str().unwrap()];
    let (status, line) = testbed.refused(&args).await;
    assert!(status == Some(1) && line.contains("LO407"), "{line}");
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_503_with_nothing_half_stored_and_it_recovers_without_a_restart() {
    let mut testbed = Testbed::new().await;
    // A process that ignores SIGXFSZ gets an error for a write beyond its limit, as on a full disk.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", tests::process::binary().to_str().unwrap()]);
    let up =
        Up::start(testbed.command_of(&mut shell, &["up", "--listen", "127.0.0.1:0", "--delay", "0"])).await;
    let client = reqwest::Client::new();
    let before = testbed.sample();
    assert_eq!(post(&client, &up.webhook, &before).await.unwrap().0, 200);
    testbed.until_notified(std::slice::from_ref(&before.lead_id)).await;

    limit_files(&up, "1").await;
    let refused = testbed.sample();
    for _ in 0..3 {
        let (status, answer) = post(&client, &up.webhook, &refused).await.unwrap();
        assert_eq!((status, answer["code"].as_str()), (503, Some("LO107")), "{answer}");
    }
    let (_, line) = testbed.refused(&["lead", refused.lead_id.as_str()]).await;
    assert!(line.contains("LO503"), "{line}");

    limit_files(&up, "unlimited").await;
    until("it takes webhooks again", || async {
        let (status, answer) = post(&client, &up.webhook, &refused).await.unwrap();
        // Never a duplicate: nothing of the refused attempts was stored.
        assert!(status == 503 || answer["status"] == "accepted", "{answer}");
        status == 200
    })
    .await;
    testbed.until_notified(std::slice::from_ref(&refused.lead_id)).await;
    assert_eq!(testbed.alert_counts(&refused.lead_id), (1, 1));
    assert!(up.terminate().await.success());
}

/// Sets how large the files of a running process may grow, in bytes.
async fn limit_files(up: &Up, bytes: &str) {
    let (id, limit) = (up.id().to_string(), format!("--fsize={bytes}:unlimited"));
    let set =
        Command::new("prlimit").args(["--pid", &id, &limit]).status().await.expect("prlimit (util-linux)");
    assert!(set.success());
}
