//! `SOURCE_PREFIX` and `TARGET_PREFIX`, and the keys of everything else.

use demo::{Answer, SlackMode};
use pipeline::ports::{Objects, WriteCondition};
use serde_json::Value;
use sqlite::{Options, Store};
use tests::process::{PATIENCE, Testbed, Up, text, until};

const UP: [&str; 5] = ["up", "--listen", "127.0.0.1:0", "--delay", "0"];

/// `leadops` with these prefixes.
fn command(testbed: &Testbed, args: &[&str], [source, target]: [&str; 2]) -> tokio::process::Command {
    let mut command = testbed.command(args);
    command.env("SOURCE_PREFIX", source).env("TARGET_PREFIX", target);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_begins_with_another_starts_nothing_and_is_never_green() {
    let testbed = Testbed::new().await;
    for (prefixes, named) in [
        (["leads", "target/"], "leads/"),
        (["receipts", "target/"], "receipts/"),
        (["j", "target/"], "journal/"),
        (["running.json", "target/"], "running.json"),
        (["source/", "s"], "scheduled/"),
        (["source/", "roster/x/"], "roster/"),
        (["in/", "in/done/"], "in/done/"),
        (["out/raw/", "out/"], "out/raw/"),
        (["source", "source-done/"], "source-done/"),
    ] {
        let up = command(&testbed, &UP, prefixes).output().await.unwrap();
        let printed = text(&up.stderr);
        assert_eq!(up.status.code(), Some(1), "{prefixes:?}: {printed}");
        assert!(printed.starts_with("leadops: LO906 ") && printed.contains(named), "{prefixes:?}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
        assert!(!testbed.data().exists(), "{prefixes:?}: a folder was made");
        let doctor = command(&testbed, &["doctor", "--json"], prefixes).output().await.unwrap();
        let checks: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let settings = checks.as_array().unwrap().iter().find(|check| check["check"] == "settings").unwrap();
        assert_eq!(
            (&settings["result"], &settings["code"]),
            (&"failed".into(), &"LO906".into()),
            "{settings}"
        );
        assert_eq!(doctor.status.code(), Some(1));
    }
}

/// One that an earlier version has started: nothing comes of such prefixes without S3, and its leads are there.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_has_worked_with_such_prefixes_goes_on_with_a_warning() {
    let mut testbed = Testbed::new().await;
    let prefixes = ["in/", "in/done/"];
    let up = Up::start(command(&testbed, &UP, ["in/", "out/"])).await;
    assert!(up.terminate().await.success());
    let store = Store::open(&testbed.data(), Options::default()).unwrap();
    let running = Objects::get(&store, "running.json").await.unwrap().unwrap().body;
    let changed = String::from_utf8(running.into()).unwrap().replace("\"out/\"", "\"in/done/\"");
    store.put("running.json", changed.into(), WriteCondition::Always).await.unwrap();
    drop(store);

    let log = testbed.folder.path().join("stderr");
    let line = format!("exec \"$0\" \"$@\" 2>'{}'", log.display());
    let mut shell = testbed.command_in_shell(&line, &UP);
    shell.env("SOURCE_PREFIX", prefixes[0]).env("TARGET_PREFIX", prefixes[1]);
    let up = Up::start(shell).await;
    let printed = std::fs::read_to_string(&log).unwrap();
    assert!(printed.contains("warning: LO906") && printed.contains("in/done/"), "{printed}");
    let sample = testbed.sample();
    assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    let doctor = command(&testbed, &["doctor", "--json"], prefixes).output().await.unwrap();
    let checks: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let settings = checks.as_array().unwrap().iter().find(|check| check["check"] == "settings").unwrap();
    assert_eq!(settings["result"], "warning", "{settings}");
    assert!(up.terminate().await.success());
    // With others than those it is a new one.
    let other = command(&testbed, &UP, ["in/", "in/other/"]).output().await.unwrap();
    assert!(!other.status.success() && text(&other.stderr).contains("LO906"));
}

/// The list of what the prefixes are distinguished from has everything that is written in a folder.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_written_is_in_the_list_of_what_the_prefixes_must_not_be() {
    let mut testbed = Testbed::new().await;
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE * 10);
    let up = testbed.up(&["--delay", "0"]).await;
    let client = reqwest::Client::new();
    assert_eq!(client.get(up.webhook.clone()).send().await.unwrap().status(), 405);
    for _ in 0..2 {
        assert_eq!(up.sender().send(&testbed.sample()).await, [Answer::Accepted]);
    }
    let dead = async || testbed.json(&["dead", "list"]).await;
    until("they are dead", async || dead().await.as_array().unwrap().len() == 2).await;
    let id = dead().await[0]["id"].as_str().unwrap().to_owned();
    testbed.json(&["dead", "delete", &id, "--yes"]).await;
    until("the refusal is written down", async || {
        testbed.json(&["status"]).await["refused"]["last_hour"] == 1
    })
    .await;
    assert!(up.terminate().await.success());
    let store = Store::open(&testbed.data(), Options::default()).unwrap();
    let keys = Objects::list(&store, "", None, 1_000).await.unwrap();
    for start in ["source/", "target/", "receipts/", "deleted/", "pace/", "counts/", "running.json"] {
        assert!(keys.iter().any(|key| key.starts_with(start)), "nothing under {start}: {keys:?}");
    }
    for key in keys.iter().filter(|key| !key.starts_with("source/") && !key.starts_with("target/")) {
        assert!(lead::keys::OURS.iter().any(|ours| key.starts_with(ours)), "{key}");
    }
}
