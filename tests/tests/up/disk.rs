//! `leadops up` on a bad disk, a damaged file, and a clock that is set.

use std::{collections::BTreeSet, fs, os::unix::fs::FileExt, path::Path, time::Duration};

use demo::Answer;
use lead::LeadId;
use serde_json::json;
use tests::{
    http::post,
    process::{KEY, Shim, Testbed, Up, text, until},
};

const UP: [&str; 3] = ["up", "--listen", "127.0.0.1:0"];

async fn up_on(shim: &Shim, testbed: &Testbed, delay: &str) -> Up {
    Up::start(shim.on(testbed.command(&[&UP[..], &["--delay", delay]].concat()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_makes_webhooks_slow_and_loses_none_of_them() {
    let (shim, mut testbed) = (Shim::new().await, Testbed::new().await);
    let up = up_on(&shim, &testbed, "0").await;
    shim.order("slow 200");
    let samples: Vec<_> = (0..40).map(|_| testbed.sample()).collect();
    let sender = up.sender();
    let begun = std::time::Instant::now();
    let answers = futures_util::future::join_all(samples.iter().map(|sample| sender.send(sample))).await;
    assert!(answers.iter().all(|answer| answer == &[Answer::Accepted]), "{answers:?}");
    // They share their syncs.
    assert!(begun.elapsed() > Duration::from_millis(200), "the disk is not slow");
    assert!(begun.elapsed() < Duration::from_millis(200 * 40), "{:?}", begun.elapsed());
    up.kill().await;
    shim.order("");
    let up = up_on(&shim, &testbed, "0").await;
    let leads: Vec<LeadId> = samples.iter().map(|sample| sample.lead_id.clone()).collect();
    testbed.until_notified(&leads).await;
    assert!(leads.iter().all(|lead| testbed.alert_counts(lead).1 <= 1));
    assert!(up.terminate().await.success());
}

/// The disk goes bad under a running pipeline: 503, and it goes on by itself.
async fn recovers_after(fault: &str) {
    let (shim, mut testbed) = (Shim::new().await, Testbed::new().await);
    let up = up_on(&shim, &testbed, "0").await;
    let before = testbed.sample();
    assert_eq!(up.sender().send(&before).await, [Answer::Accepted]);
    testbed.until_notified(std::slice::from_ref(&before.lead_id)).await;
    shim.order(fault);
    let refused = testbed.sample();
    for _ in 0..3 {
        assert_eq!(post(&up.webhook, &refused.event, KEY).await.0, 503);
    }
    shim.order("");
    until("it takes webhooks again", || async { post(&up.webhook, &refused.event, KEY).await.0 == 200 })
        .await;
    testbed.until_notified(std::slice::from_ref(&refused.lead_id)).await;
    assert_eq!(testbed.alert_counts(&refused.lead_id), (1, 1));
    assert_eq!(testbed.alert_counts(&before.lead_id), (1, 1));
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_sync_is_503_and_no_alert_is_sent_of_what_was_not_stored() {
    recovers_after("fail").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_read_only_is_503_and_it_goes_on_when_that_is_fixed() {
    recovers_after("read-only").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_read_only_disk_nothing_starts_and_everything_can_be_looked_at() {
    let (shim, mut testbed) = (Shim::new().await, Testbed::new().await);
    let run = async |testbed: &Testbed, args: &[&str]| {
        shim.order("read-only");
        let output = shim.on(testbed.command(args)).output().await.unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    // There is no folder yet, and none can be made.
    let (status, _, line) = run(&testbed, &UP).await;
    assert!(status == Some(1) && line.contains("LO905") && line.lines().count() == 1, "{line}");
    assert!(!testbed.data().exists());

    let up = testbed.up(&["--delay", "900"]).await;
    let sample = testbed.sample();
    assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
    up.kill().await;
    let log = testbed.data().join("leadops.db-wal");
    for logged in [true, false] {
        if !logged {
            // Who closes it last puts the log into the file.
            assert_eq!(testbed.json(&["pending"]).await.as_array().unwrap().len(), 1);
        }
        assert_eq!(log.exists(), logged);
        let before = contents(&testbed.data());
        let (status, _, line) = run(&testbed, &UP).await;
        assert!(status == Some(1) && line.contains("LO905") && line.lines().count() == 1, "{line}");
        let (status, pending, line) = run(&testbed, &["pending"]).await;
        assert!(status == Some(0) && pending.contains(sample.lead_id.as_str()), "{pending}{line}");
        let (status, _, line) = run(&testbed, &["requeue", sample.lead_id.as_str(), "--yes"]).await;
        assert!(status == Some(1) && line.contains("LO402"), "{line}");
        let (_, checks, _) = run(&testbed, &["doctor"]).await;
        assert!(
            checks.lines().any(|line| line.contains("data folder") && line.contains("LO402")),
            "{checks}"
        );
        assert!(contents(&testbed.data()) == before, "a file was changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_sends_nothing_early_and_one_set_right_sends_it() {
    let (shim, mut testbed) = (Shim::new().await, Testbed::new().await);
    let up = up_on(&shim, &testbed, "900").await;
    let sample = testbed.sample();
    assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
    let mut later = Vec::new();
    for hours in [-48, 0] {
        shim.order(&format!("step {}", hours * 3_600));
        // It has looked at the time again when it answers at this one.
        let next = testbed.sample();
        assert_eq!(up.sender().send(&next).await, [Answer::Accepted]);
        assert_eq!(testbed.alert_counts(&sample.lead_id), (0, 0));
        later.push(next.lead_id);
    }
    // What was accepted two days ago, by the clock of then, is due now; the others are not.
    let others = BTreeSet::from([sample.lead_id.to_string(), later[1].to_string()]);
    until("what is due is no longer pending", || async { pending(&testbed).await == others }).await;
    assert_eq!(testbed.alert_counts(&later[0]), (1, 1));
    shim.order("step 1000");
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    // Back again while alerts are claimed and sent: none is sent twice without a label.
    shim.order("step -3600");
    let another = testbed.sample();
    assert_eq!(up.sender().send(&another).await, [Answer::Accepted]);
    assert_eq!(testbed.alert_counts(&sample.lead_id), (1, 1));
    assert!(up.terminate().await.success());
}

/// The leads that `leadops pending` lists.
async fn pending(testbed: &Testbed) -> BTreeSet<String> {
    let rows = testbed.json(&["pending"]).await;
    rows.as_array().unwrap().iter().map(|row| row["lead_id"].as_str().unwrap().to_owned()).collect()
}

/// What can befall the files of a folder, and the code that says so. None where nothing is wrong.
type Damage = (&'static str, fn(&Path), Option<&'static str>);

const DAMAGES: [Damage; 8] = [
    ("cut short", |folder| cut(&folder.join("leadops.db"), 2), Some("LO405")),
    ("a byte", |folder| fs::write(folder.join("leadops.db"), "x").unwrap(), Some("LO405")),
    ("random bytes in the middle", |folder| corrupt(&folder.join("leadops.db")), Some("LO405")),
    (
        "empty, with a log",
        |folder| {
            cut(&folder.join("leadops.db"), 0);
            fs::write(folder.join("leadops.db-wal"), vec![7; 50_000]).unwrap();
        },
        Some("LO405"),
    ),
    (
        "a folder in its place",
        |folder| {
            fs::remove_file(folder.join("leadops.db")).unwrap();
            fs::create_dir(folder.join("leadops.db")).unwrap();
        },
        Some("LO905"),
    ),
    // What does not belong to the file is not read into it.
    (
        "a log of random bytes",
        |folder| fs::write(folder.join("leadops.db-wal"), vec![7; 50_000]).unwrap(),
        None,
    ),
    (
        "an index of random bytes",
        |folder| fs::write(folder.join("leadops.db-shm"), vec![7; 32_768]).unwrap(),
        None,
    ),
    ("an empty log", |folder| fs::write(folder.join("leadops.db-wal"), "").unwrap(), None),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_one_clear_line_and_is_left_as_it_is() {
    let mut testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "900"]).await;
    for _ in 0..30 {
        let sample = testbed.sample();
        assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
    }
    assert!(up.terminate().await.success());
    let sound = testbed.data();
    for (what, damage, code) in DAMAGES {
        let folder = testbed.folder.path().join(what);
        fs::create_dir(&folder).unwrap();
        fs::copy(sound.join("leadops.db"), folder.join("leadops.db")).unwrap();
        damage(&folder);
        let before = contents(&folder);
        let place = ["--data", folder.to_str().unwrap()];
        match code {
            Some(code) => {
                for args in [&UP[..], &["status"]] {
                    let (status, line) = testbed.refused(&[args, &place].concat()).await;
                    assert!(status == Some(1), "{what}: {line}");
                    assert!(args[0] == "status" || line.contains(code), "{what}: {line}");
                    assert!(line.contains("leadops.db"), "{what}: {line}");
                }
                assert!(contents(&folder) == before, "{what}: a file was changed");
            }
            None => {
                let up = Up::start(testbed.command(&[&UP[..], &place].concat())).await;
                assert!(up.terminate().await.success());
                let pending = testbed.json(&[&["pending"][..], &place].concat()).await;
                assert_eq!(pending.as_array().unwrap().len(), 30, "{what}");
            }
        }
    }
    assert_ne!(testbed.json(&["pending"]).await, json!([]));
}

/// The files that hold something, by their names.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default()))
        // The index of the log is made anew by whoever reads.
        .filter(|(name, bytes)| !bytes.is_empty() && !name.ends_with("-shm"))
        .collect();
    files.sort();
    files
}

fn cut(path: &Path, parts: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length.checked_div(parts).unwrap_or(0)).unwrap();
}

fn corrupt(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let pages = file.metadata().unwrap().len() / 4_096;
    for page in [pages / 3, pages / 2, pages - 2] {
        file.write_all_at(&[0xa5; 512], page * 4_096).unwrap();
    }
}
