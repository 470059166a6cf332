//! Every adapter of the ports, put to the ports' contracts.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use conformance::{RULES, Subject, clock::VirtualClock, work::Working};
use pipeline::ports::{Level, LogLine, Upkeep};
use serde_json::Value;
use sqlite::{Options, QueueOptions, Store};
use tokio::{runtime::Handle, task::block_in_place};

conformance::suites!(memory, Subject::memory());
conformance::to_work_on!(work_in_memory, Subject::memory_to_work_on());
conformance::suites!(on_sqlite, sqlite(1));
conformance::to_work_on!(work_in_sqlite, sqlite_to_work_on(1));
conformance::suites!(sqlite_in_two_processes, sqlite(2));

/// A file in a folder of its own, opened once, or twice: then one store writes and the other reads, as
/// `leadops dead list` beside `leadops up`.
fn sqlite(times: usize) -> Subject {
    sqlite_to_work_on(times).subject
}

/// The same, with its queues for whoever works on them.
fn sqlite_to_work_on(times: usize) -> Working {
    let clock = VirtualClock::start();
    let folder = tempfile::tempdir().unwrap();
    let rules = QueueOptions { visibility: RULES.visibility, max_receives: RULES.max_receives };
    let options = Options { create: true, clock: clock.clone(), delay: rules, notification: rules };
    let open = || Arc::new(Store::open(folder.path(), options.clone()).unwrap());
    let store = open();
    let other = if times == 1 { store.clone() } else { open() };
    let queues = store.clone();
    let subject = Subject {
        clock,
        rules: RULES,
        objects: store.clone(),
        outbox: other.clone(),
        inbox: store.clone(),
        dead_letters: other.clone(),
        intake: other.clone(),
        journal: store.clone(),
        history: other.clone(),
        logs: other,
        log: Box::new(move |line| {
            let subscriber = embedded::logging::subscriber(store.log_sink());
            tracing::subscriber::with_default(subscriber, || trace(&line));
            block_in_place(|| Handle::current().block_on(store.flush())).unwrap();
        }),
        keep: Box::new(folder),
    };
    Working { subject, queues }
}

/// Logs a line as the program does. Of further fields it knows those that the suite uses.
fn trace(line: &LogLine) {
    let LogLine { function, lead_id, code, message, .. } = line;
    let (lead_id, code) = (lead_id.as_deref(), code.as_deref());
    let attempt = line.fields.get("attempt").and_then(Value::as_i64);
    let url = line.fields.get("url").and_then(Value::as_str);
    match line.level {
        Level::Debug => tracing::debug!(function, lead_id, code, attempt, url, "{message}"),
        Level::Info => tracing::info!(function, lead_id, code, attempt, url, "{message}"),
        Level::Warn => tracing::warn!(function, lead_id, code, attempt, url, "{message}"),
        Level::Error => tracing::error!(function, lead_id, code, attempt, url, "{message}"),
    }
}
