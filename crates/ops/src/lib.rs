//! What an operator can see and do. The console and the commands are built on it.
//!
//! [`Ops`] is for viewing, [`Actions`] for acting; a read-only environment cannot create the latter. The structs
//! returned here serialise to what the commands print with `--json`: fields are added, never renamed.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod actions;
mod condition;
mod dead;
mod deleted;
pub mod export;
mod health;
mod leads;
mod lookups;
mod owner_cell;
mod pending;
mod resend;
mod status;
mod webhooks;

use std::sync::Arc;

use lead::LeadId;
use pipeline::{
    Code, Fault, Recorder, Settings,
    alert_queue::AlertQueue,
    ports::{DeadLetters, History, Inbox, LogLine, LogQuery, Logs, Objects, Outbox},
};

pub use actions::{Actions, Redriven};
pub use condition::{Condition, ConditionState, NoSetUpReport, SetUpReport};
pub use dead::{DeadDetail, DeadRow, Selection};
pub use deleted::DeletedRow;
pub use health::{DestinationHealth, Health};
pub use leads::{LeadQuery, LeadRow, LeadStory, Notification, Step};
pub use lookups::FruitlessLookups;
pub use owner_cell::OwnerCell;
pub use pending::PendingRow;
pub use resend::{QueuedAlert, Recipients, Resent};
pub use status::{Last24h, Queues, Refused, Speed, Status};
pub use webhooks::Webhooks;

/// Whether actions are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Only viewing.
    ReadOnly,
}

impl Access {
    /// Everything, unless the environment is read-only.
    pub fn unless(read_only: bool) -> Self {
        if read_only { Self::ReadOnly } else { Self::Full }
    }

    /// Whether actions are allowed.
    ///
    /// # Errors
    /// [`Code::ReadOnly`] where they are not.
    pub fn to_act(self) -> Result<(), Fault> {
        match self {
            Self::Full => Ok(()),
            Self::ReadOnly => {
                Err(Fault::new(Code::ReadOnly, "this environment is read-only, so nothing was done"))
            }
        }
    }
}

/// An operator's view of one pipeline.
#[derive(Clone)]
pub struct Ops {
    /// The pipeline's settings.
    pub settings: Arc<Settings>,
    /// Raw events, enriched leads, copies of deleted dead letters.
    pub objects: Arc<dyn Objects>,
    /// The journal.
    pub history: Arc<dyn History>,
    /// How full the queues are.
    pub inbox: Arc<dyn Inbox>,
    /// The dead letters.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The log lines.
    pub logs: Arc<dyn Logs>,
    /// Where requeued leads go.
    pub outbox: Arc<dyn Outbox>,
    /// Where resent alerts go, and their receipts.
    pub alerting: AlertQueue,
    /// Where actions are recorded.
    pub recorder: Recorder,
    /// What the pipeline reports about its own set-up.
    pub set_up: Arc<dyn SetUpReport>,
    /// The acting person, such as `user@host`.
    pub operator: String,
    /// Whether actions are allowed.
    pub access: Access,
}

impl Ops {
    /// The right to act.
    ///
    /// # Errors
    /// [`Code::ReadOnly`] in a read-only environment.
    pub fn actions(&self) -> Result<Actions<'_>, Fault> {
        self.access.to_act()?;
        Ok(Actions(self))
    }

    /// Those of these leads that were announced and have no receipt any more: processing them again announces them
    /// again.
    ///
    /// # Errors
    /// The fault of a port.
    pub async fn without_receipts(&self, leads: &[LeadId]) -> Result<Vec<LeadId>, Fault> {
        let mut found = Vec::new();
        for lead in leads {
            let announced = self.history.progress(lead).await?.is_some_and(|progress| progress.notified);
            if announced && self.alerting.receipts.of_lead(lead).await?.is_empty() {
                found.push(lead.clone());
            }
        }
        Ok(found)
    }

    /// Log lines, the oldest first.
    ///
    /// # Errors
    /// The fault of the log store.
    pub async fn logs(&self, query: &LogQuery) -> Result<Vec<LogLine>, Fault> {
        self.logs.lines(query).await
    }
}
