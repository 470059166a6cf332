//! A file of the version before.

use std::{collections::BTreeSet, fs, path::Path};

use lead::Timestamp;
use pipeline::{
    Code,
    ports::{Clock, DeadLetters, History, Inbox, LogQuery, Logs, Objects, Outbox, Queue},
};
use rusqlite::Connection;

use crate::{
    Store,
    file::DbFile,
    testing::{TestStore, event, lead},
    units,
    up_lock::UpLock,
    upgrade::Upgrade,
};

/// How many leads it holds: enough for several steps of each large table.
const LEADS: usize = 45;
/// How many rows a step copies.
const ROWS: usize = 20;
/// So many that only their raw event is left of.
const FORGOTTEN: usize = 3;

/// Makes a file as the version before wrote it.
fn make(bench: &TestStore) {
    let path = bench.dir.path().join("leadops.db");
    let mut conn = Connection::open(path).unwrap();
    conn.pragma_update(None, "auto_vacuum", "incremental").unwrap();
    conn.pragma_update(None, "application_id", crate::schema::APPLICATION_ID).unwrap();
    conn.execute_batch(include_str!("../schema_v1.sql")).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    conn.pragma_update(None, "journal_mode", "wal").unwrap();
    let tx = conn.transaction().unwrap();
    let now = bench.clock.now();
    let (micros, millis) = (now.as_microsecond(), now.as_millisecond());
    for number in 0..LEADS + FORGOTTEN {
        let event = event(&*bench.clock, number);
        let body = String::from_utf8(event.body.to_vec()).unwrap() + &" ".repeat(5_000);
        tx.execute(
            "INSERT INTO object (key, body, version, stored_at) VALUES (?, ?, ?, ?)",
            (&event.key, body.as_bytes(), units::count(7_000 + number), micros),
        )
        .unwrap();
        if number >= LEADS {
            continue;
        }
        let (progress, _) = pipeline::Progress::after(None, &event.entry);
        let progress = progress.unwrap();
        let due_at = progress.due_at.as_microsecond();
        let json = serde_json::to_string(&progress).unwrap();
        tx.execute(
            "INSERT INTO lead (id, due_at, progress) VALUES (?, ?, ?)",
            (event.lead.as_str(), due_at, json),
        )
        .unwrap();
        let row = tx.last_insert_rowid();
        tx.execute(
            "INSERT INTO journal (stage, at, lead, nonce, body) VALUES ('received', ?, ?, 1, ?)",
            (micros, row, serde_json::to_string(&event.entry).unwrap()),
        )
        .unwrap();
        tx.execute(
            "INSERT INTO message (queue, visible_at, sent_at, lead, body) VALUES ('delay', ?, ?, ?, ?)",
            (millis + 600_000, micros, event.lead.as_str(), &event.job),
        )
        .unwrap();
        tx.execute(
            "INSERT INTO log (at, level, function, message, lead, lead_row) VALUES (?, 1, 'operator', 'x', ?, ?)",
            (micros, event.lead.as_str(), row),
        )
        .unwrap();
    }
    tx.execute_batch(
        "INSERT INTO object (key, body, version, stored_at) VALUES
             ('receipts/lead_3/slack/new.json', x'612072656365697074', 1, 5), ('pace/slack.json', x'612070616365', 2, 6);
         UPDATE message SET handle = 17, receives = 2, visible_at = 5 WHERE id = 4;
         INSERT INTO dead_letter SELECT id, 'notification', lead, 'LO202', 'why', 3, 1, 2, body FROM message WHERE id = 5;
         DELETE FROM message WHERE id = 5;
         INSERT INTO minute (at, accepted) VALUES (60000000, 4500);
         UPDATE sqlite_sequence SET seq = 90000 WHERE name = 'lead';",
    )
    .unwrap();
    tx.commit().unwrap();
}

fn files(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !["-wal", "-shm", ".lock"].iter().any(|end| name.ends_with(end))).collect()
}

