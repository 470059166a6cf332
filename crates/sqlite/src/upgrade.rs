//! Bringing a file of the version before into the present form.
//!
//! The new file is made beside the old one, which nobody can write meanwhile, and takes its name once it is complete;
//! the old one stays beside it under another. Whatever ends that, the old file is whole, and the next start goes on
//! where this one was, as long as the old file is still the same.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use host::{output, private};
use lead::keys;
use pipeline::{Code, Fault};
use rusqlite::{Connection, OpenFlags, config::DbConfig, params_from_iter, types::Value};

use crate::{
    body::StoredBody,
    fault::fault_of,
    file::{DbFile, StoreError},
    identity::{BESIDE, beside},
    lead_row::{self, Columns, LeadKey, NO_LEAD},
    numbers::{self, Numbers},
    schema, tally,
    up_lock::UpLock,
};

/// What the new file is called until it is complete.
const DRAFT: &str = "leadops-upgrade.db";
/// What the old file is called from then on.
const BEFORE: &str = "leadops-before-upgrade";
/// How many rows, and about how many bytes of bodies, are copied in one transaction.
pub(crate) const ROWS: usize = 2_000;
const BYTES: usize = 8 * 1024 * 1024;
/// How often it is said how far it is.
const REPORT: Duration = Duration::from_secs(5);
/// How often it is tried to find the file with nothing in its log.
const TRIES: usize = 20;

/// A table whose rows are copied in the order of their first column.
struct Table {
    name: &'static str,
    columns: &'static str,
    /// How long a row takes, compared with others.
    weight: i64,
}

/// The leads come before all that is stored under their numbers.
const TABLES: [Table; 7] = [
    Table { name: "lead", columns: "row, id, due_at, ended_at, progress", weight: 1 },
    Table { name: "object", columns: "row, key, body, version, stored_at", weight: 4 },
    Table {
        name: "message",
        columns: "id, queue, visible_at, handle, receives, sent_at, first_failed_at, lead, body",
        weight: 1,
    },
    Table {
        name: "dead_letter",
        columns: "id, queue, lead, code, reason, attempts, first_failed_at, dead_at, body",
        weight: 1,
    },
    Table { name: "journal", columns: "row, stage, at, lead, nonce, body", weight: 1 },
    Table { name: "minute", columns: "at, accepted, enriched, notified, failed", weight: 1 },
    Table {
        name: "log",
        columns: "id, at, level, function, message, lead, lead_row, code, fields",
        weight: 1,
    },
];

/// An upgrade under way.
pub(crate) struct Upgrade<'a> {
    file: &'a DbFile,
    /// Where the file is, whatever links lead there.
    path: PathBuf,
    draft_path: PathBuf,
    old: Connection,
    draft: Connection,
    /// How many rows are copied in one step.
    rows: usize,
    began: Instant,
    reported: Instant,
    /// How much there was to do when this began, and how much of that is done.
    work: i64,
    done: i64,
    _lock: UpLock,
}

impl DbFile {
    /// Brings the file, which is of the version before, into the present form.
    ///
    /// # Errors
    /// [`Code::StorageOlder`] where somebody works on it, [`Code::StorageFull`] where there is no room for both,
    /// [`Code::StorageReadOnly`], or what is wrong with the file. It is as it was then.
    pub(crate) fn upgrade(&self) -> Result<(), Fault> {
        let Some(mut upgrade) = Upgrade::begin(self, ROWS)? else { return Ok(()) };
        while upgrade.step()? {}
        upgrade.finish()
    }
}

