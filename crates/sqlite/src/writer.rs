//! Writing: one thread with the only connection that writes, and group commit.
//!
//! Whatever waits is run in one transaction and answered once its commit is durable, so that the cost of
//! that is shared. [`syncer`](crate::syncer) makes it durable, while the next transaction is worked out here; that
//! one takes in what comes meanwhile, and is committed when the sync before it is done. The operations of a batch
//! run without savepoints, which would cost as much again; when one of them fails, the batch is rolled back
//! and each is run in a transaction of its own, so that none suffers from its neighbour.

use std::{
    cell::Cell,
    collections::VecDeque,
    fs::File,
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
    checkpointer::{Checkpointer, checkpoint},
    file::{DbFile, Purpose, StoreError},
    log_buffer::{self, LogBuffer},
    numbers::Numbers,
    syncer::{Commit, Lost, Syncer},
    tally::Changes,
    thread::Thread,
    wake::Wakeups,
};

/// How many operations share a commit at most.
const BATCH: usize = 256;
/// How many operations wait at most before their callers do.
const WAITING: usize = 1024;

/// A command for the thread.
pub(crate) enum Message {
    Run(Box<dyn Operation>),
    /// There are log lines to write.
    Logs,
    /// The files may be gone.
    Look,
    /// What is left in the log is to be moved into the file, so that it begins anew; dropped when that is done.
    Fold(mpsc::Sender<()>),
    /// The last commit is durable, or lost.
    Synced(Option<Lost>),
    /// Nothing follows.
    Stop,
}

/// What an operation works with.
pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) now: Timestamp,
    /// What changes of the counts that are stored.
    pub(crate) changes: &'a Changes,
    /// Where what it adds gets its numbers.
    pub(crate) numbers: &'a Numbers,
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

pub(crate) fn stopped() -> Fault {
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
        let checkpointer = Checkpointer::start(&file, messages.clone())?;
        let syncer = Syncer::start(&file, wakes, messages.clone())?;
        let beside = Arc::clone(&file);
        let feed = Feed {
            inbox,
            waiting: VecDeque::new(),
            is_syncing: false,
            lost: None,
            is_look_due: false,
            fold: None,
            is_stopping: false,
        };
        let writing = conn.map(|conn| Writing::new(&file, conn)).transpose()?;
        let logs_too = Arc::clone(&logs);
        let writes =
            WriteLoop { file, writing, clock, logs: logs_too, checkpointer, syncer, unsynced: None, feed };
        let thread = Thread::start("store-writer", &beside, move || writes.run())?;
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

/// The connection that writes, and the log that it writes into.
struct Writing {
    conn: Connection,
    log: Arc<File>,
}

/// What comes to the thread.
struct Feed {
    inbox: mpsc::Receiver<Message>,
    /// Operations that have come and were not begun.
    waiting: VecDeque<Box<dyn Operation>>,
    /// Whether it is not known yet what has become of the last commit.
    is_syncing: bool,
    lost: Option<Lost>,
    /// Whether the files are to be looked at.
    is_look_due: bool,
    /// Who waits for the log to begin anew.
    fold: Option<mpsc::Sender<()>>,
    is_stopping: bool,
}

impl Feed {
    fn take(&mut self, message: Message) {
        match message {
            Message::Run(operation) => self.waiting.push_back(operation),
            Message::Logs => {}
            Message::Look => self.is_look_due = true,
            Message::Fold(done) => self.fold = Some(done),
            Message::Synced(lost) => (self.is_syncing, self.lost) = (false, lost),
            Message::Stop => self.is_stopping = true,
        }
    }

    /// Takes what has come.
    fn take_all(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            self.take(message);
        }
    }

    /// Waits for something to come.
    fn take_next(&mut self) {
        match self.inbox.recv() {
            Ok(message) => self.take(message),
            Err(_) => (self.is_stopping, self.is_syncing) = (true, false),
        }
    }

    /// Waits until the last commit is durable.
    ///
    /// # Errors
    /// Why it is lost.
    fn await_sync(&mut self) -> Result<(), Fault> {
        while self.is_syncing {
            self.take_next();
        }
        self.lost.as_ref().map_or(Ok(()), |lost| Err(lost.fault.clone()))
    }
}

