//! Hearing of other processes' commits, and of files that are taken away.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use pipeline::Fault;
use rusqlite::Connection;

use crate::{
    file::{DbFile, Purpose},
    thread::Thread,
    wake::Wakeups,
    writer::Message,
};

/// How often SQLite is asked. It has no way of telling by itself.
const EVERY: Duration = Duration::from_millis(200);

/// A thread that asks whether anything was committed, and whether the files are still there. Ends when
/// this is dropped, which waits for that.
pub(crate) struct Watcher {
    // Before the thread, which ends once this is gone.
    _alive: mpsc::Sender<()>,
    _thread: Thread,
}

impl Watcher {
    pub(crate) fn start(
        file: &Arc<DbFile>,
        wakes: Arc<Wakeups>,
        writer: mpsc::Sender<Message>,
    ) -> Result<Self, Fault> {
        let (alive, ended) = mpsc::channel();
        let watched = Arc::clone(file);
        let run = move || watch(&watched, &wakes, &writer, &ended);
        Ok(Self { _alive: alive, _thread: Thread::start("store-watcher", file, run)? })
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
            let _ = writer.send(Message::Look);
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
