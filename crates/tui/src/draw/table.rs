//! What the drawing of every table shares: its titles, and its rows in sight.

use super::{
    Painter, Row as Cells,
    columns::{self, Column},
    rows,
};
use crate::{
    layout::Area,
    scene::Scene,
    table::{Row, Sort, Table},
    theme::Role,
};

/// A row of a table that is in sight.
pub struct RowInSight<'a, T> {
    /// The row.
    pub row: &'a T,
    /// How wide each column is; 0 if it is not shown.
    pub widths: &'a [usize],
    /// Whether it is dimmed, as it does not match the filter.
    dim: bool,
}

impl<T> RowInSight<'_, T> {
    /// The role of a part of it.
    pub fn role(&self, role: Role) -> Role {
        if self.dim { Role::Dim } else { role }
    }
}

/// Draws the names of the columns of a list where there is room for them, the one that is sorted by marked.
/// Returns how wide each column is in `area`; 0 if it is not shown.
pub fn titles(
    painter: &mut Painter<'_>,
    scene: &Scene<'_>,
    area: Area,
    columns: &[Column],
    sorted: Option<(&str, Sort)>,
) -> Vec<usize> {
    let widths = columns::widths(columns, usize::from(area.width).saturating_sub(2));
    let place = scene.parts().columns;
    if place.height == 0 {
        return widths;
    }
    let title = |column: &Column| match sorted {
        Some((name, sort)) if name == column.title => {
            let arrow = if sort.reverse { painter.glyphs.up } else { painter.glyphs.down };
            (Role::Strong, format!("{}{arrow}", column.title))
        }
        _ => (Role::Dim, column.title.to_owned()),
    };
    let titles: Vec<(Role, String)> = columns.iter().map(title).collect();
    let row = painter.row(place.width).gap(1).cells(columns, &widths, &titles);
    painter.line(place, &row.line);
    widths
}

/// Draws a table: the titles of its columns, the one that it is sorted by marked, and its rows in sight, each
/// with its `cells`.
pub fn draw<T: Row>(
    table: &Table<T>,
    painter: &mut Painter<'_>,
    scene: &Scene<'_>,
    area: Area,
    columns: &[Column],
    cells: impl Fn(Cells, &RowInSight<'_, T>) -> Cells,
) {
    let sort = table.wanted.sort;
    let widths = titles(painter, scene, area, columns, Some((T::SORTS[sort.column], sort)));
    let range = table.range();
    for (index, area) in rows(table.list.top, table.shown.len(), area) {
        let Some(row) = table.shown.row(index) else { continue };
        let dim = table.wanted.dimmed && !table.wanted.filter.matches(row);
        let state = (table.is_marked(index, &range), index == table.list.index);
        painter.list_row(scene, area, state, |line| cells(line, &RowInSight { row, widths: &widths, dim }));
    }
}
