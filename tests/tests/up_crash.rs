//! `leadops up` when it is killed, and when its disk is full.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use console::demo::Sample;
use lead::{LeadId, Timestamp};
use pipeline::{ports::Random, signature::Keys};
use serde_json::{Value, json};
use system::SystemRandom;
use tests::process::{KEY, Up, World, until};
use tokio::{process::Command, time::sleep};
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

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_accepted_is_told_though_it_is_killed_again_and_again() {
    let mut world = World::new().await;
    let mut accepted: Vec<LeadId> = Vec::new();
    for round in 0..8 {
        let up = world.up(&["--delay", if round % 2 == 0 { "0" } else { "1" }]).await;
        let client = reqwest::Client::new();
        let (webhook, lifetime) = (up.webhook.clone(), Duration::from_millis(30 + SystemRandom.bits() % 400));
        // Killed at some moment of some webhook, some look-up, some alert.
        let killed = tokio::spawn(async move {
            sleep(lifetime).await;
            up.kill().await;
        });
        while !killed.is_finished() && accepted.len() < (round + 1) * 15 {
            let sample = world.sample();
            if let Some((200, _)) = post(&client, &webhook, &sample).await {
                accepted.push(sample.lead_id);
            }
        }
        killed.await.unwrap();
    }
    let up = world.up(&["--delay", "0"]).await;
    assert!(accepted.len() > 20, "only {} leads were accepted", accepted.len());
    world.until_told(&accepted).await;
    until("every lead has ended", || async { world.json(&["pending"]).await == json!([]) }).await;
    for lead in &accepted {
        let (_, unlabelled) = world.told(lead);
        assert!(unlabelled <= 1, "{lead} was told {unlabelled} times without a label");
        assert_eq!(world.json(&["lead", lead.as_str()]).await["state"], "notified");
    }
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_503_with_nothing_half_stored_and_heals_without_a_restart() {
    let mut world = World::new().await;
    // A process that ignores SIGXFSZ gets an error for a write beyond its limit, as on a full disk.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", tests::process::binary().to_str().unwrap()]);
    let up =
        Up::start(world.command_of(&mut shell, &["up", "--listen", "127.0.0.1:0", "--delay", "0"])).await;
    let client = reqwest::Client::new();
    let before = world.sample();
    assert_eq!(post(&client, &up.webhook, &before).await.unwrap().0, 200);
    world.until_told(std::slice::from_ref(&before.lead_id)).await;

    limit_files(&up, "1").await;
    let refused = world.sample();
    for _ in 0..3 {
        let (status, answer) = post(&client, &up.webhook, &refused).await.unwrap();
        assert_eq!((status, answer["code"].as_str()), (503, Some("LO107")), "{answer}");
    }
    let (_, line) = world.refused(&["lead", refused.lead_id.as_str()]).await;
    assert!(line.contains("LO503"), "{line}");

    limit_files(&up, "unlimited").await;
    until("it takes webhooks again", || async {
        let (status, answer) = post(&client, &up.webhook, &refused).await.unwrap();
        // Never a duplicate: nothing of the refused attempts was kept.
        assert!(status == 503 || answer["status"] == "accepted", "{answer}");
        status == 200
    })
    .await;
    world.until_told(std::slice::from_ref(&refused.lead_id)).await;
    assert_eq!(world.told(&refused.lead_id), (1, 1));
    assert!(up.terminate().await.success());
}

/// Sets how large the files of a running process may grow, in bytes.
async fn limit_files(up: &Up, bytes: &str) {
    let (id, limit) = (up.id().to_string(), format!("--fsize={bytes}:unlimited"));
    let set =
        Command::new("prlimit").args(["--pid", &id, &limit]).status().await.expect("prlimit (util-linux)");
    assert!(set.success());
}
