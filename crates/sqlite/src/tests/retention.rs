//! What is let go of, and what is not.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use pipeline::{
    Entry, Function, Stage,
    ports::{
        Clock, History, Intake, Journal, Level, LogQuery, Logs, Objects, Pruned, Random, Retention, Upkeep,
        WriteCondition,
    },
    recorder,
};
use system::SystemRandom;

use crate::testing::{TestStore, event, lead, notified};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn what_is_old_goes_and_open_leads_and_objects_stay() {
    let bench = TestStore::new();
    let store = bench.store();
    let notified =
        |number| Entry { at: bench.clock.now(), lead_id: Some(lead(number)), nonce: 7, event: notified() };
    join_all((0..1_500).map(|number| store.accept(event(&*bench.clock, number)))).await;
    let ended = (0..1_500).filter(|number| *number != 700);
    join_all(ended.map(|number| store.append(notified(number)))).await;
    store.put("receipts/lead_1/slack/new.json", Bytes::new(), WriteCondition::Always).await.unwrap();
    store.put("receipts/lead_2/slack/new.json", Bytes::new(), WriteCondition::Always).await.unwrap();
    store.put("deleted/1.json", Bytes::new(), WriteCondition::Always).await.unwrap();
    assert_eq!(store.prune(&Retention::default()).await, Ok(Pruned::default()));
    bench.clock.advance(DAY * 60);
    store.put("receipts/lead_2/slack/new.json", Bytes::new(), WriteCondition::Always).await.unwrap();
    bench.clock.advance(DAY * 31);
    store.accept(event(&*bench.clock, 2_000)).await.unwrap();
    store.append(notified(2_000)).await.unwrap();
    let pruned = store.prune(&Retention::default()).await.unwrap();
    let expected = Pruned { logs: 0, journal: 2 * 1_499, leads: 1_499, receipts: 1, minutes: 1 };
    assert_eq!(pruned, expected);
    assert_eq!(store.open_leads(9).await.unwrap()[0].lead, lead(700));
    assert_eq!(store.of_lead(&lead(700)).await.unwrap().len(), 1);
    assert_eq!(store.of_lead(&lead(2_000)).await.unwrap().len(), 2);
    assert_eq!(store.recent(&[Stage::Received, Stage::Notified], None, None, 9).await.unwrap().len(), 3);
    assert_eq!(store.list("source/", None, 9_999).await.unwrap().len(), 1_501);
    assert_eq!(store.list("receipts/", None, 9).await.unwrap(), ["receipts/lead_2/slack/new.json"]);
    assert_eq!(store.list("deleted/", None, 9).await.unwrap().len(), 1);
    assert_eq!(store.minutes(lead::Timestamp::UNIX_EPOCH).await.unwrap().len(), 1);
}

#[tokio::test]
async fn log_lines_go_by_age_and_by_number() {
    let bench = TestStore::new();
    let store = bench.store();
    let subscriber = tracing::Dispatch::new(embedded::logging::subscriber(store.log_sink()));
    let log = async |lines: usize| {
        tracing::dispatcher::with_default(&subscriber, || {
            (0..lines).for_each(|_| recorder::line(Function::Operator, Level::Info, "x", None, None));
        });
        store.flush().await.unwrap();
    };
    let count = async || store.lines(&LogQuery { limit: 9_999, ..LogQuery::default() }).await.unwrap().len();
    log(700).await;
    bench.clock.advance(DAY * 15);
    log(1_300).await;
    let pruned = store.prune(&Retention::default()).await.unwrap();
    assert_eq!((pruned.logs, count().await), (700, 1_300));
    let few = Retention { log_lines: 100, ..Retention::default() };
    assert_eq!((store.prune(&few).await.unwrap().logs, count().await), (1_200, 100));
}

#[tokio::test]
async fn free_space_is_given_back() {
    let bench = TestStore::new();
    let store = bench.store();
    for n in 0..20 {
        // Nothing that gets shorter.
        let body: Vec<u8> = (0..125_000).flat_map(|_| SystemRandom.bits().to_le_bytes()).collect();
        let body = Bytes::from(body);
        store.put(&format!("receipts/{n}"), body, WriteCondition::Always).await.unwrap();
    }
    let pages = async || {
        let pages =
            store.read(|conn| Ok(conn.query_row("PRAGMA page_count", (), |row| row.get::<_, i64>(0))?));
        pages.await.unwrap()
    };
    let before = pages().await;
    bench.clock.advance(DAY * 91);
    assert_eq!(store.prune(&Retention::default()).await.unwrap().receipts, 20);
    assert!(before > 4_900 && pages().await < 2_600, "{before} {}", pages().await);
}
