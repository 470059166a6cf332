//! What the listener holds out against: `cargo build --workspace --release && target/release/hostile [WORD]`,
//! those attacks alone whose name holds the word.
//!
//! Attacks a running `leadops up` in each way of [`Attack`] while Close sends webhooks, attacker, sender
//! and listener on the same machine, and prints what Close notices and how much memory it took. Fails
//! where a webhook is not accepted, or an accepted one is lost.

#![allow(clippy::unwrap_used, reason = "a figure that cannot be had ends it")]

use std::time::Duration;

use tests::{
    hostile::{Attack, FAR, NEAR, SEEN, peak_memory, raise_file_limit, send_genuine},
    process::Testbed,
};

/// From how many connections at once.
const CONNECTIONS: usize = 2_000;
/// How many webhooks Close sends meanwhile, and how far apart.
const WEBHOOKS: usize = 60;
const APART: Duration = Duration::from_millis(25);

#[tokio::main]
async fn main() {
    raise_file_limit();
    let testbed = Testbed::new().await;
    println!(
        "{CONNECTIONS} connections, {WEBHOOKS} webhooks during each attack, delays in ms, memory in MiB"
    );
    println!(
        "{:<32} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "attack", "steps", "accepted", "retries", "median", "longest", "peak"
    );
    let mut up = testbed.up(&["--delay", "600"]).await;
    send_genuine(&up, [SEEN], APART, NEAR).await;
    let mut sent = SEEN + 1;
    let word = std::env::args().nth(1).unwrap_or_default();
    let near = Attack::ALL.into_iter().map(|attack| (attack, NEAR, attack.name().to_owned()));
    let far = [Attack::None, Attack::Idle, Attack::Churn, Attack::Replay, Attack::Replays];
    let far = far.map(|attack| (attack, FAR, format!("{}, far", attack.name())));
    for (attack, away, name) in near.chain(far).filter(|(_, _, name)| name.contains(&word)) {
        // A process for each, so that its peak is its own.
        assert!(up.terminate().await.success());
        up = testbed.up(&["--delay", "600"]).await;
        let running_attack = attack.begin(&up, CONNECTIONS);
        running_attack.until_under_way().await;
        let observed = send_genuine(&up, sent..sent + WEBHOOKS, APART, away).await;
        sent += WEBHOOKS;
        println!(
            "{name:<32} {:>9} {:>8} {:>8} {:>8.1} {:>8.1} {:>8}",
            running_attack.steps(),
            observed.delays.len(),
            observed.failures,
            observed.median().as_secs_f64() * 1_000.0,
            observed.longest().as_secs_f64() * 1_000.0,
            peak_memory(&up),
        );
    }
    let status = testbed.json(&["status"]).await;
    let stored = status["last_24h"]["accepted"].as_u64().unwrap();
    println!("accepted {sent}, stored {stored}, lost {}", sent as u64 - stored);
    assert_eq!((sent as u64, status["pending"].as_u64()), (stored, Some(stored)));
    assert!(up.terminate().await.success());
}
