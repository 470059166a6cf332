//! Files that are deleted, moved or replaced while they are open.

use std::{fs, path::Path, time::Duration};

use pipeline::{
    Code,
    ports::{Accepted, Intake, OpenCounts, Queue, Upkeep, Watch, WorkQueues},
};

use crate::{
    Options, Store,
    testing::{TestStore, event},
};

const ALL: [&str; 3] = ["leadops.db", "leadops.db-wal", "leadops.db-shm"];

async fn accept(bench: &TestStore, store: &Store, numbers: std::ops::Range<usize>) {
    for number in numbers {
        assert_eq!(store.accept(event(&*bench.clock, number)).await, Ok(Accepted::New));
    }
}

async fn refused(bench: &TestStore, store: &Store, number: usize) {
    let fault = store.accept(event(&*bench.clock, number)).await.unwrap_err();
    assert!(fault.code == Code::StorageGone && fault.what.contains("leadops.db"), "{fault}");
    assert_eq!(store.intact().unwrap_err().code, Code::StorageGone);
}

async fn waiting(bench: &TestStore, store: &Store) -> u64 {
    use pipeline::ports::{Clock, History};
    let now = bench.clock.now();
    let OpenCounts { waiting, .. } = store.count_open(now, now).await.unwrap();
    waiting
}

