//! The rows of leads, and how one is found.

use aws_lc_rs::digest::{SHA256, digest};
use lead::{LeadId, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use crate::{
    numbers::{Numbered, Numbers},
    units,
    writer::Tx,
};

/// Stands for the number of a lead where there is none.
pub(crate) const NO_LEAD: i64 = 0;

/// A lead with what its row is looked up by, which is made where the caller is and not on the writer's thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeadKey {
    id: LeadId,
    hash: i64,
}

impl LeadKey {
    pub(crate) fn new(id: &LeadId) -> Self {
        Self { id: id.clone(), hash: hash(id.as_str()) }
    }
}

/// The first eight bytes of the SHA-256 of a lead's id. Stored, so it never changes.
pub(crate) fn hash(id: &str) -> i64 {
    digest(&SHA256, id.as_bytes()).as_ref().first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
}

/// A lead's number.
pub(crate) fn find(conn: &Connection, key: &LeadKey) -> rusqlite::Result<Option<i64>> {
    Ok(find_with_progress(conn, key)?.map(|(row, _)| row))
}

/// A lead's number, and how far it is as the table has it.
pub(crate) fn find_with_progress(
    conn: &Connection,
    LeadKey { id, hash }: &LeadKey,
) -> rusqlite::Result<Option<(i64, Option<String>)>> {
    let mut select = conn.prepare_cached("SELECT row, progress FROM lead WHERE hash = ? AND id = ?")?;
    select.query_row((hash, id.as_str()), |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// A lead's number; that of a new row, as of one that nothing is known of, where it has none.
pub(crate) fn find_or_insert(tx: &Tx<'_>, key: &LeadKey) -> rusqlite::Result<i64> {
    match find(tx.conn, key)? {
        Some(row) => Ok(row),
        None => insert(tx.conn, tx.numbers, key, &Columns::unknown(tx.now)),
    }
}

/// What the table says of how far a lead is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) due_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) progress: Option<String>,
}

impl Columns {
    /// Of one that nothing is known of. It counts as ended when it was spoken of last, so that it is forgotten in time.
    pub(crate) fn unknown(at: Timestamp) -> Self {
        Self { due_at: None, ended_at: Some(units::micros(at)), progress: None }
    }
}

/// Adds a lead, and gives it a number.
pub(crate) fn insert(
    conn: &Connection,
    numbers: &Numbers,
    LeadKey { id, hash }: &LeadKey,
    columns: &Columns,
) -> rusqlite::Result<i64> {
    let Columns { due_at, ended_at, progress } = columns;
    let row = numbers.next(conn, Numbered::Lead)?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO lead (row, id, hash, due_at, ended_at, progress) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    insert.execute((row, id.as_str(), hash, due_at, ended_at, progress))?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `printf lead_a | sha256sum` has it.
    #[test]
    fn the_hash_of_an_id_is_what_it_was() {
        assert_eq!(hash("lead_a"), -7_457_571_523_926_263_762);
    }
}
