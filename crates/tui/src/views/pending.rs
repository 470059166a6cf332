//! Leads that have not finished, counting down.

use std::cmp::Ordering;

use jiff::SignedDuration;
use lead::LeadId;
use ops::{Ops, PendingRow, Status};
use pipeline::{Fault, State};

use crate::{
    draw::{
        Painter, bar,
        columns::{Column, id, number, text},
        table,
    },
    find::{Searchable, by_text},
    format::{self, clock, countdown, since},
    keymap::Action,
    layout::Area,
    line::Line,
    panel::Panel,
    rows::Rows,
    scene::Scene,
    table::{Row, Table},
    table_view::{COUNTS_MAX_AGE, TableRow},
    text::{Glyphs, width},
    theme::Role,
    view::Named,
};

/// What is due soonest comes first, so overdue is on top. The bar is left out if there is no room for it.
const COLUMNS: [Column; 6] = [
    text("", 1, 1, 0, 0),
    text("name", 14, 48, 4, 0),
    id("lead", 14, 36, 2, 96),
    text("received", 8, 8, 0, 84),
    text("", 7, 44, 2, 32),
    number("due", 9, 0),
];

/// From this width on there is room for text instead of the bar.
const WORDY: usize = 15;

impl Searchable for PendingRow {
    fn fields() -> &'static [&'static str] {
        &["name", "lead", "state"]
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        see("name", &self.display_name)
            || see("lead", self.lead_id.as_str())
            || see("state", self.state.as_str())
    }
}

impl Row for PendingRow {
    type Key = LeadId;
    const SORTS: &'static [&'static str] = &["due", "name", "received"];

    fn key(&self) -> &LeadId {
        &self.lead_id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        match column {
            1 => by_text(&self.display_name, &other.display_name),
            2 => self.received_at.cmp(&other.received_at),
            _ => self.due_at.cmp(&other.due_at),
        }
    }
}

impl TableRow for PendingRow {
    const PANEL: Panel = Panel::Pending;
    const MAX_AGE: SignedDuration = COUNTS_MAX_AGE;
    const NOTHING: (&'static str, &'static str) = ("No open leads.", "No lead matches.");

    async fn fetch(ops: &Ops, limit: usize) -> Result<Rows, Fault> {
        let mut rows = ops.pending(limit).await?;
        rows.sort_by_key(|row| row.due_at);
        Ok(Rows::of(rows, None))
    }

    fn lead(&self) -> Option<Named> {
        Some((self.lead_id.clone(), Some(self.display_name.clone())))
    }

    fn hints(_: &Table<Self>) -> Vec<(Action, &'static str)> {
        vec![(Action::Open, "open lead"), (Action::Requeue, "process now")]
    }

    fn count(table: &Table<Self>) -> Option<u64> {
        table.remote.get().map(|page| page.rows.len() as u64)
    }

    fn is_alarming(_: &Table<Self>, status: Option<&Status>) -> bool {
        status.is_some_and(|status| status.overdue > 0)
    }

    fn state(table: &Table<Self>, scene: &Scene<'_>) -> Line {
        let total = scene.status.map(|status| status.pending + status.processing + status.overdue);
        let about = if scene.status.is_some_and(|status| status.approximate) { "~" } else { "" };
        let known = table.shown.rows.len() as u64;
        match total {
            Some(total) if total > known => {
                let next = format::number(known);
                vec![(Role::Dim, format!("next {next} of {about}{}", format::number(total)))]
            }
            _ if known > 0 => vec![(Role::Base, format::number(known))],
            _ => Line::new(),
        }
    }

    fn draw(table: &Table<Self>, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        let glyphs = painter.glyphs;
        table::draw(table, painter, scene, area, &COLUMNS, |line, seen| {
            let row = seen.row;
            let state = scene.state_of(row.due_at, row.state);
            let (role, mark, time_role) = match state {
                State::Overdue => (Role::Strong, (Role::Alarm, glyphs.overdue), Role::Alarm),
                State::Processing => (Role::Base, (Role::Accent, glyphs.working), Role::Dim),
                _ => (Role::Base, (Role::Dim, " "), Role::Base),
            };
            let mut widths = seen.widths.to_vec();
            if state != State::Pending && widths[4] < WORDY {
                // Without a bar or text, the name gets its room.
                let room = std::mem::take(&mut widths[4]);
                widths[1] += if room > 0 { room + 1 } else { 0 };
            }
            let cells = [
                mark,
                (seen.role(role), &row.display_name),
                (Role::Dim, row.lead_id.as_str()),
                (Role::Dim, &clock(row.received_at)),
            ];
            let mut line = line.cells(&COLUMNS, &widths, &cells);
            if widths[4] > 0 {
                for (role, text) in middle(glyphs, scene, row, state, widths[4]) {
                    line = line.glyphs(role, &text);
                }
                line = line.gap(1);
            }
            line.cells(&COLUMNS[5..], &widths[5..], &[(time_role, &time_of(scene, row, state))])
        });
    }
}

/// How much of the delay has passed; for an overdue lead, when it was due.
fn middle(glyphs: &Glyphs, scene: &Scene<'_>, row: &PendingRow, state: State, columns: usize) -> Line {
    let fill = |role, text: &str| {
        let text = glyphs.fit(text, columns);
        let gap = columns - width(&text);
        vec![(role, text), (Role::Base, " ".repeat(gap))]
    };
    match state {
        State::Overdue => fill(Role::Alarm, &format!("due {}", clock(row.due_at))),
        State::Processing => fill(Role::Dim, "processing"),
        _ => {
            let (waited, wait) = (since(scene.now, row.received_at), since(row.due_at, row.received_at));
            let (filled, left) = bar(glyphs, columns, waited, wait);
            vec![(Role::Accent, filled), (Role::Dim, left)]
        }
    }
}

/// `4:58`, `due`, `2:40 late`.
fn time_of(scene: &Scene<'_>, row: &PendingRow, state: State) -> String {
    match state {
        State::Overdue => format!("{} late", countdown(since(scene.now, row.due_at))),
        State::Processing => "due".to_owned(),
        _ => countdown(since(row.due_at, scene.now)),
    }
}
