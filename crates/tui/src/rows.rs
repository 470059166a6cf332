//! Rows on their way between the console and its effects, which know no table.

use std::{any::Any, fmt, sync::Arc};

use super::{
    panel::Panel,
    table::{Row, Shown, Wanted},
};

/// Rows of some table, as they came.
#[derive(Clone)]
pub struct Rows {
    rows: Arc<dyn Any + Send + Sync>,
    /// How many there are in all, where the source says so.
    pub total: Option<u64>,
}

impl Rows {
    /// These rows.
    pub fn of<T: Row>(rows: Vec<T>, total: Option<u64>) -> Self {
        Self { rows: Arc::new(rows), total }
    }

    /// The rows, where they are of this kind.
    pub fn get<T: Row>(&self) -> Option<Arc<Vec<T>>> {
        Arc::clone(&self.rows).downcast().ok()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("total", &self.total).finish_non_exhaustive()
    }
}

/// The very same rows.
impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rows, &other.rows) && self.total == other.total
    }
}

/// Rows to be filtered and sorted beside the keys.
#[derive(Debug, Clone)]
pub struct FilterTask {
    panel: Panel,
    rows: Rows,
    wanted: Wanted,
    run: fn(&Rows, &Wanted) -> Option<Box<dyn Any + Send>>,
}

impl PartialEq for FilterTask {
    fn eq(&self, other: &Self) -> bool {
        (self.panel, &self.rows, &self.wanted) == (other.panel, &other.rows, &other.wanted)
    }
}

impl FilterTask {
    /// Of a panel's table.
    pub fn of<T: Row>(panel: Panel, rows: Arc<Vec<T>>, wanted: Wanted) -> Self {
        let run = |rows: &Rows, wanted: &Wanted| -> Option<Box<dyn Any + Send>> {
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
pub struct Filtered {
    /// Of which panel's table.
    pub panel: Panel,
    shown: Option<Box<dyn Any + Send>>,
}

impl Filtered {
    /// What is shown of them, where they are of this kind.
    pub fn get<T: Row>(self) -> Option<Shown<T>> {
        self.shown?.downcast().ok().map(|shown| *shown)
    }
}

impl fmt::Debug for Filtered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filtered").field("panel", &self.panel).finish_non_exhaustive()
    }
}
