//! `leadops up` whose files are deleted, moved or replaced under it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use demo::Answer;
use serde_json::Value;
use tests::{
    http::{client, post},
    process::{KEY, Shim, Testbed, Up, text, until},
};

const UP: [&str; 3] = ["up", "--listen", "127.0.0.1:0"];

/// What can befall the files of a folder.
struct Loss {
    what: &'static str,
    happens: fn(&Path),
    /// Whether the next start finds what was accepted before.
    rescued: bool,
}

const LOSSES: [Loss; 10] = [
    Loss { what: "all deleted", happens: |folder| remove(folder, &["", "-wal", "-shm"]), rescued: false },
    Loss {
        what: "log and index deleted",
        happens: |folder| remove(folder, &["-wal", "-shm"]),
        rescued: true,
    },
    Loss { what: "log deleted", happens: |folder| remove(folder, &["-wal"]), rescued: true },
    Loss { what: "index deleted", happens: |folder| remove(folder, &["-shm"]), rescued: true },
    Loss { what: "database deleted", happens: |folder| remove(folder, &[""]), rescued: false },
    Loss {
        what: "database moved away",
        happens: |folder| fs::rename(folder.join("leadops.db"), folder.join("elsewhere")).unwrap(),
        rescued: false,
    },
    // To make room on its disk, say. The next start has the log beside the file that the link leads to.
    Loss {
        what: "database moved away and linked to",
        happens: |folder| {
            let elsewhere = folder.join("elsewhere");
            fs::create_dir(&elsewhere).unwrap();
            fs::rename(file(folder, ""), elsewhere.join("leadops.db")).unwrap();
            std::os::unix::fs::symlink(elsewhere.join("leadops.db"), file(folder, "")).unwrap();
        },
        rescued: false,
    },
    Loss { what: "database replaced by its copy", happens: |folder| copied(folder, ""), rescued: true },
    Loss { what: "log replaced by its copy", happens: |folder| copied(folder, "-wal"), rescued: true },
    Loss {
        what: "database emptied",
        happens: |folder| fs::write(folder.join("leadops.db"), "").unwrap(),
        rescued: false,
    },
];

fn file(folder: &Path, end: &str) -> PathBuf {
    folder.join(format!("leadops.db{end}"))
}

fn remove(folder: &Path, ends: &[&str]) {
    ends.iter().for_each(|end| fs::remove_file(file(folder, end)).unwrap());
}

fn copied(folder: &Path, end: &str) {
    fs::copy(file(folder, end), folder.join("copy")).unwrap();
    fs::rename(folder.join("copy"), file(folder, end)).unwrap();
}

/// Starts it with its stderr in a file.
async fn up_with_log(testbed: &Testbed, args: &[&str]) -> (Up, PathBuf) {
    let log = testbed.folder.path().join("stderr");
    let line = format!("exec \"$0\" \"$@\" 2>'{}'", log.display());
    (Up::start(testbed.command_in_shell(&line, &[&UP[..], args].concat())).await, log)
}

