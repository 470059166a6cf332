//! One `leadops up` a folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use pipeline::{Code, Fault};

/// The right to work on a folder. The operating system takes it back from a process that has died.
#[derive(Debug)]
pub struct UpLock(#[allow(dead_code, reason = "open is locked")] File);

impl UpLock {
    pub(super) fn take(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join("leadops.lock");
        let fault = |code, what: &str| {
            Err(Fault::new(code, lead::text::shorten(&format!("{}: {what}", path.display()), 500)))
        };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = match file {
            Ok(file) => file,
            Err(error) => return fault(Code::FolderUnusable, &error.to_string()),
        };
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => fault(Code::AlreadyRunning, "another process has locked it"),
            Err(TryLockError::Error(error)) => fault(Code::FolderUnusable, &error.to_string()),
        }
    }
}
