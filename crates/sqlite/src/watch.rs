//! Whether anything has changed, for those who look at the store again and again.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pipeline::{
    Code, Fault, lock,
    ports::{Seen, Watch},
};
use rusqlite::Connection;

use crate::{
    Store,
    file::{DbFile, Purpose},
    up_lock,
};

/// A connection that sees others' commits.
pub(crate) struct ChangeDetector {
    file: Arc<DbFile>,
    /// SQLite tells each connection of the commits of all others, so it has to be the same one.
    conn: Mutex<Option<Connection>>,
}

impl ChangeDetector {
    pub(crate) fn new(file: Arc<DbFile>) -> Arc<Self> {
        Arc::new(Self { file, conn: Mutex::default() })
    }

    pub(crate) fn look(&self) -> Result<Seen, Fault> {
        self.file.check_names()?;
        self.file.agrees_with_up()?;
        let mut kept = lock(&self.conn);
        let conn = match kept.take() {
            Some(conn) => conn,
            None => self.file.connect(Purpose::Watch)?,
        };
        let version: i64 = conn
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| self.file.fault(error))?;
        *kept = Some(conn);
        let worked = up_lock::is_held(self.file.folder());
        Ok(Seen { version: Some(version.unsigned_abs()), worked: Some(worked) })
    }
}

#[async_trait]
impl Watch for Store {
    /// # Errors
    /// [`Code::StorageGone`] once the files have been taken away under us, or under the `leadops up` of the folder, or
    /// the storage codes.
    async fn look(&self) -> Result<Seen, Fault> {
        let looks = Arc::clone(&self.0.looks);
        let looked = tokio::task::spawn_blocking(move || looks.look()).await;
        looked.unwrap_or_else(|e| Err(Fault::new(Code::Internal, format!("a look stopped: {e}"))))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Options, Store};
    use pipeline::{
        Code,
        ports::{Objects, Upkeep, Watch, WriteCondition},
    };

    #[tokio::test]
    async fn a_look_sees_commits_workers_and_a_file_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::creating()).unwrap();
        let first = store.look().await.unwrap();
        assert_eq!(store.look().await.unwrap(), first);
        assert_eq!(first.worked, Some(false));
        store.put("a", "b".into(), WriteCondition::Always).await.unwrap();
        let second = store.look().await.unwrap();
        assert_ne!(second.version, first.version);
        let lock = store.lock_for_up().unwrap();
        assert_eq!(store.look().await.unwrap().worked, Some(true));
        drop(lock);
        assert_eq!(store.look().await.unwrap().worked, Some(false));
        std::fs::rename(store.path(), folder.path().join("elsewhere")).unwrap();
        assert_eq!(store.look().await.unwrap_err().code, Code::StorageGone);
    }
}
