//! Reading: a few connections, each used by one blocking task at a time.

use std::sync::{Arc, Mutex};

use pipeline::{Code, Fault, lock};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::file::{DbFile, Purpose, StoreError};

/// How many read at the same time.
const CONNECTIONS: usize = 3;

pub(crate) struct Readers {
    file: Arc<DbFile>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(file: Arc<DbFile>) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        Arc::new(Self { file, idle: Mutex::default(), permits })
    }

    /// Runs `work` on a connection, away from the executor.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let stopped = |what: &str| Fault::new(Code::Internal, format!("a read stopped: {what}"));
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|e| stopped(&e.to_string()))?;
        let readers = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let idle = lock(&readers.idle).pop();
            let conn = match idle {
                Some(conn) => conn,
                None => readers.file.connect(Purpose::Read)?,
            };
            // After a panic the connection is closed instead of going back.
            let done = work(&conn).map_err(|trouble| readers.file.fault(trouble));
            lock(&readers.idle).push(conn);
            drop(permit);
            done
        });
        read.await.unwrap_or_else(|error| Err(stopped(&error.to_string())))
    }
}
