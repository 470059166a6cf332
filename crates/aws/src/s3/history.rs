//! Reading the journal: the newest entries are the head of a listing, the waiting room is another, a lead's
//! whole story is one object.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, future::join_all, stream};
use jiff::SignedDuration;
use lead::{LeadId, Timestamp, keys, keys::JournalKey};
use pipeline::{
    Code, Entry, Fault, Function, Progress, Stage,
    ports::{Level, Objects, OpenCounts, OpenLead},
    process::PastLeads,
    recorder,
};
use tokio::sync::OnceCell;

use super::{PAGE, S3Store, marker};

/// How many entries are read at once.
const AT_ONCE: usize = 32;
/// How long a lead may be due before its marker is doubted.
const LATE: SignedDuration = SignedDuration::from_mins(1);
/// How many markers are doubted at a time. Those that were left behind are the oldest.
const DOUBTED: usize = 16;
/// How many entries are remembered. An entry never changes.
const REMEMBERED: usize = 8_192;

/// Entries by their keys. A cell is empty while its entry is being read, and where it could not be.
#[derive(Default)]
pub(super) struct Entries(Mutex<HashMap<String, Arc<OnceCell<Entry>>>>);

impl Entries {
    /// The cell of an entry. Concurrent readers share it, and so one request.
    fn cell(&self, key: &str) -> Arc<OnceCell<Entry>> {
        let mut entries = pipeline::lock(&self.0);
        if entries.len() >= REMEMBERED && !entries.contains_key(key) {
            entries.clear();
        }
        Arc::clone(entries.entry(key.to_owned()).or_default())
    }
}

/// Which keys of the journal are wanted, see [`pipeline::ports::History::recent`].
#[derive(Clone, Copy)]
pub(crate) struct KeyQuery<'a> {
    pub(crate) stages: &'a [Stage],
    pub(crate) since: Option<Timestamp>,
    pub(crate) before: Option<&'a str>,
    pub(crate) limit: usize,
}

impl KeyQuery<'_> {
    /// Puts a key to those found if it is wanted. Whether none behind it is.
    pub(crate) fn takes(&self, key: &str, found: &mut Vec<String>) -> bool {
        if found.len() >= self.limit {
            return true;
        }
        let Some(parsed) = JournalKey::parse(key) else { return false };
        // As precise as keys are.
        if self.since.is_some_and(|since| parsed.at.as_microsecond() < since.as_microsecond()) {
            return true;
        }
        if self.stages.iter().any(|stage| stage.as_str() == parsed.stage) {
            found.push(key.to_owned());
        }
        found.len() >= self.limit
    }
}

/// Why there is no entry.
enum NoEntry {
    /// It has gone since it was listed, or cannot be read.
    LeftOut,
    Fault(Fault),
}

impl S3Store {
    /// See [`pipeline::ports::History::recent`]. One listing for every thousand entries looked at, and one
    /// request for each entry wanted that has not been read before.
    pub async fn recent(
        &self,
        stages: &[Stage],
        since: Option<Timestamp>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        let mut wanted = Vec::new();
        self.find_keys(KeyQuery { stages, since, before, limit }, &mut wanted).await?;
        self.entries(wanted).await
    }

    /// Adds the wanted keys to those found. One listing for every thousand looked at.
    pub(crate) async fn find_keys(&self, wanted: KeyQuery<'_>, found: &mut Vec<String>) -> Result<(), Fault> {
        let mut after = wanted.before.map(str::to_owned);
        while found.len() < wanted.limit {
            let page = self.list(keys::JOURNAL, after.as_deref(), PAGE).await?;
            if page.iter().any(|key| wanted.takes(key, found)) || page.len() < PAGE {
                break;
            }
            after = page.into_iter().next_back();
        }
        Ok(())
    }

    /// The entries behind these keys, in their order. One request for each that has not been read before.
    pub(crate) async fn entries(&self, keys: Vec<String>) -> Result<Vec<Entry>, Fault> {
        let entries = stream::iter(keys).map(|key| async move { self.entry(&key).await });
        entries.buffered(AT_ONCE).try_filter_map(|entry| async move { Ok(entry) }).try_collect().await
    }

