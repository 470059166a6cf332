//! Moving the write-ahead log into the file, beside the writer.
//!
//! SQLite does it inside the commit that makes the log too long: every webhook that shares this commit
//! would wait for thousands of pages and two syncs. A passive checkpoint of another connection holds
//! nobody up, but never quite catches up with a busy writer, and the log begins anew only when nothing is left
//! to move. So once it is long, the writer itself moves the rest, right after this thread has moved all that there
//! was: that is so little that nobody notices it.

use std::{
    sync::{
        Arc,
        mpsc::{self, Sender, SyncSender},
    },
    time::{Duration, Instant},
};

use pipeline::Fault;
use rusqlite::Connection;

use crate::{
    file::{DbFile, Purpose},
    thread::Thread,
    writer::Message,
};

/// After how many operations the log is moved, and no sooner than after so long; or after so many at once. Often, so that
/// the writer's sync never stands behind a thousand pages in the disk's queue, as each operation changes some at random
/// places; less so the more there is to do, which spares pages that are written again.
const EVERY: usize = 100;
const NO_SOONER: Duration = Duration::from_millis(40);
const AT_ONCE: usize = 300;
/// From how many pages on the log is to begin anew, and after how many more that is tried again, should a reader
/// have needed what was in it.
const LONG: i64 = 8_000;
const AGAIN: i64 = 2_000;

/// The thread's handle. It ends when this is dropped, which waits for that.
pub(crate) struct Checkpointer {
    // Before the thread, which ends once this is gone.
    nudges: SyncSender<()>,
    _thread: Thread,
    operations: usize,
    last: Instant,
}

impl Checkpointer {
    /// Sends [`Message::Fold`] to the writer when the log is to begin anew.
    pub(crate) fn start(file: &Arc<DbFile>, writer: Sender<Message>) -> Result<Self, Fault> {
        let (nudges, inbox) = mpsc::sync_channel(1);
        let beside = Arc::clone(file);
        let thread = Thread::start("store-checkpoint", file, move || run(&beside, &inbox, &writer))?;
        Ok(Self { nudges, _thread: thread, operations: 0, last: Instant::now() })
    }

    /// Says that so many operations were committed. Never blocks.
    pub(crate) fn committed(&mut self, operations: usize) {
        self.operations += operations;
        let is_due = self.operations >= EVERY && self.last.elapsed() >= NO_SOONER;
        if is_due || self.operations >= AT_ONCE {
            (self.operations, self.last) = (0, Instant::now());
            // One nudge waiting is as good as many.
            let _ = self.nudges.try_send(());
        }
    }
}

fn run(file: &DbFile, nudges: &mpsc::Receiver<()>, writer: &Sender<Message>) {
    let mut conn: Option<Connection> = None;
    let mut fold_from = LONG;
    while nudges.recv().is_ok() {
        // What fails here fails for the writer too, which says so.
        conn = conn.or_else(|| file.connect(Purpose::Checkpoint).ok());
        let Some(length) = conn.as_ref().and_then(checkpoint) else {
            conn = None;
            continue;
        };
        if length < LONG {
            fold_from = LONG;
        }
        if length < fold_from {
            continue;
        }
        fold_from = length + AGAIN;
        // What came meanwhile, which is little.
        conn.as_ref().and_then(checkpoint);
        let (done, folded) = mpsc::channel();
        if writer.send(Message::Fold(done)).is_ok() {
            // Ends when the writer drops the other side.
            let _ = folded.recv();
        }
    }
    if let Some(conn) = conn {
        file.close(conn);
    }
}

/// Moves what is in the log into the file, as far as nobody needs it where it is. How many pages the log had.
pub(crate) fn checkpoint(conn: &Connection) -> Option<i64> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |row| row.get(1)).ok()
}
