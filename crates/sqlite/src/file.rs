//! The database file: looking at it before touching it, opening it, and what its errors mean.

use std::{
    fmt::Display,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use pipeline::{Code, Fault};
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, config::DbConfig, ffi, types::Value};

use crate::{
    fault::fault_of,
    identity::{self, BESIDE, Identity, beside},
    schema,
    up_lock::{self, LockGuard},
};
use host::private;

/// The file's name in its folder.
const NAME: &str = "leadops.db";
/// How long a connection waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(5);
/// Up to this size a file is checked in full before the pipeline starts on it.
const CHECKED_SIZE: u64 = 1024 * 1024 * 1024;

/// The database file of a folder.
#[derive(Debug)]
pub(crate) struct DbFile {
    pub(crate) path: PathBuf,
    /// Set once SQLite has met damage: from then on nothing is written.
    damaged: OnceLock<Fault>,
    /// Whether it lies on a disk that cannot be written, and nothing is in a log beside it.
    frozen: bool,
    /// Which files are open, and whether they are still to be found.
    pub(crate) identity: Identity,
    /// The lock of the folder, where this process is its `leadops up`.
    lock: OnceLock<Arc<LockGuard>>,
}

/// Why a statement did not do its work.
#[derive(Debug)]
pub(crate) enum StoreError {
    Sqlite(rusqlite::Error),
    Fault(Fault),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
    /// Only asks whether others have written.
    Watch,
    /// Only moves the log into the file.
    Checkpoint,
}

/// What is under the file's name.
enum FileState {
    Nothing,
    /// A file without anything in it, as a disk that was full leaves of a copy.
    Empty,
    Ours,
}

impl DbFile {
    /// The file of the folder `dir`, ready for connections and of the current version.
    ///
    /// Looks at the file's bytes before SQLite does, because SQLite repairs and cleans up whatever
    /// it opens for writing.
    pub(crate) fn prepare(dir: &Path, create: bool) -> Result<Self, Fault> {
        let mut file = Self::under(dir);
        file.is_shared(dir, create)?;
        let found = file.look()?;
        if matches!(found, FileState::Nothing | FileState::Empty) {
            file.is_missed(dir, create)?;
        }
        match found {
            FileState::Ours => {
                file.tighten();
                let mut version = file.version();
                file.frozen = version.as_ref().is_err_and(|trouble| file.is_frozen(trouble));
                if file.frozen {
                    version = file.version();
                }
                if create && file.size() <= CHECKED_SIZE {
                    file.check()?;
                }
                file.update(version.map_err(|trouble| file.fault(trouble))?)?;
            }
            FileState::Nothing if create => {
                private::make_folder(dir).map_err(|error| fault_of(dir, Code::FolderUnusable, error))?;
                file.create()?;
            }
            FileState::Empty if create => file.fill(&file.path).map_err(|trouble| file.fault(trouble))?,
            FileState::Nothing | FileState::Empty => {
                return Err(Fault::new(Code::NoPipeline, format!("{} does not exist", file.path.display())));
            }
        }
        file.identity.note(&file.path).map_err(|error| file.failed(Code::FolderUnusable, error))?;
        Ok(file)
    }

    /// The file of the folder `dir`, whatever is there.
    pub(crate) fn under(dir: &Path) -> Self {
        Self {
            path: dir.join(NAME),
            damaged: OnceLock::new(),
            frozen: false,
            identity: Identity::default(),
            lock: OnceLock::new(),
        }
    }

    /// Whether the files here are those of the `leadops up` of the folder, if there is one. Its log beside
    /// another database, or its database beside another log, must not even be looked into.
    fn is_shared(&self, dir: &Path, create: bool) -> Result<(), Fault> {
        up_lock::agrees(dir, identity::present(&self.path).ok()).map_err(|fault| match create {
            true => Fault { code: Code::AlreadyRunning, ..fault },
            false => fault,
        })
    }

