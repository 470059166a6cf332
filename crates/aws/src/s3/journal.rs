//! Writing the journal: the entry, the lead's record, its marker, the counts.
//!
//! A function can stop between any two of these writes. Then its message is delivered again, and what it
//! does once more brings record and markers into agreement. The record remembers which markers there may
//! be: each entry about an open lead takes the former ones away and puts the present one, and the end takes all
//! of them away once it is written down; whoever puts one looks afterwards whether the lead has ended. Entries
//! are written beside the record, not before it: one that is only in the journal is written twice at worst, each
//! time with its own moment.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{join, join_all};
use lead::LeadId;
use pipeline::{
    Code, Entry, Fault, JournalEvent, LeadMetric, Progress,
    ports::{Journal, Objects, WriteCondition},
};

use super::{
    S3Store,
    bucket::was_written,
    marker,
    record::{Record, StoredRecord},
    record_key,
};
use crate::metrics::Measurement;

fn is_of_a_webhook(entry: &Entry) -> bool {
    matches!(entry.event, JournalEvent::Received { .. } | JournalEvent::Duplicate { .. })
}

#[async_trait]
impl Journal for S3Store {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        let Some(lead) = entry.lead_id.clone() else { return self.write_entry(&entry).await };
        // Where one fails the other still completes, here and below: the outcome of a cancelled write is unknown.
        let (written, entered) = join(self.write_entry(&entry), self.add_to_record(&lead, &entry)).await;
        written.and(entered)
    }

    /// One write. The record learns it with what becomes of the alert.
    async fn append_before_alert(&self, entry: Entry) -> Result<(), Fault> {
        self.write_entry(&entry).await
    }

    /// Three requests, or one where the record is complete.
    async fn catch_up(&self, lead: &LeadId) -> Result<(), Fault> {
        if self.record(lead).await?.is_some_and(|(record, _)| !record.is_not_enriched()) {
            return Ok(());
        }
        match self.enriched(lead).await? {
            Some(enriched) => self.add_to_record(lead, &enriched).await,
            None => Ok(()),
        }
    }
}

impl S3Store {
    /// Writes the journal's own object.
    pub(super) async fn write_entry(&self, entry: &Entry) -> Result<(), Fault> {
        let body = serde_json::to_vec(entry)
            .map_err(|e| Fault::new(Code::Internal, format!("an entry cannot be written: {e}")))?;
        self.0.bucket.write(&entry.key(), body.into()).await
    }

    /// Enters what happened into the lead's record.
    pub(super) async fn add_to_record(&self, lead: &LeadId, entry: &Entry) -> Result<(), Fault> {
        let mut enriched = None;
        loop {
            let (mut record, when) = match self.look(lead).await? {
                Some(StoredRecord::Record(record, version)) => (record, WriteCondition::Unchanged(version)),
                // The webhook function may not read what a rebuild needs. Other functions do it.
                Some(StoredRecord::Damaged(..)) if is_of_a_webhook(entry) => return Ok(()),
                Some(StoredRecord::Damaged(body, version, _)) => {
                    (self.rebuild(lead, body).await?, WriteCondition::Unchanged(version))
                }
                None => (self.new_record(lead, entry).await?, WriteCondition::Absent),
            };
            // A record from before markers were stored in it has the one of its state.
            record.note_marker(lead);
            let (had, waited) = (record.markers.clone(), record.is_untouched());
            let (mut counted, mut counted_before) = (None, None);
            if !record.has(entry) {
                if let Some(damaged) = record.damaged.take() {
                    self.set_aside(lead, damaged).await?;
                }
                if entry.event.is_of_an_alert() && record.is_not_enriched() {
                    if enriched.is_none() {
                        enriched = self.enriched_of_alert(lead).await?;
                    }
                    if let Some(enriched) = &enriched {
                        counted_before = record.advance(enriched);
                        record.add(enriched.clone());
                    }
                }
                counted = record.advance(entry);
                record.add(entry.clone());
                record.note_marker(lead);
                if !was_written(self.put(&record_key(lead), record.to_bytes()?, when).await)? {
                    // Another writer was faster: read it again.
                    continue;
                }
            }
            if entry.event.is_of_an_alert() {
                self.forget_enriched(lead);
            }
            let before = enriched.iter().map(|enriched| (enriched, counted_before));
            for (entry, counted) in before.chain([(entry, counted)]) {
                let measured = Measurement::of(entry, counted);
                if !measured.is_empty() {
                    self.0.metrics.count(entry.at, &measured);
                }
            }
            // It is there since the lead was received. In all other cases a lead may have been reopened by a process that
            // stopped before it put the marker.
            let there = waited && counted == Some(LeadMetric::Enriched) && record.markers == had;
            return self.mark(lead, &record, there).await;
        }
    }

    /// The record of a lead that has none: with its reception, where its raw event is there.
    async fn new_record(&self, lead: &LeadId, entry: &Entry) -> Result<Record, Fault> {
        let mut record = Record::default();
        if matches!(entry.event, JournalEvent::Received { .. }) {
            return Ok(record);
        }
        if let Some(received) = self.received(lead).await? {
            let (progress, counted) = Progress::after(None, &received);
            self.write_entry(&received).await?;
            if let Some(progress) = &progress {
                self.0.bucket.write(&marker::key(lead, progress), Bytes::new()).await?;
            }
            self.0.metrics.count(received.at, &Measurement::of(&received, counted));
            record = Record::of(progress);
            record.add(received);
            record.note_marker(lead);
        }
        Ok(record)
    }

    /// Brings the lead's markers into agreement with its record. The present one needs not be put where it is
    /// `there`.
    async fn mark(&self, lead: &LeadId, record: &Record, there: bool) -> Result<(), Fault> {
        let present = record.marker(lead);
        let put = async {
            match &present {
                Some(key) if !there => self.put_marker(lead, key).await,
                _ => Ok(()),
            }
        };
        let former = record.markers.iter().filter(|key| Some(*key) != present.as_ref());
        let former = former.map(|key| self.0.bucket.delete(key));
        let (put, deleted) = join(put, join_all(former)).await;
        put.and(deleted.into_iter().collect())
    }

    /// Puts a lead's marker; not for good where the lead has ended meanwhile, whose marker was taken away
    /// before it was put.
    pub(super) async fn put_marker(&self, lead: &LeadId, key: &str) -> Result<(), Fault> {
        self.0.bucket.write(key, Bytes::new()).await?;
        match self.record(lead).await? {
            Some((now, _)) if now.has_marker(lead, key) => Ok(()),
            _ => self.0.bucket.delete(key).await,
        }
    }
}
