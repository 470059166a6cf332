//! The health of the services around the pipeline, as far as the journal shows.

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{Code, Fault, JournalEvent, Stage, destination::DestinationId};
use serde::Serialize;

use crate::{FruitlessLookups, Ops};

/// How many of the latest entries are read.
const SAMPLE: usize = 60;

/// The health of the services around the pipeline. What was not used in 24 hours is unknown, not healthy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The destinations that were used, by their last alert.
    #[serde(rename = "channels")]
    pub destinations: Vec<DestinationHealth>,
    /// When Close last delivered a webhook that was accepted or a duplicate.
    pub webhook_at: Option<Timestamp>,
    /// When a lead's owner was last looked up.
    pub lookup_at: Option<Timestamp>,
    /// What was wrong with the source of owners then; a merely missing owner is not a problem of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup_code: Option<Code>,
    /// The recent look-ups, if none found anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fruitless_lookups: Option<FruitlessLookups>,
}

/// The health of a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DestinationHealth {
    /// Which.
    #[serde(rename = "channel")]
    pub destination: DestinationId,
    /// When an alert was last sent to it, or attempted.
    pub at: Timestamp,
    /// Why that failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

impl Ops {
    /// The health of the services around the pipeline.
    ///
    /// # Errors
    /// The fault of the journal.
    pub async fn health(&self) -> Result<Health, Fault> {
        let day_ago = self.recorder.clock.now() - SignedDuration::from_hours(24);
        let sending = [Stage::Notified, Stage::Retrying, Stage::Dead];
        let (sent, received, enriched, fruitless_lookups) = futures_util::try_join!(
            self.history.recent(&sending, Some(day_ago), None, SAMPLE),
            self.history.recent(&[Stage::Received, Stage::Duplicate], Some(day_ago), None, 1),
            self.history.recent(&[Stage::Enriched], Some(day_ago), None, 1),
            self.fruitless_lookups(),
        )?;
        let webhook_at = received.first().map(|entry| entry.at);
        let mut health = Health { webhook_at, fruitless_lookups, ..Health::default() };
        for entry in &sent {
            let (destination, code) = match &entry.event {
                JournalEvent::Notified { destination, .. } => (destination, entry.event.code()),
                JournalEvent::Retrying { destination: Some(destination), code, .. }
                | JournalEvent::Dead { destination: Some(destination), code, .. } => {
                    (destination, Some(*code))
                }
                _ => continue,
            };
            // The newest comes first and counts.
            if health.destinations.iter().all(|known| known.destination != *destination) {
                let destination = destination.clone();
                health.destinations.push(DestinationHealth { destination, at: entry.at, code });
            }
        }
        health.destinations.sort_by(|a, b| a.destination.cmp(&b.destination));
        if let Some(entry) = enriched.first() {
            health.lookup_at = Some(entry.at);
            if let JournalEvent::Enriched { code, .. } = &entry.event {
                health.lookup_code = code.filter(|code| !code.is_of_one_owner());
            }
        }
        Ok(health)
    }
}
