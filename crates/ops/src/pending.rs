//! Open leads.

use lead::{LeadId, Timestamp};
use pipeline::{Fault, State, overdue_before, ports::OpenCounts};
use serde::Serialize;

use crate::{Ops, leads::name_of};

/// A row of `leadops pending`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingRow {
    /// The lead.
    pub lead_id: LeadId,
    /// Its name.
    pub display_name: String,
    /// When its webhook was accepted.
    pub received_at: Timestamp,
    /// When it is to be processed.
    pub due_at: Timestamp,
    /// Seconds until then, negative once it has passed.
    pub due_in_seconds: i64,
    /// Pending, processing or overdue.
    pub state: State,
}

impl Ops {
    /// Up to `limit` open leads, soonest due first.
    ///
    /// # Errors
    /// The fault of the journal.
    pub async fn pending(&self, limit: usize) -> Result<Vec<PendingRow>, Fault> {
        let now = self.recorder.clock.now();
        let open = self.history.open_leads(limit).await?;
        Ok(open
            .into_iter()
            .map(|open| PendingRow {
                due_in_seconds: open.due_at.duration_since(now).as_secs(),
                state: State::of_open(open.due_at, now, self.settings.overdue_after),
                display_name: name_of(&open.name, &open.lead),
                lead_id: open.lead,
                received_at: open.received_at,
                due_at: open.due_at,
            })
            .collect())
    }

    /// How many leads are open.
    ///
    /// # Errors
    /// The fault of the journal.
    pub async fn count_open(&self) -> Result<OpenCounts, Fault> {
        let now = self.recorder.clock.now();
        self.history.count_open(now, overdue_before(now, self.settings.overdue_after)).await
    }
}
