//! Writing the journal, and what is folded from it.

use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use pipeline::{Code, Counted, Entry, Fault, Progress, ports::Journal};
use rusqlite::{OptionalExtension, named_params};

use super::{Store, file::Trouble, units, writer::Tx};

/// What stands for the lead of an entry that is about none.
const NO_LEAD: &str = "-";

#[async_trait]
impl Journal for Store {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        let entry = Prepared::new(entry)?;
        self.write(move |tx| append_prepared(tx, &entry)).await
    }
}

/// An entry with its JSON form, made where the caller is and not on the writer's thread.
pub(super) struct Prepared {
    entry: Entry,
    json: String,
}

impl Prepared {
    pub(super) fn new(entry: Entry) -> Result<Self, Fault> {
        let json = to_json(&entry)?;
        Ok(Self { entry, json })
    }
}

pub(super) fn append(tx: &Tx<'_>, entry: &Entry) -> Result<(), Trouble> {
    append_prepared(tx, &Prepared::new(entry.clone())?)
}

/// Writes an entry, the progress of its lead and the counts. An entry that is there already changes
/// nothing.
pub(super) fn append_prepared(tx: &Tx<'_>, Prepared { entry, json }: &Prepared) -> Result<(), Trouble> {
    let lead = entry.lead_id.as_ref().map_or(NO_LEAD, LeadId::as_str);
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO journal (stage, at, lead, nonce, body) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (stage, at, lead, nonce) DO NOTHING",
    )?;
    let stage = entry.happened.stage().as_str();
    if insert.execute((stage, key_time(entry.at), lead, entry.nonce, json))? == 0 || lead == NO_LEAD {
        return Ok(());
    }
    let before = progress(tx.conn, lead)?;
    let (after, counted) = Progress::after(before.clone(), entry);
    if let Some(after) = after.filter(|after| Some(after) != before.as_ref()) {
        let mut upsert = tx.conn.prepare_cached(
            "INSERT INTO progress (lead, due_at, ended_at, body) VALUES (:lead, :due_at, :ended_at, :body) \
             ON CONFLICT (lead) DO UPDATE SET due_at = :due_at, ended_at = :ended_at, body = :body",
        )?;
        upsert.execute(named_params! {
            ":lead": lead,
            ":due_at": units::micros(after.due_at),
            ":ended_at": after.ended.map(|(_, at)| units::micros(at)),
            ":body": to_json(&after)?,
        })?;
    }
    if let Some(counted) = counted {
        count(tx, entry, counted)?;
    }
    Ok(())
}

fn count(tx: &Tx<'_>, entry: &Entry, counted: Counted) -> rusqlite::Result<()> {
    let mut upsert = tx.conn.prepare_cached(match counted {
        Counted::Accepted => {
            "INSERT INTO minute (at, accepted) VALUES (?, 1) \
             ON CONFLICT (at) DO UPDATE SET accepted = accepted + 1"
        }
        Counted::Enriched => {
            "INSERT INTO minute (at, enriched) VALUES (?, 1) \
             ON CONFLICT (at) DO UPDATE SET enriched = enriched + 1"
        }
        Counted::Notified => {
            "INSERT INTO minute (at, notified) VALUES (?, 1) \
             ON CONFLICT (at) DO UPDATE SET notified = notified + 1"
        }
        Counted::Failed => {
            "INSERT INTO minute (at, failed) VALUES (?, 1) \
             ON CONFLICT (at) DO UPDATE SET failed = failed + 1"
        }
    })?;
    upsert.execute([units::minute(entry.at)])?;
    Ok(())
}

/// How far a lead is.
pub(super) fn progress(conn: &rusqlite::Connection, lead: &str) -> Result<Option<Progress>, Trouble> {
    let mut select = conn.prepare_cached("SELECT body FROM progress WHERE lead = ?")?;
    let body: Option<String> = select.query_row([lead], |row| row.get(0)).optional()?;
    Ok(body.map(|body| from_json(&body)).transpose()?)
}

/// The time in an entry's key, in microseconds since 1970, before which no key goes.
pub(super) fn key_time(at: Timestamp) -> i64 {
    units::micros(at).max(0)
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| Fault::new(Code::Internal, format!("no JSON form: {e}")))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(|e| {
        let what = lead::text::shorten(&format!("a row of the journal cannot be read: {e}"), 300);
        Fault::new(Code::StorageDamaged, what)
    })
}
