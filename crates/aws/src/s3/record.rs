//! The record of a lead: how far it is and what happened to it, in one object.

use bytes::Bytes;
use lead::{LeadId, keys};
use pipeline::{
    Code, Entry, Fault, LeadMetric, Progress, Stage,
    ports::{Objects, Version},
};
use serde::{Deserialize, Serialize};

use super::{S3Store, marker, preserved::Preserved, record_key};

/// The most entries in a record: the first, which says that the lead was received, and the latest.
/// Of those that the webhook came again none takes another one's place. The journal itself keeps all.
const MOST_ENTRIES: usize = 200;
/// The most former markers that are stored: each is from another time that an operator opened the lead.
const MOST_MARKERS: usize = 8;

/// What is known of a lead. An entry that a later version has written stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// How far it is; `None` where it has not been received.
    pub(super) progress: Option<Preserved<Progress>>,
    /// What happened to it, in the order in which it was written.
    entries: Vec<Preserved<Entry>>,
    /// The keys of the markers that it may have: the present one, and former ones whose deletion nobody
    /// can be sure of.
    #[serde(default)]
    pub(super) markers: Vec<String>,
    /// What was found in its place and could not be read, to be set aside before this is written.
    #[serde(skip)]
    pub(super) damaged: Option<Bytes>,
}

/// What lies in the place of a record.
pub(super) enum StoredRecord {
    Record(Record, Version),
    /// Something that is none, and why.
    Damaged(Bytes, Version, Fault),
}

impl Record {
    /// That of a lead that is so far, without entries.
    pub(super) fn of(progress: Option<Progress>) -> Self {
        Self { progress: progress.map(Preserved::New), ..Self::default() }
    }

    /// Adds an entry. Where there are too many, the oldest goes that says only that the webhook came again, as
    /// anybody can send it who has seen it once; then the oldest but the first.
    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.push(Preserved::New(entry));
        if self.entries.len() > MOST_ENTRIES {
            let again = |entry: &Preserved<Entry>| {
                entry.known().is_some_and(|entry| entry.event.stage() == Stage::Duplicate)
            };
            self.entries.remove(self.entries.iter().position(again).unwrap_or(1));
        }
    }

    /// How far the lead is. `None` where nobody has received it, and where a later version has written it in a way
    /// that this one does not understand.
    pub(super) fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()?.known()
    }

    /// Whether it does not say that its lead was enriched, as far as this version knows it.
    pub(super) fn is_not_enriched(&self) -> bool {
        self.progress().is_some_and(|progress| !progress.enriched)
    }

    /// What happened to the lead, as far as this version knows it.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter_map(Preserved::known)
    }

    /// Takes into account what happened, and says what is to be counted.
    pub(super) fn advance(&mut self, entry: &Entry) -> Option<LeadMetric> {
        let before = self.progress();
        if self.progress.is_some() && before.is_none() {
            return None;
        }
        let (after, counted) = Progress::after(before.cloned(), entry);
        if after.as_ref() != before {
            self.progress = after.map(Preserved::New);
        }
        counted
    }

    /// The key of the marker that it has to have; none where the lead has ended.
    pub(super) fn marker(&self, lead: &LeadId) -> Option<String> {
        let open = self.progress().filter(|progress| progress.ended.is_none())?;
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
    pub(super) fn is_untouched(&self) -> bool {
        self.entries.iter().all(|entry| {
            let stage = entry.known().map(|entry| entry.event.stage());
            matches!(stage, Some(Stage::Received | Stage::Duplicate | Stage::Retrying | Stage::Enriched))
        })
    }

    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.entries().any(|known| known.key() == entry.key())
    }

    pub(super) fn to_bytes(&self) -> Result<Bytes, Fault> {
        let bytes = serde_json::to_vec(self);
        Ok(bytes.map_err(|e| Fault::new(Code::Internal, format!("a record cannot be written: {e}")))?.into())
    }
}

