//! Whose files and folders are, what others may do with them, and what is written over.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
};

use demo::{Answer, SlackMode};
use serde_json::Value;
use tests::{
    close::{API_KEY, Close},
    process::{PATIENCE, Testbed, text, until},
};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}")).mode() & 0o7777
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The arguments with which the stand-in for Close gets a subscription.
const SUBSCRIBE: [&str; 4] = ["subscribe", "--url", "https://x.example.com/crm/webhook", "--yes"];

/// A command of somebody whose umask takes nothing from others.
async fn subscribed(testbed: &Testbed, close: &Close) {
    let mut command = testbed.command_in_shell("umask 0; exec \"$0\" \"$@\"", &SUBSCRIBE);
    let command = command.env("CLOSE_API_URL", &close.url).env("CLOSE_API_KEY", API_KEY);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// `leadops up` of somebody with such a umask, started and ended.
async fn worked(testbed: &Testbed) {
    let args = ["up", "--listen", "127.0.0.1:0", "--delay", "0"];
    let up = tests::process::Up::start(testbed.command_in_shell("umask 0; exec \"$0\" \"$@\"", &args)).await;
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(&testbed.data().join(format!("leadops.db{end}"))), 0o600, "{end:?}");
    }
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_first_makes_folder_and_files_for_their_owner_alone() {
    let (close, testbed) = (Close::start().await, Testbed::new().await);
    let data = testbed.data();
    subscribed(&testbed, &close).await;
    assert_eq!((mode(&data), mode(&data.join("close.key"))), (0o700, 0o600));
    worked(&testbed).await;
    assert_eq!((mode(&data), mode(&data.join("leadops.lock"))), (0o700, 0o600));

    let testbed = Testbed::new().await;
    worked(&testbed).await;
    assert_eq!((mode(&testbed.data()), mode(&testbed.data().join("leadops.lock"))), (0o700, 0o600));
}

