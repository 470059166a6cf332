//! Writing the journal, and what is folded from it.

use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Entry, Fault, Function, Progress,
    ports::{Journal, Level},
    recorder,
};
use rusqlite::Connection;

use crate::{
    Store,
    file::StoreError,
    lead_row::{self, Columns, LeadKey, NO_LEAD},
    tally::What,
    units,
    writer::Tx,
};

#[async_trait]
impl Journal for Store {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        let entry = Prepared::new(entry)?;
        self.write(move |tx| append_prepared(tx, &entry)).await
    }
}

/// An entry with what is made of it where the caller is and not on the writer's thread.
pub(crate) struct Prepared {
    entry: Entry,
    lead: Option<LeadKey>,
    json: String,
}

impl Prepared {
    pub(crate) fn new(entry: Entry) -> Result<Self, Fault> {
        let (lead, json) = (entry.lead_id.as_ref().map(LeadKey::new), to_json(&entry)?);
        Ok(Self { entry, lead, json })
    }
}

pub(crate) fn append(tx: &Tx<'_>, entry: &Entry) -> Result<(), StoreError> {
    append_prepared(tx, &Prepared::new(entry.clone())?)
}

/// Writes an entry, the progress of its lead and the counts. An entry that is there already changes
/// nothing.
pub(crate) fn append_prepared(tx: &Tx<'_>, entry: &Prepared) -> Result<(), StoreError> {
    match &entry.lead {
        None => insert(tx, NO_LEAD, entry).map(drop)?,
        Some(lead) => append_to(tx, lead, state(tx.conn, lead)?, entry).map(drop)?,
    }
    Ok(())
}

/// Writes an entry about a lead that is so far, and gives the lead's number.
pub(crate) fn append_to(
    tx: &Tx<'_>,
    lead: &LeadKey,
    state: Option<LeadState>,
    entry: &Prepared,
) -> Result<i64, StoreError> {
    let (row, counted) = match state {
        // A later version has written how far the lead is, in a way that this one does not understand: it stays.
        Some(LeadState { row, progress: Err(_) }) => {
            insert(tx, row, entry)?;
            return Ok(row);
        }
        None => {
            let (progress, counted) = Progress::after(None, &entry.entry);
            let columns = columns(progress.as_ref(), &entry.entry)?;
            let row = lead_row::insert(tx.conn, tx.numbers, lead, &columns)?;
            count_open(tx, None, Some(&columns));
            insert(tx, row, entry)?;
            (row, counted)
        }
        Some(LeadState { row, progress: Ok(before) }) => {
            if !insert(tx, row, entry)? {
                return Ok(row);
            }
            let (progress, counted) = Progress::after(before.clone(), &entry.entry);
            if progress.is_none() || progress != before {
                let was = before.as_ref().map(|before| columns(Some(before), &entry.entry)).transpose()?;
                let columns = columns(progress.as_ref(), &entry.entry)?;
                count_open(tx, was.as_ref(), Some(&columns));
                tx.execute(
                    "UPDATE lead SET due_at = ?, ended_at = ?, progress = ? WHERE row = ?",
                    (columns.due_at, columns.ended_at, columns.progress, row),
                )?;
            }
            (row, counted)
        }
    };
    if let Some(counted) = counted {
        tx.changes.happened(counted, entry.entry.at);
    }
    Ok(row)
}

/// Keeps the count of open leads right, over a change of what the table says of one.
fn count_open(tx: &Tx<'_>, before: Option<&Columns>, after: Option<&Columns>) {
    let open = |columns: Option<&Columns>| columns.filter(|columns| columns.ended_at.is_none())?.due_at;
    if let Some(due_at) = open(before) {
        tx.changes.less(What::Open, due_at);
    }
    if let Some(due_at) = open(after) {
        tx.changes.more(What::Open, due_at);
    }
}

/// False where the entry is there already.
fn insert(tx: &Tx<'_>, lead: i64, Prepared { entry, json, .. }: &Prepared) -> rusqlite::Result<bool> {
    let stage = entry.event.stage().as_str();
    let inserted = tx.execute(
        "INSERT INTO journal (stage, at, lead, nonce, body) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (stage, at, lead, nonce) DO NOTHING",
        (stage, key_time(entry.at), lead, entry.nonce, json),
    )?;
    Ok(inserted > 0)
}

/// What the table says of a lead.
fn columns(progress: Option<&Progress>, entry: &Entry) -> Result<Columns, Fault> {
    let Some(progress) = progress else { return Ok(Columns::unknown(entry.at)) };
    Ok(Columns {
        due_at: Some(units::micros(progress.due_at)),
        ended_at: progress.ended.map(|(_, at)| units::micros(at)),
        progress: Some(to_json(progress)?),
    })
}

/// How far a lead is. `None` for one that is not known, and for what only a later version understands.
pub(crate) fn progress(conn: &Connection, lead: &LeadId) -> Result<Option<Progress>, StoreError> {
    Ok(match state(conn, &LeadKey::new(lead))?.map(|state| state.progress) {
        Some(Ok(progress)) => progress,
        Some(Err(fault)) => {
            recorder::fault(Function::Operator, Level::Warn, "left out", Some(lead), &fault);
            None
        }
        None => None,
    })
}

/// A lead's number, and how far it is, or why that cannot be read.
pub(crate) struct LeadState {
    pub(crate) row: i64,
    progress: Result<Option<Progress>, Fault>,
}

pub(crate) fn state(conn: &Connection, lead: &LeadKey) -> rusqlite::Result<Option<LeadState>> {
    let Some((row, progress)) = lead_row::find_with_progress(conn, lead)? else { return Ok(None) };
    let progress = progress.map(|progress| from_json(&progress)).transpose();
    Ok(Some(LeadState { row, progress }))
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
