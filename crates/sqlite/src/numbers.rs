//! Numbers that never come back: those of leads, messages and log lines.
//!
//! SQLite's AUTOINCREMENT looks the last one up and writes it down at every row; here that is once for each transaction,
//! however many rows it adds.

use std::cell::Cell;

use rusqlite::{Connection, OptionalExtension};

/// What has numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbered {
    /// Log lines stay when their lead is forgotten, and have its number.
    Lead,
    /// A dead letter has its message's, and people its id.
    Message,
    /// A follower's cursor must stay behind every later line.
    Log,
}

impl Numbered {
    const ALL: [Self; 3] = [Self::Lead, Self::Message, Self::Log];

    /// Its table.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Message => "message",
            Self::Log => "log",
        }
    }
}

/// The last numbers that a transaction has given.
#[derive(Debug, Default)]
pub(crate) struct Numbers([Cell<Option<i64>>; 3]);

impl Numbers {
    /// The next number.
    pub(crate) fn next(&self, conn: &Connection, of: Numbered) -> rusqlite::Result<i64> {
        let [lead, message, log] = &self.0;
        let last = match of {
            Numbered::Lead => lead,
            Numbered::Message => message,
            Numbered::Log => log,
        };
        let next = match last.get() {
            Some(last) => last,
            None => stored(conn, of)?,
        } + 1;
        last.set(Some(next));
        Ok(next)
    }

    /// Stores the last numbers that were given.
    pub(crate) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        for (of, last) in Numbered::ALL.into_iter().zip(&self.0) {
            if let Some(last) = last.take() {
                give(conn, of.as_str(), last)?;
            }
        }
        Ok(())
    }
}

/// The last number that was given: also to a row that somebody has added by hand.
fn stored(conn: &Connection, of: Numbered) -> rusqlite::Result<i64> {
    let table = of.as_str();
    let mut select = conn.prepare_cached("SELECT last FROM number WHERE of = ?")?;
    let given: Option<i64> = select.query_row([table], |row| row.get(0)).optional()?;
    let mut select = conn.prepare_cached(&format!("SELECT max(rowid) FROM {table}"))?;
    let highest: Option<i64> = select.query_row((), |row| row.get(0))?;
    Ok(given.max(highest).unwrap_or_default())
}

/// Says that the numbers up to this one were given.
pub(crate) fn give(conn: &Connection, table: &str, last: i64) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO number (of, last) VALUES (?, ?) ON CONFLICT DO UPDATE SET last = excluded.last",
    )?;
    insert.execute((table, last))?;
    Ok(())
}
