//! Hearing of other processes' commits, and of files that are taken away.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use pipeline::{Code, Fault};
use rusqlite::Connection;

use crate::{
    file::{DbFile, Purpose},
    wake::Wakeups,
    writer::Message,
};

/// How often SQLite is asked. It has no way of telling by itself.
const EVERY: Duration = Duration::from_millis(200);

/// A thread that asks whether anything was committed, and whether the files are still there. Ends when
/// this is dropped.
pub(crate) struct Watcher {
    _alive: mpsc::Sender<()>,
}

impl Watcher {
    pub(crate) fn start(
        file: &Arc<DbFile>,
        wakes: Arc<Wakeups>,
        writer: mpsc::Sender<Message>,
    ) -> Result<Self, Fault> {
        let (alive, ended) = mpsc::channel();
        let file = Arc::clone(file);
        let name = file.path().display().to_string();
        thread::Builder::new()
            .name("store-watcher".to_owned())
            .spawn(move || watch(&file, &wakes, &writer, &ended))
            .map_err(|e| Fault::new(Code::StorageFailed, format!("{name}: no thread to watch it: {e}")))?;
        Ok(Self { _alive: alive })
    }
}

fn watch(file: &DbFile, wakes: &Wakeups, writer: &mpsc::Sender<Message>, ended: &mpsc::Receiver<()>) {
    let mut conn: Option<Connection> = None;
    let mut seen = None;
    loop {
        // Where nobody writes, nobody else would notice.
        file.look_around();
        if file.can_be_rescued() {
            // It may have stopped.
            let _ = writer.send(Message::LookupOptions);
        }
        if conn.is_none() {
            // Waiters look for themselves every few seconds, should this go on failing.
            conn = file.connect(Purpose::Watch).ok();
        }
        let version: Option<i64> = conn
            .as_ref()
            .and_then(|conn| conn.pragma_query_value(None, "data_version", |row| row.get(0)).ok());
        if version.is_none() {
            conn = None;
        }
        // The first answer says nothing: whoever waits has looked before, or will look after it.
        if version != seen {
            seen = version;
            wakes.announce_anything();
        }
        if ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
