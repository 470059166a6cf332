//! Leads that have not ended, counting down.

use ops::PendingRow;
use pipeline::State;

use super::{
    columns::{self, Column, number, text},
    widgets::{Pen, bar, condition_of, finding, rows, states},
};
use crate::{
    app::{App, Panel},
    doc::Line,
    format::{self, clock, countdown, since},
    layout::Layout,
    table::Row as _,
    theme::Role,
};

/// What is due soonest comes first, so overdue is on top. The bar goes where there is no room for it.
const COLUMNS: [Column; 6] = [
    text("", 1, 1, 0, 0),
    text("name", 14, 48, 4, 0),
    text("lead", 14, 36, 2, 96),
    text("received", 8, 8, 0, 84),
    text("", 7, 44, 2, 32),
    number("due", 9, 0),
];

/// From this width on there is room for words in the place of the bar.
const WORDY: usize = 15;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    let (table, parts) = (&app.pending, layout.parts(Panel::Pending));
    let shown = &table.shown;
    let status = app.status.get();
    let total = status.map(|status| status.pending + status.processing + status.overdue);
    let about = if status.is_some_and(|status| status.approximate) { "~" } else { "" };
    let counted = match total {
        Some(total) if total > shown.rows.len() as u64 => {
            let next = format::number(shown.rows.len() as u64);
            Some((Role::Dim, format!("next {next} of {about}{}", format::number(total))))
        }
        _ if !shown.rows.is_empty() => Some((Role::Base, format::number(shown.rows.len() as u64))),
        _ => None,
    };
    let condition = condition_of(&table.remote, app.now, pen.glyphs);
    let state = states([finding(app, Panel::Pending), counted.into_iter().collect(), condition]);
    pen.heading(app, Panel::Pending, layout, state);
    let empty = if table.wanted.filter.is_empty() { "No lead is waiting." } else { "No lead matches." };
    let area = pen.condition(&table.remote, parts.rows, app.now, shown.is_empty().then_some(empty));

    let widths = columns::widths(&COLUMNS, usize::from(area.width).saturating_sub(2));
    let sorted = Some((PendingRow::SORTS[table.wanted.sort.column], table.wanted.sort));
    columns::titles(pen, parts.columns, 1, &COLUMNS, &widths, sorted);
    let focused = app.focus == Panel::Pending && app.windows.is_empty();
    let range = table.range();
    for (index, area) in rows(table.list.top, shown.len(), area) {
        let Some(row) = shown.row(index) else { continue };
        let selected = index == table.list.index;
        let state = app.state_of(row);
        let (role, glyph, time_role) = match state {
            State::Overdue => (Role::Strong, (Role::Alarm, pen.glyphs.overdue), Role::Alarm),
            State::Processing => (Role::Base, (Role::Accent, pen.glyphs.working), Role::Dim),
            _ => (Role::Base, (Role::Dim, " "), Role::Base),
        };
        let role = if table.wanted.dimmed && !table.wanted.filter.matches(row) { Role::Dim } else { role };
        // A bar that has nothing to say leaves its room to the name.
        let bar = if state == State::Pending || widths[4] >= WORDY { widths[4] } else { 0 };
        let name = widths[1] + if bar < widths[4] { widths[4] + 1 } else { 0 };
        let marked = range.contains(&index) || table.marks.contains(&row.lead_id);
        let mut line = pen
            .gutter(pen.row(area.width), marked, selected && !focused && layout.is_full())
            .glyphs(glyph.0, glyph.1)
            .gap(1)
            .text(role, &row.display_name, name)
            .gap(1);
        if widths[2] > 0 {
            line = line.id(Role::Dim, row.lead_id.as_str(), widths[2]).gap(1);
        }
        if widths[3] > 0 {
            line = line.text(Role::Dim, &clock(row.received_at), widths[3]).gap(1);
        }
        if bar > 0 {
            for (role, text) in middle(pen, app, row, state, bar) {
                line = line.glyphs(role, &text);
            }
            line = line.gap(1);
        }
        let line = line.right(time_role, &time_of(app, row, state), widths[5]).line;
        pen.line(area, &line);
        if selected {
            pen.cursor(area, focused);
        }
    }
}

/// How much of the wait is over; of a lead that should have ended, when it was due.
fn middle(pen: &Pen<'_>, app: &App, row: &PendingRow, state: State, columns: usize) -> Line {
    let fill = |role, text: &str| {
        let text = pen.glyphs.fit(text, columns);
        let gap = columns - crate::text::width(&text);
        vec![(role, text), (Role::Base, " ".repeat(gap))]
    };
    match state {
        State::Overdue => fill(Role::Alarm, &format!("due {}", clock(row.due_at))),
        State::Processing => fill(Role::Dim, "being worked on"),
        _ => {
            let (waited, wait) = (since(app.now, row.received_at), since(row.due_at, row.received_at));
            let (filled, left) = bar(pen.glyphs, columns, waited, wait);
            vec![(Role::Accent, filled), (Role::Dim, left)]
        }
    }
}

/// `4:58`, `in work`, `2:40 late`.
fn time_of(app: &App, row: &PendingRow, state: State) -> String {
    match state {
        State::Overdue => format!("{} late", countdown(since(app.now, row.due_at))),
        State::Processing => "in work".to_owned(),
        _ => countdown(since(row.due_at, app.now)),
    }
}
