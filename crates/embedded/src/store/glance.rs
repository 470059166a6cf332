//! Whether anything has changed, for those who look at the store again and again.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError},
};

use pipeline::{Code, Fault};
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
    /// The file's inode: another file under the same name is not ours.
    inode: Option<u64>,
    /// SQLite tells each connection of the commits of all others, so it has to be the same one.
    conn: Mutex<Option<Connection>>,
}

impl Glances {
    pub(super) fn new(file: Arc<DbFile>) -> Arc<Self> {
        let inode = inode(&file);
        Arc::new(Self { file, inode, conn: Mutex::default() })
    }

    pub(super) fn look(&self) -> Result<Glance, Fault> {
        if inode(&self.file) != self.inode {
            let what = format!("{} has been deleted or replaced", self.file.path().display());
            return Err(Fault::new(Code::NoPipeline, lead::text::shorten(&what, 500)));
        }
        let mut kept = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let conn = match kept.take() {
            Some(conn) => conn,
            None => self.file.connect(Purpose::Watch)?,
        };
        let version: i64 = conn
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| self.file.fault(error))?;
        *kept = Some(conn);
        let folder = self.file.path().parent();
        let worked = folder.is_some_and(|folder| {
            // Held exclusively by whoever works. Taken for an instant only; `up` tries more than once.
            File::open(folder.join(up_lock::NAME))
                .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
        });
        Ok(Glance { version: version.unsigned_abs(), worked })
    }
}

fn inode(file: &DbFile) -> Option<u64> {
    fs::metadata(file.path()).ok().map(|metadata| metadata.ino())
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
        assert_eq!(store.glance().await.unwrap_err().code, Code::NoPipeline);
    }
}
