//! `leadops up` under attack: Close is served, and memory has a bound.

use std::time::Duration;

use tests::{
    hostile::{Attack, FAR, NEAR, SEEN, peak_memory, raise_file_limit, send_genuine},
    process::{Testbed, Up, binary},
};
use tokio::process::Command;

/// More than the listener has places for.
const CONNECTIONS: usize = 1_500;
/// In MiB: what bodies and heads may take, and what the process has anyway, with room to spare. Without
/// a bound, the attacks would take ten times as much.
const MEMORY: u64 = 256;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_attackers_do_close_is_served() {
    raise_file_limit();
    let testbed = Testbed::new().await;
    let up = quiet(&testbed, "exec").await;
    send_genuine(&up, [SEEN], Duration::ZERO, NEAR).await;
    let mut sent = SEEN + 1;
    let far = [Attack::Idle, Attack::Churn, Attack::Replay].map(|attack| (attack, FAR));
    for (attack, away) in Attack::ALL.map(|attack| (attack, NEAR)).into_iter().chain(far) {
        let running_attack = attack.begin(&up, CONNECTIONS);
        running_attack.until_under_way().await;
        let observed = send_genuine(&up, sent..sent + 5, Duration::from_millis(20), away).await;
        sent += 5;
        assert_eq!(observed.delays.len(), 5, "{attack:?}");
        let memory = peak_memory(&up);
        assert!(memory < MEMORY, "{attack:?}: {memory} MiB");
    }
    // Nothing that was accepted is lost, and nothing of theirs was.
    let status = testbed.json(&["status"]).await;
    assert_eq!(
        (status["pending"].as_u64(), status["last_24h"]["accepted"].as_u64()),
        (Some(sent as u64), Some(sent as u64))
    );
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_system_allows_few_files_the_listener_still_serves_close_and_the_store_works() {
    raise_file_limit();
    let testbed = Testbed::new().await;
    let up = quiet(&testbed, "ulimit -n 128; exec").await;
    let running_attack = Attack::Idle.begin(&up, 500);
    running_attack.until_under_way().await;
    let observed = send_genuine(&up, 0..10, Duration::from_millis(20), NEAR).await;
    assert_eq!(observed.delays.len(), 10);
    assert_eq!(testbed.json(&["status"]).await["pending"], 10);
    assert!(up.terminate().await.success());
}

/// A `leadops up` that a shell starts with this command, its warnings left out of the tests' output.
async fn quiet(testbed: &Testbed, exec: &str) -> Up {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{exec} \"$0\" \"$@\" 2> \"$LEADOPS_DATA.log\""), binary().to_str().unwrap()]);
    Up::start(testbed.command_of(&mut shell, &["up", "--listen", "127.0.0.1:0", "--delay", "600"])).await
}