struct WriteLoop {
    file: Arc<DbFile>,
    /// None where it could not be opened for writing; tried again with each batch.
    writing: Option<Writing>,
    clock: Arc<dyn Clock>,
    logs: Arc<LogBuffer>,
    checkpointer: Checkpointer,
    syncer: Syncer,
    /// Why the log could not be synced last, until everything is in the database.
    unsynced: Option<Fault>,
    feed: Feed,
}

impl WriteLoop {
    fn run(mut self) {
        loop {
            self.await_work();
            if self.feed.is_stopping && self.feed.waiting.is_empty() {
                break;
            }
            if !self.feed.waiting.is_empty() || self.logs.due_in() == Some(Duration::ZERO) {
                self.write_waiting();
            }
        }
        while self.logs.is_waiting() {
            self.logs.hurry();
            self.write_waiting();
        }
        let _ = self.feed.await_sync();
        self.look();
        // First, so that neither of them waits for an answer.
        drop(self.feed);
        drop((self.syncer, self.checkpointer));
        if let Some(Writing { conn, .. }) = self.writing {
            self.file.close(conn);
        }
    }

    /// Waits for operations, or until it is time for log lines.
    fn await_work(&mut self) {
        self.feed.take_all();
        if std::mem::take(&mut self.feed.is_look_due) || self.feed.lost.is_some() {
            self.look();
        }
        if let Some(_done) = self.feed.fold.take() {
            self.writing.as_ref().and_then(|writing| checkpoint(&writing.conn));
        }
        if self.feed.is_stopping || !self.feed.waiting.is_empty() {
            return;
        }
        match self.logs.due_in() {
            None => self.feed.take_next(),
            Some(left) => match self.feed.inbox.recv_timeout(left) {
                Ok(message) => self.feed.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.feed.is_stopping = true,
            },
        }
    }