impl S3Store {
    /// The record of a lead, and its version for writing it. One that cannot be read is made anew: it is a view of
    /// what there is besides, and no reason for a lead to wait.
    pub(super) async fn record(&self, lead: &LeadId) -> Result<Option<(Record, Version)>, Fault> {
        match self.look(lead).await? {
            None => Ok(None),
            Some(StoredRecord::Record(record, version)) => Ok(Some((record, version))),
            Some(StoredRecord::Damaged(body, version, _)) => {
                Ok(Some((self.rebuild(lead, body).await?, version)))
            }
        }
    }

    /// What lies in the place of a lead's record.
    pub(super) async fn look(&self, lead: &LeadId) -> Result<Option<StoredRecord>, Fault> {
        let key = record_key(lead);
        let Some(object) = self.get(&key).await? else { return Ok(None) };
        Ok(Some(match serde_json::from_slice(&object.body) {
            Ok(record) => StoredRecord::Record(record, object.version),
            Err(error) => {
                let what = format!("the record {} cannot be read: {error}", self.0.bucket.place(&key));
                StoredRecord::Damaged(object.body, object.version, Fault::new(Code::StorageDamaged, what))
            }
        }))
    }

    /// That a lead was received, read from its raw event; `None` where there is none.
    ///
    /// For leads whose first record was never written: the function stopped between storing the event and
    /// journaling it, or the event was put there by hand.
    pub(super) async fn received(&self, lead: &LeadId) -> Result<Option<Entry>, Fault> {
        let key = keys::raw(&self.0.settings.source_prefix, lead);
        let Some(raw) = self.get(&key).await? else { return Ok(None) };
        // What cannot be read is for the processor to say.
        let Ok(close::Incoming::Created(created)) = close::Incoming::parse(&raw.body) else {
            return Ok(None);
        };
        if created.lead_id != *lead {
            return Ok(None);
        }
        let delay = jiff::SignedDuration::try_from(self.0.settings.delay).unwrap_or_default();
        // Without a nonce, so that two repairs write the same entry.
        Ok(Some(Entry::received(&created, raw.stored_at, raw.stored_at + delay, 0)))
    }
}

#[cfg(test)]
mod tests {
    use lead::Timestamp;
    use pipeline::JournalEvent;

    use super::*;

    fn entry(second: i64, event: JournalEvent) -> Entry {
        Entry { at: Timestamp::from_second(second).unwrap(), lead_id: None, nonce: 0, event }
    }

    fn again(second: i64) -> Entry {
        entry(second, JournalEvent::Duplicate { event_id: None, more: 7 })
    }

    fn other(second: i64) -> Entry {
        entry(second, JournalEvent::AlreadyNotified { destination: "slack".parse().unwrap() })
    }

    fn times(record: &Record, stage: Stage) -> Vec<i64> {
        let of_stage = record.entries().filter(|entry| entry.event.stage() == stage);
        of_stage.map(|entry| entry.at.as_second()).collect()
    }

    #[test]
    fn a_webhook_that_comes_again_and_again_displaces_nothing() {
        let most = i64::try_from(MOST_ENTRIES).unwrap();
        let mut record = Record::default();
        for second in 0..20 {
            record.add(other(second));
        }
        for second in 20..2 * most {
            record.add(again(second));
        }
        let kept: Vec<i64> = (most + 20..2 * most).collect();
        assert_eq!(times(&record, Stage::AlreadyNotified), (0..20).collect::<Vec<_>>());
        assert_eq!(times(&record, Stage::Duplicate), kept);
        // Whatever else happens has room, at the expense of the oldest of those.
        for second in 0..most {
            record.add(other(1_000 + second));
        }
        assert_eq!(times(&record, Stage::Duplicate), [] as [i64; 0]);
        assert_eq!(record.entries.len(), MOST_ENTRIES);
        // In a record that is full of others there is no place for one more.
        record.add(again(5_000));
        assert_eq!(times(&record, Stage::Duplicate), [] as [i64; 0]);
        assert_eq!(record.entries().next().map(|entry| entry.at.as_second()), Some(0));
    }
}
