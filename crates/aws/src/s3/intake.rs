//! Accepting events.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::try_join;
use lead::LeadId;
use pipeline::{
    Fault, Function, Progress,
    ports::{Accepted, Intake, Level, NewEvent, Objects, WriteCondition},
    recorder,
};

use super::{
    S3Store,
    bucket::was_written,
    record::{Record, StoredRecord},
    record_key,
};
use crate::metrics::Measurement;

/// How long the writes of an acceptance take at the most, and then some: API Gateway waits no longer. A
/// lead is not processed before its due time, so where leads wait longer than that, nothing conflicts with the writes.
const LATE: Duration = Duration::from_secs(30);

#[async_trait]
impl Intake for S3Store {
    /// The raw event is the one write that decides: S3 notifies the delay queue of it. What follows makes the
    /// lead visible, and is made up for where it does not happen, by the next delivery of the event, or by
    /// whoever enters what becomes of the lead.
    async fn accept(&self, event: NewEvent) -> Result<Accepted, Fault> {
        let NewEvent { lead, key, body, entry, repeated, .. } = event;
        // With the entry's time, so that a repair of the entry makes the same one.
        if !was_written(self.0.bucket.put_as_of(&key, body, WriteCondition::Absent, entry.at).await)? {
            // Of a repeated one, what the first delivery did not get to was made up for a moment ago.
            if !repeated {
                self.make_visible(&lead).await?;
            }
            return Ok(Accepted::Duplicate);
        }
        let (progress, counted) = Progress::after(None, &entry);
        let mut record = Record::of(progress);
        record.add(entry.clone());
        record.note_marker(&lead);
        let marker = record.marker(&lead);
        let marked = async {
            let Some(marker) = marker else { return Ok(()) };
            self.0.bucket.write(&marker, Bytes::new()).await
        };
        let recorded = async {
            was_written(self.put(&record_key(&lead), record.to_bytes()?, WriteCondition::Absent).await)
        };
        let ((), (), first) = try_join!(self.write_entry(&entry), marked, recorded)?;
        if first {
            self.0.metrics.count(entry.at, &Measurement::of(&entry, counted));
        }
        // A quick processor has made the record already, or ended the lead, and may have taken the marker
        // away before it was put, or before it was put again because the first answer was lost.
        if !first || self.0.settings.delay <= LATE {
            self.add_to_record(&lead, &entry).await?;
        }
        Ok(Accepted::New)
    }
}

impl S3Store {
    /// Makes up for what the first delivery did not get to, before the event counts as accepted.
    async fn make_visible(&self, lead: &LeadId) -> Result<(), Fault> {
        let record = match self.look(lead).await? {
            Some(StoredRecord::Record(record, _)) => record,
            // The next stage rebuilds it; this one may not read what that needs.
            Some(StoredRecord::Damaged(_, _, fault)) => {
                recorder::fault(Function::WebhookIngestion, Level::Warn, "passed over", Some(lead), &fault);
                return Ok(());
            }
            None => {
                let Some(received) = self.received(lead).await? else { return Ok(()) };
                return try_join!(self.write_entry(&received), self.add_to_record(lead, &received)).map(drop);
            }
        };
        // The record can be there without the entry and the marker, which are written beside it.
        let Some(marker) = record.marker(lead) else { return Ok(()) };
        let entered = async {
            let Some(received) = record.entries().next() else { return Ok(()) };
            self.write_entry(received).await
        };
        try_join!(entered, self.put_marker(lead, &marker)).map(drop)
    }
}
