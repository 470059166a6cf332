//! One `leadops up` a folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    thread,
    time::Duration,
};

use pipeline::{Code, Fault};

/// The file that is locked.
pub(super) const NAME: &str = "leadops.lock";
/// How often it is tried, and how long after each: a console that looks whether anybody works holds it
/// for an instant.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// The right to work on a folder. The operating system takes it back from a process that has died.
#[derive(Debug)]
pub struct UpLock(#[allow(dead_code, reason = "open is locked")] File);

impl UpLock {
    pub(super) fn take(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(NAME);
        let fault = |code, what: &str| {
            Err(Fault::new(code, lead::text::shorten(&format!("{}: {what}", path.display()), 500)))
        };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = match file {
            Ok(file) => file,
            Err(error) => return fault(Code::FolderUnusable, &error.to_string()),
        };
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => return fault(Code::FolderUnusable, &error.to_string()),
            }
        }
        fault(Code::AlreadyRunning, "another process has locked it")
    }
}
