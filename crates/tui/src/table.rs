//! A table of rows that are polled: all known rows, which of them are shown, in which order, and which are
//! marked.

use std::{cmp::Ordering, collections::HashSet, fmt, hash::Hash, sync::Arc};

use super::{
    find::{Filter, Searchable},
    list::List,
    remote::Remote,
};

/// How many rows are queried at first.
pub const FIRST_ROWS: usize = 100;
/// How many a table may grow to.
pub const MOST_ROWS: usize = 100_000;
/// Up to so many rows are filtered at once; more of them in another thread.
pub const AT_ONCE: usize = 2_000;
/// So near to the end of the known rows more are queried.
const NEAR_THE_END: usize = 50;

/// A row of a table.
pub trait Row: Searchable + fmt::Debug + Clone + Send + Sync + 'static {
    /// What identifies it.
    type Key: Clone + Eq + Hash + Send + Sync;

    /// The columns that it can be sorted by; the first is the order that rows come in.
    const SORTS: &'static [&'static str];

    /// Its key.
    fn key(&self) -> &Self::Key;

    /// How it compares to another by a column of [`Row::SORTS`].
    fn compare(&self, other: &Self, column: usize) -> Ordering;
}

/// Rows, and how many there are in all.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Up to as many as were asked for.
    pub rows: Arc<Vec<T>>,
    /// How many there are, known here or not.
    pub total: u64,
}

impl<T> Page<T> {
    /// Rows queried up to a limit, and how many there are in all if the source says so.
    pub fn of(rows: Arc<Vec<T>>, total: Option<u64>, limit: usize) -> Self {
        // Without a total, a full page means that there may be more.
        let more = u64::from(rows.len() >= limit);
        let total = total.unwrap_or(rows.len() as u64 + more);
        Self { rows, total }
    }
}

/// The order of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sort {
    /// A place in [`Row::SORTS`].
    pub column: usize,
    /// Whether backwards.
    pub reverse: bool,
}

/// Which rows are shown, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// What rows have to match.
    pub filter: Filter,
    /// Whether the other rows stay visible, dimmed.
    pub dimmed: bool,
    /// In which order.
    pub sort: Sort,
}

/// The rows that are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown<T> {
    /// All rows, in the order received.
    pub rows: Arc<Vec<T>>,
    /// The indices of those that are shown, in order; `None` for all as received.
    pub order: Option<Arc<Vec<u32>>>,
    /// How many match.
    pub matched: usize,
}

impl<T> Default for Shown<T> {
    fn default() -> Self {
        Self { rows: Arc::default(), order: None, matched: 0 }
    }
}

impl<T: Row> Shown<T> {
    /// Filters and sorts rows. May be slow.
    pub fn filter(rows: Arc<Vec<T>>, wanted: &TableOptions) -> Self {
        let TableOptions { filter, dimmed, sort } = wanted;
        if filter.is_empty() && *sort == Sort::default() {
            let matched = rows.len();
            return Self { rows, order: None, matched };
        }
        let mut order: Vec<u32> = Vec::new();
        let mut matched = 0;
        for (index, row) in (0..).zip(rows.iter()) {
            let matches = filter.matches(row);
            matched += usize::from(matches);
            if matches || *dimmed {
                order.push(index);
            }
        }
        let at = |index: u32| &rows[index as usize];
        match sort {
            Sort { column: 0, reverse: false } => {}
            Sort { column: 0, reverse: true } => order.reverse(),
            // Stable, so that equal rows stay in the order received.
            Sort { column, reverse: false } => order.sort_by(|a, b| at(*a).compare(at(*b), *column)),
            Sort { column, reverse: true } => order.sort_by(|a, b| at(*b).compare(at(*a), *column)),
        }
        Self { rows, order: Some(Arc::new(order)), matched }
    }

    /// How many rows are shown.
    pub fn len(&self) -> usize {
        self.order.as_ref().map_or(self.rows.len(), |order| order.len())
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row by its place.
    pub fn row(&self, index: usize) -> Option<&T> {
        match &self.order {
            None => self.rows.get(index),
            Some(order) => self.rows.get(*order.get(index)? as usize),
        }
    }

    /// The rows in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).filter_map(|index| self.row(index))
    }
}

/// The table.
#[derive(Debug, Clone)]
pub struct Table<T: Row> {
    /// The last answer, and the state of polling.
    pub remote: Remote<Page<T>>,
    /// How many rows are queried.
    pub limit: usize,
    /// Which rows are shown, and in which order.
    pub wanted: TableOptions,
    /// The rows that are shown; the previous ones, while new ones are being filtered.
    pub shown: Shown<T>,
    /// The number of the filtering in progress.
    pub filtering: Option<u64>,
    /// The cursor.
    pub list: List<T::Key>,
    /// The rows that are marked.
    pub marks: HashSet<T::Key>,
    /// Where a range of marks begins, while one is being drawn.
    pub range: Option<T::Key>,
    stale: bool,
}

impl<T: Row> Default for Table<T> {
    fn default() -> Self {
        Self {
            remote: Remote::default(),
            limit: FIRST_ROWS,
            wanted: TableOptions::default(),
            shown: Shown::default(),
            filtering: None,
            list: List::default(),
            marks: HashSet::new(),
            range: None,
            stale: false,
        }
    }
}

impl<T: Row> Table<T> {
    /// The row under the cursor.
    pub fn row(&self) -> Option<&T> {
        self.shown.row(self.list.index)
    }

    /// All known rows, in the order received.
    pub fn known(&self) -> &[T] {
        self.remote.get().map_or(&[], |page| &page.rows)
    }

