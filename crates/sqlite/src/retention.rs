//! Letting go of what is old.

use pipeline::{
    Fault,
    ports::{Pruned, Retention},
};
use rusqlite::Connection;

use crate::{Store, units};

/// How many rows are deleted, and how many pages given back, in one transaction.
const AT_ONCE: usize = 500;
/// How many free pages the file keeps for what comes next.
const SPARE_PAGES: i64 = 2_000;
/// How many times pages are given back in one round, so that a round ends.
const GIVEN_BACK: usize = 200;

/// What is known of leads that there are still objects of: these are found by the row, so it stays.
const OLD_PROGRESS: &str = "UPDATE lead SET due_at = NULL, ended_at = NULL, progress = NULL WHERE row IN \
    (SELECT row FROM lead WHERE ended_at IS NOT NULL AND ended_at < ? \
    AND id NOT IN (SELECT lead FROM dead_letter WHERE lead IS NOT NULL) \
    AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.lead = lead.row) \
    AND EXISTS (SELECT 1 FROM object WHERE object.lead = lead.row) LIMIT ?)";
/// Those that there is nothing else of.
const OLD_LEADS: &str = "DELETE FROM lead WHERE row IN (SELECT row FROM lead \
    WHERE ended_at IS NOT NULL AND ended_at < ? \
    AND id NOT IN (SELECT lead FROM dead_letter WHERE lead IS NOT NULL) \
    AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.lead = lead.row) \
    AND NOT EXISTS (SELECT 1 FROM object WHERE object.lead = lead.row) LIMIT ?)";
const OLD_RECEIPTS: &str = "DELETE FROM object WHERE row IN (SELECT row FROM object \
    WHERE name >= 'receipts/' AND name < 'receipts0' AND stored_at < ? LIMIT ?)";
const OLD_MINUTES: &str = "DELETE FROM minute WHERE at IN (SELECT at FROM minute WHERE at < ? LIMIT ?)";
const SURPLUS_LOGS: &str = "DELETE FROM log WHERE id IN (SELECT id FROM log \
    WHERE id <= (SELECT max(id) FROM log) - ?1 ORDER BY id LIMIT ?2)";
/// Lines have times in about the order of their ids; the ids are what is looked up.
const OLD_LOGS: &str = "DELETE FROM log WHERE id IN \
    (SELECT id FROM (SELECT id, at FROM log ORDER BY id LIMIT ?2) WHERE at < ?1)";

impl Store {
    /// In many small transactions with room for others between them; gives free space back to the file system.
    pub(crate) async fn delete_old(&self, retention: &Retention) -> Result<Pruned, Fault> {
        let now = self.clock().now();
        let before = |age| units::micros_before(now, age);
        let most_logs = i64::try_from(retention.log_lines).unwrap_or(i64::MAX);
        let pruned = Pruned {
            logs: self.delete_while_any(SURPLUS_LOGS, most_logs).await?
                + self.delete_while_any(OLD_LOGS, before(retention.logs)).await?,
            journal: self.prune_journal(before(retention.journal)).await?,
            receipts: self.delete_while_any(OLD_RECEIPTS, before(retention.receipts)).await?,
            // In this order, so that each finds its own at once.
            leads: self.delete_while_any(OLD_PROGRESS, before(retention.journal)).await?
                + self.delete_while_any(OLD_LEADS, before(retention.journal)).await?,
            minutes: self.delete_while_any(OLD_MINUTES, before(retention.minutes)).await?,
        };
        for _ in 0..GIVEN_BACK {
            let free = self.read(|conn| Ok(free_pages(conn)?)).await?;
            if free <= SPARE_PAGES {
                break;
            }
            self.write(|tx| Ok(give_pages_back(tx.conn)?)).await?;
        }
        Ok(pruned)
    }

    /// Entries of open leads stay, so that their story is whole; the search goes past them.
    async fn prune_journal(&self, before: i64) -> Result<u64, Fault> {
        let mut deleted = 0;
        let stages = self.read(|conn| Ok(stages(conn)?)).await?;
        for stage in stages {
            let mut from = i64::MIN;
            loop {
                let stage = stage.clone();
                let (gone, reached) =
                    self.write(move |tx| Ok(prune_stage(tx.conn, &stage, from, before)?)).await?;
                deleted += gone;
                let Some(reached) = reached else { break };
                from = reached;
            }
        }
        Ok(deleted)
    }

    /// Runs a statement that deletes up to `?2` rows, those that `?1` decides on, until it finds none.
    async fn delete_while_any(&self, sql: &'static str, limit: i64) -> Result<u64, Fault> {
        let mut deleted = 0;
        loop {
            let rows = self.write(move |tx| Ok(tx.execute(sql, (limit, units::count(AT_ONCE)))?)).await?;
            deleted += rows as u64;
            if rows == 0 {
                return Ok(deleted);
            }
        }
    }
}

/// Deletes the entries among the next few of a stage whose leads are not open. How many those were, and how far the
/// search came, where there is more.
fn prune_stage(
    conn: &Connection,
    stage: &str,
    from: i64,
    before: i64,
) -> rusqlite::Result<(u64, Option<i64>)> {
    let mut select = conn.prepare_cached(
        "SELECT row, at, EXISTS (SELECT 1 FROM lead WHERE lead.row = journal.lead AND ended_at IS NULL AND due_at IS NOT NULL) \
         FROM journal WHERE stage = ? AND at >= ? AND at < ? ORDER BY at, row LIMIT ?",
    )?;
    let found = select.query_map((stage, from, before, units::count(AT_ONCE)), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?))
    })?;
    let found: Vec<_> = found.collect::<rusqlite::Result<_>>()?;
    let mut delete = conn.prepare_cached("DELETE FROM journal WHERE row = ?")?;
    let mut deleted = 0;
    for (row, _, open) in &found {
        if !open {
            deleted += delete.execute([row])? as u64;
        }
    }
    let reached = match found.last() {
        // A moment with more entries than that, all of open leads, must not hold the search up.
        Some(&(_, at, _)) if found.len() == AT_ONCE => {
            Some(if at == from && deleted == 0 { at + 1 } else { at })
        }
        _ => None,
    };
    Ok((deleted, reached))
}

/// The stages that have entries, found by leaping through the index.
fn stages(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = conn.prepare_cached(
        "WITH RECURSIVE next (stage) AS (SELECT min(stage) FROM journal UNION ALL \
         SELECT (SELECT min(stage) FROM journal WHERE stage > next.stage) FROM next WHERE stage IS NOT NULL) \
         SELECT stage FROM next WHERE stage IS NOT NULL",
    )?;
    let stages = select.query_map((), |row| row.get(0))?;
    stages.collect()
}

fn free_pages(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA freelist_count", (), |row| row.get(0))
}

fn give_pages_back(conn: &Connection) -> rusqlite::Result<()> {
    // The pragma gives back a page at each step.
    let mut statement = conn.prepare_cached("PRAGMA incremental_vacuum(500)")?;
    let mut rows = statement.query(())?;
    while rows.next()?.is_some() {}
    Ok(())
}
