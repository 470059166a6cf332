//! Counts that are stored as things happen, so that nobody has to count what is asked for often.
//!
//! What has a time is counted by it, in slots of ten seconds: how many are due is the sum of the slots that
//! are over, and of the rows of the one that is not. What a transaction changes is added up and written at
//! its end, once for each slot however many operations share the commit.

use std::{cell::RefCell, collections::BTreeMap};

use lead::Timestamp;
use pipeline::{LeadMetric, ports::Queue};
use rusqlite::Connection;

use crate::units;

/// How long a slot is, in microseconds.
const SLOT: i64 = 10_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// Open leads, by the time at which they are due.
    Open,
    /// The messages of a queue, by the time at which they become visible.
    Messages(Queue),
    /// The dead letters of a queue, all in one slot.
    Dead(Queue),
}

impl What {
    const ALL: [Self; 5] = [
        Self::Open,
        Self::Messages(Queue::Delay),
        Self::Messages(Queue::Notification),
        Self::Dead(Queue::Delay),
        Self::Dead(Queue::Notification),
    ];

    /// Its name in the table.
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Messages(Queue::Delay) => "delay",
            Self::Messages(Queue::Notification) => "notification",
            Self::Dead(Queue::Delay) => "dead delay",
            Self::Dead(Queue::Notification) => "dead notification",
        }
    }

    /// The rows themselves: their time, in the table's own unit, and where they are.
    fn rows(self) -> (&'static str, &'static str) {
        match self {
            Self::Open => {
                ("due_at", "lead INDEXED BY lead_open WHERE ended_at IS NULL AND due_at IS NOT NULL")
            }
            Self::Messages(Queue::Delay) => ("visible_at", "message WHERE queue = 'delay'"),
            Self::Messages(Queue::Notification) => ("visible_at", "message WHERE queue = 'notification'"),
            Self::Dead(Queue::Delay) => ("0", "dead_letter WHERE queue = 'delay'"),
            Self::Dead(Queue::Notification) => ("0", "dead_letter WHERE queue = 'notification'"),
        }
    }

    /// How long a slot is in the unit of the table.
    fn slot(self) -> i64 {
        match self {
            Self::Open => SLOT,
            Self::Messages(_) => SLOT / 1_000,
            Self::Dead(_) => i64::MAX,
        }
    }
}

/// What a transaction has changed so far.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    tally: RefCell<BTreeMap<(What, i64), i64>>,
    minutes: RefCell<BTreeMap<i64, [i64; 4]>>,
}

impl Changes {
    /// There is one more with this time, in the unit of its table.
    pub(crate) fn more(&self, what: What, at: i64) {
        self.change(what, at, 1);
    }

    /// There is one less.
    pub(crate) fn less(&self, what: What, at: i64) {
        self.change(what, at, -1);
    }

    fn change(&self, what: What, at: i64, by: i64) {
        *self.tally.borrow_mut().entry((what, at.div_euclid(what.slot()))).or_default() += by;
    }

    /// This has happened to a lead at `at`.
    pub(crate) fn happened(&self, metric: LeadMetric, at: Timestamp) {
        if let Some(count) =
            self.minutes.borrow_mut().entry(units::minute(at)).or_default().get_mut(metric as usize)
        {
            *count += 1;
        }
    }

    /// Writes all of it.
    pub(crate) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        for ((what, slot), by) in std::mem::take(&mut *self.tally.borrow_mut()) {
            if by == 0 {
                continue;
            }
            conn.prepare_cached(
                "INSERT INTO tally (what, slot, count) VALUES (?, ?, ?) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )?
            .execute((what.as_str(), slot, by))?;
            if by < 0 {
                let mut delete =
                    conn.prepare_cached("DELETE FROM tally WHERE what = ? AND slot = ? AND count = 0")?;
                delete.execute((what.as_str(), slot))?;
            }
        }
        for (minute, [accepted, enriched, notified, failed]) in
            std::mem::take(&mut *self.minutes.borrow_mut())
        {
            conn.prepare_cached(
                "INSERT INTO minute (at, accepted, enriched, notified, failed) VALUES (?, ?, ?, ?, ?) \
                 ON CONFLICT DO UPDATE SET accepted = accepted + excluded.accepted, \
                 enriched = enriched + excluded.enriched, notified = notified + excluded.notified, \
                 failed = failed + excluded.failed",
            )?
            .execute((minute, accepted, enriched, notified, failed))?;
        }
        Ok(())
    }
}

/// Counts everything anew.
pub(crate) fn recount(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute("DELETE FROM tally", ())?;
    for what in What::ALL {
        let (time, rows) = what.rows();
        // Rounded down before 1970 as well.
        let slot = format!("({time} - (({time} % ?2) + ?2) % ?2) / ?2");
        let count =
            format!("INSERT INTO tally SELECT ?1, {slot} AS slot, count(*) FROM {rows} GROUP BY slot");
        conn.execute(&count, (what.as_str(), what.slot()))?;
    }
    Ok(())
}

/// How many there are.
pub(crate) fn all(conn: &Connection, what: What) -> rusqlite::Result<u64> {
    let mut sum = conn.prepare_cached("SELECT coalesce(sum(count), 0) FROM tally WHERE what = ?")?;
    sum.query_row([what.as_str()], |row| units::counted(row, 0))
}

/// How many there are with a time before `at`, in the unit of their table.
pub(crate) fn before(conn: &Connection, what: What, at: i64) -> rusqlite::Result<u64> {
    let slot = at.div_euclid(what.slot());
    let mut sum =
        conn.prepare_cached("SELECT coalesce(sum(count), 0) FROM tally WHERE what = ? AND slot < ?")?;
    let over = sum.query_row((what.as_str(), slot), |row| units::counted(row, 0))?;
    let (time, rows) = what.rows();
    let mut rows =
        conn.prepare_cached(&format!("SELECT count(*) FROM {rows} AND {time} >= ? AND {time} < ?"))?;
    let begun = rows.query_row((slot.saturating_mul(what.slot()), at), |row| units::counted(row, 0))?;
    Ok(over + begun)
}