/// Another file under a name.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).unwrap();
    fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn nothing_is_acknowledged_into_files_that_are_gone() {
    for names in [&ALL[..1], &ALL[1..2], &ALL[2..], &ALL[1..], &ALL] {
        let bench = TestStore::new();
        let store = bench.store();
        accept(&bench, &store, 0..3).await;
        for name in names {
            fs::remove_file(bench.dir.path().join(name)).unwrap();
        }
        for number in 3..6 {
            refused(&bench, &store, number).await;
        }
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_was_replaced_and_the_other_is_left_alone() {
    for name in ALL {
        for stranger in [b"notes on leads".to_vec(), Vec::new()] {
            let bench = TestStore::new();
            let store = bench.store();
            accept(&bench, &store, 0..3).await;
            let path = bench.dir.path().join(name);
            replace(&path, &stranger);
            refused(&bench, &store, 3).await;
            // Also when it ends in order, which otherwise deletes the log.
            drop(store);
            assert!(fs::read(&path).unwrap() == stranger, "{name} was changed");
        }
    }
}

#[tokio::test]
async fn it_goes_on_when_the_same_files_are_back() {
    let bench = TestStore::new();
    let store = bench.store();
    accept(&bench, &store, 0..3).await;
    let away = bench.dir.path().join("away");
    for _ in 0..2 {
        fs::rename(store.path(), &away).unwrap();
        refused(&bench, &store, 3).await;
        fs::rename(&away, store.path()).unwrap();
        store.can_write().await.unwrap();
        assert_eq!(store.intact(), Ok(()));
    }
    // The first refusal came after a commit.
    assert_eq!(store.accept(event(&*bench.clock, 3)).await, Ok(Accepted::Duplicate));
    accept(&bench, &store, 4..5).await;
    drop(store);
    assert_eq!(waiting(&bench, &bench.store()).await, 5);
}

#[tokio::test]
async fn what_was_accepted_before_the_log_was_deleted_is_in_the_database() {
    for names in [&ALL[1..2], &ALL[2..], &ALL[1..]] {
        let bench = TestStore::new();
        let store = bench.store();
        accept(&bench, &store, 0..50).await;
        for name in names {
            fs::remove_file(bench.dir.path().join(name)).unwrap();
        }
        refused(&bench, &store, 50).await;
        // Here is what a process that is killed now would leave.
        let left = TestStore::new();
        for name in ["leadops.db", "leadops.db-wal"] {
            let _ = fs::copy(bench.dir.path().join(name), left.dir.path().join(name));
        }
        assert!(waiting(&left, &left.store()).await >= 50, "{names:?}");
        let fault = store.intact().unwrap_err();
        assert!(fault.what.contains("restart"), "{fault}");
    }
}

/// It takes up no log that comes back: others may have written into the database meanwhile.
#[tokio::test]
async fn a_log_that_was_given_up_stays_given_up() {
    let bench = TestStore::new();
    let store = bench.store();
    accept(&bench, &store, 0..3).await;
    let (log, away) = (bench.dir.path().join("leadops.db-wal"), bench.dir.path().join("away"));
    fs::rename(&log, &away).unwrap();
    refused(&bench, &store, 3).await;
    fs::rename(&away, &log).unwrap();
    refused(&bench, &store, 4).await;
}

/// With a log that somebody else writes there is nothing to rescue: it would be mixed with ours.
#[tokio::test]
async fn beside_a_strangers_log_the_database_stays_as_it_is() {
    let bench = TestStore::new();
    let store = bench.store();
    accept(&bench, &store, 0..3).await;
    replace(&bench.dir.path().join("leadops.db-wal"), b"a stranger's");
    let before = fs::read(store.path()).unwrap();
    refused(&bench, &store, 3).await;
    let path = store.path().to_owned();
    drop(store);
    assert!(fs::read(path).unwrap() == before, "the database was changed");
}

#[tokio::test]
async fn where_nobody_writes_the_watcher_notices() {
    let bench = TestStore::new();
    let store = bench.store();
    accept(&bench, &store, 0..50).await;
    let waiter = store.clone();
    let waits = tokio::spawn(async move { waiter.wait_ready(Queue::Delay).await });
    while store.0.watcher.lock().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    for name in &ALL[1..] {
        fs::remove_file(bench.dir.path().join(name)).unwrap();
    }
    let rescued = async {
        while !store.intact().is_err_and(|fault| fault.what.contains("restart")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), rescued).await.expect("it notices");
    waits.abort();
}

#[tokio::test]
async fn whoever_works_beside_up_refuses_files_that_up_does_not_have() {
    let bench = TestStore::new();
    let up = bench.store();
    accept(&bench, &up, 0..3).await;
    let beside = bench.store();
    let lock = up.lock_for_up().unwrap();
    beside.can_write().await.unwrap();
    let open = |create| Store::open(bench.dir.path(), Options { create, ..bench.options() });
    open(false).unwrap();
    let copy = fs::read(up.path()).unwrap();
    replace(up.path(), &copy);
    for (create, code) in [(false, Code::StorageGone), (true, Code::AlreadyRunning)] {
        assert_eq!(open(create).err().unwrap().code, code);
    }
    assert_eq!(beside.can_write().await.unwrap_err().code, Code::StorageGone);
    fs::remove_file(up.path()).unwrap();
    for (create, code) in [(false, Code::StorageGone), (true, Code::AlreadyRunning)] {
        assert_eq!(open(create).err().unwrap().code, code);
    }
    assert!(!up.path().exists(), "a new one was made");
    drop(lock);
}

#[tokio::test]
async fn a_log_without_its_database_is_not_taken_for_that_of_a_new_one() {
    let bench = TestStore::new();
    let store = bench.store();
    accept(&bench, &store, 0..3).await;
    let log = fs::read(bench.dir.path().join("leadops.db-wal")).unwrap();
    drop(store);
    fs::remove_file(bench.dir.path().join("leadops.db")).unwrap();
    fs::write(bench.dir.path().join("leadops.db-wal"), &log).unwrap();
    for create in [false, true] {
        let opened = Store::open(bench.dir.path(), Options { create, ..bench.options() });
        assert_eq!(opened.err().unwrap().code, Code::StorageGone);
    }
    assert!(fs::read(bench.dir.path().join("leadops.db-wal")).unwrap() == log);
}

/// Has the watcher look.
fn watched(store: &Store) -> tokio::task::JoinHandle<()> {
    let store = store.clone();
    tokio::spawn(async move {
        let _ = store.wait_ready(Queue::Delay).await;
    })
}

#[tokio::test]
async fn a_lock_that_is_deleted_is_made_again_and_keeps_others_out() {
    let bench = TestStore::new();
    let (store, other) = (bench.store(), bench.store());
    let lock = store.lock_for_up().unwrap();
    let name = bench.dir.path().join("leadops.lock");
    fs::remove_file(&name).unwrap();
    let waits = watched(&store);
    let again = async {
        while other.look().await.unwrap().worked != Some(true) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("it is made again");
    assert_eq!(other.lock_for_up().err().unwrap().code, Code::AlreadyRunning);
    accept(&bench, &store, 0..1).await;
    waits.abort();
    drop(lock);
    other.lock_for_up().unwrap();
}

#[tokio::test]
async fn of_two_that_have_a_lock_by_its_deletion_the_first_writes_no_more() {
    let bench = TestStore::new();
    let (store, other) = (bench.store(), bench.store());
    let _lock = store.lock_for_up().unwrap();
    fs::remove_file(bench.dir.path().join("leadops.lock")).unwrap();
    let _lock = other.lock_for_up().unwrap();
    let waits = watched(&store);
    let noticed = async {
        while store.intact().is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("it notices");
    assert_eq!(store.can_write().await.unwrap_err().code, Code::AlreadyRunning);
    other.can_write().await.unwrap();
    waits.abort();
}

/// The console opens a folder again that it has open, and lets go of it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_second_look_at_an_open_file_leaves_its_locks() {
    use std::os::unix::fs::MetadataExt;
    let bench = TestStore::new();
    let store = bench.store();
    accept(&bench, &store, 0..1).await;
    let file = format!(":{} ", fs::metadata(store.path()).unwrap().ino());
    let locks = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().filter(|line| line.contains("POSIX") && line.contains(&file)).count()
    };
    let before = locks();
    assert!(before > 0);
    drop(bench.store());
    assert_eq!(locks(), before);
}
