//! Group commit, and what becomes of neighbours when something fails.

use std::{pin::pin, sync::mpsc};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::join_all, poll};
use pipeline::{
    Code, Fault,
    ports::{Accepted, Depth, History, Inbox, Intake, Objects, Queue, WriteCondition},
};

use crate::{
    Store,
    testing::{TestStore, event, lead},
};

/// Keeps the writer busy until the answer is dropped, so that what is sent meanwhile shares a batch.
async fn hold(store: &Store) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (started, running) = tokio::sync::oneshot::channel();
    let mut started = Some(started);
    let store = store.clone();
    tokio::spawn(async move {
        let held = store.write(move |_| {
            started.take().map(|started| started.send(()));
            let _ = released.recv();
            Ok(())
        });
        held.await
    });
    running.await.unwrap();
    release
}

#[tokio::test]
async fn an_accepted_event_is_kept_queued_and_told_once() {
    let bench = TestStore::new();
    let store = bench.store();
    let event = event(&*bench.clock, 1);
    assert_eq!(store.accept(event.clone()).await, Ok(Accepted::New));
    let mut again = event.clone();
    again.body = Bytes::from_static(b"other");
    again.entry.nonce = 2;
    assert_eq!(store.accept(again).await, Ok(Accepted::Duplicate));
    assert_eq!(store.get(&event.key).await.unwrap().unwrap().body, event.body);
    let depth = store.depth(Queue::Delay).await.unwrap();
    assert_eq!(depth, Depth { waiting: 1, ..Depth::default() });
    assert_eq!(store.of_lead(&lead(1)).await.unwrap(), std::slice::from_ref(&event.entry));
    let minutes = store.minutes(event.entry.at).await.unwrap();
    assert_eq!((minutes.len(), minutes[0].accepted), (1, 1));
}

#[tokio::test]
async fn a_failing_operation_takes_no_neighbour_with_it() {
    let bench = TestStore::new();
    let store = bench.store();
    let held = hold(&store).await;
    let accepts = join_all((0..100).map(|n| store.accept(event(&*bench.clock, n))));
    let fails = store.write(|tx| {
        tx.conn.execute("INSERT INTO minute (at) VALUES (77)", ())?;
        Err::<(), _>(Fault::new(Code::Internal, "meant to").into())
    });
    let panics = store.write(|tx| -> Result<(), _> {
        tx.conn.execute("INSERT INTO minute (at) VALUES (78)", ())?;
        panic!("meant to")
    });
    let later = store.put("later", Bytes::new(), WriteCondition::Absent);
    let all = async { tokio::join!(accepts, fails, panics, later) };
    let mut all = pin!(all);
    assert!(poll!(&mut all).is_pending());
    drop(held);
    let (accepts, fails, panics, later) = all.await;
    assert!(accepts.iter().all(|accepted| accepted == &Ok(Accepted::New)));
    assert_eq!(fails.unwrap_err().what, "meant to");
    assert_eq!(panics.unwrap_err().code, Code::Internal);
    later.unwrap();
    assert_eq!(store.depth(Queue::Delay).await.unwrap().waiting, 100);
    assert_eq!(store.minutes(lead::Timestamp::UNIX_EPOCH).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_no_harm() {
    let bench = TestStore::new();
    let store = bench.store();
    let held = hold(&store).await;
    for number in 0..3 {
        assert!(store.accept(event(&*bench.clock, number)).now_or_never().is_none());
    }
    drop(held);
    assert_eq!(store.accept(event(&*bench.clock, 3)).await, Ok(Accepted::New));
    assert_eq!(store.depth(Queue::Delay).await.unwrap().waiting, 4);
}

/// Lets the file have `pages` pages at most, or as many as it likes.
async fn limit(store: &Store, pages: Option<i64>) {
    let set = store.write(move |tx| {
        let have: i64 = tx.conn.query_row("PRAGMA page_count", (), |row| row.get(0))?;
        let most = pages.map_or(0xffff_fffe, |more| have + more);
        Ok(tx.conn.pragma_update(None, "max_page_count", most)?)
    });
    set.await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_whole_events_and_recovers_by_itself() {
    let bench = TestStore::new();
    let store = bench.store();
    limit(&store, Some(40)).await;
    let accepts = join_all((0..500).map(|n| store.accept(event(&*bench.clock, n)))).await;
    let (kept, refused): (Vec<_>, Vec<_>) = accepts.into_iter().partition(Result::is_ok);
    assert!(!kept.is_empty() && !refused.is_empty(), "{} kept", kept.len());
    assert!(refused.iter().all(|refused| refused.as_ref().is_err_and(|f| f.code == Code::StorageFull)));
    let whole = async |expected: u64| {
        assert_eq!(store.depth(Queue::Delay).await.unwrap().waiting, expected);
        assert_eq!(store.open_leads(1_000).await.unwrap().len() as u64, expected);
        assert_eq!(store.list("source/", None, 1_000).await.unwrap().len() as u64, expected);
        assert_eq!(store.minutes(bench_time(&bench)).await.unwrap()[0].accepted, expected);
    };
    whole(kept.len() as u64).await;
    limit(&store, None).await;
    let again = join_all((0..500).map(|n| store.accept(event(&*bench.clock, n)))).await;
    let new = again.iter().filter(|accepted| **accepted == Ok(Accepted::New)).count();
    assert_eq!(new, refused.len());
    whole(500).await;
}

fn bench_time(bench: &TestStore) -> lead::Timestamp {
    use pipeline::ports::Clock;
    bench.clock.now()
}

#[tokio::test]
async fn a_transaction_that_cannot_begin_fails_its_operations_and_the_next_one_goes_on() {
    let bench = TestStore::new();
    let store = bench.store();
    // A transaction left open makes the next BEGIN fail.
    store.write(|tx| Ok(tx.conn.execute_batch("COMMIT; BEGIN; SAVEPOINT held")?)).await.unwrap();
    store.put("a", Bytes::new(), WriteCondition::Absent).await.unwrap();
    let broken = store.write(|tx| Ok(tx.conn.execute_batch("ROLLBACK")?)).await;
    assert_eq!(broken.unwrap_err().code, Code::StorageFailed);
    store.put("b", Bytes::new(), WriteCondition::Absent).await.unwrap();
    assert_eq!(store.list("", None, 10).await.unwrap(), ["a", "b"]);
}