async fn permissions(testbed: &Testbed) -> Value {
    let doctor = testbed.run(&["doctor", "--json"]).await;
    let checks: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let found = checks.as_array().unwrap().iter().find(|check| check["check"] == "permissions");
    found.unwrap_or_else(|| panic!("{checks}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_or_a_backup_left_open_is_closed_or_reported() {
    let testbed = Testbed::new().await;
    let data = testbed.data();
    worked(&testbed).await;
    for name in ["leadops.db", "leadops.lock"] {
        set(&data.join(name), 0o644);
    }
    worked(&testbed).await;
    assert_eq!(["leadops.db", "leadops.lock"].map(|name| mode(&data.join(name))), [0o600; 2]);
    assert_eq!(permissions(&testbed).await["result"], "ok");

    // The folder may be open for a reason, and what a link leads to may be somebody else's.
    let (key, elsewhere) = (data.join("close.key"), testbed.folder.path().join("elsewhere.db"));
    fs::write(&key, "").unwrap();
    set(&key, 0o640);
    set(&data, 0o755);
    let check = permissions(&testbed).await;
    assert_eq!((&check["result"], &check["code"]), (&"warning".into(), &"LO515".into()), "{check}");
    let detail = check["detail"].as_str().unwrap();
    for part in [format!("`chmod 700 {}`", data.display()), format!("`chmod 600 {}`", key.display())] {
        assert!(detail.contains(&part), "{part}: {detail}");
    }
    assert_eq!((mode(&data), mode(&key)), (0o755, 0o640));
    fs::rename(data.join("leadops.db"), &elsewhere).unwrap();
    set(&elsewhere, 0o644);
    symlink(&elsewhere, data.join("leadops.db")).unwrap();
    let detail = permissions(&testbed).await["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("leadops.db (mode 0644)") && mode(&elsewhere) == 0o644, "{detail}");
}

/// As root in a folder of somebody else, whose service has to use what root has made; else in a folder of one's own.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_makes_a_file_it_belongs_to_the_owner_of_its_folder() {
    let (close, testbed) = (Close::start().await, Testbed::new().await);
    let home = testbed.folder.path().join("home");
    fs::create_dir(&home).unwrap();
    if fs::metadata(&home).unwrap().uid() == 0 {
        chown(&home, Some(62_083), Some(62_084)).unwrap();
    }
    let data = home.join("data");
    let owner = |path: &Path| fs::symlink_metadata(path).map(|found| (found.uid(), found.gid())).unwrap();
    let wanted = owner(&home);
    let folder = data.to_str().unwrap();
    let mut subscribe = testbed.command(&[&SUBSCRIBE[..], &["--data", folder]].concat());
    subscribe.env("CLOSE_API_URL", &close.url).env("CLOSE_API_KEY", API_KEY);
    let output = subscribe.output().await.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let up = testbed.up(&["--data", folder]).await;
    for name in ["", "close.key", "leadops.db", "leadops.db-wal", "leadops.db-shm", "leadops.lock"] {
        assert_eq!(owner(&data.join(name)), wanted, "{name}");
    }
    assert!(up.terminate().await.success());
    // An earlier version has left one to root.
    if wanted.0 != 0 && rustix::process::geteuid().is_root() {
        chown(data.join("close.key"), Some(0), Some(0)).unwrap();
        let doctor = testbed.run(&["doctor", "--data", folder]).await;
        let printed = text(&doctor.stdout);
        let command = format!("`chown {}:{} {}/close.key`", wanted.0, wanted.1, folder);
        assert!(printed.contains("LO516") && printed.contains(&command), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_new_file_for_its_owner_alone_and_names_nobody_but_the_user() {
    let mut testbed = Testbed::new().await;
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE * 10);
    let up = testbed.up(&["--delay", "0"]).await;
    assert_eq!(up.sender().send(&testbed.sample()).await, [Answer::Accepted]);
    until("it is dead", async || !testbed.json(&["dead", "list"]).await.as_array().unwrap().is_empty()).await;
    assert!(up.terminate().await.success());
    let path = |name: &str| testbed.folder.path().join(name);
    let export = async |name: &str| {
        let args = ["dead", "export", path(name).to_str().unwrap()].map(str::to_owned);
        let mut command =
            testbed.command_in_shell("umask 0; exec \"$0\" \"$@\"", &args.each_ref().map(String::as_str));
        // Somebody would like the journal to name another.
        command.env("USER", "mallory").env("HOSTNAME", "elsewhere").output().await.unwrap()
    };
    let made = export("new.ndjson").await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert_eq!(mode(&path("new.ndjson")), 0o600);
    let exported = fs::read_to_string(path("new.ndjson")).unwrap();
    let row: Value = serde_json::from_str(exported.trim_end()).unwrap();
    assert_eq!(row["code"], "LO204");

    symlink(path("target"), path("link")).unwrap();
    symlink(path("new.ndjson"), path("other-link")).unwrap();
    fs::write(path("mine"), "mine").unwrap();
    for name in ["new.ndjson", "link", "other-link", "mine", "data"] {
        let refused = export(name).await;
        let printed = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{name}: {printed}");
        assert!(
            printed.starts_with("leadops: LO512 ") && printed.contains("was not changed"),
            "{name}: {printed}"
        );
    }
    assert_eq!(fs::read_to_string(path("new.ndjson")).unwrap(), exported);
    assert_eq!(fs::read_to_string(path("mine")).unwrap(), "mine");
    assert!(!path("target").exists());

    let database = rusqlite::Connection::open(testbed.data().join("leadops.db")).unwrap();
    let entries = "SELECT body FROM journal WHERE stage = 'exported'";
    let mut entries = database.prepare(entries).unwrap();
    let entries: Vec<String> = entries.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let [entry] = &entries[..] else { panic!("written down as often as it was done: {entries:?}") };
    let by = serde_json::from_str::<Value>(entry).unwrap()["by"].as_str().unwrap().to_owned();
    assert!(!by.contains("mallory") && !by.contains("elsewhere") && !by.is_empty(), "{by}");
}
