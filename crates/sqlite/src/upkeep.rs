//! What a process that lives for months needs of the store.

use std::sync::Arc;

use async_trait::async_trait;
use pipeline::{
    Fault,
    ports::{LogSink, Pruned, Retention, Upkeep},
};

use crate::{Store, up_lock::UpLock};

#[async_trait]
impl Upkeep for Store {
    /// As of the last look: that of the last commit, or of the watcher, which looks five times a second where anybody
    /// waits for messages.
    ///
    /// # Errors
    /// [`pipeline::Code::StorageGone`] where the file, its log or its index was deleted, moved or replaced, or where the
    /// `leadops up` of the folder has other files open; [`pipeline::Code::AlreadyRunning`] where its lock was taken away and
    /// another one works on the folder now; [`pipeline::Code::StorageDamaged`].
    fn intact(&self) -> Result<(), Fault> {
        let file = &self.0.file;
        file.damage().map_or(Ok(()), |damage| Err(damage.clone()))?;
        file.identity.standing()?;
        file.agrees_with_up()
    }

    async fn can_write(&self) -> Result<(), Fault> {
        self.0.writer.write(|_| Ok(())).await
    }

    fn lock_for_up(&self) -> Result<Box<dyn Send + Sync>, Fault> {
        let lock = UpLock::take(self.0.file.folder(), self.0.file.identity.ids())?;
        self.0.file.is_worked_by_us(Arc::clone(&lock.0));
        Ok(Box::new(lock))
    }

    fn log_sink(&self) -> Arc<dyn LogSink> {
        self.0.logs.clone()
    }

    async fn prune(&self, retention: &Retention) -> Result<Pruned, Fault> {
        self.delete_old(retention).await
    }
}
