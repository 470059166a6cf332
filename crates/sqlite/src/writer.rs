//! Writing: one thread with the only connection that writes, and group commit.
//!
//! Whatever waits is run in one transaction and answered after its commit, so that the cost of making
//! a commit durable is shared. The operations of a batch run without savepoints, which would cost as
//! much again; when one of them fails, the batch is rolled back and each is run in a transaction of
//! its own, so that none suffers from its neighbour.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use lead::Timestamp;
use pipeline::{
    Code, Fault,
    ports::{Clock, Queue},
};
use rusqlite::{Connection, Params, config::DbConfig};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    checkpointer::Checkpointer,
    file::{DbFile, Purpose, StoreError},
    log_buffer::{self, LogBuffer},
    thread::Thread,
    wake::Wakeups,
};

/// How many operations share a commit at most.
const BATCH: usize = 256;
/// How many operations wait at most before their callers do.
const WAITING: usize = 1024;
/// How long log lines wait for an operation whose commit they can share.
const LOG_PAUSE: Duration = Duration::from_millis(50);

/// A command for the thread.
pub(crate) enum Message {
    Run(Box<dyn Operation>),
    /// There are log lines to write.
    Logs,
    /// The files may be gone.
    Look,
    /// Nothing follows.
    Stop,
}

/// What an operation works with.
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) now: Timestamp,
    visible: &'a [Cell<i64>; 2],
}

impl Tx<'_> {
    /// Runs a statement that changes something, and returns how many rows it has changed.
    pub(crate) fn execute(&self, sql: &str, values: impl Params) -> rusqlite::Result<usize> {
        self.conn.prepare_cached(sql)?.execute(values)
    }

    /// The operation makes a message visible at this time, in milliseconds since 1970.
    pub(crate) fn announce(&self, queue: Queue, visible_at: i64) {
        if let Some(earliest) = self.visible.get(queue as usize) {
            earliest.set(earliest.get().min(visible_at));
        }
    }
}

/// Something to write. May be run twice; the first run is undone then.
pub(crate) trait Operation: Send {
    /// False if it failed and what it changed must not remain.
    fn run(&mut self, file: &DbFile, tx: &Tx<'_>) -> bool;

    /// Tells the caller: its own result, or why the transaction failed.
    fn answer(self: Box<Self>, transaction: Result<(), Fault>);
}

struct Work<T, F> {
    work: F,
    result: Option<Result<T, Fault>>,
    caller: oneshot::Sender<Result<T, Fault>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, F> Operation for Work<T, F>
where
    T: Send,
    F: FnMut(&Tx<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, file: &DbFile, tx: &Tx<'_>) -> bool {
        let result = match catch_unwind(AssertUnwindSafe(|| (self.work)(tx))) {
            Ok(result) => result.map_err(|trouble| file.fault(trouble)),
            Err(_) => Err(Fault::new(Code::Internal, "an operation of the store panicked")),
        };
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, transaction: Result<(), Fault>) {
        let result = match transaction {
            Ok(()) => self.result.unwrap_or_else(|| Err(stopped())),
            Err(fault) => Err(fault),
        };
        // The caller may have gone away.
        let _ = self.caller.send(result);
    }
}

fn stopped() -> Fault {
    Fault::new(Code::StorageFailed, "the store has been closed")
}

/// The thread's handle. Dropping it waits until everything sent before is written.
pub(crate) struct Writer {
    pub(crate) messages: mpsc::Sender<Message>,
    permits: Arc<Semaphore>,
    // After the sender: dropping it waits for the thread.
    _thread: Thread,
}

impl Writer {
    pub(crate) fn start(
        file: Arc<DbFile>,
        conn: Option<Connection>,
        clock: Arc<dyn Clock>,
        wakes: Arc<Wakeups>,
    ) -> Result<(Self, Arc<LogBuffer>), Fault> {
        let (messages, inbox) = mpsc::channel();
        let logs = Arc::new(LogBuffer::new(messages.clone(), Arc::clone(&clock)));
        let visible = [Cell::new(i64::MAX), Cell::new(i64::MAX)];
        let checkpointer = Checkpointer::start(&file)?;
        let beside = Arc::clone(&file);
        let writes = WriteLoop { file, conn, clock, wakes, logs: Arc::clone(&logs), checkpointer, visible };
        let thread = Thread::start("store-writer", &beside, move || writes.run(&inbox))?;
        Ok((Self { messages, permits: Arc::new(Semaphore::new(WAITING)), _thread: thread }, logs))
    }