/// Everything that the file held is in this store, and the counts agree with it.
async fn has_everything(bench: &TestStore, store: &Store) {
    for number in [0, 1, 19, 20, LEADS - 1, LEADS, LEADS + FORGOTTEN - 1] {
        let event = event(&*bench.clock, number);
        let raw = Objects::get(store, &event.key).await.unwrap().unwrap();
        assert!(raw.body.starts_with(&event.body) && raw.body.len() > 500, "{number}");
        assert_eq!((raw.version.0, raw.stored_at), ((7_000 + number).to_string(), bench.clock.now()));
        assert_eq!(store.progress(&lead(number)).await.unwrap().is_some(), number < LEADS);
        let entries = store.of_lead(&lead(number)).await.unwrap();
        assert_eq!(entries, if number < LEADS { vec![event.entry] } else { vec![] });
    }
    assert_eq!(
        Objects::get(store, "receipts/lead_3/slack/new.json").await.unwrap().unwrap().body,
        "a receipt"
    );
    assert_eq!(Objects::get(store, "pace/slack.json").await.unwrap().unwrap().body, "a pace");
    let now = bench.clock.now();
    assert_eq!(store.count_open(now, now).await.unwrap().waiting, LEADS as u64);
    let depth = store.depth(Queue::Delay).await.unwrap();
    assert_eq!((depth.waiting, depth.ready, depth.in_flight, depth.dead), (LEADS as u64 - 2, 1, 0, 0));
    assert_eq!(store.depth(Queue::Notification).await.unwrap().dead, 1);
    let (letters, count) = DeadLetters::list(store, None, 9).await.unwrap();
    assert_eq!((letters[0].id.as_str(), count), ("5", 1));
    let lines = LogQuery { lead: Some(lead(7)), limit: 9, ..LogQuery::default() };
    assert_eq!(store.lines(&lines).await.unwrap().len(), 1);
    assert_eq!(store.minutes(Timestamp::UNIX_EPOCH).await.unwrap()[0].accepted, 4_500);
    let highest = store
        .read(|conn| {
            Ok(conn.query_row("SELECT last FROM number WHERE of = 'lead'", (), |row| row.get::<_, i64>(0))?)
        })
        .await;
    assert_eq!(highest, Ok(90_000 + FORGOTTEN as i64));
    let check =
        store.read(|conn| Ok(conn.query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0))?));
    assert_eq!(check.await.as_deref(), Ok("ok"));
}

#[tokio::test]
async fn everything_is_in_the_new_file_and_the_old_one_stays() {
    let bench = TestStore::new();
    make(&bench);
    let old = fs::read(bench.dir.path().join("leadops.db")).unwrap();
    let store = bench.store();
    has_everything(&bench, &store).await;
    assert_eq!(
        files(bench.dir.path()),
        ["leadops-before-upgrade.db", "leadops.db"].map(str::to_owned).into()
    );
    assert!(fs::read(bench.dir.path().join("leadops-before-upgrade.db")).unwrap() == old);
    assert!(fs::metadata(store.path()).unwrap().len() < old.len() as u64);
    // It goes on as any other.
    store
        .send(
            Queue::Delay,
            pipeline::ports::NewMessage { body: "x".to_owned(), lead: None, delay: Default::default() },
        )
        .await
        .unwrap();
    drop(store);
    has_count(&bench, LEADS as u64).await;
}

async fn has_count(bench: &TestStore, messages: u64) {
    let depth = bench.store().depth(Queue::Delay).await.unwrap();
    assert_eq!(depth.waiting + depth.ready + depth.in_flight, messages);
}