    /// Sees to what can be rescued, and answers those whose commit is lost.
    fn look(&mut self) {
        let _ = self.still_ours();
        if let Some(Lost { operations, fault, is_synced }) = self.feed.lost.take() {
            if !is_synced {
                self.unsynced = Some(fault.clone());
            }
            answer(operations, &Err(fault));
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
        // Otherwise the watcher has it tried again.
        if self.file.can_be_rescued() && self.is_all_moved() {
            self.file.identity.rescued();
        }
    }

    /// Whether everything could be brought into the database, and is on the disk there.
    fn is_all_moved(&self) -> bool {
        let Some(Writing { conn, .. }) = &self.writing else { return false };
        let moved = conn.query_row("PRAGMA wal_checkpoint(FULL)", (), |row| {
            Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
        });
        moved == Ok(true)
    }

    /// Writes what waits, together with what comes until it can be committed.
    fn write_waiting(&mut self) {
        let are_logs_due = self.logs.due_in() == Some(Duration::ZERO);
        let logs = if are_logs_due { self.logs.take() } else { Vec::new() };
        let mut batch = Vec::new();
        match self.transaction(&mut batch, true, &logs) {
            Ok(()) => {}
            Err(TransactionError::ByStorage(fault)) => {
                self.logs.lost(&logs);
                self.look();
                batch.extend(self.feed.waiting.drain(..));
                answer(batch, &Err(fault));
            }
            Err(TransactionError::ByOperation) => {
                let alone = batch.len() == 1 && logs.is_empty();
                for operation in batch {
                    self.write_one(operation, !alone);
                }
                if !logs.is_empty() && self.transaction(&mut Vec::new(), false, &logs).is_err() {
                    self.logs.lost(&logs);
                }
            }
        }
    }

    /// Runs an operation in a transaction of its own, unless that is how it has just failed.
    fn write_one(&mut self, operation: Box<dyn Operation>, again: bool) {
        let mut one = vec![operation];
        match if again { self.transaction(&mut one, false, &[]) } else { Err(TransactionError::ByOperation) }
        {
            Ok(()) => {}
            // A failed operation has its own answer.
            Err(TransactionError::ByOperation) => answer(one, &Ok(())),
            Err(TransactionError::ByStorage(fault)) => answer(one, &Err(fault)),
        }
    }

    /// Runs operations and writes log lines, all or nothing. What is committed is answered once it is durable; of a
    /// transaction that failed, `operations` are left to be answered.
    ///
    /// Where it `gathers`, the operations are those that wait and those that come while the commit before it is being
    /// synced.
    fn transaction(
        &mut self,
        operations: &mut Vec<Box<dyn Operation>>,
        gathers: bool,
        logs: &[log_buffer::Line],
    ) -> Result<(), TransactionError> {
        if let Some(damage) = self.file.damage() {
            return Err(TransactionError::ByStorage(damage.clone()));
        }
        // Those that work beside `up` look each time; it looks after each commit, and five times a second.
        self.file.agrees_with_up().map_err(TransactionError::ByStorage)?;
        if self.file.identity.is_lost() {
            self.still_ours().map_err(TransactionError::ByStorage)?;
        }
        // What of the log is on the disk nobody knows after a sync that failed, whatever later syncs say. The system
        // has all of it still, so it goes into the database before anything is added.
        if let Some(fault) = &self.unsynced {
            if !self.is_all_moved() {
                return Err(TransactionError::ByStorage(fault.clone()));
            }
            self.unsynced = None;
        }
        let writing = match self.writing.take() {
            Some(writing) => writing,
            None => Writing::open(&self.file).map_err(TransactionError::ByStorage)?,
        };
        let Writing { conn, log } = self.writing.insert(writing);
        let storage = |error| TransactionError::ByStorage(self.file.fault(error));
        conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute(())).map_err(storage)?;
        let (changes, numbers) = (Changes::default(), Numbers::default());
        let visible = [i64::MAX; 2].map(Cell::new);
        let run = |operation: &mut Box<dyn Operation>| {
            let tx =
                Tx { conn, now: self.clock.now(), changes: &changes, numbers: &numbers, visible: &visible };
            operation.run(&self.file, &tx)
        };
        let mut done = operations.iter_mut().all(run);
        while gathers && done && operations.len() < BATCH {
            match self.feed.waiting.pop_front() {
                Some(mut operation) => {
                    done = run(&mut operation);
                    operations.push(operation);
                }
                None if self.feed.is_syncing => self.feed.take_next(),
                None => break,
            }
        }
        let synced = self.feed.await_sync();
        let done = if let Err(fault) = synced {
            Err(TransactionError::ByStorage(fault))
        } else if !done {
            Err(TransactionError::ByOperation)
        } else if let Err(error) = write_rest(conn, logs, &changes, &numbers) {
            Err(if operations.is_empty() { storage(error) } else { TransactionError::ByOperation })
        } else {
            conn.prepare_cached("COMMIT").and_then(|mut commit| commit.execute(())).map_err(storage)
        };
        // SQLite has rolled back already after some errors.
        let stuck = done.is_err() && !conn.is_autocommit() && conn.execute_batch("ROLLBACK").is_err();
        if done.is_ok() {
            self.checkpointer.committed(operations.len());
            if !operations.is_empty() {
                self.feed.is_syncing = true;
                let (operations, visible) = (std::mem::take(operations), visible.map(Cell::into_inner));
                self.syncer.sync(Commit { operations, visible, log: Arc::clone(log) });
            }
        }
        if stuck && let Some(Writing { conn, .. }) = self.writing.take() {
            // The log stays as it is: the next connection has to find the same one.
            let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        done.map(drop)
    }
}

impl Writing {
    fn open(file: &DbFile) -> Result<Self, Fault> {
        Self::new(file, file.connect(Purpose::Write)?)
    }

    fn new(file: &DbFile, conn: Connection) -> Result<Self, Fault> {
        Ok(Self { conn, log: Arc::new(file.open_log()?) })
    }
}

/// Writes what a transaction has gathered besides what its operations have written themselves.
fn write_rest(
    conn: &Connection,
    logs: &[log_buffer::Line],
    changes: &Changes,
    numbers: &Numbers,
) -> rusqlite::Result<()> {
    log_buffer::write(conn, numbers, logs)?;
    changes.write(conn)?;
    numbers.write(conn)
}

/// Answers the callers of operations: what came of their transaction.
pub(crate) fn answer(
    operations: impl IntoIterator<Item = Box<dyn Operation>>,
    transaction: &Result<(), Fault>,
) {
    for operation in operations {
        operation.answer(transaction.clone());
    }
}
