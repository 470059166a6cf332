//! What a queued message, a dead letter or a kept copy stands for.

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
    /// This lead's first alert is told.
    Tell(LeadId, DestinationId),
    /// Another alert of this lead.
    Further(LeadId),
    /// Nothing.
    None,
}

/// What messages mean, read once each.
#[derive(Default)]
pub struct Meanings(BTreeMap<Arc<str>, Meaning>);

impl Meanings {
    /// What a body means.
    pub fn of(&mut self, body: &str) -> &Meaning {
        if !self.0.contains_key(body) {
            self.0.insert(body.into(), read(body));
        }
        &self.0[body]
    }
}

fn read(body: &str) -> Meaning {
    if let Ok(job) = ProcessJob::parse(body) {
        return match job.cause {
            Cause::Arrival | Cause::Requeue => Meaning::Process(job.lead_id),
            Cause::Recheck { .. } => Meaning::Recheck(job.lead_id),
        };
    }
    if let Ok(job) = AlertJob::parse(body) {
        let first = job.alert.as_str() == "new";
        return if first {
            Meaning::Tell(job.lead_id, job.destination)
        } else {
            Meaning::Further(job.lead_id)
        };
    }
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    let key = event["Records"][0]["s3"]["object"]["key"].as_str().unwrap_or_default();
    keys::lead_of_raw("source/", key).map_or(Meaning::None, Meaning::Process)
}

/// What S3 tells of an object that was written.
pub fn s3_event(key: &str, at: lead::Timestamp) -> String {
    let record = json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 1}},
    });
    json!({"Records": [record]}).to_string()
}

/// What S3 sends when the notification is set up.
pub fn s3_test_event() -> String {
    json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}).to_string()
}