#[tokio::test]
async fn wherever_it_is_interrupted_the_next_start_goes_on() {
    let mut steps = 0;
    for interrupted_after in 0.. {
        let bench = TestStore::new();
        make(&bench);
        let file = DbFile::under(bench.dir.path());
        let mut upgrade = Upgrade::begin(&file, ROWS).unwrap().unwrap();
        let mut was_done = false;
        for _ in 0..interrupted_after {
            was_done |= !upgrade.step().unwrap();
        }
        drop(upgrade);
        // What is done already is not done again.
        let mut upgrade = Upgrade::begin(&file, ROWS).unwrap().unwrap();
        let mut left = 0;
        while upgrade.step().unwrap() {
            left += 1;
        }
        steps = steps.max(left);
        assert_eq!(left, steps - interrupted_after.min(steps), "{interrupted_after}");
        upgrade.finish().unwrap();
        has_everything(&bench, &bench.store()).await;
        if was_done {
            break;
        }
    }
    assert!(steps > 10, "{steps}");
}

#[tokio::test]
async fn an_old_file_that_has_changed_since_is_copied_anew() {
    let bench = TestStore::new();
    make(&bench);
    let path = bench.dir.path().join("leadops.db");
    let file = DbFile::under(bench.dir.path());
    let mut upgrade = Upgrade::begin(&file, ROWS).unwrap().unwrap();
    for _ in 0..6 {
        upgrade.step().unwrap();
    }
    drop(upgrade);
    let conn = Connection::open(&path).unwrap();
    conn.execute("UPDATE object SET body = x'616e6f746865722070616365' WHERE key = 'pace/slack.json'", ())
        .unwrap();
    conn.close().unwrap();
    let store = bench.store();
    assert_eq!(Objects::get(&store, "pace/slack.json").await.unwrap().unwrap().body, "another pace");
    assert_eq!(files(bench.dir.path()).len(), 2);
}

#[tokio::test]
async fn whatever_lies_in_the_drafts_place_is_no_draft() {
    let bench = TestStore::new();
    make(&bench);
    fs::write(bench.dir.path().join("leadops-upgrade.db"), "a note").unwrap();
    fs::write(bench.dir.path().join("leadops-before-upgrade.db"), "another").unwrap();
    has_everything(&bench, &bench.store()).await;
    let names = ["leadops-before-upgrade-2.db", "leadops-before-upgrade.db", "leadops.db"];
    assert_eq!(files(bench.dir.path()), names.map(str::to_owned).into());
}

#[test]
fn a_file_that_somebody_works_on_is_left_to_him() {
    let bench = TestStore::new();
    make(&bench);
    let before = fs::read(bench.dir.path().join("leadops.db")).unwrap();
    let lock = UpLock::take(bench.dir.path(), None).unwrap();
    let fault = Store::open(bench.dir.path(), bench.options()).err().unwrap();
    assert_eq!(fault.code, Code::StorageOlder, "{fault}");
    assert!(fs::read(bench.dir.path().join("leadops.db")).unwrap() == before);
    drop(lock);
    bench.store();
}

/// A console of the version before may be open: what it would write meanwhile is refused, and afterwards it has
/// another file than the one under the name.
#[test]
fn whoever_has_the_old_file_open_cannot_write_meanwhile() {
    let bench = TestStore::new();
    make(&bench);
    let console = Connection::open(bench.dir.path().join("leadops.db")).unwrap();
    console.busy_timeout(std::time::Duration::ZERO).unwrap();
    let write = || console.execute("DELETE FROM dead_letter", ());
    let count = || console.query_row("SELECT count(*) FROM dead_letter", (), |row| row.get::<_, i64>(0));
    assert_eq!(count(), Ok(1));
    let file = DbFile::under(bench.dir.path());
    let mut upgrade = Upgrade::begin(&file, ROWS).unwrap().unwrap();
    while upgrade.step().unwrap() {
        assert!(write().is_err());
    }
    upgrade.finish().unwrap();
    let _ = write();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(has_everything(&bench, &bench.store()));
    drop(console);
    runtime.block_on(has_everything(&bench, &bench.store()));
}
