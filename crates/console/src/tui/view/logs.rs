//! The tail of the log: followed, or held where somebody reads.

use super::{
    pending::separated,
    widgets::{Pen, condition_of},
};
use crate::tui::{
    app::{App, Panel},
    doc::{Line, level_mark},
    format::clock,
    layout::{Area, Shape, inside},
    theme::Role,
};

/// From this width on the lead's id has a column.
const WIDE: usize = 100;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, area: Area) {
    let logs = &app.logs;
    let mut state: Line = match logs.held {
        None => vec![(Role::Dim, format!("following {}", pen.glyphs.live))],
        Some(_) => {
            let new = match logs.unseen() {
                0 => String::new(),
                new => format!(", {new} new {}", pen.glyphs.down),
            };
            vec![(Role::Warn, format!("held{new}")), (Role::Dim, "  G follows".to_owned())]
        }
    };
    state.extend(separated(condition_of(&logs.source, app.now, pen.glyphs)));
    let held = state.first().cloned();
    let inner = pen.panel(app, Panel::Logs, area, state);
    let empty = logs.lines.is_empty().then_some("No log lines yet.");
    let inner = pen.condition(&logs.source, inner, app.now, empty);

    let columns = usize::from(inner.width);
    let (time, function) = (9, if columns >= 60 { 9 } else { 0 });
    let lead = if columns >= WIDE { 16 } else { 0 };
    let message = columns.saturating_sub(time + 2 + function + lead);
    let focused = app.focus == Panel::Logs && app.windows.is_empty();
    for (number, y) in (logs.top..logs.end()).zip(inner.y..inner.y + inner.height) {
        let Some(line) = logs.line(number) else { continue };
        let area = Area { y, height: 1, ..inner };
        let (role, glyph) = level_mark(line.level, pen.glyphs);
        let mut row = pen.row(area.width).text(Role::Dim, &clock(line.at), time).glyphs(role, glyph).gap(1);
        if function > 0 {
            row = row.text(Role::Dim, short(&line.function), function);
        }
        row = row.text(role, &line.message, message);
        if lead > 0 {
            row = row.gap(1).id(Role::Dim, line.lead_id.as_deref().unwrap_or_default(), lead - 1);
        }
        let row = row.line;
        pen.line(area, &row);
        // While following, the newest line needs no cursor: it is where the eye is.
        if logs.held == Some(number) {
            pen.cursor(area, focused);
        }
    }
    // Without a frame there is no heading to say it in.
    if app.layout().shape == Shape::Single
        && logs.held.is_some()
        && let Some((role, text)) = held
    {
        let area = inside(Shape::Single, area);
        let columns = u16::try_from(crate::tui::text::width(&text) + 2).unwrap_or(0).min(area.width);
        let y = area.y + area.height.saturating_sub(1);
        pen.line(
            Area { x: area.x + area.width - columns, y, width: columns, height: 1 },
            &[(role, format!(" {text} "))],
        );
    }
}

/// The function by the step of a lead's path that it does.
fn short(function: &str) -> &str {
    match function {
        "webhook-ingestion" => "ingest",
        "lead-processor" => "process",
        "notification" => "notify",
        other => other,
    }
}
