//! Dead letters that were deleted: what they were, when and by whom.

use std::cmp::Ordering;

use jiff::SignedDuration;
use ops::{DeletedRow, Ops};
use pipeline::Fault;

use super::dead::letter_texts;
use crate::{
    doc::name_of,
    draw::{
        Painter,
        columns::{Column, number, text},
        table,
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
        letter_texts(&self.dead_letter, self.display_name.as_deref(), see) || see("by", &self.deleted_by)
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
    const NOTHING: (&'static str, &'static str) =
        ("No dead letter was deleted.", "No deleted dead letter matches.");

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

    fn draw(table: &Table<Self>, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        table::draw(table, painter, scene, area, &COLUMNS, |line, seen| {
            let (row, letter, role) = (seen.row, &seen.row.dead_letter, seen.role(Role::Base));
            let cells = [
                (role, &*age(since(scene.now, row.deleted_at))),
                (role, letter.code.as_str()),
                (role, &name(row)),
                (Role::Dim, &letter.reason),
                (Role::Dim, letter.queue.as_str()),
                (Role::Dim, &row.deleted_by),
            ];
            line.cells(&COLUMNS, seen.widths, &cells)
        });
    }
}

fn name(row: &DeletedRow) -> String {
    name_of(&row.dead_letter, row.display_name.as_deref())
}
