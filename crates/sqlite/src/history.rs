//! Reading the journal.

use std::collections::BTreeMap;

use async_trait::async_trait;
use lead::{LeadId, Timestamp, keys::JournalKey};
use pipeline::{
    Code, Entry, Fault, Progress, Refused, Stage,
    ports::{History, Minute, OpenCounts, OpenLead},
};
use rusqlite::Connection;

use crate::{
    Store,
    file::StoreError,
    journal::{self, key_time, understood},
    lead_row::{self, LeadKey},
    tally::{self, What},
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
        let mut stages = stages.to_vec();
        stages.sort_unstable_by_key(|stage| stage.as_str());
        stages.dedup();
        let since = since.map_or(i64::MIN, key_time);
        let before = match before {
            None => None,
            Some(key) => match JournalKey::parse(key) {
                Some(parsed) => Some((key_time(parsed.at), key.to_owned())),
                // Behind what is no entry's key there is nothing.
                None => return Ok(Vec::new()),
            },
        };
        self.read(move |conn| recent(conn, &stages, since, before, limit)).await
    }

    async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Entry>, Fault> {
        let lead = LeadKey::new(lead);
        self.read(move |conn| {
            let Some(lead) = lead_row::find(conn, &lead)? else { return Ok(Vec::new()) };
            let mut select =
                conn.prepare_cached("SELECT body FROM journal WHERE lead = ? ORDER BY at, row")?;
            let rows = select.query_map([lead], |row| row.get::<_, String>(0))?;
            let mut entries = Vec::new();
            for body in rows {
                entries.extend(understood(&body?));
            }
            Ok(entries)
        })
        .await
    }

    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault> {
        let lead = lead.clone();
        self.read(move |conn| journal::progress(conn, &lead)).await
    }

    async fn open_leads(&self, limit: usize) -> Result<Vec<OpenLead>, Fault> {
        self.read(move |conn| open_leads(conn, limit)).await
    }

    async fn count_open(&self, now: Timestamp, overdue_before: Timestamp) -> Result<OpenCounts, Fault> {
        let (now, overdue_before) = (units::micros(now), units::micros(overdue_before));
        self.read(move |conn| {
            // All of one moment.
            let conn = conn.unchecked_transaction()?;
            let open = tally::all(&conn, What::Open)?;
            let due = tally::before(&conn, What::Open, now.saturating_add(1))?;
            let overdue = tally::before(&conn, What::Open, overdue_before)?.min(due);
            Ok(OpenCounts { waiting: open.saturating_sub(due), due: due - overdue, overdue, exact: true })
        })
        .await
    }

    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, Fault> {
        let since = units::minute(since);
        self.read(move |conn| Ok(minutes(conn, since)?)).await
    }

    async fn refused(&self, since: Timestamp) -> Result<BTreeMap<String, u64>, Fault> {
        Ok(Refused::read(self).await?.since(since))
    }

    async fn refused_webhooks(&self, since: Timestamp) -> Result<BTreeMap<Code, u64>, Fault> {
        Ok(Refused::read(self).await?.webhooks_since(since))
    }
}

/// The newest of each stage, merged. `before` is the time and the whole of a key.
fn recent(
    conn: &Connection,
    stages: &[Stage],
    since: i64,
    before: Option<(i64, String)>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let (until, before) = before.unwrap_or((i64::MAX, String::new()));
    let mut select = conn.prepare_cached(
        "SELECT at, body FROM journal WHERE stage = ? AND at >= ? AND at <= ? ORDER BY at DESC",
    )?;
    let mut found: Vec<(String, Entry)> = Vec::new();
    for stage in stages {
        let mut rows = select.query((stage.as_str(), since, until))?;
        let (mut taken, mut last) = (0, None);
        while let Some(row) = rows.next()? {
            // Entries of one moment are in no order yet, so they are taken all or none.
            let at: i64 = row.get(0)?;
            if taken >= limit && last != Some(at) {
                break;
            }
            last = Some(at);
            let Some(entry) = understood::<Entry>(&row.get::<_, String>(1)?) else { continue };
            let key = entry.key();
            if key > before {
                taken += 1;
                found.push((key, entry));
            }
        }
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    found.truncate(limit);
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}

fn open_leads(conn: &Connection, limit: usize) -> Result<Vec<OpenLead>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT id, progress FROM lead WHERE ended_at IS NULL AND due_at IS NOT NULL ORDER BY due_at LIMIT ?",
    )?;
    let mut leads = Vec::new();
    let mut rows = select.query([units::count(limit)])?;
    while let Some(row) = rows.next()? {
        // Only a valid id was ever written.
        if let Ok(lead) = row.get::<_, String>(0)?.parse::<LeadId>() {
            let progress: Option<Progress> = understood(&row.get::<_, String>(1)?);
            leads.extend(progress.and_then(|progress| OpenLead::of(&lead, &progress)));
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