impl<'a> Upgrade<'a> {
    /// None where somebody else was quicker.
    pub(crate) fn begin(file: &'a DbFile, rows: usize) -> Result<Option<Self>, Fault> {
        let path = fs::canonicalize(&file.path).map_err(|error| file.failed(Code::FolderUnusable, error))?;
        let lock = UpLock::take(file.folder(), None).map_err(|fault| match fault.code {
            Code::AlreadyRunning => file.failed(
                Code::StorageOlder,
                "it is in the form of the version before, and the `leadops up` that works on it is of that \
                 version, or is just bringing it into the present form",
            ),
            _ => fault,
        })?;
        let old = match open_alone(&path).map_err(|trouble| file.fault(trouble))? {
            Some(old) => old,
            None => return Ok(None),
        };
        let draft_path = path.with_file_name(DRAFT);
        check_room(file, &path, &draft_path)?;
        let draft = open_draft(file, &path, &draft_path).map_err(|trouble| file.fault(trouble))?;
        let now = Instant::now();
        let mut upgrade = Self {
            file,
            path,
            draft_path,
            old,
            draft,
            rows,
            began: now,
            reported: now,
            work: 0,
            done: 0,
            _lock: lock,
        };
        upgrade.work = upgrade.measure().map_err(|trouble| file.fault(trouble))?;
        Ok(Some(upgrade))
    }

    /// Copies the next rows. False once all are there.
    pub(crate) fn step(&mut self) -> Result<bool, Fault> {
        let copied = self.copy_some().map_err(|trouble| self.file.fault(trouble))?;
        if self.reported.elapsed() >= REPORT {
            self.reported = Instant::now();
            self.report();
        }
        Ok(copied)
    }

    /// Puts the new file in the place of the old one.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        let Self { file, path, draft_path, old, draft, began, .. } = self;
        let failed = |trouble: StoreError| file.fault(trouble);
        complete(&draft).map_err(|error| failed(error.into()))?;
        // The last connection moves the log into the file.
        draft.close().map_err(|(_, error)| failed(error.into()))?;
        let io = |error: io::Error| file.failed(Code::StorageFailed, format_args!("{DRAFT}: {error}"));
        let before = set_aside(&path).map_err(io)?;
        // Nothing is in them, and the new file must not find them.
        for end in BESIDE {
            remove(&beside(&path, end)).map_err(io)?;
        }
        fs::rename(&draft_path, &path).map_err(io)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        // By now the names of its log are the new file's.
        let _ = old.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if began.elapsed() >= REPORT {
            output::aside(&format!(
                "{}: done in {} s; as it was it is in {}, for a way back",
                file.path.display(),
                began.elapsed().as_secs(),
                before.display()
            ));
        }
        Ok(())
    }

    /// How much is left to do.
    fn measure(&self) -> Result<i64, StoreError> {
        let mut work = 0;
        for table in &TABLES {
            let Some(last) = last_copied(&self.draft, table)? else { continue };
            let key = table.key();
            let rows: i64 = self.old.query_row(
                &format!("SELECT count(*) FROM {} WHERE {key} > ?", table.name),
                [last],
                |row| row.get(0),
            )?;
            work += rows * table.weight;
        }
        Ok(work)
    }

    fn report(&self) {
        let percent = self.done.saturating_mul(100) / self.work.max(1);
        let passed = self.began.elapsed().as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        let left = passed * (self.work - self.done).max(0) as f64 / self.done.max(1) as f64;
        output::aside(&format!(
            "{}: is brought into the form of this version, {percent} % done, some {left:.0} s more; until then no \
             webhook is answered, and Close sends them again",
            self.file.path.display()
        ));
    }

    fn copy_some(&mut self) -> Result<bool, StoreError> {
        for table in &TABLES {
            let Some(last) = last_copied(&self.draft, table)? else { continue };
            let tx = self.draft.transaction()?;
            let (rows, reached) = copy_rows(&self.old, &tx, table, last, self.rows)?;
            if table.name == "lead" && reached.is_none() {
                // New numbers, for leads that only objects are left of, come after all that were given.
                pass_on_numbers(&self.old, &tx)?;
            }
            tx.execute("UPDATE upgrade SET last = ?2 WHERE what = ?1", (table.name, reached))?;
            tx.commit()?;
            self.done += rows * table.weight;
            return Ok(true);
        }
        Ok(false)
    }
}

impl Table {
    fn key(&self) -> &'static str {
        self.columns.split(',').next().unwrap_or_default()
    }
}

