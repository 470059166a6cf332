//! Dead letters that were deleted: what they were, when and by whom.

use std::cmp::Ordering;

use jiff::SignedDuration;
use ops::{DeletedRow, Ops};
use pipeline::Fault;

use crate::{
    draw::{
        Painter,
        columns::{self, Column, number, text},
        table::{RowInSight, in_sight, titles},
    },
    find::{Searchable, by_text},
    format::{self, age, since},
    keymap::Action,
    layout::Area,
    line::Line,
    panel::Panel,
    rows::Rows,
    scene::Scene,
    table::{Row, Table},
    table_view::TableRow,
    text::Glyphs,
    theme::Role,
    view::Named,
};

const COLUMNS: [Column; 6] = [
    number("deleted", 8, 0),
    text("code", 5, 5, 0, 0),
    text("name", 8, 44, 4, 0),
    text("reason", 10, 90, 6, 50),
    text("queue", 12, 12, 0, 110),
    text("by", 10, 30, 2, 70),
];

impl Searchable for DeletedRow {
    fn fields() -> &'static [&'static str] {
        &["name", "lead", "code", "reason", "queue", "by", "id"]
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        let letter = &self.dead_letter;
        self.display_name.as_deref().is_some_and(|name| see("name", name))
            || letter.lead_id.as_ref().is_some_and(|lead| see("lead", lead.as_str()))
            || see("code", letter.code.as_str())
            || see("reason", &letter.reason)
            || see("queue", letter.queue.as_str())
            || see("by", &self.deleted_by)
            || see("id", &letter.id)
    }
}

impl Row for DeletedRow {
    type Key = String;
    const SORTS: &'static [&'static str] = &["deleted", "code", "name", "reason", "by"];

    fn key(&self) -> &String {
        &self.dead_letter.id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        let (a, b) = (&self.dead_letter, &other.dead_letter);
        match column {
            1 => a.code.cmp(&b.code),
            2 => by_text(&name(self), &name(other)),
            3 => by_text(&a.reason, &b.reason),
            4 => by_text(&self.deleted_by, &other.deleted_by),
            _ => other.deleted_at.cmp(&self.deleted_at),
        }
    }
}

impl TableRow for DeletedRow {
    const PANEL: Panel = Panel::Deleted;
    /// On AWS each copy is a request of its own.
    const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(60);
    const COPIED: &'static str = "the deleted dead letter";

    async fn fetch(ops: &Ops, limit: usize) -> Result<Rows, Fault> {
        let (rows, count) = ops.deleted(limit).await?;
        Ok(Rows::of(rows, Some(count)))
    }

    fn lead(&self) -> Option<Named> {
        Some((self.dead_letter.lead_id.clone()?, self.display_name.clone()))
    }

    fn id(&self) -> Option<(&'static str, String)> {
        Some(("the deleted dead letter's id", self.dead_letter.id.clone()))
    }

    fn hints(_: &Table<Self>) -> Vec<(Action, &'static str)> {
        vec![
            (Action::Open, "open lead"),
            (Action::CopyAll, "copy with message"),
            (Action::Requeue, "requeue lead"),
        ]
    }

    fn state(table: &Table<Self>, _: &Scene<'_>) -> Line {
        match table.total().unwrap_or(0) {
            0 => Line::new(),
            total => vec![(Role::Base, format::number(total))],
        }
    }

    fn nothing(is_filtered: bool, _: &Glyphs) -> String {
        if is_filtered { "No deleted dead letter matches." } else { "No dead letter was deleted." }.to_owned()
    }

    fn draw(table: &Table<Self>, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        let widths = columns::widths(&COLUMNS, usize::from(area.width).saturating_sub(2));
        titles(table, painter, scene, &COLUMNS, &widths);
        for RowInSight { row, area, selected, marked, dim } in in_sight(table, area) {
            let letter = &row.dead_letter;
            let role = if dim { Role::Dim } else { Role::Base };
            let mut line = painter
                .gutter(painter.row(area.width), marked, selected && !scene.focused)
                .right(role, &age(since(scene.now, row.deleted_at)), widths[0])
                .gap(1)
                .text(role, letter.code.as_str(), widths[1])
                .gap(1)
                .text(role, &name(row), widths[2])
                .gap(1);
            let cells = [letter.reason.as_str(), letter.queue.as_str(), row.deleted_by.as_str()];
            for (cell, columns) in cells.into_iter().zip(&widths[3..]).filter(|(_, columns)| **columns > 0) {
                line = line.text(Role::Dim, cell, *columns).gap(1);
            }
            painter.line(area, &line.line);
            if selected {
                painter.cursor(area, scene.focused);
            }
        }
    }
}

/// Its lead's name, else the lead's id, else its own.
fn name(row: &DeletedRow) -> String {
    let lead = row.dead_letter.lead_id.as_ref().map(ToString::to_string);
    row.display_name.clone().or(lead).unwrap_or_else(|| format!("message {}", row.dead_letter.id))
}