    /// Runs `work` in a transaction, possibly with others, and returns once it is durable.
    ///
    /// `work` may be run twice, the first run being undone.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| stopped())?;
        let (caller, answer) = oneshot::channel();
        let work = Box::new(Work { work, result: None, caller, _permit: permit });
        self.messages.send(Message::Run(work)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
    }
}

/// Why a transaction came to nothing.
enum TransactionError {
    /// An operation failed.
    ByOperation,
    /// The storage did.
    ByStorage(Fault),
}

struct WriteLoop {
    file: Arc<DbFile>,
    /// None where it could not be opened for writing; tried again with each batch.
    conn: Option<Connection>,
    clock: Arc<dyn Clock>,
    wakes: Arc<Wakeups>,
    logs: Arc<LogBuffer>,
    checkpointer: Checkpointer,
    /// The earliest time at which a message of each queue became visible in this transaction.
    visible: [Cell<i64>; 2],
}

impl WriteLoop {
    fn run(mut self, inbox: &mpsc::Receiver<Message>) {
        let mut stop = false;
        while !stop {
            let mut batch: Vec<Box<dyn Operation>> = Vec::new();
            let first = if self.logs.is_waiting() {
                inbox.recv_timeout(LOG_PAUSE)
            } else {
                inbox.recv().map_err(RecvTimeoutError::from)
            };
            match first {
                Ok(Message::Run(operation)) => batch.push(operation),
                // Waits a little for company.
                Ok(Message::Logs) => continue,
                Ok(Message::Look) => {
                    let _ = self.still_ours();
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => stop = true,
            }
            while batch.len() < BATCH && !stop {
                match inbox.try_recv() {
                    Ok(Message::Run(operation)) => batch.push(operation),
                    Ok(Message::Logs | Message::Look) => {}
                    Ok(Message::Stop) => stop = true,
                    Err(_) => break,
                }
            }
            self.write(batch);
        }
        while self.logs.is_waiting() {
            self.write(Vec::new());
        }
        let _ = self.still_ours();
        drop(self.checkpointer);
        if let Some(conn) = self.conn {
            self.file.close(conn);
        }
    }

    /// Whether what is committed now would be found by the next start. Where it would not, and only the log
    /// has lost its name, sees to it that what was committed before is.
    fn still_ours(&self) -> Result<(), Fault> {
        self.file.check_names().inspect_err(|_| self.rescue())
    }

    /// Brings everything into the database while the log can still be read, through the descriptors that
    /// this connection has of it.
    fn rescue(&self) {
        let Some(conn) = self.conn.as_ref().filter(|_| self.file.can_be_rescued()) else { return };
        let moved = conn.query_row("PRAGMA wal_checkpoint(FULL)", (), |row| {
            Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
        });
        // Otherwise the watcher has it tried again.
        if moved == Ok(true) {
            self.file.identity.rescued();
        }
    }

    fn write(&mut self, mut batch: Vec<Box<dyn Operation>>) {
        let logs = self.logs.take();
        match self.transaction(&mut batch, &logs) {
            Ok(()) => answer(batch, &Ok(())),
            Err(TransactionError::ByStorage(fault)) => {
                self.logs.lost(&logs);
                answer(batch, &Err(fault));
            }
            Err(TransactionError::ByOperation) => {
                let alone = batch.len() == 1 && logs.is_empty();
                for operation in batch {
                    self.write_one(operation, !alone);
                }
                if !logs.is_empty() && self.transaction(&mut [], &logs).is_err() {
                    self.logs.lost(&logs);
                }
            }
        }
    }

    /// Runs an operation in a transaction of its own, unless that is how it has just failed.
    fn write_one(&mut self, operation: Box<dyn Operation>, again: bool) {
        let mut one = [operation];
        let done = if again { self.transaction(&mut one, &[]) } else { Err(TransactionError::ByOperation) };
        answer(
            one,
            &match done {
                // A failed operation has its own answer.
                Ok(()) | Err(TransactionError::ByOperation) => Ok(()),
                Err(TransactionError::ByStorage(fault)) => Err(fault),
            },
        );
    }

    /// Runs operations and writes log lines, all or nothing.
    fn transaction(
        &mut self,
        operations: &mut [Box<dyn Operation>],
        logs: &[log_buffer::Line],
    ) -> Result<(), TransactionError> {
        if operations.is_empty() && logs.is_empty() {
            return Ok(());
        }
        if let Some(damage) = self.file.damage() {
            return Err(TransactionError::ByStorage(damage.clone()));
        }
        // Those that work beside `up` look each time; it looks after each commit, and five times a second.
        self.file.agrees_with_up().map_err(TransactionError::ByStorage)?;
        if self.file.identity.is_lost() {
            self.still_ours().map_err(TransactionError::ByStorage)?;
        }
        if self.conn.is_none() {
            self.conn = Some(self.file.connect(Purpose::Write).map_err(TransactionError::ByStorage)?);
        }
        let Some(conn) = &self.conn else { return Err(TransactionError::ByStorage(stopped())) };
        let storage = |error| TransactionError::ByStorage(self.file.fault(error));
        for earliest in &self.visible {
            earliest.set(i64::MAX);
        }
        conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute(())).map_err(storage)?;
        let tx = Tx { conn, now: self.clock.now(), visible: &self.visible };
        let done = if !operations.iter_mut().all(|operation| operation.run(&self.file, &tx)) {
            Err(TransactionError::ByOperation)
        } else if let Err(error) = log_buffer::write(conn, logs) {
            Err(if operations.is_empty() { storage(error) } else { TransactionError::ByOperation })
        } else {
            tx.execute("COMMIT", ()).map_err(storage)
        };
        // SQLite has rolled back already after some errors.
        let stuck = done.is_err() && !conn.is_autocommit() && conn.execute_batch("ROLLBACK").is_err();
        // Nobody hears of a commit that no next start would find.
        let done = done.and_then(|_| self.still_ours().map_err(TransactionError::ByStorage));
        if stuck && let Some(conn) = self.conn.take() {
            // The log stays as it is: the next connection has to find the same one.
            let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        if done.is_ok() {
            self.checkpointer.committed(operations.len());
            for (queue, earliest) in Queue::ALL.into_iter().zip(&self.visible) {
                if earliest.get() < i64::MAX {
                    self.wakes.announce(queue, earliest.get());
                }
            }
        }
        done
    }
}

fn answer(operations: impl IntoIterator<Item = Box<dyn Operation>>, transaction: &Result<(), Fault>) {
    for operation in operations {
        operation.answer(transaction.clone());
    }
}