/// The old file, and nobody who can write to it until this is closed. None where it is old no more.
fn open_alone(path: &Path) -> Result<Option<Connection>, StoreError> {
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, access)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    if schema::version(&conn)? >= schema::VERSION {
        return Ok(None);
    }
    for _ in 0..TRIES {
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
        conn.execute_batch("BEGIN IMMEDIATE")?;
        if fs::metadata(beside(path, BESIDE[0])).map_or(0, |log| log.len()) == 0 {
            return Ok(Some(conn));
        }
        // Somebody was quicker.
        conn.execute_batch("ROLLBACK")?;
    }
    let what = "its log does not get empty, as another process goes on writing or reading";
    Err(fault_of(path, Code::StorageOlder, what).into())
}

/// Whether there is room for both files: the new one is never larger.
fn check_room(file: &DbFile, path: &Path, draft: &Path) -> Result<(), Fault> {
    let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
    let Ok(disk) = rustix::fs::statvfs(path) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = size(path).saturating_sub(size(draft));
    if free >= needed {
        return Ok(());
    }
    let mega = |bytes: u64| bytes.div_ceil(1_000_000);
    let what = format!(
        "its new form is made beside it, for which up to {} MB have to be free, and {} MB are",
        mega(needed),
        mega(free)
    );
    Err(file.failed(Code::StorageFull, what))
}

/// The new file as far as it is, or an empty one.
fn open_draft(file: &DbFile, old: &Path, path: &Path) -> Result<Connection, StoreError> {
    let source = describe(old).map_err(|error| file.failed(Code::FolderUnusable, error))?;
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let conn = Connection::open_with_flags(path, access)?;
        conn.pragma_update(None, "synchronous", "normal")?;
        conn.pragma_update(None, "cache_size", -16_384)?;
        Ok::<_, rusqlite::Error>(conn)
    };
    if path.exists()
        && let Ok(conn) = open()
    {
        let of = conn.query_row("SELECT DISTINCT source FROM upgrade", (), |row| row.get::<_, String>(0));
        if of.as_ref() == Ok(&source) {
            return Ok(conn);
        }
    }
    let io = |error: io::Error| file.failed(Code::StorageFailed, format_args!("{DRAFT}: {error}"));
    for end in ["", BESIDE[0], BESIDE[1]] {
        remove(&beside(path, end)).map_err(io)?;
    }
    drop(private::open_or_create(path).map_err(io)?);
    file.fill(path)?;
    let mut conn = open()?;
    let tx = conn.transaction()?;
    tx.execute_batch("CREATE TABLE upgrade (what TEXT PRIMARY KEY, last INTEGER, source TEXT) STRICT")?;
    for table in &TABLES {
        tx.execute("INSERT INTO upgrade VALUES (?, ?, ?)", (table.name, i64::MIN, &source))?;
    }
    tx.commit()?;
    Ok(conn)
}

