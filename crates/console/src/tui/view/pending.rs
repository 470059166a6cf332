//! Leads that have not ended, counting down.

use ops::PendingRow;
use pipeline::State;

use super::widgets::{Pen, bar, condition_of, rows};
use crate::tui::{
    app::{App, Panel},
    doc::Line,
    format::{countdown, since},
    layout::Area,
    text::width,
    theme::Role,
};

/// The longest bar that still says more than a shorter one.
const LONGEST_BAR: usize = 28;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, area: Area) {
    let pending = app.pending.get().map_or(&[][..], Vec::as_slice);
    let mut state: Line = Vec::new();
    let total = app.status.get().map(|status| status.pending + status.processing + status.overdue);
    match total {
        Some(total) if total > pending.len() as u64 => {
            state.push((Role::Dim, format!("next {} of {total}", pending.len())));
        }
        _ if !pending.is_empty() => state.push((Role::Base, pending.len().to_string())),
        _ => {}
    }
    state.extend(separated(condition_of(&app.pending, app.now, pen.glyphs)));
    let inside = pen.panel(app, Panel::Pending, area, state);
    let empty = pending.is_empty().then_some("No lead is waiting.");
    let inside = pen.condition(&app.pending, inside, app.now, empty);

    let columns = usize::from(inside.width);
    let times: Vec<String> = rows(app.pending_list.top, pending.len(), inside)
        .map(|(index, _)| time_of(app, &pending[index]))
        .collect();
    let time_columns = times.iter().map(|time| width(time)).max().unwrap_or(0).max(7);
    // Names first: the bar gets a third, and goes where that is too little to read.
    let rest = columns.saturating_sub(2 + time_columns + 2);
    let bar_columns = if rest >= 24 { (rest / 3).min(LONGEST_BAR) } else { 0 };
    let name = rest.saturating_sub(if bar_columns > 0 { bar_columns + 1 } else { 0 });
    let focused = app.focus == Panel::Pending && app.windows.is_empty();
    for ((index, area), time) in rows(app.pending_list.top, pending.len(), inside).zip(times) {
        let row = &pending[index];
        let state = app.state_of(row);
        let (role, glyph) = match state {
            State::Overdue => (Role::Alarm, pen.glyphs.overdue),
            State::Processing => (Role::Base, pen.glyphs.working),
            _ => (Role::Dim, " "),
        };
        let waited = since(app.now, row.received_at);
        let wait = since(row.due_at, row.received_at);
        let mut line = pen
            .row(area.width)
            .glyphs(role, glyph)
            .gap(1)
            .text(if state == State::Overdue { Role::Strong } else { Role::Base }, &row.display_name, name)
            .gap(1);
        if bar_columns > 0 {
            let (filled, left) = bar(pen.glyphs, bar_columns, waited, wait);
            let role = if state == State::Overdue { Role::Alarm } else { Role::Base };
            line = line.glyphs(role, &filled).glyphs(Role::Dim, &left).gap(1);
        }
        let line = line
            .right(if state == State::Overdue { Role::Alarm } else { Role::Base }, &time, time_columns)
            .line;
        pen.line(area, &line);
        if index == app.pending_list.index {
            pen.cursor(area, focused);
        }
    }
}

/// `4:58`, `in work`, `2:40 late`.
fn time_of(app: &App, row: &PendingRow) -> String {
    match app.state_of(row) {
        State::Overdue => format!("{} late", countdown(since(app.now, row.due_at))),
        State::Processing => "in work".to_owned(),
        _ => countdown(since(row.due_at, app.now)),
    }
}

/// A state behind another.
pub(super) fn separated(mut line: Line) -> Line {
    if !line.is_empty() {
        line.insert(0, (Role::Base, "  ".to_owned()));
    }
    line
}
