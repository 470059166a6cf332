//! The views, one file each, and which panel has which.

pub mod dead;
mod deleted;
pub mod leads;
pub mod log;
pub mod pending;

use ops::{DeadRow, DeletedRow, LeadRow, Ops, PendingRow};
use pipeline::Fault;

use self::dead::DeadView;
use super::{
    panel::Panel,
    rows::Rows,
    table::Table,
    table_view::{TableRow, mismatched_answer},
    tail::Tail,
    view::View,
};

/// The views of all panels.
#[derive(Debug, Clone, Default)]
pub struct Panels {
    /// Leads that have not finished.
    pub pending: Table<PendingRow>,
    /// Dead letters.
    pub dead: DeadView,
    /// Enriched leads.
    pub leads: Table<LeadRow>,
    /// The log.
    pub logs: Tail,
    /// Deleted dead letters.
    pub deleted: Table<DeletedRow>,
}

impl Panels {
    /// A panel's view.
    pub fn view(&self, panel: Panel) -> &dyn View {
        match panel {
            Panel::Pending => &self.pending,
            Panel::Dead => &self.dead,
            Panel::Leads => &self.leads,
            Panel::Logs => &self.logs,
            Panel::Deleted => &self.deleted,
        }
    }

    /// The same, mutable.
    pub fn view_mut(&mut self, panel: Panel) -> &mut dyn View {
        match panel {
            Panel::Pending => &mut self.pending,
            Panel::Dead => &mut self.dead,
            Panel::Leads => &mut self.leads,
            Panel::Logs => &mut self.logs,
            Panel::Deleted => &mut self.deleted,
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &dyn View> {
        Panel::ALL.into_iter().map(|panel| self.view(panel))
    }
}

/// Queries so many rows of a panel's table.
///
/// # Errors
/// The fault of a port.
pub async fn fetch(ops: &Ops, panel: Panel, limit: usize) -> Result<Rows, Fault> {
    match panel {
        Panel::Pending => PendingRow::fetch(ops, limit).await,
        Panel::Dead => DeadRow::fetch(ops, limit).await,
        Panel::Leads => LeadRow::fetch(ops, limit).await,
        Panel::Logs => Err(mismatched_answer()),
        Panel::Deleted => DeletedRow::fetch(ops, limit).await,
    }
}
