//! Whether the files that are open are still the ones under their names.
//!
//! SQLite writes through its descriptors, also into a file that was deleted, moved or replaced: what is
//! committed then is where no next start will look. So the device and the inode of each name are compared
//! with what was opened, by `stat` alone: closing any descriptor of a file ends all of SQLite's locks on it.
//! <https://www.sqlite.org/howtocorrupt.html>

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use pipeline::{Code, Fault, Function, lock, ports::Level, recorder};
use serde::{Deserialize, Serialize};

/// What SQLite calls the write-ahead log of a file, and the index of it.
pub(crate) const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// The databases that this process has open, each as often as it has.
static OPEN: Mutex<Vec<FileId>> = Mutex::new(Vec::new());

/// A file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

/// The database, its log and the index of its log.
pub(crate) type FileIds = [FileId; 3];

/// The files that a store has open, and whether they are still to be found.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    database: OnceLock<Database>,
    /// The log and its index. Where nothing can be written there are none to lose.
    beside: OnceLock<[FileId; 2]>,
    /// Whether [`State::fault`] is set, for those who ask often.
    lost: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Database {
    /// Whatever directory the process is in later.
    names: [PathBuf; 3],
    id: FileId,
    /// What the first name itself is, where it is a link: SQLite has the log beside the file that a link leads to, so
    /// that a name which becomes a link, or another one, has another log.
    entry: FileId,
}

#[derive(Debug, Default)]
struct State {
    /// Why nothing that is written now would be found.
    fault: Option<Fault>,
    /// Whether the database is still ours and nobody can have written through another log.
    can_be_rescued: bool,
    /// Whether that lasts until the restart, whatever comes back: others may write by now.
    for_good: bool,
}

/// What has become of a name.
enum Loss {
    Missing,
    Replaced { by_nothing: bool },
    Emptied,
    Hidden(io::Error),
}

impl Loss {
    fn says(&self, name: &Path) -> String {
        let name = name.display();
        match self {
            Self::Missing => format!("{name} was deleted or moved while it was open"),
            Self::Replaced { .. } => format!("{name} is another file now than the one that is open"),
            Self::Emptied => format!("{name} was emptied while it was open"),
            Self::Hidden(error) => format!("{name} cannot be looked at any more: {error}"),
        }
    }
}

impl Identity {
    /// Remembers the database under this name: before it is opened, so that what is opened is this file or
    /// the next check fails.
    pub(crate) fn note(&self, path: &Path) -> io::Result<()> {
        let (id, names) = (FileId::at(path)?, names(path)?);
        let entry = FileId::of(&fs::symlink_metadata(&names[0])?);
        if self.database.set(Database { names, id, entry }).is_ok() {
            lock(&OPEN).push(id);
        }
        Ok(())
    }

    /// Remembers the log and its index, once a connection that writes has them open. They stay the same
    /// for as long as it lives.
    pub(crate) fn note_beside(&self) -> io::Result<()> {
        if let (Some(Database { names: [_, log, index], .. }), None) =
            (self.database.get(), self.beside.get())
        {
            let _ = self.beside.set([FileId::at(log)?, FileId::at(index)?]);
        }
        Ok(())
    }

    /// Opens the log once more.
    pub(crate) fn open_log(&self) -> io::Result<fs::File> {
        let (Some(Database { names: [_, log, _], .. }), Some([id, _])) =
            (self.database.get(), self.beside.get())
        else {
            return Err(io::Error::other("no connection that writes has it open"));
        };
        let file = fs::File::open(log)?;
        if FileId::of(&file.metadata()?) != *id {
            return Err(io::Error::other("it is another file than the one that is open"));
        }
        Ok(file)
    }

    /// All three, where they are known.
    pub(crate) fn ids(&self) -> Option<FileIds> {
        let (database, [log, index]) = (self.database.get()?, *self.beside.get()?);
        Some([database.id, log, index])
    }

    /// What the last check found.
    pub(crate) fn standing(&self) -> Result<(), Fault> {
        match self.is_lost() {
            true => lock(&self.state).fault.clone().map_or(Ok(()), Err),
            false => Ok(()),
        }
    }

    /// Whether the last check found something wrong.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Whether everything could still be brought into the file that the next start opens.
    pub(crate) fn can_be_rescued(&self) -> bool {
        let state = lock(&self.state);
        state.can_be_rescued && !state.for_good
    }

    /// Everything was brought into the database, through the log that has lost its name. That log is of no use
    /// any more, and must not be taken up again even where it comes back.
    pub(crate) fn rescued(&self) {
        let mut state = lock(&self.state);
        state.for_good = true;
        if let Some(fault) = &mut state.fault {
            fault.what += "; all that was accepted is in the database; restart `leadops up`";
            say(Level::Warn, fault);
        }
    }

