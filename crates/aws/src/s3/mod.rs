//! The bucket: objects, the way in, the journal.
//!
//! S3 has no transactions, but conditional writes: of several that race for one key exactly one succeeds
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>). Whatever takes several
//! writes is done in an order in which a repetition, after a crash in between, completes it.

mod bucket;
mod history;
mod intake;
mod journal;
mod marker;
mod objects;
mod preserved;
mod rebuild;
mod record;
mod schedule;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use lead::{LeadId, keys::RECORDS};
use pipeline::{
    Fault,
    ports::{Clock, Object, Objects, Outbox, PutError, Random, Version, WriteCondition},
};

use self::objects::S3Objects;
pub use self::{
    bucket::Bucket,
    schedule::{ReleaseOutcome, Schedule},
};
use crate::{Clients, MetricsSink};

#[cfg(feature = "operator")]
pub(crate) use history::PAGE;

/// What the bucket is called, and where in it things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Names {
    /// The bucket.
    pub bucket: String,
    /// Where raw events are.
    pub source_prefix: String,
    /// Where enriched leads are.
    pub target_prefix: String,
}

/// The bucket. Clones are the same bucket.
#[derive(Clone)]
pub struct S3Store(Arc<Inner>);

struct Inner {
    bucket: Arc<dyn Bucket>,
    source_prefix: String,
    target_prefix: String,
    delay: Duration,
    metrics: Arc<dyn MetricsSink>,
    entries: history::Entries,
}

impl S3Store {
    /// A bucket in which leads wait for `delay`. What is counted goes to `metrics`.
    pub fn new(
        clients: &Clients,
        names: S3Names,
        delay: Duration,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: Arc<dyn MetricsSink>,
    ) -> Self {
        let objects = S3Objects::new(clients.s3.clone(), names.bucket, clock, random);
        Self::over(Arc::new(objects), names.source_prefix, names.target_prefix, delay, metrics)
    }

    /// The same rules over another bucket.
    pub fn over(
        bucket: Arc<dyn Bucket>,
        source_prefix: String,
        target_prefix: String,
        delay: Duration,
        metrics: Arc<dyn MetricsSink>,
    ) -> Self {
        let entries = history::Entries::default();
        Self(Arc::new(Inner { bucket, source_prefix, target_prefix, delay, metrics, entries }))
    }

    /// The messages that wait in this bucket for longer than a queue can, to be sent through `outbox`.
    pub fn schedule(&self, outbox: Arc<dyn Outbox>, clock: Arc<dyn Clock>) -> Schedule {
        Schedule::new(Arc::clone(&self.0.bucket), outbox, clock)
    }

    /// Where a key is, for messages.
    fn at(&self, key: &str) -> String {
        self.0.bucket.place(key)
    }

    /// Deletes an object. One that does not exist is deleted already.
    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.0.bucket.delete(key).await
    }

    /// Writes an object, whatever is there.
    async fn write(&self, key: &str, body: Bytes) -> Result<(), Fault> {
        self.0.bucket.write(key, body).await
    }
}

#[async_trait]
impl Objects for S3Store {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        self.0.bucket.get(key).await
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
