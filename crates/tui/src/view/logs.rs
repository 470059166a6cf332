//! The tail of the log: followed, or held where somebody reads.

use pipeline::ports::LogLine;

use super::{
    columns::{self, Column, text},
    header::NARROW,
    widgets::{Pen, condition_of, finding, states},
};
use crate::{
    app::{App, Panel},
    doc::{Line, level_mark},
    format::clock,
    layout::{Area, Layout},
    text::width,
    theme::Role,
};

const COLUMNS: [Column; 5] = [
    text("time", 8, 8, 0, 0),
    text("", 1, 1, 0, 0),
    text("function", 8, 8, 0, 58),
    text("message", 8, 400, 1, 0),
    text("lead", 15, 24, 0, 100),
];

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    let (logs, parts) = (&app.logs, layout.parts(Panel::Logs));
    let mut sieve: Line = Vec::new();
    if let Some(level) = logs.sieve.level {
        sieve.push((Role::Accent, format!("from {} on", level.as_str())));
    }
    if let Some(function) = logs.sieve.function {
        let gap = if sieve.is_empty() { "" } else { "  " };
        sieve.push((Role::Accent, format!("{gap}{}", short(function.as_str()))));
    }
    let following = following(app);
    let held = following.first().cloned();
    let condition = condition_of(&logs.source, app.now, pen.glyphs);
    let state = states([finding(app, Panel::Logs), sieve, following, condition]);
    pen.heading(app, Panel::Logs, layout, state);
    let empty = if logs.sieve.is_open() { "No log lines yet." } else { "No log line matches." };
    let area = pen.condition(&logs.source, parts.rows, app.now, logs.is_empty().then_some(empty));

    let widths = columns::widths(&COLUMNS, usize::from(area.width).saturating_sub(2));
    columns::titles(pen, parts.columns, 1, &COLUMNS, &widths, None);
    if logs.wrap {
        wrapped(pen, app, area, &widths)
    } else {
        cut(pen, app, area, &widths)
    }
    // Without a heading, and no room among the tabs, there is no other place to say it in.
    if layout.is_full()
        && area.width < NARROW
        && logs.held.is_some()
        && let Some((role, text)) = held
    {
        let columns = u16::try_from(width(&text) + 2).unwrap_or(0).min(area.width);
        let y = area.y + area.height.saturating_sub(1);
        let place = Area { x: area.x + area.width - columns, y, width: columns, height: 1 };
        pen.line(place, &[(role, format!(" {text} "))]);
    }
}

/// Whether the newest lines are followed: `following`, or `held, 37 new`.
pub(super) fn following(app: &App) -> Line {
    if app.logs.held.is_none() {
        return vec![(Role::Dim, format!("following {}", app.glyphs.live))];
    }
    let new = match app.logs.unseen() {
        0 => String::new(),
        new => format!(", {new} new {}", app.glyphs.down),
    };
    let key = app.keymap.key(crate::keymap::Action::Bottom);
    vec![(Role::Warn, format!("held{new}")), (Role::Dim, format!("  {key} follows"))]
}

/// Each line in one row.
fn cut(pen: &mut Pen<'_>, app: &App, area: Area, widths: &[usize]) {
    let logs = &app.logs;
    let focused = app.focus == Panel::Logs && app.windows.is_empty();
    for (place, y) in (logs.top..logs.len()).zip(area.y..area.y + area.height) {
        let Some(number) = logs.number(place) else { continue };
        let Some(line) = logs.line(number) else { continue };
        let area = Area { y, height: 1, ..area };
        let row = first(pen, app, line, widths, &line.message, area.width);
        pen.line(area, &row);
        // While following, the newest line needs no cursor: it is where the eye is.
        if logs.held == Some(number) {
            pen.cursor(area, focused);
        }
    }
}

/// Each line in as many rows as it needs, from the one under the cursor upwards.
fn wrapped(pen: &mut Pen<'_>, app: &App, area: Area, widths: &[usize]) {
    let logs = &app.logs;
    let focused = app.focus == Panel::Logs && app.windows.is_empty();
    let Some(cursor) = logs.cursor() else { return };
    let indent = 1 + widths[..3].iter().filter(|width| **width > 0).map(|width| width + 1).sum::<usize>();
    let mut bottom = area.y + area.height;
    for place in (0..=cursor).rev() {
        let Some(number) = logs.number(place) else { break };
        let Some(line) = logs.line(number) else { break };
        let pieces = pen.glyphs.wrap(&line.message, widths[3].max(1));
        let dim = is_dim(app, line);
        let (role, _) = level_mark(line.level, pen.glyphs);
        let role = if dim { Role::Dim } else { role };
        for (index, piece) in pieces.iter().enumerate().rev() {
            if bottom <= area.y {
                return;
            }
            bottom -= 1;
            let area = Area { y: bottom, height: 1, ..area };
            let row = match index {
                0 => first(pen, app, line, widths, piece, area.width),
                _ => pen.row(area.width).gap(indent).text(role, piece, widths[3]).line,
            };
            pen.line(area, &row);
            if logs.held == Some(number) {
                pen.cursor(area, focused);
            }
        }
    }
}

/// The first row of a line.
fn first(pen: &Pen<'_>, app: &App, line: &LogLine, widths: &[usize], message: &str, columns: u16) -> Line {
    let (role, glyph) = level_mark(line.level, pen.glyphs);
    let role = if is_dim(app, line) { Role::Dim } else { role };
    let mut row =
        pen.row(columns).gap(1).text(Role::Dim, &clock(line.at), widths[0]).gap(1).glyphs(role, glyph).gap(1);
    if widths[2] > 0 {
        row = row.text(Role::Dim, short(&line.function), widths[2]).gap(1);
    }
    row = row.text(role, message, widths[3]);
    if widths[4] > 0 {
        row = row.gap(1).id(Role::Dim, line.lead_id.as_deref().unwrap_or_default(), widths[4]);
    }
    row.line
}

fn is_dim(app: &App, line: &LogLine) -> bool {
    app.logs.sieve.dimmed && !app.logs.sieve.is_open() && !app.logs.sieve.matches(line)
}

/// The function by the step of a lead's path that it does.
fn short(function: &str) -> &str {
    match function {
        "webhook-ingestion" => "ingest",
        "lead-processor" => "process",
        "notification" => "notify",
        "housekeeping" => "house",
        other => other,
    }
}