    /// Whether there is no file where one must be: somebody works on it, or its log is there.
    fn is_missed(&self, dir: &Path, create: bool) -> Result<(), Fault> {
        // Between the looks, the first `leadops up` of a folder may have made it.
        if up_lock::is_held(dir) && !matches!(self.look()?, FileState::Ours) {
            let (code, what) = match create {
                true => (Code::AlreadyRunning, "it is gone, and another `leadops up` has it open still"),
                false => (Code::StorageGone, "it was deleted or moved while `leadops up` has it open"),
            };
            return Err(self.failed(code, what));
        }
        // SQLite would take it for the log of a new file.
        if self.log_size() > 0 && !self.path.exists() {
            let what = "it is gone, but its write-ahead log is here, with what was accepted last; \
                        put the file back beside it, or move the log away as well";
            return Err(self.failed(Code::StorageGone, what));
        }
        Ok(())
    }

    /// The folder that it is in.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// The fault that forbids writing, once damage has been met.
    pub(crate) fn damage(&self) -> Option<&Fault> {
        self.damaged.get()
    }

    /// Compares the names with what is open.
    ///
    /// # Errors
    /// [`Code::StorageGone`] where what is written now would not be found.
    pub(crate) fn check_names(&self) -> Result<(), Fault> {
        self.identity.check()
    }

    /// Whether everything can and may be brought into the database: not beside a `leadops up`, which may have
    /// begun a log of its own.
    pub(crate) fn can_be_rescued(&self) -> bool {
        let alone = || !up_lock::is_held(self.folder());
        self.identity.can_be_rescued() && (self.lock.get().is_some() || alone())
    }

    /// From now on this process is the `leadops up` of the folder, and holds its lock.
    pub(crate) fn is_worked_by_us(&self, lock: Arc<LockGuard>) {
        let _ = self.lock.set(lock);
    }

    /// Compares the names with what is open, that of the lock included.
    pub(crate) fn look_around(&self) {
        if self.check_names().is_ok()
            && let Some(Err(fault)) = self.lock.get().map(|lock| lock.check())
        {
            self.identity.give_up(fault);
        }
    }

    /// Whether the `leadops up` of the folder, if another process is one, works on the same files.
    ///
    /// # Errors
    /// [`Code::StorageGone`].
    pub(crate) fn agrees_with_up(&self) -> Result<(), Fault> {
        if self.lock.get().is_some() {
            return Ok(());
        }
        self.identity.ids().map_or(Ok(()), |ids| up_lock::agrees(self.folder(), Some(ids)))
    }

    /// A configured connection. Only to the files that are open already: others under their names are
    /// somebody else's.
    pub(crate) fn connect(&self, purpose: Purpose) -> Result<Connection, Fault> {
        self.check_names()?;
        let conn = self.try_connect(purpose).map_err(|error| self.fault(error))?;
        if purpose == Purpose::Write {
            self.identity
                .note_beside()
                .map_err(|error| self.failed(Code::StorageFailed, format_args!("its log: {error}")))?;
        }
        Ok(conn)
    }

    /// The write-ahead log of a connection that writes, to be synced. Closing it takes none of SQLite's locks away, as
    /// those are on the database and on the index of the log.
    pub(crate) fn open_log(&self) -> Result<fs::File, Fault> {
        self.identity
            .open_log()
            .map_err(|error| self.failed(Code::StorageFailed, format_args!("its log: {error}")))
    }

