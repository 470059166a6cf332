//! Which files are opened, and which are left alone.

use std::fs;

use pipeline::{
    Code,
    ports::{Clock, History, Intake, OpenCounts, Upkeep},
};
use rusqlite::Connection;

use crate::{
    Options, Store, schema,
    testing::{TestStore, event},
};

fn refused(bench: &TestStore, options: Options) -> Code {
    let fault = Store::open(bench.dir.path(), options).err().unwrap();
    assert!(fault.what.contains("leadops"), "{fault}");
    fault.code
}

/// Opening the file with these bytes fails with `code` and changes nothing.
fn left_alone(bytes: &[u8], code: Code) {
    let bench = TestStore::new();
    let path = bench.dir.path().join("leadops.db");
    fs::write(&path, bytes).unwrap();
    for create in [false, true] {
        assert_eq!(refused(&bench, Options { create, ..bench.options() }), code);
        assert!(fs::read(&path).unwrap() == bytes, "the file was changed");
    }
}

/// The bytes of a file with some leads in it.
fn bytes_of_a_used_store() -> Vec<u8> {
    let bench = TestStore::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = bench.store();
    for number in 0..50 {
        runtime.block_on(store.accept(event(&*bench.clock, number))).unwrap();
    }
    let path = store.path().to_owned();
    // The readers' connections go with the runtime's threads, the last one writes the log back.
    drop((store, runtime));
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    fs::read(path).unwrap()
}

/// Whoever copies the file of a pipeline that has ended copies all of it, whatever moved the log at that
/// moment.
#[test]
fn everything_is_in_the_file_once_the_store_is_closed() {
    for accepted in [1, 30, 50, 99, 100, 101, 150, 200, 201] {
        let bench = TestStore::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = bench.store();
        for number in 0..accepted {
            runtime.block_on(store.accept(event(&*bench.clock, number))).unwrap();
        }
        store.watch().unwrap();
        let path = store.path().to_owned();
        drop(store);
        assert!(!path.with_extension("db-wal").exists(), "{accepted} accepted");
    }
}

#[test]
fn a_folder_without_a_pipeline_is_made_only_when_asked() {
    let bench = TestStore::new();
    let dir = bench.dir.path().join("a/b");
    let closed = Store::open(&dir, Options { create: false, ..bench.options() });
    assert_eq!(closed.err().unwrap().code, Code::NoPipeline);
    assert!(!dir.exists());
    drop(Store::open(&dir, bench.options()).unwrap());
    Store::open(&dir, Options { create: false, ..bench.options() }).unwrap();
}

#[test]
fn a_folder_that_is_a_file_is_unusable() {
    let bench = TestStore::new();
    let dir = bench.dir.path().join("file");
    fs::write(&dir, "").unwrap();
    assert_eq!(Store::open(&dir, bench.options()).err().unwrap().code, Code::FolderUnusable);
    fs::create_dir(bench.dir.path().join("leadops.db")).unwrap();
    assert_eq!(refused(&bench, bench.options()), Code::FolderUnusable);
}

#[test]
fn a_newer_file_is_left_alone() {
    let bench = TestStore::new();
    let path = bench.store().path().to_owned();
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    conn.close().unwrap();
    left_alone(&fs::read(path).unwrap(), Code::StorageNewer);
}

#[test]
fn what_is_no_database_is_left_alone() {
    left_alone(b"notes on leads", Code::StorageDamaged);
    left_alone(&[0; 8192], Code::StorageDamaged);
}

#[test]
fn another_programs_database_is_left_alone() {
    let bench = TestStore::new();
    let path = bench.dir.path().join("other.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE song (title TEXT)").unwrap();
    conn.close().unwrap();
    left_alone(&fs::read(path).unwrap(), Code::StorageDamaged);
}

#[test]
fn a_file_without_its_end_is_left_alone() {
    let bytes = bytes_of_a_used_store();
    let half = bytes.len() / 2;
    left_alone(&bytes[..half], Code::StorageDamaged);
    left_alone(&bytes[..bytes.len() - 4096], Code::StorageDamaged);
}

#[test]
fn damage_inside_is_found_before_the_pipeline_starts() {
    let sound = bytes_of_a_used_store();
    for page in 1..sound.len() / 4096 {
        let bench = TestStore::new();
        let path = bench.dir.path().join("leadops.db");
        let mut bytes = sound.clone();
        bytes[page * 4096..][..64].fill(0xff);
        fs::write(&path, &bytes).unwrap();
        // Page 2 is the map of pages that vacuuming uses.
        assert_eq!(refused(&bench, bench.options()), Code::StorageDamaged, "page {}", page + 1);
        assert!(fs::read(&path).unwrap() == bytes, "the file was changed");
    }
}

#[test]
fn an_empty_file_is_an_interrupted_start() {
    let bench = TestStore::new();
    fs::write(bench.dir.path().join("leadops.db"), "").unwrap();
    assert_eq!(refused(&bench, Options { create: false, ..bench.options() }), Code::NoPipeline);
    bench.store();
}

#[tokio::test]
async fn what_one_store_has_answered_the_next_one_has() {
    let bench = TestStore::new();
    for number in 0..3 {
        bench.store().accept(event(&*bench.clock, number)).await.unwrap();
    }
    let store = bench.store();
    let now = bench.clock.now();
    let counts = store.count_open(now, now).await.unwrap();
    assert_eq!(counts, OpenCounts { waiting: 3, due: 0, overdue: 0, exact: true });
}

#[test]
fn many_open_a_new_folder_at_once() {
    let bench = TestStore::new();
    let dir = bench.dir.path().join("new");
    std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..8).map(|_| scope.spawn(|| Store::open(&dir, bench.options()).map(drop))).collect();
        for one in all {
            one.join().unwrap().unwrap();
        }
    });
}

#[test]
fn only_one_up_has_the_folder() {
    let bench = TestStore::new();
    let (first, second) = (bench.store(), bench.store());
    let lock = first.lock_for_up().unwrap();
    assert_eq!(second.lock_for_up().err().unwrap().code, Code::AlreadyRunning);
    drop(lock);
    second.lock_for_up().unwrap();
}
