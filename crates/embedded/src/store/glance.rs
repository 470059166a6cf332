//! Whether anything has changed, for those who look at the store again and again.

use std::sync::{Arc, Mutex, PoisonError};

use pipeline::Fault;
use rusqlite::Connection;

use super::{
    file::{DbFile, Purpose},
    up_lock,
};

/// What a glance shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// Another number after every commit by anybody.
    pub version: u64,
    /// Whether a `leadops up` works on the folder.
    pub worked: bool,
}

pub(super) struct Glances {
    file: Arc<DbFile>,
    /// SQLite tells each connection of the commits of all others, so it has to be the same one.
    conn: Mutex<Option<Connection>>,
}

impl Glances {
    pub(super) fn new(file: Arc<DbFile>) -> Arc<Self> {
        Arc::new(Self { file, conn: Mutex::default() })
    }

    pub(super) fn look(&self) -> Result<Glance, Fault> {
        self.file.check_names()?;
        self.file.agrees_with_up()?;
        let mut kept = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let conn = match kept.take() {
            Some(conn) => conn,
            None => self.file.connect(Purpose::Watch)?,
        };
        let version: i64 = conn
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| self.file.fault(error))?;
        *kept = Some(conn);
        let worked = self.file.path().parent().is_some_and(up_lock::is_held);
        Ok(Glance { version: version.unsigned_abs(), worked })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Options, Store};
    use pipeline::{
        Code,
        ports::{Objects, When},
    };

    #[tokio::test]
    async fn a_glance_sees_commits_workers_and_a_file_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options { create: true, ..Options::default() }).unwrap();
        let first = store.glance().await.unwrap();
        assert_eq!(store.glance().await.unwrap(), first);
        assert!(!first.worked);
        store.put("a", "b".into(), When::Always).await.unwrap();
        let second = store.glance().await.unwrap();
        assert_ne!(second.version, first.version);
        let lock = store.lock_for_up().unwrap();
        assert!(store.glance().await.unwrap().worked);
        drop(lock);
        assert!(!store.glance().await.unwrap().worked);
        std::fs::rename(store.path(), folder.path().join("elsewhere")).unwrap();
        assert_eq!(store.glance().await.unwrap_err().code, Code::StorageGone);
    }
}
