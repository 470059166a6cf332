//! What the drawing of every table shares: its titles, and its rows in sight.

use super::{
    Painter,
    columns::{self, Column},
    rows,
};
use crate::{
    find::Searchable,
    layout::Area,
    scene::Scene,
    table::{Row, Table},
};

/// A row of a table that is in sight.
pub struct RowInSight<'a, T> {
    /// The row.
    pub row: &'a T,
    /// Where it is drawn.
    pub area: Area,
    /// Whether the cursor is on it.
    pub selected: bool,
    /// Whether it is marked, or would be by the range that is being drawn.
    pub marked: bool,
    /// Whether it is dimmed, as it does not match the filter.
    pub dim: bool,
}

/// The rows of a table that are in sight in `area`.
pub fn in_sight<T: Row + Searchable>(
    table: &Table<T>,
    area: Area,
) -> impl Iterator<Item = RowInSight<'_, T>> {
    let range = table.range();
    rows(table.list.top, table.shown.len(), area).filter_map(move |(index, area)| {
        let row = table.shown.row(index)?;
        Some(RowInSight {
            row,
            area,
            selected: index == table.list.index,
            marked: table.is_marked(index, &range),
            dim: table.wanted.dimmed && !table.wanted.filter.matches(row),
        })
    })
}

/// Draws the titles of a table's columns, the one that it is sorted by marked.
pub fn titles<T: Row>(
    table: &Table<T>,
    painter: &mut Painter<'_>,
    scene: &Scene<'_>,
    columns: &[Column],
    widths: &[usize],
) {
    let sort = table.wanted.sort;
    columns::titles(painter, scene.parts().columns, 1, columns, widths, Some((T::SORTS[sort.column], sort)));
}
