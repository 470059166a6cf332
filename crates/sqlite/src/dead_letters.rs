//! The dead letters.

use std::time::Duration;

use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Fault,
    ports::{Body, DeadLetter, DeadLetterCause, DeadLetters, Queue},
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    Store,
    file::StoreError,
    queue,
    tally::{self, What},
    units,
    writer::Tx,
};

#[async_trait]
impl DeadLetters for Store {
    async fn list(&self, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadLetter>, u64), Fault> {
        self.read(move |conn| list(conn, queue, limit)).await
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, Fault> {
        self.read(|conn| {
            let mut select = conn.prepare_cached("SELECT min(dead_at) FROM dead_letter")?;
            let oldest: Option<i64> = select.query_row((), |row| row.get(0))?;
            Ok(oldest.map(units::from_micros))
        })
        .await
    }

    async fn get(&self, id: &str) -> Result<Option<(DeadLetter, String)>, Fault> {
        let Ok(id) = id.parse::<i64>() else { return Ok(None) };
        self.read(move |conn| get(conn, id)).await
    }

    async fn redrive(&self, id: &str, body: Body) -> Result<bool, Fault> {
        let Ok(id) = id.parse::<i64>() else { return Ok(false) };
        self.write(move |tx| redrive(tx, id, &body)).await
    }

    async fn delete(&self, id: &str) -> Result<bool, Fault> {
        let Ok(id) = id.parse::<i64>() else { return Ok(false) };
        self.write(move |tx| Ok(delete(tx, id)?)).await
    }
}

/// Moves a message to the dead letters. `failed_at`, in microseconds since 1970, is when it failed, if
/// it had not before.
pub(crate) fn bury(tx: &Tx<'_>, message: i64, failed_at: i64, why: &DeadLetterCause) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO dead_letter (id, queue, lead, code, reason, attempts, first_failed_at, dead_at, body) \
         SELECT id, queue, coalesce(?2, lead), ?3, ?4, ?5, coalesce(first_failed_at, ?6), ?7, body \
         FROM message WHERE id = ?1",
        (
            message,
            why.lead.as_ref().map(LeadId::as_str),
            why.code.as_str(),
            &why.reason,
            why.attempts,
            failed_at,
            units::micros(tx.now),
        ),
    )?;
    let mut delete =
        tx.conn.prepare_cached("DELETE FROM message WHERE id = ? RETURNING queue, visible_at")?;
    let gone = delete.query_row([message], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).optional()?;
    if let Some((queue, visible_at)) = gone
        && let Ok(queue) = queue.parse()
    {
        tx.changes.less(What::Messages(queue), visible_at);
        tx.changes.more(What::Dead(queue), 0);
    }
    Ok(())
}

fn list(conn: &Connection, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadLetter>, u64), StoreError> {
    let restriction = if queue.is_some() { "WHERE queue = ?1" } else { "WHERE ?1 IS NULL" };
    let name = queue.map(Queue::as_str);
    let mut select = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM dead_letter {restriction} ORDER BY dead_at DESC, id DESC LIMIT ?2"
    ))?;
    let mut letters = Vec::new();
    let mut rows = select.query((name, units::count(limit)))?;
    while let Some(row) = rows.next()? {
        letters.push(letter(row)?);
    }
    let mut count = 0;
    for queue in Queue::ALL.into_iter().filter(|one| queue.is_none_or(|queue| queue == *one)) {
        count += tally::all(conn, What::Dead(queue))?;
    }
    Ok((letters, count))
}

fn get(conn: &Connection, id: i64) -> Result<Option<(DeadLetter, String)>, StoreError> {
    let mut select = conn.prepare_cached(&format!("SELECT {COLUMNS}, body FROM dead_letter WHERE id = ?"))?;
    let mut rows = select.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((letter(row)?, row.get(8)?)))
}

fn redrive(tx: &Tx<'_>, id: i64, body: &Body) -> Result<bool, StoreError> {
    let mut select = tx.conn.prepare_cached("SELECT queue, lead, body FROM dead_letter WHERE id = ?")?;
    let found = select.query_row([id], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?))
    });
    let Some((name, lead, old)) = found.optional()? else { return Ok(false) };
    let body = match body {
        Body::AsIs => &old,
        Body::Edited(new) => new,
    };
    let lead = lead.and_then(|lead| lead.parse().ok()).or_else(|| pipeline::job::lead_in(body));
    queue::send(tx, queue_of(&name)?, body, lead.as_ref(), Duration::ZERO)?;
    Ok(delete(tx, id)?)
}

fn delete(tx: &Tx<'_>, id: i64) -> rusqlite::Result<bool> {
    let mut delete = tx.conn.prepare_cached("DELETE FROM dead_letter WHERE id = ? RETURNING queue")?;
    let gone = delete.query_row([id], |row| row.get::<_, String>(0)).optional()?;
    if let Some(Ok(queue)) = gone.as_deref().map(str::parse) {
        tx.changes.less(What::Dead(queue), 0);
    }
    Ok(gone.is_some())
}

const COLUMNS: &str = "id, queue, lead, code, reason, attempts, first_failed_at, dead_at";

fn letter(row: &Row<'_>) -> Result<DeadLetter, StoreError> {
    let id: i64 = row.get(0)?;
    let (code, reason): (String, String) = (row.get(3)?, row.get(4)?);
    let (code, reason) = Code::read(&code, reason);
    Ok(DeadLetter {
        id: id.to_string(),
        queue: queue_of(&row.get::<_, String>(1)?)?,
        lead_id: row.get::<_, Option<String>>(2)?.and_then(|lead| lead.parse().ok()),
        code,
        reason,
        attempts: row.get(5)?,
        first_failed_at: units::from_micros(row.get(6)?),
        dead_at: units::from_micros(row.get(7)?),
    })
}

fn queue_of(name: &str) -> Result<Queue, Fault> {
    let what = || outside::text::clean(&format!("a message is of the queue {name:?}"));
    name.parse().map_err(|_| Fault::new(Code::StorageDamaged, what()))
}
