//! One `leadops up` a folder, and which files it has open.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use pipeline::{Code, Fault, lock};
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::{
    fault::fault_of,
    identity::{FileId, FileIds},
};
use host::private;

/// The file that is locked.
const NAME: &str = "leadops.lock";
/// How often it is tried, and how long after each: a console that looks whether anybody works holds it
/// for an instant.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// The right to work on a folder. The operating system takes it back from a process that has died.
#[derive(Debug)]
pub(crate) struct UpLock(pub(crate) Arc<LockGuard>);

/// A lock that is held, under a name that somebody may take away.
#[derive(Debug)]
pub(crate) struct LockGuard {
    folder: PathBuf,
    files: Option<FileIds>,
    /// None once it was given back.
    locked: Mutex<Option<Locked>>,
}

#[derive(Debug)]
struct Locked {
    file: File,
    id: FileId,
}

/// What stands in the file, for those who work beside the holder: the files under these names may be
/// others by now.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: i32,
    files: FileIds,
}

impl UpLock {
    /// Takes the lock and writes down which files its holder has open, where they are known.
    pub(crate) fn take(folder: &Path, files: Option<FileIds>) -> Result<Self, Fault> {
        let locked = Mutex::new(Some(Locked::new(folder, files)?));
        Ok(Self(Arc::new(LockGuard { folder: folder.to_owned(), files, locked })))
    }
}

impl Drop for UpLock {
    fn drop(&mut self) {
        if let Some(Locked { file, .. }) = lock(&self.0.locked).take() {
            let _ = file.set_len(0);
        }
    }
}

impl LockGuard {
    /// Locks the file again under its name, where that was deleted or replaced: a lock that nobody finds keeps
    /// nobody out.
    ///
    /// # Errors
    /// [`Code::AlreadyRunning`] where somebody else was quicker.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let mut locked = lock(&self.locked);
        let Some(Locked { id, .. }) = &*locked else { return Ok(()) };
        if FileId::at(&self.folder.join(NAME)).is_ok_and(|found| found == *id) {
            return Ok(());
        }
        match Locked::new(&self.folder, self.files) {
            Ok(again) => *locked = Some(again),
            Err(fault) if fault.code == Code::AlreadyRunning => return Err(fault),
            // Tried again at the next look.
            Err(_) => {}
        }
        Ok(())
    }
}

impl Locked {
    fn new(folder: &Path, files: Option<FileIds>) -> Result<Self, Fault> {
        let path = folder.join(NAME);
        let unusable = |error: io::Error| fault_of(&path, Code::FolderUnusable, error);
        let file = private::open_or_create(&path).map_err(unusable)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => {
                    let id = FileId::of(&file.metadata().map_err(unusable)?);
                    write(&file, files);
                    return Ok(Self { file, id });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
        }
        Err(fault_of(&path, Code::AlreadyRunning, "another process has locked it"))
    }
}

/// On a full disk nothing is written, and those beside the holder compare nothing.
fn write(mut file: &File, files: Option<FileIds>) {
    let holder = files.map(|files| Holder { pid: Pid::as_raw(Some(rustix::process::getpid())), files });
    let text = holder.and_then(|holder| serde_json::to_vec(&holder).ok()).unwrap_or_default();
    let _ = file.set_len(0).and_then(|()| file.write_all(&text));
}

/// Whether a `leadops up` works on a folder.
pub(crate) fn is_held(folder: &Path) -> bool {
    // Held exclusively by whoever works. Taken for an instant only; `up` tries more than once.
    File::open(folder.join(NAME))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether the `leadops up` that works on a folder, if any, has these files open. None are never those.
///
/// # Errors
/// [`Code::StorageGone`] where it has others: what is written into these, it does not see.
pub(crate) fn agrees(folder: &Path, files: Option<FileIds>) -> Result<(), Fault> {
    let Ok(text) = fs::read(folder.join(NAME)) else { return Ok(()) };
    let Ok(holder) = serde_json::from_slice::<Holder>(&text) else { return Ok(()) };
    // One that was killed leaves its words behind.
    let lives = || {
        let pid = Pid::from_raw(holder.pid);
        pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
    };
    if Some(holder.files) == files || !lives() || !is_held(folder) {
        return Ok(());
    }
    let what = format_args!(
        "`leadops up` (process {}) has other files open than those that are here under their names now",
        holder.pid
    );
    Err(fault_of(folder, Code::StorageGone, what))
}
