//! How `leadops` starts where nobody can read what it says, and how it ends when it is asked to.

use std::{
    fs::OpenOptions,
    io::Write,
    process::{Output, Stdio},
};

use demo::Answer;
use serde_json::Value;
use tests::{
    http::post,
    process::{KEY, PATIENCE, Testbed, Up, text, until},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};
use url::Url;

const UP: [&str; 3] = ["up", "--listen", "127.0.0.1:0"];

/// A stream that takes nothing: on a full disk, or a pipe that nobody reads.
fn unwritable(closed: bool) -> Stdio {
    if !closed {
        return OpenOptions::new().write(true).open("/dev/full").unwrap().into();
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// The webhook of a pipeline that cannot say where it listens, as `doctor` finds it.
async fn webhook(testbed: &Testbed) -> Url {
    let find = async || {
        let checks: Value = serde_json::from_slice(&testbed.run(&["doctor", "--json"]).await.stdout).ok()?;
        let mut checks = checks.as_array()?.iter();
        let webhook = checks.find(|check| check["check"] == "webhook" && check["result"] == "ok")?;
        webhook["detail"].as_str()?.split(' ').next()?.parse().ok()
    };
    until("doctor finds the webhook", || async { find().await.is_some() }).await;
    find().await.unwrap()
}

async fn kill(child: &Child, signal: &str) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn up_starts_and_goes_on_where_stdout_cannot_be_written_and_says_so() {
    for closed in [false, true] {
        let mut testbed = Testbed::new().await;
        let mut command = testbed.command(&[&UP[..], &["--delay", "0"]].concat());
        let mut up = command.stdout(unwritable(closed)).spawn().unwrap();
        let mut lines = BufReader::new(up.stderr.take().unwrap()).lines();
        let find = async {
            loop {
                // Beside it, where owners are looked up.
                let line = lines.next_line().await.unwrap().unwrap();
                if line.contains("warning") {
                    return line;
                }
            }
        };
        let line = timeout(PATIENCE, find).await.expect("it says so");
        assert!(line.contains("warning: LO514") && !line.contains("report it"), "{line}");
        let (_, rest) = line.split_once("listening on ").unwrap();
        let webhook: Url = rest.split(' ').next().unwrap().parse().unwrap();
        let sample = testbed.sample();
        assert_eq!(post(&webhook, &sample.event, KEY).await.0, 200);
        testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
        kill(&up, "-TERM").await;
        assert!(timeout(PATIENCE, up.wait()).await.unwrap().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_stops_no_work() {
    for closed in [false, true] {
        let mut testbed = Testbed::new().await;
        let mut command = testbed.command(&[&UP[..], &["--delay", "0"]].concat());
        // It says much, and warns before it starts.
        command.env("LEADOPS_LOG", "trace").env("LOOKUP_URL", "http://nowhere");
        let mut up = command.stdout(unwritable(closed)).stderr(unwritable(closed)).spawn().unwrap();
        let webhook = webhook(&testbed).await;
        assert_eq!(post(&webhook, b"junk", KEY).await.0, 400);
        let sample = testbed.sample();
        assert_eq!(post(&webhook, &sample.event, KEY).await.0, 200);
        testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
        kill(&up, "-TERM").await;
        assert!(timeout(PATIENCE, up.wait()).await.unwrap().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pipe_that_nobody_reads_stops_no_work_and_no_end() {
    for is_stdout in [false, true] {
        let mut testbed = Testbed::new().await;
        let (reader, mut writer) = std::io::pipe().unwrap();
        let stream = writer.try_clone().unwrap();
        // The pipe is full from now on.
        let full = std::thread::spawn(move || writer.write_all(&vec![b'.'; 1 << 20]));
        let mut command = testbed.command(&[&UP[..], &["--delay", "0"]].concat());
        command.env("LEADOPS_LOG", "trace");
        let mut up = match is_stdout {
            true => command.stdout(stream).stderr(Stdio::null()).spawn().unwrap(),
            false => command.stderr(stream).spawn().unwrap(),
        };
        drop(command);
        let webhook = webhook(&testbed).await;
        let sample = testbed.sample();
        for (body, status) in [(&b"junk"[..], 400), (&sample.event, 200)] {
            let answer = timeout(PATIENCE, post(&webhook, body, KEY)).await.expect("it answers");
            assert_eq!(answer.0, status);
        }
        testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
        kill(&up, "-TERM").await;
        assert!(timeout(PATIENCE, up.wait()).await.expect("it ends").unwrap().success());
        drop(reader);
        assert!(full.join().unwrap().is_err(), "it was read");
    }
}

/// Runs a command to its end, its streams as they are: `Command::output` would catch them.
async fn end(command: &mut Command) -> Output {
    timeout(PATIENCE, command.spawn().unwrap().wait_with_output()).await.expect("it ends").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_printed_is_a_failure_with_its_reason_and_a_closed_pipe_is_none() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "900"]).await;
    let commands = [
        &["leads", "--json"][..],
        &["leads"],
        &["status"],
        &["doctor"],
        &["logs"],
        &["config"],
        &["keys"],
        &["man"],
        &["completions", "bash"],
        &["explain", "LO204"],
        &["--help"],
        &["--version"],
        &["demo", "--headless", "--for", "1", "--json"],
    ];
    for args in commands {
        let mut command = testbed.command(args);
        let output = end(command.stdout(unwritable(false))).await;
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {printed}");
        assert!(printed.contains("LO514") && !printed.contains("report it"), "{args:?}: {printed}");
        assert_eq!(printed.trim_end().lines().count(), 1, "{args:?}: {printed}");

        let mut command = testbed.command(args);
        let output = end(command.stdout(unwritable(true))).await;
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{args:?}");
    }
    // Where nobody hears why, the status says it still.
    for (args, status) in [(&["lead", "lead_none"][..], 1), (&["nonsense"], 2)] {
        let output = end(testbed.command(args).stderr(unwritable(false))).await;
        assert_eq!(output.status.code(), Some(status), "{args:?}");
    }
    assert!(up.terminate().await.success());
}

/// Has no signal ignored, whatever the tests themselves were started by: `nohup`, or a shell in its background.
const UNIGNORED: &str = "exec env --default-signal \"$0\" \"$@\"";

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_that_ends_a_process_ends_up_in_order() {
    for signal in ["-TERM", "-INT", "-HUP", "-QUIT"] {
        let mut testbed = Testbed::new().await;
        let up =
            Up::start(testbed.command_in_shell(UNIGNORED, &[&UP[..], &["--delay", "900"]].concat())).await;
        let sample = testbed.sample();
        assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
        up.signal(signal).await;
        assert_eq!(up.end().await.code(), Some(0), "{signal}");
        assert_eq!(testbed.json(&["pending"]).await.as_array().unwrap().len(), 1, "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_it_was_started_to_ignore_stays_ignored_as_under_nohup() {
    for signal in ["-HUP", "-QUIT"] {
        let mut testbed = Testbed::new().await;
        let line = format!("trap '' {}; exec \"$0\" \"$@\"", signal.trim_start_matches('-'));
        let up = Up::start(testbed.command_in_shell(&line, &[&UP[..], &["--delay", "0"]].concat())).await;
        up.signal(signal).await;
        let sample = testbed.sample();
        assert_eq!(up.sender().send(&sample).await, [Answer::Accepted], "{signal}");
        testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
        assert!(up.terminate().await.success(), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_ends_the_demo_without_its_console_with_its_account() {
    let testbed = Testbed::new().await;
    for signal in ["-TERM", "-INT", "-HUP", "-QUIT"] {
        let mut command =
            testbed.command_in_shell(UNIGNORED, &["demo", "--headless", "--for", "3600", "--delay", "0"]);
        let mut demo = command.spawn().unwrap();
        let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        assert!(line.starts_with("running for 3600 s"), "{line}");
        kill(&demo, signal).await;
        let output = timeout(PATIENCE, demo.wait_with_output()).await.expect("it ends").unwrap();
        assert_eq!(output.status.code(), Some(0), "{signal}");
        let balance: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&balance["lost"], &balance["duplicates"]), (&0.into(), &0.into()), "{signal}");
    }
}