    /// The rows shown that match the filter.
    pub fn matching(&self) -> impl Iterator<Item = &T> {
        self.shown.iter().filter(|row| self.wanted.filter.matches(*row))
    }

    /// How many rows there are in all, known here or not.
    pub fn total(&self) -> Option<u64> {
        self.remote.get().map(|page| page.total.max(page.rows.len() as u64))
    }

    /// Whether all rows are known.
    pub fn is_complete(&self) -> bool {
        self.remote.get().is_some_and(|page| page.rows.len() as u64 >= page.total)
    }

    /// Makes filtering and sorting due.
    pub fn refilter(&mut self) {
        self.stale = true;
    }

    /// The filtering that is due: done at once if that is fast, else returned.
    pub fn begin_filtering(&mut self, counter: &mut u64) -> Option<(u64, Arc<Vec<T>>, TableOptions)> {
        if !std::mem::take(&mut self.stale) {
            return None;
        }
        let rows = self.remote.get().map(|page| Arc::clone(&page.rows)).unwrap_or_default();
        if rows.len() <= AT_ONCE || (self.wanted.filter.is_empty() && self.wanted.sort == Sort::default()) {
            self.filtering = None;
            self.shown = Shown::filter(rows, &self.wanted);
            return None;
        }
        *counter += 1;
        self.filtering = Some(*counter);
        Some((*counter, rows, self.wanted.clone()))
    }

    /// Takes filtered rows, unless another filtering has been started since.
    pub fn take_filtered(&mut self, generation: u64, shown: Shown<T>) {
        if self.filtering == Some(generation) {
            self.filtering = None;
            self.shown = shown;
        }
    }

    /// Moves the cursor.
    pub fn move_to(&mut self, index: usize, visible: usize) {
        let shown = &self.shown;
        self.list.go(index, shown.len(), |index| shown.row(index).map(Row::key), visible);
        self.grow();
    }

    /// Loads more rows if the cursor is near the end of the known ones.
    fn grow(&mut self) {
        if self.list.index + NEAR_THE_END >= self.shown.len() && self.limit < MOST_ROWS {
            self.load_more();
        }
    }

    /// Loads more rows, unless all are known or more than the known ones are being queried.
    pub fn load_more(&mut self) {
        if self.known().len() >= self.limit && !self.is_complete() {
            self.limit = (self.limit * 4).min(MOST_ROWS);
            self.remote.refresh_soon();
        }
    }

    /// The places of the range that is being drawn.
    fn range_places(&self) -> Option<std::ops::RangeInclusive<usize>> {
        let from = self.range.as_ref()?;
        let start = (0..self.shown.len()).find(|at| self.shown.row(*at).map(Row::key) == Some(from))?;
        let end = self.list.index;
        Some(start.min(end)..=start.max(end))
    }

    /// Whether a row is marked, or would be by `range`, which is the table's [`Table::range`].
    pub fn is_marked(&self, index: usize, range: &std::ops::RangeInclusive<usize>) -> bool {
        range.contains(&index) || self.shown.row(index).is_some_and(|row| self.marks.contains(row.key()))
    }

    /// The places of the range, to check many rows; empty if there is none.
    pub fn range(&self) -> std::ops::RangeInclusive<usize> {
        #[allow(clippy::reversed_empty_ranges, reason = "an empty one")]
        self.range_places().unwrap_or(1..=0)
    }

    /// Begins a range, or marks the rows of the current one.
    pub fn range_or_mark(&mut self) {
        match self.range_places() {
            Some(places) => {
                let keys: Vec<T::Key> =
                    places.filter_map(|at| self.shown.row(at)).map(|row| row.key().clone()).collect();
                self.marks.extend(keys);
                self.range = None;
            }
            None => self.range = self.row().map(|row| row.key().clone()),
        }
    }

    /// Marks or unmarks the row under the cursor.
    pub fn toggle_mark(&mut self) {
        let Some(key) = self.row().map(|row| row.key().clone()) else { return };
        if !self.marks.remove(&key) {
            self.marks.insert(key);
        }
    }

    /// Clears all marks, and the range that is being drawn.
    pub fn unmark(&mut self) {
        self.marks.clear();
        self.range = None;
    }

    /// Marks every row that matches, or unmarks them if all of them are marked.
    pub fn mark_shown(&mut self) {
        let keys: HashSet<T::Key> = self.matching().map(|row| row.key().clone()).collect();
        if keys.is_subset(&self.marks) {
            self.marks.retain(|key| !keys.contains(key));
        } else {
            self.marks.extend(keys);
        }
    }

    /// The marked rows that are known, in the order shown; else the one under the cursor.
    pub fn selected_rows(&self) -> Vec<&T> {
        if self.marks.is_empty() {
            return self.row().into_iter().collect();
        }
        self.known().iter().filter(|row| self.marks.contains(row.key())).collect()
    }

    /// The next matching row from the cursor in a direction, wrapping around.
    pub fn next_matching(&self, forward: bool) -> Option<usize> {
        let rows = self.shown.len();
        (1..=rows)
            .map(|step| {
                if forward { (self.list.index + step) % rows } else { (self.list.index + rows - step) % rows }
            })
            .find(|at| self.shown.row(*at).is_some_and(|row| self.wanted.filter.matches(row)))
    }

    /// Drops the marks of rows that no longer exist, and filters the new rows.
    pub fn rows_changed(&mut self) {
        if let Some(page) = self.remote.get().filter(|_| self.is_complete() && !self.marks.is_empty()) {
            let present: HashSet<&T::Key> = page.rows.iter().map(Row::key).collect();
            self.marks.retain(|key| present.contains(key));
        }
        self.refilter();
    }
}
