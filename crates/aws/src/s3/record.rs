//! The record of a lead: how far it is and what happened to it, in one object.

use bytes::Bytes;
use lead::{LeadId, keys};
use pipeline::{
    Code, Entry, Fault, Progress, Stage,
    ports::{Objects, Version},
};
use serde::{Deserialize, Serialize};

use super::{S3Store, marker, record_key};

/// The most entries that a record keeps: the first, which says that the lead was received, and the latest.
/// The journal itself keeps all.
const MOST_ENTRIES: usize = 200;
/// The most former markers that are kept in mind: each is from another time that an operator opened the lead.
const MOST_MARKERS: usize = 8;

/// What is known of a lead.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// How far it is; `None` where nobody has received it.
    pub(super) progress: Option<Progress>,
    /// What happened to it, in the order in which it was written.
    pub(super) entries: Vec<Entry>,
    /// The keys of the markers that it may have: the present one, and former ones whose deletion nobody
    /// can be sure of.
    #[serde(default)]
    pub(super) markers: Vec<String>,
}

impl Record {
    /// Adds an entry.
    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
        if self.entries.len() > MOST_ENTRIES {
            self.entries.remove(1);
        }
    }

    /// The key of the marker that it has to have; none where the lead has ended.
    pub(super) fn marker(&self, lead: &LeadId) -> Option<String> {
        let open = self.progress.as_ref().filter(|progress| progress.ended.is_none())?;
        Some(marker::key(lead, open))
    }

    /// Whether it has this marker by right.
    pub(super) fn has_marker(&self, lead: &LeadId, key: &str) -> bool {
        self.marker(lead).as_deref() == Some(key)
    }

    /// Writes down that the marker it has to have now may be there.
    pub(super) fn note_marker(&mut self, lead: &LeadId) {
        let Some(key) = self.marker(lead).filter(|key| !self.markers.contains(key)) else { return };
        self.markers.push(key);
        if self.markers.len() > MOST_MARKERS {
            self.markers.remove(0);
        }
    }

    /// Whether nothing has happened to it that takes its first marker away.
    pub(super) fn has_only_waited(&self) -> bool {
        self.entries.iter().all(|entry| {
            let stage = entry.happened.stage();
            matches!(stage, Stage::Received | Stage::Duplicate | Stage::Retrying | Stage::Enriched)
        })
    }

    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.entries.iter().any(|known| known.key() == entry.key())
    }

    pub(super) fn to_bytes(&self) -> Result<Bytes, Fault> {
        let bytes = serde_json::to_vec(self);
        Ok(bytes.map_err(|e| Fault::new(Code::Internal, format!("a record cannot be written: {e}")))?.into())
    }
}

impl S3Store {
    /// The record of a lead, and its version for writing it.
    pub(super) async fn record(&self, lead: &LeadId) -> Result<Option<(Record, Version)>, Fault> {
        let key = record_key(lead);
        let Some(object) = self.get(&key).await? else { return Ok(None) };
        let record = serde_json::from_slice(&object.body).map_err(|e| {
            Fault::new(Code::StorageDamaged, format!("the record {} cannot be read: {e}", self.at(&key)))
        })?;
        Ok(Some((record, object.version)))
    }

    /// That a lead was received, read from its raw event; `None` where there is none.
    ///
    /// For leads whose first record was never written: the function stopped between keeping the event and
    /// journaling it, or somebody put the event there by hand.
    pub(super) async fn received(&self, lead: &LeadId) -> Result<Option<Entry>, Fault> {
        let key = keys::raw(&self.0.source_prefix, lead);
        let Some(raw) = self.get(&key).await? else { return Ok(None) };
        // What cannot be read is for the processor to say.
        let Ok(lead::Incoming::Created(created)) = lead::Incoming::parse(&raw.body) else { return Ok(None) };
        if created.lead_id != *lead {
            return Ok(None);
        }
        let delay = jiff::SignedDuration::try_from(self.0.delay).unwrap_or_default();
        // Without a nonce, so that two who make it up write the same entry.
        Ok(Some(Entry::received(&created, raw.stored_at, raw.stored_at + delay, 0)))
    }
}