    /// Closes a connection that can write. Where the names are no longer ours, without tidying up: SQLite
    /// deletes the log by its name.
    pub(crate) fn close(&self, conn: Connection) {
        if self.check_names().is_err() || self.agrees_with_up().is_err() {
            let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
    }

    fn try_connect(&self, purpose: Purpose) -> Result<Connection, StoreError> {
        let access = match purpose {
            Purpose::Write | Purpose::Checkpoint => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Purpose::Read | Purpose::Watch => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let conn = self.open(access)?;
        if purpose == Purpose::Write {
            if conn.is_readonly(MAIN_DB)? {
                return Err(self.failed(Code::StorageReadOnly, "it cannot be written").into());
            }
            self.set(&conn, "journal_mode", "wal", "wal")?;
            // What is committed is whole in the log or not there; the syncer has it on the disk before anybody hears of it.
            self.set(&conn, "synchronous", "normal", "1")?;
            self.set(&conn, "foreign_keys", "on", "1")?;
            self.set(&conn, "temp_store", "memory", "2")?;
            // The checkpointer does this long before a commit would; and what is left of the log after.
            self.set(&conn, "wal_autocheckpoint", "64000", "64000")?;
            self.set(&conn, "journal_size_limit", "67108864", "67108864")?;
            self.expect(&conn, "auto_vacuum", "2")?;
        } else if purpose != Purpose::Checkpoint {
            self.set(&conn, "query_only", "on", "1")?;
        }
        // In KiB. The operating system caches the file anyway.
        let cache = match purpose {
            Purpose::Write => "-8192",
            Purpose::Read => "-1024",
            Purpose::Watch | Purpose::Checkpoint => "-64",
        };
        self.set(&conn, "cache_size", cache, cache)?;
        self.set(&conn, "mmap_size", "0", "0")?;
        self.set(&conn, "trusted_schema", "off", "0")?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(conn)
    }

    fn open(&self, access: OpenFlags) -> Result<Connection, StoreError> {
        let access = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = if self.frozen {
            let access = access | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(immutable(&self.path), access)?
        } else {
            Connection::open_with_flags(&self.path, access)?
        };
        let busy = BUSY.as_millis().to_string();
        self.set(&conn, "busy_timeout", &busy, &busy)?;
        Ok(conn)
    }

    /// Sets a pragma and makes sure that it took.
    fn set(&self, conn: &Connection, pragma: &str, value: &str, expected: &str) -> Result<(), StoreError> {
        conn.pragma_update(None, pragma, value)?;
        self.expect(conn, pragma, expected)
    }

    fn expect(&self, conn: &Connection, pragma: &str, expected: &str) -> Result<(), StoreError> {
        let actual = conn.pragma_query_value(None, pragma, |row| row.get::<_, Value>(0));
        let actual = match actual {
            Ok(Value::Integer(number)) => number.to_string(),
            Ok(Value::Text(text)) => text,
            // A file system without memory mapping answers nothing at all.
            Err(rusqlite::Error::QueryReturnedNoRows) if pragma == "mmap_size" => return Ok(()),
            Ok(other) => format!("{other:?}"),
            Err(error) => return Err(error.into()),
        };
        if actual == expected {
            return Ok(());
        }
        let what = format_args!("SQLite keeps {pragma} at {actual} instead of {expected}");
        Err(self.failed(Code::StorageFailed, what).into())
    }

    /// What the file's first bytes say. <https://www.sqlite.org/fileformat2.html#the_database_header>
    fn look(&self) -> Result<FileState, Fault> {
        // It was looked at when it was opened first.
        if identity::is_open_here(&self.path) && self.size() > 0 {
            return Ok(FileState::Ours);
        }
        let damaged = |what: &str| Err(self.failed(Code::StorageDamaged, what));
        let mut header = [0; 100];
        let read = fs::File::open(&self.path).and_then(|file| {
            let read = (&file).take(100).read(&mut header)?;
            Ok((read, file.metadata()?))
        });
        let (read, meta) = match read {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FileState::Nothing),
            Err(error) => return Err(self.failed(Code::FolderUnusable, error)),
        };
        if meta.is_dir() {
            return Err(self.failed(Code::FolderUnusable, "it is a folder"));
        }
        if meta.len() == 0 {
            // SQLite would throw the log away.
            if self.log_size() > 0 {
                return damaged("it is empty, but its write-ahead log is not");
            }
            return Ok(FileState::Empty);
        }
        if read < header.len() || !header.starts_with(b"SQLite format 3\0") {
            return damaged("it is no SQLite database");
        }
        let number =
            |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
        if number(68) != schema::APPLICATION_ID {
            return damaged("it is a database of another program");
        }
        if number(60) > schema::VERSION {
            return Err(self.newer(number(60)));
        }
        // The page size 1 stands for 65536, which does not fit into its two bytes.
        let page = match u64::from(number(16) >> 16) {
            1 => 65_536,
            size => size,
        };
        // A log beside it may hold the missing pages still.
        if meta.len() < page * u64::from(number(28)) && self.log_size() == 0 {
            return damaged("its end is missing");
        }
        Ok(FileState::Ours)
    }

    /// Whether this is why SQLite reads the file only when it is assured that nobody writes it: after it was closed in good order it
    /// has no log and no index of one, and here none can be made. <https://www.sqlite.org/wal.html#readonly>
    ///
    /// Not where this user alone may not write: others can.
    fn is_frozen(&self, trouble: &StoreError) -> bool {
        let refused = matches!(
            trouble,
            StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::CannotOpen
        );
        let by_disk = || {
            let opened = fs::OpenOptions::new().write(true).open(&self.path);
            opened.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
        };
        refused && self.log_size() == 0 && by_disk()
    }

    /// Takes from others what a copy that was put back, or a backup, may have given them.
    fn tighten(&self) {
        private::tighten(&self.path);
        for end in BESIDE {
            private::tighten(&beside(&self.path, end));
        }
    }

    fn size(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |meta| meta.len())
    }