    /// The folder is somebody else's by now.
    pub(crate) fn give_up(&self, fault: Fault) {
        let mut state = lock(&self.state);
        if !std::mem::replace(&mut state.for_good, true) {
            say(Level::Error, &fault);
            state.fault = Some(fault);
            self.lost.store(true, Ordering::SeqCst);
        }
    }

    /// Compares the names with what is open.
    ///
    /// Says it in the log when they have come to differ, and when the very same files are back.
    ///
    /// # Errors
    /// [`Code::StorageGone`], or what was given up for.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let Some(database) = self.database.get() else { return Ok(()) };
        if !self.is_lost() && self.loss(database).is_none() {
            return Ok(());
        }
        let mut state = lock(&self.state);
        // Once more: what was seen before others had to be waited for may no longer be so.
        let (loss, can_be_rescued) = self.loss(database).unzip();
        let can_be_rescued = can_be_rescued.unwrap_or_default();
        match (loss, &state.fault) {
            (None, Some(fault)) if !state.for_good => {
                let what = format!("{} and its log are back: it goes on", database.names[0].display());
                say(Level::Warn, &Fault::new(fault.code, outside::text::shorten(&what, 500)));
                *state = State::default();
            }
            (Some(what), None) => {
                let fault = Fault::new(Code::StorageGone, outside::text::shorten(&what, 500));
                say(Level::Error, &fault);
                *state = State { fault: Some(fault), can_be_rescued, for_good: false };
            }
            (Some(_), Some(_)) => state.can_be_rescued = can_be_rescued,
            (None, _) => {}
        }
        self.lost.store(state.fault.is_some(), Ordering::SeqCst);
        state.fault.clone().map_or(Ok(()), Err)
    }

    /// What has become of the first name that is no longer ours, and whether everything could be brought into
    /// the database all the same.
    fn loss(&self, Database { names: [name, log, index], id, entry }: &Database) -> Option<(String, bool)> {
        let mut database = lost(fs::symlink_metadata(name), *entry, entry == id);
        if database.is_none() && entry != id {
            database = lost(fs::metadata(name), *id, true);
        }
        let lost = |name: &Path, opened| lost(fs::metadata(name), opened, false);
        let [beside, indexed] = match self.beside.get() {
            Some([log_id, index_id]) => [lost(log, *log_id), lost(index, *index_id)],
            None => [None, None],
        };
        let can_be_rescued = database.is_none()
            && matches!(beside, None | Some(Loss::Missing | Loss::Replaced { by_nothing: true }))
            && !matches!(indexed, Some(Loss::Hidden(_)));
        let losses = [(database, name), (beside, log), (indexed, index)];
        losses.into_iter().find_map(|(loss, name)| Some((loss?.says(name), can_be_rescued)))
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let Some(Database { id, .. }) = self.database.get() else { return };
        let mut open = lock(&OPEN);
        if let Some(at) = open.iter().position(|open| open == id) {
            open.swap_remove(at);
        }
    }
}

/// Whether this process has the database under this name open: then it must not be opened by anybody but
/// SQLite, which would lose its locks when it is closed.
pub(crate) fn is_open_here(path: &Path) -> bool {
    FileId::at(path).is_ok_and(|id| lock(&OPEN).contains(&id))
}

/// The files that are under these names now: the database's, and those beside it.
pub(crate) fn present(path: &Path) -> io::Result<FileIds> {
    let [database, log, index] = names(path)?;
    Ok([FileId::at(&database)?, FileId::at(&log)?, FileId::at(&index)?])
}

fn names(path: &Path) -> io::Result<[PathBuf; 3]> {
    let name = std::path::absolute(path)?;
    // SQLite follows a link, and has the log beside the file that it leads to.
    let real = if name.is_symlink() { fs::canonicalize(&name)? } else { name.clone() };
    let [log, index] = BESIDE.map(|end| beside(&real, end));
    Ok([name, log, index])
}

/// The file whose name ends in this beside that of a database.
pub(crate) fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    name.into()
}

impl FileId {
    pub(crate) fn at(name: &Path) -> io::Result<Self> {
        fs::metadata(name).map(|metadata| Self::of(&metadata))
    }

    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// What has become of a name under which a file was opened.
fn lost(found: io::Result<fs::Metadata>, opened: FileId, is_database: bool) -> Option<Loss> {
    match found {
        Ok(found) if FileId::of(&found) != opened => Some(Loss::Replaced { by_nothing: found.len() == 0 }),
        // A log may be empty, a database never is.
        Ok(found) if is_database && found.len() == 0 => Some(Loss::Emptied),
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Loss::Missing),
        Err(error) => Some(Loss::Hidden(error)),
    }
}

fn say(level: Level, fault: &Fault) {
    recorder::fault(Function::Operator, level, "", None, fault);
}
