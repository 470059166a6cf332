//! What a queued message, a dead letter or a stored copy stands for.

use std::{collections::BTreeMap, sync::Arc};

use lead::{LeadId, keys};
use pipeline::{
    destination::DestinationId,
    job::{AlertJob, Cause, ProcessJob},
};
use serde_json::{Value, json};

/// The bucket's name.
pub const BUCKET: &str = "leads";

/// What a message will bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// This lead is processed, and its first alert queued.
    Process(LeadId),
    /// The owner of this lead is looked for again.
    Recheck(LeadId),
    /// This lead's first alert is sent.
    Notify(LeadId, DestinationId),
    /// Another alert of this lead.
    Further(LeadId),
}

/// What messages mean, read once each.
#[derive(Default)]
pub struct Meanings(BTreeMap<Arc<str>, Vec<Meaning>>);

impl Meanings {
    /// What a body means: one thing, but for an event of S3 about several objects.
    pub fn of(&mut self, body: &str) -> &[Meaning] {
        if !self.0.contains_key(body) {
            self.0.insert(body.into(), read(body));
        }
        &self.0[body]
    }
}

fn read(body: &str) -> Vec<Meaning> {
    if let Ok(job) = ProcessJob::parse(body) {
        return vec![match job.cause {
            Cause::Arrival | Cause::Requeue => Meaning::Process(job.lead_id),
            Cause::Recheck { .. } => Meaning::Recheck(job.lead_id),
        }];
    }
    if let Ok(job) = AlertJob::parse(body) {
        let first = job.alert.as_str() == "new";
        return vec![if first {
            Meaning::Notify(job.lead_id, job.destination)
        } else {
            Meaning::Further(job.lead_id)
        }];
    }
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let keys = records.iter().filter_map(|record| record["s3"]["object"]["key"].as_str());
    keys.filter_map(|key| keys::lead_of_raw("source/", key)).map(Meaning::Process).collect()
}

/// What S3 says of objects that were written, by their keys and times.
pub fn s3_event<'a>(written: impl IntoIterator<Item = (&'a str, lead::Timestamp)>) -> String {
    let record = |(key, at): (&str, lead::Timestamp)| {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
            "eventTime": at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 1}},
        })
    };
    json!({"Records": written.into_iter().map(record).collect::<Vec<_>>()}).to_string()
}

/// What S3 sends when the notification is set up.
pub fn s3_test_event() -> String {
    json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}).to_string()
}
