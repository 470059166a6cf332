//! That a lead was enriched: its enriched lead says so until what became of its alert is entered into its record.
//!
//! A lead that comes as it should is enriched and announced within a second, and its record is written once for both.
//! The journal has each from its moment on.

use std::{collections::HashMap, sync::Mutex};

use bytes::Bytes;
use lead::{EnrichedLead, LeadId, keys};
use pipeline::{Entry, Fault, lock};

use super::S3Store;

/// The most enriched leads that are remembered: more than there are alerts in the largest batch.
const MOST: usize = 256;
/// The largest of them.
const LARGEST: usize = 16 * 1_024;

/// Enriched leads as alerts have read them, by their keys, until their outcomes are entered. Those without one go when
/// there are too many.
#[derive(Default)]
pub(super) struct EnrichedLeads(Mutex<HashMap<String, Bytes>>);

impl EnrichedLeads {
    fn remember(&self, key: &str, body: Bytes) {
        let mut bodies = lock(&self.0);
        if bodies.len() >= MOST {
            bodies.clear();
        }
        bodies.insert(key.to_owned(), body);
    }

    fn get(&self, key: &str) -> Option<Bytes> {
        lock(&self.0).get(key).cloned()
    }

    fn forget(&self, key: &str) {
        lock(&self.0).remove(key);
    }
}

impl S3Store {
    /// Remembers an object that was read, if it is an enriched lead.
    pub(super) fn remember(&self, key: &str, body: &Bytes) {
        let name = key.strip_prefix(self.0.settings.target_prefix.as_str());
        if name.is_some_and(|name| name.starts_with("enriched_")) && body.len() <= LARGEST {
            self.0.enriched.remember(key, body.clone());
        }
    }

    /// That a lead was enriched, as its enriched lead says; `None` where there is none that can be read. One request.
    pub(super) async fn enriched(&self, lead: &LeadId) -> Result<Option<Entry>, Fault> {
        let body = self.0.bucket.get(&self.enriched_key(lead)).await?.map(|object| object.body);
        Ok(body.and_then(|body| entry(lead, &body)))
    }

    /// The same for an alert whose outcome is known. No request where the alert has just read the lead.
    pub(super) async fn enriched_of_alert(&self, lead: &LeadId) -> Result<Option<Entry>, Fault> {
        match self.0.enriched.get(&self.enriched_key(lead)) {
            Some(body) => Ok(entry(lead, &body)),
            None => self.enriched(lead).await,
        }
    }

    /// Forgets what the alert has read, as its outcome is entered.
    pub(super) fn forget_enriched(&self, lead: &LeadId) {
        self.0.enriched.forget(&self.enriched_key(lead));
    }

    fn enriched_key(&self, lead: &LeadId) -> String {
        keys::enriched(&self.0.settings.target_prefix, lead)
    }
}

fn entry(lead: &LeadId, body: &[u8]) -> Option<Entry> {
    let enriched = serde_json::from_slice::<EnrichedLead>(body).ok()?;
    (enriched.lead_id == *lead).then(|| Entry::enriched(&enriched))
}
