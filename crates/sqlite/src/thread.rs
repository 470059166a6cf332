//! The store's threads.

use std::thread::{Builder, JoinHandle};

use pipeline::{Code, Fault};

use crate::file::DbFile;

/// A thread of the store's. Dropping this waits until it has ended, for which somebody has to give it a reason: so no
/// connection outlives the writer's, and the last one that is closed moves the log into the file.
pub(crate) struct Thread(Option<JoinHandle<()>>);

impl Thread {
    pub(crate) fn start(
        name: &str,
        file: &DbFile,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<Self, Fault> {
        let failed = |e| file.failed(Code::StorageFailed, format_args!("no thread for {name}: {e}"));
        Ok(Self(Some(Builder::new().name(name.to_owned()).spawn(run).map_err(failed)?)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // What it panicked over it has written to stderr.
        let _ = self.0.take().map(JoinHandle::join);
    }
}
