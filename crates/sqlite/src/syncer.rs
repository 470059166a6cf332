//! Making commits durable, beside the writer.
//!
//! The writer's connection commits without a sync. Its commit is handed to this thread, which syncs the write-ahead
//! log, and only then answers: meanwhile the writer works out the next transaction, and with `synchronous=FULL` it
//! would wait. A commit is whole in the log or not there, those before it included, so that a sync of the log makes
//! durable whatever was committed before it began.

use std::{
    fs::File,
    sync::{
        Arc,
        mpsc::{self, Sender, SyncSender},
    },
};

use pipeline::{Code, Fault, ports::Queue};

use crate::{
    file::DbFile,
    thread::Thread,
    wake::Wakeups,
    writer::{Message, Operation, answer, stopped},
};

/// A commit that no next start may find.
pub(crate) struct Lost {
    /// Its operations, for the writer to answer them once it has rescued what it can.
    pub(crate) operations: Vec<Box<dyn Operation>>,
    /// Why.
    pub(crate) fault: Fault,
    /// Whether it is in the log, whatever has become of that.
    pub(crate) is_synced: bool,
}

/// A transaction that is committed.
pub(crate) struct Commit {
    pub(crate) operations: Vec<Box<dyn Operation>>,
    /// The earliest time at which it made a message of each queue visible.
    pub(crate) visible: [i64; 2],
    /// The write-ahead log that it is in.
    pub(crate) log: Arc<File>,
}

/// The thread's handle. Dropping it waits until the last commit is answered.
pub(crate) struct Syncer {
    // Before the thread, which ends once this is gone.
    commits: SyncSender<Commit>,
    _thread: Thread,
}

impl Syncer {
    /// Sends [`Message::Synced`] to the writer after each commit.
    pub(crate) fn start(
        file: &Arc<DbFile>,
        wakes: Arc<Wakeups>,
        writer: Sender<Message>,
    ) -> Result<Self, Fault> {
        let (commits, inbox) = mpsc::sync_channel::<Commit>(1);
        let synced = Arc::clone(file);
        let run = move || {
            while let Ok(commit) = inbox.recv() {
                sync(&synced, &wakes, &writer, commit);
            }
        };
        Ok(Self { commits, _thread: Thread::start("store-syncer", file, run)? })
    }

    /// Has a commit made durable and answered.
    pub(crate) fn sync(&self, commit: Commit) {
        if let Err(mpsc::SendError(commit)) = self.commits.send(commit) {
            answer(commit.operations, &Err(stopped()));
        }
    }
}

fn sync(file: &DbFile, wakes: &Wakeups, writer: &Sender<Message>, commit: Commit) {
    let Commit { operations, visible, log } = commit;
    let synced = log.sync_data();
    let is_synced = synced.is_ok();
    let synced = synced
        .map_err(|error| file.failed(Code::StorageFailed, format_args!("the log cannot be synced: {error}")));
    // Nobody hears of a commit that no next start would find.
    if let Err(fault) = synced.and_then(|()| file.check_names()) {
        let _ = writer.send(Message::Synced(Some(Lost { operations, fault, is_synced })));
        return;
    }
    let _ = writer.send(Message::Synced(None));
    for (queue, earliest) in Queue::ALL.into_iter().zip(visible) {
        if earliest < i64::MAX {
            wakes.announce(queue, earliest);
        }
    }
    answer(operations, &Ok(()));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{testing::TestStore, writer::Tx};

    /// An operation that says what it was answered.
    struct Answered(Arc<Mutex<Vec<Result<(), Fault>>>>);

    impl Operation for Answered {
        fn run(&mut self, _: &DbFile, _: &Tx<'_>) -> bool {
            true
        }

        fn answer(self: Box<Self>, transaction: Result<(), Fault>) {
            self.0.lock().unwrap().push(transaction);
        }
    }

    /// What becomes of a commit into this log: what the writer hears, and what the callers.
    fn synced(file: &Arc<DbFile>, log: File) -> (Option<Lost>, Vec<Result<(), Fault>>) {
        let (writer, inbox) = mpsc::channel();
        let answers = Arc::default();
        let operations: Vec<Box<dyn Operation>> = vec![Box::new(Answered(Arc::clone(&answers)))];
        let commit = Commit { operations, visible: [i64::MAX; 2], log: Arc::new(log) };
        sync(file, &Wakeups::default(), &writer, commit);
        let Ok(Message::Synced(lost)) = inbox.recv() else { panic!("the writer hears of no commit") };
        let answers = answers.lock().unwrap().clone();
        (lost, answers)
    }

    #[test]
    fn nobody_is_answered_before_the_sync() {
        let bench = TestStore::new();
        let file = Arc::new(DbFile::prepare(bench.dir.path(), true).unwrap());
        let conn = file.connect(crate::file::Purpose::Write).unwrap();
        let (lost, answers) = synced(&file, file.open_log().unwrap());
        assert!(lost.is_none());
        assert_eq!(answers, [Ok(())]);
        // No device syncs this.
        let (lost, answers) = synced(&file, File::open("/dev/null").unwrap());
        let Lost { operations, fault, is_synced } = lost.unwrap();
        assert_eq!((operations.len(), fault.code, is_synced), (1, Code::StorageFailed, false));
        assert!(answers.is_empty());
        file.close(conn);
    }
}
