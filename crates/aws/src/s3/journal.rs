//! Writing the journal: the entry, the lead's record, its marker, the counts.
//!
//! A function can stop between any two of these writes. Then its message is delivered again, and what it
//! does once more brings record and marker into agreement: a lead that has ended loses its marker at each
//! entry, and one that is received or opened again gets it before the entry counts as written. Entries are
//! written beside the record, not before it: one that is in the journal alone is told twice at worst, each
//! time with its own moment.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{future::try_join, try_join};
use lead::LeadId;
use pipeline::{
    Code, Entry, Fault, Progress,
    ports::{Journal, Objects, PutError, When},
};

use super::{S3Store, marker, record::Record, record_key};
use crate::counts::Measured;

#[async_trait]
impl Journal for S3Store {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        let Some(lead) = entry.lead_id.clone() else { return self.write_entry(&entry).await };
        try_join(self.write_entry(&entry), self.enter(&lead, &entry)).await.map(drop)
    }
}

impl S3Store {
    /// Writes the journal's own object.
    pub(super) async fn write_entry(&self, entry: &Entry) -> Result<(), Fault> {
        let body = serde_json::to_vec(entry)
            .map_err(|e| Fault::new(Code::Internal, format!("an entry cannot be written: {e}")))?;
        self.write(&entry.key(), body.into()).await
    }

    /// Enters what happened into the lead's record.
    pub(super) async fn enter(&self, lead: &LeadId, entry: &Entry) -> Result<(), Fault> {
        loop {
            let (mut record, when) = match self.record(lead).await? {
                Some((record, version)) => (record, When::Unchanged(version)),
                None => (self.healed(lead, entry).await?, When::Absent),
            };
            let before = record.progress.clone();
            let mut counted = None;
            if !record.has(entry) {
                (record.progress, counted) = Progress::after(before.clone(), entry);
                record.add(entry.clone());
                match self.put(&record_key(lead), record.to_bytes()?, when).await {
                    Ok(_) => {}
                    // Somebody else has entered something: look again.
                    Err(PutError::Precondition) => continue,
                    Err(PutError::Fault(fault)) => return Err(fault),
                }
            }
            let measured = Measured::of(entry, counted);
            if !measured.is_nothing() {
                self.0.counts.count(entry.at, &measured);
            }
            return self.mark(lead, before.as_ref(), record.progress.as_ref()).await;
        }
    }

    /// The record of a lead that has none: with its reception, where its raw event is there.
    async fn healed(&self, lead: &LeadId, entry: &Entry) -> Result<Record, Fault> {
        let mut record = Record::default();
        if matches!(entry.happened, pipeline::Happened::Received { .. }) {
            return Ok(record);
        }
        if let Some(received) = self.received(lead).await? {
            let (progress, counted) = Progress::after(None, &received);
            self.write_entry(&received).await?;
            if let Some(progress) = &progress {
                self.write(&marker::key(lead, progress), Bytes::new()).await?;
            }
            self.0.counts.count(received.at, &Measured::of(&received, counted));
            record.progress = progress;
            record.add(received);
        }
        Ok(record)
    }

    /// Brings the lead's marker into agreement with its record, which was `before` and is `after`.
    async fn mark(
        &self,
        lead: &LeadId,
        before: Option<&Progress>,
        after: Option<&Progress>,
    ) -> Result<(), Fault> {
        let Some(after) = after else { return Ok(()) };
        let key = marker::key(lead, after);
        let moved = before.map(|before| marker::key(lead, before)).filter(|old| *old != key);
        let removed = async {
            match &moved {
                Some(old) => self.delete(old).await,
                None => Ok(()),
            }
        };
        if after.ended.is_some() {
            return try_join!(self.delete(&key), removed).map(drop);
        }
        // It is there since the lead was received. In all else that happens to an open lead it may have been
        // opened again, by somebody who stopped before this.
        let first_enriched = after.enriched && before.is_some_and(|before| !before.enriched);
        if first_enriched && moved.is_none() {
            return Ok(());
        }
        try_join!(self.put_marker(lead, &key), removed).map(drop)
    }

    /// Puts a lead's marker; not for good where the lead has ended meanwhile, whose marker was taken away
    /// before it was put.
    pub(super) async fn put_marker(&self, lead: &LeadId, key: &str) -> Result<(), Fault> {
        self.write(key, Bytes::new()).await?;
        match self.progress(lead).await? {
            Some(now) if now.ended.is_none() && marker::key(lead, &now) == key => Ok(()),
            _ => self.delete(key).await,
        }
    }

    /// Writes an object, whatever is there.
    pub(super) async fn write(&self, key: &str, body: Bytes) -> Result<(), Fault> {
        match self.put(key, body, When::Always).await {
            Ok(_) | Err(PutError::Precondition) => Ok(()),
            Err(PutError::Fault(fault)) => Err(fault),
        }
    }
}