/// Removes a file, where there is one.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What distinguishes the old file from another, and from itself after a change.
fn describe(path: &Path) -> io::Result<String> {
    let meta = fs::metadata(path)?;
    Ok(format!("{}:{}:{}:{}.{}", meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}

/// Up to which row a table is copied. None where it is whole.
fn last_copied(draft: &Connection, table: &Table) -> Result<Option<i64>, StoreError> {
    let mut select = draft.prepare_cached("SELECT last FROM upgrade WHERE what = ?")?;
    Ok(select.query_row([table.name], |row| row.get(0))?)
}

/// Copies the next rows of a table. How many, and up to which; none where these were the last.
fn copy_rows(
    old: &Connection,
    draft: &Connection,
    table: &Table,
    last: i64,
    most: usize,
) -> Result<(i64, Option<i64>), StoreError> {
    let Table { name, columns, .. } = table;
    let key = table.key();
    let mut select = old.prepare_cached(&format!(
        "SELECT {columns} FROM {name} WHERE {key} > ? ORDER BY {key} LIMIT {most}"
    ))?;
    let marks = vec!["?"; select.column_count()].join(", ");
    let mut insert = draft.prepare_cached(&match *name {
        "lead" => "INSERT INTO lead (row, id, due_at, ended_at, progress, hash) VALUES (?, ?, ?, ?, ?, ?)"
            .to_owned(),
        "object" => "INSERT INTO object (row, lead, name, version, stored_at, form, body) \
                     VALUES (?, ?, ?, ?, ?, ?, ?)"
            .to_owned(),
        name => format!("INSERT INTO {name} ({columns}) VALUES ({marks})"),
    })?;
    let numbers = Numbers::default();
    let (mut count, mut bytes, mut reached) = (0, 0, last);
    let mut rows = select.query([last])?;
    while let Some(row) = rows.next()? {
        reached = row.get(0)?;
        count += 1;
        match *name {
            "lead" => {
                let id: String = row.get(1)?;
                let hash = lead_row::hash(&id);
                insert.execute((
                    reached,
                    id,
                    row.get::<_, Value>(2)?,
                    row.get::<_, Value>(3)?,
                    row.get::<_, Value>(4)?,
                    hash,
                ))?;
            }
            "object" => {
                let (lead, name) = lead_of(draft, &numbers, &row.get::<_, String>(1)?)?;
                let body: Vec<u8> = row.get(2)?;
                bytes += body.len();
                let StoredBody { form, bytes } = StoredBody::new(body.into());
                let (version, stored_at): (i64, i64) = (row.get(3)?, row.get(4)?);
                insert.execute((reached, lead, name, version, stored_at, form, bytes.as_ref()))?;
            }
            _ => {
                let values = (0..row.as_ref().column_count()).map(|column| row.get::<_, Value>(column));
                insert.execute(params_from_iter(values.collect::<rusqlite::Result<Vec<_>>>()?))?;
            }
        }
        if bytes >= BYTES {
            break;
        }
    }
    numbers.write(draft)?;
    Ok((count, (count > 0).then_some(reached)))
}

/// The number of the lead that an object belongs to, and its name. A lead that nothing else is left of gets one.
fn lead_of(draft: &Connection, numbers: &Numbers, key: &str) -> Result<(i64, String), StoreError> {
    let Some((lead, name)) = keys::by_lead(key) else { return Ok((NO_LEAD, key.to_owned())) };
    let key = LeadKey::new(&lead);
    if let Some(row) = lead_row::find(draft, &key)? {
        return Ok((row, name));
    }
    Ok((lead_row::insert(draft, numbers, &key, &Columns::default())?, name))
}

/// Numbers that were given are not given again.
fn pass_on_numbers(old: &Connection, draft: &Connection) -> Result<(), StoreError> {
    let mut select = old.prepare("SELECT name, seq FROM sqlite_sequence")?;
    let given = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (name, number) in given.collect::<rusqlite::Result<Vec<(String, i64)>>>()? {
        numbers::give(draft, &name, number)?;
    }
    Ok(())
}

/// What is made of all rows together.
fn complete(draft: &Connection) -> rusqlite::Result<()> {
    tally::recount(draft)?;
    draft.execute_batch("DROP TABLE upgrade; PRAGMA optimize")
}

/// Gives the old file another name beside its own, under which it stays.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1.. {
        let end = if number == 1 { String::new() } else { format!("-{number}") };
        let before = path.with_file_name(format!("{BEFORE}{end}.db"));
        match fs::hard_link(path, &before) {
            Ok(()) => return Ok(before),
            // By an upgrade that was ended just then, or by an earlier one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if fs::metadata(&before)?.ino() == fs::metadata(path)?.ino() {
                    return Ok(before);
                }
            }
            Err(_) => {
                // A file system without links.
                let copy = private::create(&before)?;
                private::hand_over(&copy, &before);
                io::copy(&mut fs::File::open(path)?, &mut &copy)?;
                copy.sync_all()?;
                return Ok(before);
            }
        }
    }
    unreachable!("there are names enough")
}
