//! The bucket: objects, the way in, the journal.
//!
//! S3 has no transactions, but conditional writes: of several that race for one key exactly one succeeds
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>). Whatever takes several
//! writes is done in an order in which a repetition, after a crash in between, completes it.

mod history;
mod intake;
mod journal;
mod marker;
mod objects;
mod record;

use std::{sync::Arc, time::Duration};

use lead::LeadId;
use pipeline::ports::{Clock, Random};

use crate::{Clients, Counts};

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
    s3: aws_sdk_s3::Client,
    names: S3Names,
    delay: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    counts: Arc<dyn Counts>,
    entries: history::Entries,
}

impl S3Store {
    /// A bucket in which leads wait for `delay`. What is counted goes to `counts`.
    pub fn new(
        clients: &Clients,
        names: S3Names,
        delay: Duration,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        counts: Arc<dyn Counts>,
    ) -> Self {
        Self(Arc::new(Inner {
            s3: clients.s3.clone(),
            names,
            delay,
            clock,
            random,
            counts,
            entries: history::Entries::default(),
        }))
    }

    /// Where a key is, for messages.
    fn at(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.0.names.bucket)
    }
}

/// Where the records of leads are.
const RECORDS: &str = "leads/";

/// The record of a lead: `leads/{lead}.json`.
fn record_key(lead: &LeadId) -> String {
    format!("{RECORDS}{lead}.json")
}
