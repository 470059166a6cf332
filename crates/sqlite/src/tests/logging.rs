//! Log lines.

use pipeline::{
    Function,
    ports::{Level, LogQuery, Logs, Upkeep},
    recorder,
};

use crate::{
    Store,
    log_buffer::LONGEST,
    testing::{TestStore, lead},
};

/// Runs `work` with its events going to `store`, and waits until they are there.
async fn logged(store: &Store, work: impl FnOnce()) {
    let subscriber = embedded::logging::subscriber(store.log_sink());
    tracing::subscriber::with_default(subscriber, work);
    store.flush().await.unwrap();
}

fn all() -> LogQuery {
    LogQuery { limit: 100_000, ..LogQuery::default() }
}

#[tokio::test]
async fn our_events_are_kept_with_their_fields_and_cleaned() {
    let bench = TestStore::new();
    let store = bench.store();
    logged(&store, || {
        recorder::line(Function::Notification, Level::Warn, "a\nb\u{202e}", Some("lead_1"), Some("LO201"));
        tracing::info!(function = "operator", by = "x\ty", count = 3, "{}", "long ".repeat(1_000));
        tracing::info!("a dependency's chat");
        tracing::error!(target: "some::crate", "a dependency's trouble");
    })
    .await;
    let lines = store.lines(&all()).await.unwrap();
    assert_eq!(lines.len(), 3);
    let first = &lines[0];
    assert_eq!(
        (first.function.as_str(), first.level, first.message.as_str()),
        ("notification", Level::Warn, "a b")
    );
    assert_eq!((first.lead_id.as_deref(), first.code.as_deref()), (Some("lead_1"), Some("LO201")));
    assert_eq!(serde_json::Value::Object(lines[1].fields.clone()).to_string(), r#"{"by":"x y","count":3}"#);
    assert!(lines[1].message.chars().count() <= 2_000);
    assert_eq!((lines[2].function.as_str(), lines[2].level), ("some::crate", Level::Error));
}

#[tokio::test]
async fn queries_restrict_and_a_cursor_follows() {
    let bench = TestStore::new();
    let store = bench.store();
    let functions = [Function::WebhookIngestion, Function::LeadProcessor];
    let levels = [Level::Debug, Level::Info, Level::Warn, Level::Error];
    let subscriber = embedded::logging::subscriber(store.log_sink());
    tracing::subscriber::with_default(subscriber, || {
        for n in 0..40 {
            let about = lead(n % 5);
            recorder::line(functions[n % 2], levels[n % 4], &n.to_string(), Some(about.as_str()), None);
        }
    });
    store.flush().await.unwrap();
    let numbers = async |query: LogQuery| -> Vec<usize> {
        let lines = store.lines(&query).await.unwrap();
        lines.iter().map(|line| line.message.parse().unwrap()).collect()
    };
    let only = |keep: fn(usize) -> bool| (0..40).filter(|n| keep(*n)).collect::<Vec<_>>();
    assert_eq!(numbers(all()).await, only(|_| true));
    assert_eq!(numbers(LogQuery { limit: 3, ..all() }).await, [37, 38, 39]);
    let query = LogQuery { function: Some(functions[1]), ..all() };
    assert_eq!(numbers(query).await, only(|n| n % 2 == 1));
    for (level, least) in levels.into_iter().zip(0..) {
        let query = LogQuery { level: Some(level), ..all() };
        let expected: Vec<usize> = (0..40).filter(|n| n % 4 >= least).collect();
        assert_eq!(numbers(query).await, expected);
    }
    let query = LogQuery { lead: Some(lead(2)), level: Some(Level::Warn), ..all() };
    assert_eq!(numbers(query).await, only(|n| n % 5 == 2 && n % 4 >= 2));
    let mut cursor = "0".to_owned();
    let mut followed = 0;
    loop {
        let query = LogQuery { after: Some(cursor.clone()), limit: 7, ..all() };
        let lines = store.lines(&query).await.unwrap();
        let Some(last) = lines.last() else { break };
        cursor.clone_from(&last.cursor);
        followed += lines.len();
    }
    assert_eq!(followed, 40);
}

#[tokio::test]
async fn too_many_lines_are_dropped_and_counted_instead_of_waited_for() {
    let bench = TestStore::new();
    let store = bench.store();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (started, running) = std::sync::mpsc::channel::<()>();
    let held = store.write(move |_| {
        let _ = started.send(());
        let _ = released.recv();
        Ok(())
    });
    let flood = async {
        running.recv().unwrap();
        let subscriber = embedded::logging::subscriber(store.log_sink());
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..LONGEST + 10 {
                recorder::line(Function::Operator, Level::Info, &n.to_string(), None, None);
            }
        });
        drop(release);
    };
    let (held, ()) = tokio::join!(held, flood);
    held.unwrap();
    store.flush().await.unwrap();
    logged(&store, || recorder::line(Function::Operator, Level::Info, "after", None, None)).await;
    let lines = store.lines(&all()).await.unwrap();
    assert_eq!(lines.len(), LONGEST + 2);
    assert!(lines[LONGEST].message.starts_with("10 log lines were dropped"), "{}", lines[LONGEST].message);
}

#[tokio::test]
async fn the_last_lines_are_written_when_the_store_closes() {
    let bench = TestStore::new();
    let store = bench.store();
    let subscriber = embedded::logging::subscriber(store.log_sink());
    tracing::subscriber::with_default(subscriber, || {
        recorder::line(Function::Operator, Level::Info, "bye", None, None);
        drop(store);
        recorder::line(Function::Operator, Level::Info, "too late", None, None);
    });
    let lines = bench.store().lines(&all()).await.unwrap();
    assert_eq!(lines.len(), 1);
}
