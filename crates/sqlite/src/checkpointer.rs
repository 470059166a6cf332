//! Moving the write-ahead log into the file, beside the writer.
//!
//! SQLite does it inside the commit that makes the log too long: every webhook that shares this commit
//! would wait for thousands of pages and two syncs. A passive checkpoint of another connection holds
//! nobody up. It never quite catches up with a busy writer, but leaves so little to the writer's own
//! checkpoint, after which the log begins anew, that nobody notices it.

use std::sync::{
    Arc,
    mpsc::{self, SyncSender},
};

use pipeline::Fault;
use rusqlite::Connection;

use crate::{
    file::{DbFile, Purpose},
    thread::Thread,
};

/// After how many operations the log is moved: seldom enough to spare pages that are written again, and often
/// enough that the writer's sync never stands behind a thousand pages in the disk's queue, as each operation
/// changes some at random places.
const EVERY: usize = 100;

/// The thread's handle. It ends when this is dropped, which waits for that.
pub(crate) struct Checkpointer {
    // Before the thread, which ends once this is gone.
    nudges: SyncSender<()>,
    _thread: Thread,
    operations: usize,
}

impl Checkpointer {
    pub(crate) fn start(file: &Arc<DbFile>) -> Result<Self, Fault> {
        let (nudges, inbox) = mpsc::sync_channel(1);
        let beside = Arc::clone(file);
        let thread = Thread::start("store-checkpoint", file, move || run(&beside, &inbox))?;
        Ok(Self { nudges, _thread: thread, operations: 0 })
    }

    /// Says that so many operations were committed. Never blocks.
    pub(crate) fn committed(&mut self, operations: usize) {
        self.operations += operations;
        if self.operations >= EVERY {
            self.operations = 0;
            // One nudge waiting is as good as many.
            let _ = self.nudges.try_send(());
        }
    }
}

fn run(file: &DbFile, nudges: &mpsc::Receiver<()>) {
    let mut conn: Option<Connection> = None;
    while nudges.recv().is_ok() {
        // What fails here fails for the writer too, which says so and does the work itself.
        conn = conn.or_else(|| file.connect(Purpose::Checkpoint).ok());
        let moved =
            conn.as_ref().map(|conn| conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(())));
        if let Some(Err(_)) = moved {
            conn = None;
        }
    }
    if let Some(conn) = conn {
        file.close(conn);
    }
}