async fn health(up: &Up) -> (u16, Value) {
    let answer = client().get(up.webhook.join("/healthz").unwrap()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn until_unhealthy(up: &Up) {
    until("its health says so", || async {
        let (status, body) = health(up).await;
        status == 503 && body["code"] == "LO409"
    })
    .await;
}

/// The lines of this level about the files themselves.
fn lines(log: &Path, level: &str) -> Vec<String> {
    let lines = fs::read_to_string(log).unwrap();
    let ours = |line: &&str| line.contains(level) && line.contains("code=\"LO409\"");
    lines.lines().filter(ours).map(str::to_owned).collect()
}

async fn pending(testbed: &Testbed) -> BTreeSet<String> {
    let rows = testbed.json(&["pending"]).await;
    rows.as_array().unwrap().iter().map(|row| row["lead_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_taken_away_are_503_and_reported_everywhere_and_nothing_accepted_later_is_lost() {
    for Loss { what, happens, rescued } in LOSSES {
        let mut testbed = Testbed::new().await;
        let (up, log) = up_with_log(&testbed, &["--delay", "900"]).await;
        let mut accepted = BTreeSet::new();
        for _ in 0..20 {
            let sample = testbed.sample();
            assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
            accepted.insert(sample.lead_id.to_string());
        }
        happens(&testbed.data());
        // At once, while nobody has looked at the files yet.
        for _ in 0..3 {
            let (status, answer) = post(&up.webhook, &testbed.sample().event, KEY).await;
            assert_eq!((status, answer["code"].as_str()), (503, Some("LO107")), "{what}: {answer}");
        }
        until_unhealthy(&up).await;
        until("the log says so", || async { !lines(&log, "ERROR").is_empty() }).await;
        let before = contents(&testbed.data());
        let doctor = testbed.run(&["doctor"]).await;
        let checks = text(&doctor.stdout);
        assert_eq!(doctor.status.code(), Some(1), "{what}: {checks}");
        assert!(checks.lines().any(|line| line.starts_with("✗ data folder")), "{what}: {checks}");
        let lead = accepted.first().unwrap().as_str();
        for args in [&["status"][..], &["requeue", lead, "--yes"]] {
            let (status, line) = testbed.refused(args).await;
            assert!(status == Some(1) && line.contains("LO4"), "{what}: {line}");
        }
        let (_, line) = testbed.refused(&UP).await;
        assert!(line.contains("LO40"), "{what}: {line}");
        assert!(contents(&testbed.data()) == before, "{what}: a file was changed by those beside it");
        assert_eq!(lines(&log, "ERROR").len(), 1, "{what}: {}", fs::read_to_string(&log).unwrap());
        if rescued {
            // It is in the database, whatever happens to the process.
            up.kill().await;
            let up = testbed.up(&["--delay", "900"]).await;
            let found = pending(&testbed).await;
            assert!(found.is_superset(&accepted), "{what}: {} of 20 are left", found.len());
            assert_eq!(up.sender().send(&testbed.sample()).await, [Answer::Accepted]);
            assert!(up.terminate().await.success());
        } else {
            assert!(up.terminate().await.success(), "{what}");
            assert!(contents(&testbed.data()) == before, "{what}: a file was changed at the end");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_the_log_was_deleted_stays_stored_though_no_webhook_comes_any_more() {
    let mut testbed = Testbed::new().await;
    let (up, log) = up_with_log(&testbed, &["--delay", "900"]).await;
    let samples: Vec<_> = (0..20).map(|_| testbed.sample()).collect();
    for sample in &samples {
        assert_eq!(up.sender().send(sample).await, [Answer::Accepted]);
    }
    remove(&testbed.data(), &["-wal", "-shm"]);
    until("it says that all is stored", || async { lines(&log, "WARN").len() == 1 }).await;
    up.kill().await;
    let up = testbed.up(&["--delay", "0"]).await;
    assert_eq!(pending(&testbed).await.len(), 20);
    assert!(up.terminate().await.success());
}

/// What is moved away, in this folder, and where to.
type Names = fn(&Path) -> (PathBuf, PathBuf);

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_put_back_repair_it_and_nobody_is_alerted_meanwhile() {
    let away: [(&str, Names); 2] = [
        ("the database", |data| (data.join("leadops.db"), data.join("elsewhere"))),
        ("the folder", |data| (data.to_owned(), data.with_extension("moved"))),
    ];
    for (what, names) in away {
        let (shim, mut testbed) = (Shim::new().await, Testbed::new().await);
        let (name, elsewhere) = names(&testbed.data());
        // Where the folder is gone, doctor finds whoever has lost it by its address.
        let listen = free_address();
        let args = ["up", "--listen", &listen, "--delay", "900"];
        let up = Up::start(shim.on(testbed.command(&args))).await;
        let sample = testbed.sample();
        assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
        fs::rename(&name, &elsewhere).unwrap();
        until_unhealthy(&up).await;
        let refused = testbed.sample();
        assert_eq!(post(&up.webhook, &refused.event, KEY).await.0, 503, "{what}");
        let mut doctor = testbed.command(&["doctor"]);
        let doctor = doctor.env("LEADOPS_LISTEN", &listen).output().await.unwrap();
        let checks = text(&doctor.stdout);
        assert_eq!(doctor.status.code(), Some(1), "{what}: {checks}");
        assert!(checks.lines().any(|l| l.starts_with('✗') && l.contains("LO409")), "{what}: {checks}");
        // The lead is due now.
        shim.order("step 1000");
        for _ in 0..3 {
            assert_eq!(post(&up.webhook, &refused.event, KEY).await.0, 503, "{what}");
        }
        assert_eq!(testbed.alert_counts(&sample.lead_id), (0, 0), "{what}");
        fs::rename(&elsewhere, &name).unwrap();
        until("it is well again", || async { health(&up).await.0 == 200 }).await;
        assert_eq!(post(&up.webhook, &refused.event, KEY).await.0, 200, "{what}");
        testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
        assert_eq!(testbed.alert_counts(&sample.lead_id), (1, 1), "{what}");
        assert!(up.terminate().await.success());
    }
}

/// An address that nobody listens at.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_files_in_their_places_are_left_as_they_are() {
    let mut other = Testbed::new().await;
    let up = other.up(&["--delay", "900"]).await;
    assert_eq!(up.sender().send(&other.sample()).await, [Answer::Accepted]);
    assert!(up.terminate().await.success());
    let database = fs::read(file(&other.data(), "")).unwrap();
    for stranger in [database, b"notes on leads".to_vec()] {
        let mut testbed = Testbed::new().await;
        let up = testbed.up(&["--delay", "900"]).await;
        assert_eq!(up.sender().send(&testbed.sample()).await, [Answer::Accepted]);
        let theirs = testbed.folder.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        for end in ["", "-wal", "-shm"] {
            fs::write(file(&theirs, end), &stranger).unwrap();
        }
        fs::rename(testbed.data(), testbed.folder.path().join("ours")).unwrap();
        fs::rename(&theirs, testbed.data()).unwrap();
        until_unhealthy(&up).await;
        assert_eq!(post(&up.webhook, &testbed.sample().event, KEY).await.0, 503);
        assert!(up.terminate().await.success());
        for end in ["", "-wal", "-shm"] {
            assert!(fs::read(file(&testbed.data(), end)).unwrap() == stranger, "{end:?} was changed");
        }
    }
}

/// The database and its log, whichever are there.
fn contents(folder: &Path) -> Vec<Option<Vec<u8>>> {
    ["", "-wal"].map(|end| fs::read(file(folder, end)).ok()).into()
}
