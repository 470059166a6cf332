//! Writing down what happens: one call makes the journal entry and the log line.

use std::sync::Arc;

use lead::{AlertKind, LeadId};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{
    Entry, Fault, JournalEvent,
    destination::DestinationId,
    ports::{Clock, DeadLetterCause, Disposition, Journal, Level, Queue, Random},
};

/// Whose log a line stands in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, EnumString, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Function {
    /// Takes webhooks in.
    WebhookIngestion,
    /// Looks owners up.
    LeadProcessor,
    /// Sends alerts.
    Notification,
    /// Sends what waits for longer than a queue can, on AWS.
    Housekeeping,
    /// A person.
    Operator,
}

impl Function {
    /// The name on the wire, also the Lambda function's.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The function that works on a queue.
    pub fn of_queue(queue: Queue) -> Self {
        match queue {
            Queue::Delay => Self::LeadProcessor,
            Queue::Notification => Self::Notification,
        }
    }
}

/// Writes the journal and the log.
#[derive(Clone)]
pub struct Recorder {
    /// The time of entries.
    pub clock: Arc<dyn Clock>,
    /// Tells entries of one moment apart.
    pub random: Arc<dyn Random>,
    /// Where entries go.
    pub journal: Arc<dyn Journal>,
}

impl Recorder {
    /// An entry about something that happens now, not written yet.
    pub fn entry(&self, lead_id: Option<LeadId>, event: JournalEvent) -> Entry {
        Entry { at: self.clock.now(), lead_id, nonce: self.nonce(), event }
    }

    /// What tells an entry apart from others of its moment.
    pub fn nonce(&self) -> u32 {
        // The lower half of the bits is as random as the upper.
        #[allow(clippy::cast_possible_truncation)]
        let nonce = self.random.bits() as u32;
        nonce
    }

    /// Writes an entry to the journal, then its line to the log.
    pub async fn record(&self, lead_id: Option<LeadId>, event: JournalEvent) -> Result<(), Fault> {
        self.write(self.entry(lead_id, event)).await
    }

    /// Writes an entry that was made before, keeping its time.
    pub async fn write(&self, entry: Entry) -> Result<(), Fault> {
        self.journal.append(entry.clone()).await?;
        log(&entry);
        Ok(())
    }

    /// Like [`Recorder::write`], of an entry that an alert follows: see [`Journal::append_before_alert`].
    pub(crate) async fn write_before_alert(&self, entry: Entry) -> Result<(), Fault> {
        self.journal.append_before_alert(entry.clone()).await?;
        log(&entry);
        Ok(())
    }

    /// Records that a message is given up, which is a dead letter from now on. Where the journal fails as well, the log
    /// still says so, and the message speaks for itself.
    pub(crate) async fn dead(
        &self,
        queue: Queue,
        lead: Option<LeadId>,
        alert: Option<(DestinationId, AlertKind)>,
        fault: Fault,
        attempts: u32,
    ) -> Disposition {
        let event = JournalEvent::dead(queue, alert, &fault, attempts);
        self.record_or_log(lead.clone(), event).await;
        Disposition::Dead(DeadLetterCause { code: fault.code, reason: fault.reason(), attempts, lead })
    }

    /// Writes an entry to the journal, or to the log why it could not be written.
    pub(crate) async fn record_or_log(&self, lead: Option<LeadId>, event: JournalEvent) {
        let function = event.function();
        if let Err(failed) = self.record(lead.clone(), event).await {
            fault(function, Level::Error, "", lead.as_ref(), &failed);
        }
    }
}

/// Writes an entry's line to the log.
pub fn log(entry: &Entry) {
    let event = &entry.event;
    let (stage, detail) = (event.stage().as_str(), entry.detail());
    let lead_id = entry.lead_id.as_ref().map(LeadId::as_str);
    let code = event.code().map(crate::Code::as_str);
    line(event.function(), event.level(), &format!("{stage}: {detail}"), lead_id, code);
}

/// Writes a fault to the log, `context` in front where it says more than the fault does.
pub fn fault(function: Function, level: Level, context: &str, lead_id: Option<&LeadId>, fault: &Fault) {
    let message = if context.is_empty() { fault.what.clone() } else { format!("{context}: {}", fault.what) };
    line(function, level, &message, lead_id.map(LeadId::as_str), Some(fault.code.as_str()));
}

/// Writes a line to the log that is no journal entry.
pub fn line(function: Function, level: Level, message: &str, lead_id: Option<&str>, code: Option<&str>) {
    let function = function.as_str();
    match level {
        Level::Debug => tracing::debug!(function, lead_id, code, "{message}"),
        Level::Info => tracing::info!(function, lead_id, code, "{message}"),
        Level::Warn => tracing::warn!(function, lead_id, code, "{message}"),
        Level::Error => tracing::error!(function, lead_id, code, "{message}"),
    }
}
