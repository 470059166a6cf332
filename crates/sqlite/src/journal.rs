//! Writing the journal, and what is folded from it.

use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Entry, Fault, Function, LeadMetric, Progress,
    ports::{Journal, Level},
    recorder,
};
use rusqlite::{Connection, OptionalExtension};

use crate::{Store, file::StoreError, units, writer::Tx};

/// Stands for the lead of an entry that is about none.
const NO_LEAD: i64 = 0;

#[async_trait]
impl Journal for Store {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        let entry = Prepared::new(entry)?;
        self.write(move |tx| append_prepared(tx, &entry)).await
    }
}

/// An entry with its JSON form, made where the caller is and not on the writer's thread.
pub(crate) struct Prepared {
    entry: Entry,
    json: String,
}

impl Prepared {
    pub(crate) fn new(entry: Entry) -> Result<Self, Fault> {
        let json = to_json(&entry)?;
        Ok(Self { entry, json })
    }
}

pub(crate) fn append(tx: &Tx<'_>, entry: &Entry) -> Result<(), StoreError> {
    append_prepared(tx, &Prepared::new(entry.clone())?)
}

/// Writes an entry, the progress of its lead and the counts. An entry that is there already changes
/// nothing.
pub(crate) fn append_prepared(tx: &Tx<'_>, Prepared { entry, json }: &Prepared) -> Result<(), StoreError> {
    let Some(lead) = &entry.lead_id else {
        insert(tx, NO_LEAD, entry, json)?;
        return Ok(());
    };
    let counted = match state(tx.conn, lead)? {
        // A later version has written how far the lead is, in a way that this one does not understand: it stays.
        Some((row, Err(_))) => {
            insert(tx, row, entry, json)?;
            return Ok(());
        }
        None => {
            let (progress, counted) = Progress::after(None, entry);
            let (due_at, ended_at, progress) = columns(progress.as_ref(), entry)?;
            tx.execute(
                "INSERT INTO lead (due_at, ended_at, progress, id) VALUES (?, ?, ?, ?)",
                (due_at, ended_at, progress, lead.as_str()),
            )?;
            insert(tx, tx.conn.last_insert_rowid(), entry, json)?;
            counted
        }
        Some((row, Ok(before))) => {
            if !insert(tx, row, entry, json)? {
                return Ok(());
            }
            let (progress, counted) = Progress::after(before.clone(), entry);
            if progress.is_none() || progress != before {
                let (due_at, ended_at, progress) = columns(progress.as_ref(), entry)?;
                tx.execute(
                    "UPDATE lead SET due_at = ?, ended_at = ?, progress = ? WHERE row = ?",
                    (due_at, ended_at, progress, row),
                )?;
            }
            counted
        }
    };
    if let Some(counted) = counted {
        count(tx, entry, counted)?;
    }
    Ok(())
}

/// False where the entry is there already.
fn insert(tx: &Tx<'_>, lead: i64, entry: &Entry, json: &str) -> rusqlite::Result<bool> {
    let stage = entry.event.stage().as_str();
    let inserted = tx.execute(
        "INSERT INTO journal (stage, at, lead, nonce, body) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (stage, at, lead, nonce) DO NOTHING",
        (stage, key_time(entry.at), lead, entry.nonce, json),
    )?;
    Ok(inserted > 0)
}

/// What the table says of a lead: `due_at`, `ended_at` and `progress`. One that is not known counts as ended by its last
/// entry, so that it is forgotten in time.
fn columns(progress: Option<&Progress>, entry: &Entry) -> Result<Columns, Fault> {
    let Some(progress) = progress else { return Ok((None, Some(units::micros(entry.at)), None)) };
    let ended_at = progress.ended.map(|(_, at)| units::micros(at));
    Ok((Some(units::micros(progress.due_at)), ended_at, Some(to_json(progress)?)))
}

type Columns = (Option<i64>, Option<i64>, Option<String>);

fn count(tx: &Tx<'_>, entry: &Entry, counted: LeadMetric) -> rusqlite::Result<()> {
    let column = match counted {
        LeadMetric::Accepted => "accepted",
        LeadMetric::Enriched => "enriched",
        LeadMetric::Notified => "notified",
        LeadMetric::Failed => "failed",
    };
    let upsert = format!(
        "INSERT INTO minute (at, {column}) VALUES (?, 1) \
         ON CONFLICT (at) DO UPDATE SET {column} = {column} + 1"
    );
    tx.execute(&upsert, [units::minute(entry.at)])?;
    Ok(())
}

/// How far a lead is. `None` for one that is not known, and for what only a later version understands.
pub(crate) fn progress(conn: &Connection, lead: &LeadId) -> Result<Option<Progress>, StoreError> {
    Ok(match state(conn, lead)? {
        Some((_, Ok(progress))) => progress,
        Some((_, Err(fault))) => {
            recorder::fault(Function::Operator, Level::Warn, "left out", Some(lead), &fault);
            None
        }
        None => None,
    })
}

/// A lead's number, and how far it is, or why that cannot be read.
type State = (i64, Result<Option<Progress>, Fault>);

fn state(conn: &Connection, lead: &LeadId) -> rusqlite::Result<Option<State>> {
    let mut select = conn.prepare_cached("SELECT row, progress FROM lead WHERE id = ?")?;
    let found = select
        .query_row([lead.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)));
    let Some((row, progress)) = found.optional()? else { return Ok(None) };
    Ok(Some((row, progress.map(|progress| from_json(&progress)).transpose())))
}

/// The time in an entry's key, in microseconds since 1970, before which no key goes.
pub(crate) fn key_time(at: Timestamp) -> i64 {
    units::micros(at).max(0)
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::new(Code::Internal, format!("no JSON form: {e}")))
}

/// What a row says, where this version understands it. What a later one has written is left out, and the log says
/// so: the others are worth showing.
pub(crate) fn understood<T: serde::de::DeserializeOwned>(json: &str) -> Option<T> {
    from_json(json)
        .inspect_err(|fault| recorder::fault(Function::Operator, Level::Warn, "left out", None, fault))
        .ok()
}

fn from_json<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(|e| {
        let what = outside::text::shorten(&format!("a row of the journal cannot be read: {e}"), 300);
        Fault::new(Code::StorageDamaged, what)
    })
}