    /// An entry; `None` where it has gone since it was listed, or cannot be read.
    async fn entry(&self, key: &str) -> Result<Option<Entry>, Fault> {
        match self.0.entries.cell(key).get_or_try_init(|| self.read_entry(key)).await {
            Ok(entry) => Ok(Some(entry.clone())),
            Err(NoEntry::LeftOut) => Ok(None),
            Err(NoEntry::Fault(fault)) => Err(fault),
        }
    }

    async fn read_entry(&self, key: &str) -> Result<Entry, NoEntry> {
        let object = self.get(key).await.map_err(NoEntry::Fault)?.ok_or(NoEntry::LeftOut)?;
        serde_json::from_slice(&object.body).map_err(|error| {
            // Of a later version, or written by hand. The others are worth showing.
            let what = format!("{} cannot be read: {error}", self.0.bucket.place(key));
            let fault = Fault::new(Code::StorageDamaged, what);
            recorder::fault(Function::Operator, Level::Warn, "left out", None, &fault);
            NoEntry::LeftOut
        })
    }

    /// See [`pipeline::ports::History::of_lead`]. One request, one more until the lead's record says that it was
    /// enriched, and another one where there is no record.
    pub async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Entry>, Fault> {
        let record = self.record(lead).await?.map(|(record, _)| record);
        let mut entries: Vec<Entry> = match &record {
            Some(record) => record.entries().cloned().collect(),
            None => self.received(lead).await?.into_iter().collect(),
        };
        let is_received = record.is_some() || !entries.is_empty();
        if is_received && record.is_none_or(|record| record.is_not_enriched()) {
            entries.extend(self.enriched(lead).await?);
        }
        entries.sort_by_key(|entry| entry.at);
        Ok(entries)
    }

    /// See [`pipeline::ports::History::progress`]. One request.
    pub async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault> {
        Ok(self.record(lead).await?.and_then(|(record, _)| record.progress().cloned()))
    }

    /// See [`pipeline::ports::History::open_leads`]. One request for every thousand, and one for each of the
    /// first that are late.
    pub async fn open_leads(&self, now: Timestamp, limit: usize) -> Result<Vec<OpenLead>, Fault> {
        let (mut open, mut after): (Vec<OpenLead>, Option<String>) = (Vec::new(), None);
        loop {
            let wanted = limit - open.len();
            let keys = self.list(keys::MARKERS, after.as_deref(), wanted).await?;
            open.extend(self.waiting(&keys, now).await);
            match keys.last() {
                // Some markers were not to be believed, and there may be further ones.
                Some(last) if keys.len() == wanted && open.len() < limit => after = Some(last.clone()),
                _ => return Ok(open),
            }
        }
    }

    /// See [`pipeline::ports::History::count_open`]. One request, and so exact up to a thousand, and one for
    /// each of the first that are late.
    pub async fn count_open(&self, now: Timestamp, overdue_before: Timestamp) -> Result<OpenCounts, Fault> {
        let keys = self.list(keys::MARKERS, None, PAGE).await?;
        let exact = keys.len() < PAGE;
        let due = self.waiting(&keys, now).await.into_iter().map(|open| open.due_at);
        Ok(OpenCounts::of(due, now, overdue_before, exact))
    }

    /// The leads of these markers, the soonest due first. Before a lead is called late, its record is asked: a
    /// command that stood still before it put its marker, and was stopped before it looked again, has left one
    /// of a lead that had ended meanwhile.
    async fn waiting(&self, keys: &[String], now: Timestamp) -> Vec<OpenLead> {
        let mut waiting: Vec<_> =
            keys.iter().filter_map(|key| marker::read(key).map(|open| (key, open))).collect();
        let late = waiting.iter().take(DOUBTED).take_while(|(_, open)| open.due_at + LATE < now);
        let asked = join_all(late.map(|(key, open)| self.is_waiting(key, &open.lead))).await;
        let mut asked = asked.into_iter();
        waiting.retain(|_| asked.next().unwrap_or(true));
        waiting.into_iter().map(|(_, open)| open).collect()
    }

    /// Whether a lead has this marker by right, as far as its record can be read.
    async fn is_waiting(&self, marker: &str, lead: &LeadId) -> bool {
        match self.record(lead).await {
            Ok(Some((record, _))) => record.has_marker(lead, marker),
            Ok(None) | Err(_) => true,
        }
    }
}

#[async_trait]
impl PastLeads for S3Store {
    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault> {
        self.progress(lead).await
    }
}
