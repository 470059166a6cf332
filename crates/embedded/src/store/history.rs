//! Reading the journal.

use std::cmp::Ordering;

use async_trait::async_trait;
use lead::{LeadId, Timestamp, keys::JournalKey};
use pipeline::{
    Entry, Fault, Progress, Stage,
    ports::{History, Minute, OpenLead},
};
use rusqlite::Connection;

use super::{
    Store,
    file::Trouble,
    journal::{self, from_json, key_time},
    units,
};

#[async_trait]
impl History for Store {
    async fn recent(
        &self,
        stages: &[Stage],
        since: Option<Timestamp>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        let mut stages: Vec<&'static str> = stages.iter().map(|stage| stage.as_str()).collect();
        stages.sort_unstable();
        stages.dedup();
        let since = since.map_or(i64::MIN, key_time);
        let before = match before.map(JournalKey::parse) {
            // Behind what is no entry's key there is nothing.
            Some(None) => return Ok(Vec::new()),
            before => before.flatten(),
        };
        self.read(move |conn| recent(conn, &stages, since, before.as_ref(), limit)).await
    }

    async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Entry>, Fault> {
        let lead = lead.clone();
        self.read(move |conn| {
            let mut select =
                conn.prepare_cached("SELECT body FROM journal WHERE lead = ? ORDER BY at, row")?;
            let rows = select.query_map([lead.as_str()], |row| row.get::<_, String>(0))?;
            rows.map(|body| Ok(from_json(&body?)?)).collect()
        })
        .await
    }

    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault> {
        let lead = lead.clone();
        self.read(move |conn| journal::progress(conn, lead.as_str())).await
    }

    async fn open_leads(&self, limit: usize) -> Result<Vec<OpenLead>, Fault> {
        self.read(move |conn| open_leads(conn, limit)).await
    }

    async fn count_open(&self, due: Timestamp) -> Result<(u64, u64), Fault> {
        let due = units::micros(due);
        self.read(move |conn| {
            let mut select = conn.prepare_cached(
                "SELECT count(*) FILTER (WHERE due_at < ?1), count(*) FILTER (WHERE due_at >= ?1) \
                 FROM progress WHERE ended_at IS NULL",
            )?;
            Ok(select.query_row([due], |row| Ok((units::counted(row, 0)?, units::counted(row, 1)?)))?)
        })
        .await
    }

    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, Fault> {
        let since = units::minute(since);
        self.read(move |conn| Ok(minutes(conn, since)?)).await
    }
}

/// The newest of each stage, merged: within a stage the index has them in the order of the keys.
fn recent(
    conn: &Connection,
    stages: &[&'static str],
    since: i64,
    before: Option<&JournalKey>,
    limit: usize,
) -> Result<Vec<Entry>, Trouble> {
    // At the same moment as `before` there may be others behind it.
    let mut select = conn.prepare_cached(
        "SELECT at, lead, nonce, body FROM journal WHERE stage = ?1 AND at >= ?2 AND at <= ?3 \
         AND (at < ?3 OR (lead, nonce) > (?4, ?5)) ORDER BY at DESC, lead, nonce LIMIT ?6",
    )?;
    let mut found: Vec<(i64, &str, String, i64, String)> = Vec::new();
    for &stage in stages {
        let (at, lead, nonce) = match before {
            None => (i64::MAX, "", 0),
            Some(key) => {
                let at = key_time(key.at);
                let lead = key.lead.as_ref().map_or("-", LeadId::as_str);
                match stage.cmp(key.stage.as_str()) {
                    Ordering::Less => (at - 1, "", 0),
                    Ordering::Equal => (at, lead, i64::from(key.nonce)),
                    Ordering::Greater => (at, "", 0),
                }
            }
        };
        let limit = units::count(limit);
        let mut rows = select.query((stage, since, at, lead, nonce, limit))?;
        while let Some(row) = rows.next()? {
            found.push((row.get(0)?, stage, row.get(1)?, row.get(2)?, row.get(3)?));
        }
    }
    found.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| (a.1, &a.2, a.3).cmp(&(b.1, &b.2, b.3))));
    found.truncate(limit);
    found.iter().map(|(.., body)| Ok(from_json(body)?)).collect()
}

fn open_leads(conn: &Connection, limit: usize) -> Result<Vec<OpenLead>, Trouble> {
    let mut select = conn
        .prepare_cached("SELECT lead, body FROM progress WHERE ended_at IS NULL ORDER BY due_at LIMIT ?")?;
    let mut leads = Vec::new();
    let mut rows = select.query([units::count(limit)])?;
    while let Some(row) = rows.next()? {
        // Only a valid id was ever written.
        if let Ok(lead) = row.get::<_, String>(0)?.parse() {
            leads.push(OpenLead { lead, progress: from_json(&row.get::<_, String>(1)?)? });
        }
    }
    Ok(leads)
}

fn minutes(conn: &Connection, since: i64) -> rusqlite::Result<Vec<Minute>> {
    let mut select = conn.prepare_cached(
        "SELECT at, accepted, enriched, notified, failed FROM minute WHERE at >= ? ORDER BY at",
    )?;
    let minutes = select.query_map([since], |row| {
        Ok(Minute {
            at: units::from_micros(row.get(0)?),
            accepted: units::counted(row, 1)?,
            enriched: units::counted(row, 2)?,
            notified: units::counted(row, 3)?,
            failed: units::counted(row, 4)?,
        })
    })?;
    minutes.collect()
}
