//! Rows of any table, as they are passed between `update` and `effect`.

use std::{any::Any, sync::Arc};

use super::{
    panel::Panel,
    table::{Row, Shown, TableOptions},
};

/// Rows of some table, as received.
#[derive(Debug, Clone)]
pub struct Rows {
    rows: Arc<dyn Any + Send + Sync>,
    /// How many there are in all, if the source says so.
    pub total: Option<u64>,
}

impl Rows {
    /// These rows.
    pub fn of<T: Row>(rows: Vec<T>, total: Option<u64>) -> Self {
        Self { rows: Arc::new(rows), total }
    }

    /// The rows, if they are of this type.
    pub fn get<T: Row>(&self) -> Option<Arc<Vec<T>>> {
        Arc::clone(&self.rows).downcast().ok()
    }
}

/// The very same rows.
impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rows, &other.rows) && self.total == other.total
    }
}

/// Rows to be filtered and sorted in another thread.
#[derive(Debug, Clone)]
pub struct FilterTask {
    panel: Panel,
    rows: Rows,
    wanted: TableOptions,
    run: fn(&Rows, &TableOptions) -> Option<Box<dyn Any + Send>>,
}

impl PartialEq for FilterTask {
    fn eq(&self, other: &Self) -> bool {
        (self.panel, &self.rows, &self.wanted) == (other.panel, &other.rows, &other.wanted)
    }
}

impl FilterTask {
    /// A task for a panel's table.
    pub fn of<T: Row>(panel: Panel, rows: Arc<Vec<T>>, wanted: TableOptions) -> Self {
        let run = |rows: &Rows, wanted: &TableOptions| -> Option<Box<dyn Any + Send>> {
            Some(Box::new(Shown::filter(rows.get::<T>()?, wanted)))
        };
        Self { panel, rows: Rows { rows, total: None }, wanted, run }
    }

    /// Filters and sorts them.
    pub fn run(self) -> Filtered {
        Filtered { panel: self.panel, shown: (self.run)(&self.rows, &self.wanted) }
    }
}

/// Rows that have been filtered and sorted.
#[derive(Debug)]
pub struct Filtered {
    /// Of which panel's table.
    pub panel: Panel,
    shown: Option<Box<dyn Any + Send>>,
}

impl Filtered {
    /// The rows to show, if they are of this type.
    pub fn get<T: Row>(self) -> Option<Shown<T>> {
        self.shown?.downcast().ok().map(|shown| *shown)
    }
}
