//! Everything a pipeline stores, in one SQLite file, `leadops.db`.
//!
//! [`Store`] is a cheap handle on it and implements the ports. Below it, `writer` is the one thread that
//! writes, with group commit; `reader` a few connections that read beside it; `file` decides whether the
//! file may be touched at all. The other modules are the ports, one subject each, and the SQL of that
//! subject.
//!
//! Several processes may open one folder at the same time: SQLite's locks keep their writes apart, and
//! each hears of the others' commits.
//!
//! Invariants:
//! * No SQL outside this crate.
//! * Every write goes through the store's one writer thread; what it has answered is on the disk.
//! * No call on a [`Store`] blocks the async executor; opening one does.
//! * A file that is damaged, foreign or of a newer version is never written to.
//! * What a webhook or a message means is decided in `pipeline`, never here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod body;
mod checkpointer;
mod dead_letters;
mod fault;
mod file;
mod history;
mod identity;
mod intake;
mod journal;
mod lead_row;
mod log_buffer;
mod logs;
mod numbers;
mod objects;
mod queue;
mod reader;
mod retention;
mod schema;
mod syncer;
mod tally;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod thread;
mod units;
mod up_lock;
mod upgrade;
mod upkeep;
mod wake;
mod watch;
mod watcher;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use pipeline::{
    Code, Fault, lock,
    ports::{Clock, Queue},
    store_retry::RECEIVES,
};
use rusqlite::Connection;

use self::{
    file::{DbFile, Purpose, StoreError},
    log_buffer::LogBuffer,
    reader::Readers,
    wake::Wakeups,
    watcher::Watcher,
    writer::{Tx, Writer},
};
use system::SystemClock;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Whether a folder and a file that do not exist are made, instead of [`Code::NoPipeline`]. The
    /// file is then also checked for damage in full, if it is not very large.
    pub create: bool,
    /// The time that messages become due by.
    pub clock: Arc<dyn Clock>,
    /// How the delay queue delivers.
    pub delay: QueueOptions,
    /// How the notification queue delivers.
    pub notification: QueueOptions,
}

impl Default for Options {
    /// Opens what is there, on the system's clock.
    fn default() -> Self {
        Self {
            create: false,
            clock: Arc::new(SystemClock),
            // The stage gives up by itself, with a reason. The queue's own limit is for messages whose worker
            // died each time.
            delay: QueueOptions { visibility: Duration::from_secs(60), max_receives: RECEIVES },
            // Each look at an alert while its destination has asked to wait is a receive.
            notification: QueueOptions { visibility: Duration::from_secs(120), max_receives: 100_000 },
        }
    }
}

impl Options {
    /// Makes a file where there is none, on the system's clock.
    pub fn creating() -> Self {
        Self { create: true, ..Self::default() }
    }
}

/// How a queue delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueOptions {
    /// How long a received message stays out of sight without an outcome.
    pub visibility: Duration,
    /// How often a message is received before it is a dead letter.
    pub max_receives: u32,
}

/// The pipeline's storage. Clones share one writer and its connections; the last one to go waits until
/// all is written.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    file: Arc<DbFile>,
    options: Options,
    wakes: Arc<Wakeups>,
    logs: Arc<LogBuffer>,
    // The writer goes last, so that its connection, which can, tidies the write-ahead log up.
    watcher: Mutex<Option<Watcher>>,
    readers: Arc<Readers>,
    looks: Arc<watch::ChangeDetector>,
    writer: Writer,
}

impl Store {
    /// Opens the store in the folder `dir`. Blocks while it does.
    ///
    /// Where the file can be read but not written, the store opens and only writing fails.
    ///
    /// # Errors
    /// [`Code::NoPipeline`] where there is none and `options` do not say to create it,
    /// [`Code::StorageGone`] where there is none and somebody works on it, or its log is there,
    /// [`Code::FolderUnusable`] where it cannot be made or opened, [`Code::StorageNewer`] and
    /// [`Code::StorageDamaged`] for a file that is not ours to write, which is left as it is, and the
    /// other storage codes.
    pub fn open(dir: &Path, options: Options) -> Result<Self, Fault> {
        let file = Arc::new(DbFile::prepare(dir, options.create)?);
        let writing = match file.connect(Purpose::Write) {
            Ok(conn) => Some(conn),
            Err(fault) if fault.code == Code::StorageReadOnly => {
                file.connect(Purpose::Read)?;
                None
            }
            Err(fault) => return Err(fault),
        };
        let wakes = Arc::<Wakeups>::default();
        let clock = Arc::clone(&options.clock);
        let (writer, logs) = Writer::start(Arc::clone(&file), writing, clock, Arc::clone(&wakes))?;
        let readers = Readers::new(Arc::clone(&file));
        let looks = watch::ChangeDetector::new(Arc::clone(&file));
        let watcher = Mutex::default();
        Ok(Self(Arc::new(Inner { file, options, wakes, logs, watcher, readers, looks, writer })))
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.0.file.path
    }

    /// Returns once everything sent before, log lines included, is written or has failed.
    pub async fn flush(&self) -> Result<(), Fault> {
        // Lines go a few hundred at a time.
        for _ in 0..=log_buffer::LONGEST / log_buffer::TOGETHER {
            self.0.logs.hurry();
            self.write(|_| Ok(())).await?;
            if !self.0.logs.is_waiting() {
                break;
            }
        }
        Ok(())
    }

    fn clock(&self) -> &dyn Clock {
        &*self.0.options.clock
    }

    fn queue_options(&self, queue: Queue) -> QueueOptions {
        match queue {
            Queue::Delay => self.0.options.delay,
            Queue::Notification => self.0.options.notification,
        }
    }

    /// Sees to it that waiters hear of other processes' commits.
    fn watch(&self) -> Result<(), Fault> {
        let mut watcher = lock(&self.0.watcher);
        if watcher.is_none() {
            let wakes = Arc::clone(&self.0.wakes);
            *watcher = Some(Watcher::start(&self.0.file, wakes, self.0.writer.messages.clone())?);
        }
        Ok(())
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        self.0.readers.read(work).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        self.0.writer.write(work).await
    }
}
