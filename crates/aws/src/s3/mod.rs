//! The bucket: objects, the way in, the journal.
//!
//! S3 has no transactions, but conditional writes: of several that race for one key exactly one succeeds
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>). Whatever takes several
//! writes is done in an order in which a repetition, after a crash in between, completes it.

mod bucket;
mod enriched;
mod history;
mod intake;
mod journal;
mod marker;
mod objects;
mod preserved;
mod rebuild;
mod record;
mod schedule;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use lead::{LeadId, keys::RECORDS};
use pipeline::{
    Fault, Settings,
    ports::{Clock, Object, Objects, Outbox, PutError, Random, Version, WriteCondition},
};

use self::objects::S3Objects;
pub use self::{
    bucket::Bucket,
    schedule::{ReleaseOutcome, Schedule},
};
use crate::{Clients, MetricsSink};

#[cfg(feature = "operator")]
pub(crate) use history::KeyQuery;

/// How many keys are listed at a time, the most that S3 gives.
pub(crate) const PAGE: usize = 1_000;

/// The bucket. Clones are the same bucket.
#[derive(Clone)]
pub struct S3Store(Arc<Inner>);

struct Inner {
    bucket: Arc<dyn Bucket>,
    /// Where in it things are, and how long leads wait.
    settings: Settings,
    metrics: Arc<dyn MetricsSink>,
    entries: history::Entries,
    enriched: enriched::EnrichedLeads,
}

impl S3Store {
    /// The bucket of this name, of a pipeline with these settings. What is counted goes to `metrics`.
    pub fn new(
        clients: &Clients,
        bucket: &str,
        settings: &Settings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: Arc<dyn MetricsSink>,
    ) -> Self {
        let objects = S3Objects { s3: clients.s3.clone(), bucket: bucket.to_owned(), clock, random };
        Self::over(Arc::new(objects), settings, metrics)
    }

    /// The same rules over another bucket.
    pub fn over(bucket: Arc<dyn Bucket>, settings: &Settings, metrics: Arc<dyn MetricsSink>) -> Self {
        let settings = settings.clone();
        let (entries, enriched) = (history::Entries::default(), enriched::EnrichedLeads::default());
        Self(Arc::new(Inner { bucket, settings, metrics, entries, enriched }))
    }

    /// The messages that wait in this bucket for longer than a queue can, to be sent through `outbox`.
    pub fn schedule(&self, outbox: Arc<dyn Outbox>, clock: Arc<dyn Clock>) -> Schedule {
        Schedule::new(Arc::clone(&self.0.bucket), outbox, clock)
    }
}

#[async_trait]
impl Objects for S3Store {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        let object = self.0.bucket.get(key).await?;
        if let Some(object) = &object {
            self.remember(key, &object.body);
        }
        Ok(object)
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        self.0.bucket.put(key, body, when).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        self.0.bucket.list(prefix, after, limit).await
    }
}

/// The record of a lead: `leads/{lead}.json`.
fn record_key(lead: &LeadId) -> String {
    format!("{RECORDS}{lead}.json")
}