    fn log_size(&self) -> u64 {
        let [log, _] = BESIDE;
        fs::metadata(beside(&self.path, log)).map_or(0, |meta| meta.len())
    }

    /// Has SQLite look through the whole file, without changing it.
    fn check(&self) -> Result<(), Fault> {
        let checked = || -> Result<String, StoreError> {
            let conn = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            Ok(conn.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?)
        };
        match checked().map_err(|trouble| self.fault(trouble))?.as_str() {
            "ok" => Ok(()),
            found => Err(self.failed(Code::StorageDamaged, found)),
        }
    }

    /// Makes the file beside its place and puts it there when it is complete: nobody ever sees half of
    /// it, and of several who do this at once, one wins.
    fn create(&self) -> Result<(), Fault> {
        let io = |error: io::Error| {
            let code = match error.kind() {
                io::ErrorKind::StorageFull => Code::StorageFull,
                _ => Code::FolderUnusable,
            };
            self.failed(code, &error)
        };
        let folder = self.folder();
        // Leads are people: nobody else on the machine may read them. That is how it makes files.
        let draft = tempfile::Builder::new().prefix("leadops-new-").tempfile_in(folder).map_err(io)?;
        // Before SQLite opens it, which gives the log and its index the same owner.
        private::hand_over(draft.as_file(), &self.path);
        self.fill(draft.path()).map_err(|trouble| self.fault(trouble))?;
        draft.as_file().sync_all().map_err(io)?;
        match draft.persist_noclobber(&self.path) {
            Err(refused) if refused.error.kind() != io::ErrorKind::AlreadyExists => Err(io(refused.error)),
            // Placed, or somebody else was quicker.
            _ => Ok(()),
        }
    }

    /// Makes an empty file a store.
    pub(crate) fn fill(&self, path: &Path) -> Result<(), StoreError> {
        let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, access)?;
        // Only takes in an empty file, and shows once there is a table.
        conn.pragma_update(None, "auto_vacuum", "incremental")?;
        schema::create(&mut conn)?;
        self.expect(&conn, "auto_vacuum", "2")?;
        // Stored in the file. Switching to it later would need exclusive access.
        self.set(&conn, "journal_mode", "wal", "wal")
    }

    /// Brings a file of this version up to the current one.
    fn update(&self, version: u32) -> Result<(), Fault> {
        if version > schema::VERSION {
            return Err(self.newer(version));
        }
        if version == schema::VERSION {
            return Ok(());
        }
        self.upgrade()
    }

    /// Asks SQLite for the version, without changing the file.
    fn version(&self) -> Result<u32, StoreError> {
        let conn = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(schema::version(&conn)?)
    }

    fn newer(&self, version: u32) -> Fault {
        let what = format_args!("its version is {version}, this program knows up to {}", schema::VERSION);
        self.failed(Code::StorageNewer, what)
    }

    /// What is the matter with the file, under its name.
    pub(crate) fn failed(&self, code: Code, what: impl Display) -> Fault {
        fault_of(&self.path, code, what)
    }

    /// What an error of SQLite's means.
    pub(crate) fn fault(&self, trouble: impl Into<StoreError>) -> Fault {
        let error = match trouble.into() {
            StoreError::Fault(fault) => return fault,
            StoreError::Sqlite(error) => error,
        };
        let code = match &error {
            rusqlite::Error::SqliteFailure(error, _) => match error.code {
                ErrorCode::DiskFull => Code::StorageFull,
                // The index of the log could not grow.
                ErrorCode::SystemIoFailure if error.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
                    Code::StorageFull
                }
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Code::StorageReadOnly,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Code::StorageDamaged,
                _ => Code::StorageFailed,
            },
            _ => Code::StorageFailed,
        };
        let fault = self.failed(code, &error);
        if code == Code::StorageDamaged {
            // Whoever met it first has said it.
            let _ = self.damaged.set(fault.clone());
        }
        fault
    }
}

/// The name under which SQLite takes a file for one that nobody writes. <https://www.sqlite.org/uri.html>
fn immutable(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}
