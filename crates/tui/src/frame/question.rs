//! Questions, the palette and the path of a file: dialogs in front of the panels.

use std::{iter, mem};

use super::footer;
use crate::{
    app::App,
    draw::{Painter, columns::Align, rows},
    format,
    keymap::labels,
    layout::{Area, Layout, below, inside},
    line::Line,
    text::{Glyphs, width},
    theme::Role,
    update::entries,
    window::{Confirm, Input, PaletteEntry},
};

/// The narrowest and the widest question, in columns of text.
const NARROWEST: usize = 44;
const WIDEST: usize = 72;

/// Draws the frame of a dialog, and dims what is behind it; its inside.
fn dialog(painter: &mut Painter<'_>, layout: &Layout, title: &str, columns: usize, lines: usize) -> Area {
    // Not the header: which pipeline it is matters most now.
    let top = layout.header.y + layout.header.height;
    let screen = Area { y: top, height: layout.hints.y.saturating_sub(top), ..layout.hints };
    painter.style(screen, painter.theme.behind());
    let area = layout.question(columns, lines);
    painter.clear(area);
    painter.frame(area, Role::Accent);
    let inner = inside(area);
    let title = painter.glyphs.fit(title, usize::from(inner.width).saturating_sub(2));
    painter.line(Area { y: area.y, height: 1, ..inner }, &[(Role::Accent, format!(" {title} "))]);
    inner
}

/// A question with its buttons.
pub(super) fn confirm(painter: &mut Painter<'_>, confirm: &Confirm, scroll: usize, layout: &Layout) {
    let most = usize::from(layout.body.width).saturating_sub(4).max(1);
    let wanted = confirm.lines.iter().map(|(_, text)| text).chain([&confirm.title]);
    let wanted = wanted.map(|text| width(&painter.glyphs.safe(text)) + 4).max().unwrap_or(0);
    let columns = wanted.clamp(NARROWEST, WIDEST).min(most);
    let mut lines: Vec<Line> = Vec::new();
    for (role, text) in &confirm.lines {
        // Counted rows and changed lines keep their columns.
        let indent = text.len() - text.trim_start().len();
        for (index, line) in painter.glyphs.wrap(text, columns.saturating_sub(indent)).into_iter().enumerate()
        {
            let indent = if index == 0 { indent } else { indent.min(columns / 4) };
            lines.push(vec![(*role, format!("{}{line}", " ".repeat(indent)))]);
        }
    }
    let buttons = buttons(painter.glyphs, confirm, columns);
    let below = if confirm.count.is_some() { 2 } else { 0 };
    let inner = dialog(painter, layout, &confirm.title, columns, lines.len() + below + buttons.len() - 1);
    // The buttons are never pushed out; dim lines are dropped first. If there is little room, half stays for
    // the text.
    let height = usize::from(inner.height).saturating_sub(below);
    let most = (height / 2).max(height.saturating_sub(1 + lines.len())).max(1);
    let shown = buttons.len().min(most);
    let room = height.saturating_sub(1 + shown).max(1);
    if lines.len() > room {
        lines.retain(|line| line.iter().any(|(role, text)| *role != Role::Dim && !text.is_empty()));
    }
    let scroll = scroll.min(lines.len().saturating_sub(room));
    let more = lines.len() > scroll + room;
    painter.lines(inner, lines.iter().skip(scroll).take(room));
    let first = inner.y + inner.height.saturating_sub(u16::try_from(shown).unwrap_or(inner.height));
    if more {
        let text = format!("{} {} more", painter.glyphs.down, lines.len() - scroll - room);
        let y = inner.y + u16::try_from(room).unwrap_or(inner.height);
        painter.line(Area { y: y.min(first), height: 1, ..inner }, &[(Role::Warn, text)]);
    }
    let area = Area { y: first, height: inner.bottom() - first, ..inner };
    draw_buttons(painter, &buttons, confirm.focus, area);
    if let Some(count) = &confirm.count {
        let area = Area { y: first.saturating_sub(2).max(inner.y), height: 1, ..inner };
        let prompt = format!("This is all of them. Type {} to continue: ", count.wanted);
        footer::input(painter, area, &prompt, &count.typed, Vec::new());
    }
}

/// A button.
struct Button {
    /// Its place among the buttons, from 0, which is Cancel.
    index: usize,
    label: String,
}

/// A question's buttons, each in one piece, in as many rows of so many columns as they need. A label that is
/// wider than a row loses its middle.
fn buttons(glyphs: &Glyphs, confirm: &Confirm, columns: usize) -> Vec<Vec<Button>> {
    let (mut rows, mut row, mut used) = (Vec::new(), Vec::new(), 0);
    let labels = iter::once("Cancel").chain(confirm.choices.iter().map(|(label, _)| label.as_str()));
    for (index, label) in labels.enumerate() {
        let label = format!("  {}  ", glyphs.fit_middle(label, columns.saturating_sub(4)));
        let needed = width(&label);
        if used > 0 && used + 1 + needed > columns {
            rows.push(mem::take(&mut row));
            used = 0;
        }
        used += needed + usize::from(used > 0);
        row.push(Button { index, label });
    }
    rows.push(row);
    rows
}

/// Draws them at the right, and where there is no room for all rows, those around the one in focus.
fn draw_buttons(painter: &mut Painter<'_>, rows: &[Vec<Button>], focus: usize, area: Area) {
    let in_focus = rows.iter().position(|row| row.iter().any(|button| button.index == focus));
    let top = (in_focus.unwrap_or(0) + 1).saturating_sub(usize::from(area.height));
    for (row, area) in rows.iter().skip(top).zip(area.rows()) {
        let wanted: usize = row.iter().map(|button| width(&button.label) + 1).sum();
        let start = (usize::from(area.width) + 1).saturating_sub(wanted);
        let mut x = area.x + u16::try_from(start).unwrap_or(0).min(area.width);
        let end = area.right();
        for button in row {
            let columns = u16::try_from(width(&button.label)).unwrap_or(0).min(end.saturating_sub(x));
            let cell = Area { x, width: columns, ..area };
            let focused = button.index == focus;
            let role = if focused { Role::Strong } else { Role::Dim };
            painter.line(cell, &[(role, button.label.clone())]);
            painter.cursor(cell, focused);
            x = (x + columns + 1).min(end);
        }
    }
}

/// Every action by its name.
pub(super) fn palette(painter: &mut Painter<'_>, app: &App, input: &Input, index: usize, layout: &Layout) {
    let found = entries(app, &input.text);
    let room = usize::from(layout.body.height).saturating_sub(5).clamp(1, 16);
    let columns = usize::from(layout.body.width).saturating_sub(4).clamp(1, WIDEST);
    let inner = dialog(painter, layout, "Run an action", columns, room);
    footer::input(painter, Area { height: 1, ..inner }, ": ", input, Vec::new());
    let list = below(inner, 2);
    if found.is_empty() {
        painter.line(list, &[(Role::Dim, "No match.".to_owned())]);
    }
    let top = (index + 1).saturating_sub(usize::from(list.height));
    for (at, area) in rows(top, found.len(), list) {
        let (name, about, keys) = match &found[at] {
            PaletteEntry::Action(action) => {
                let binding = action.binding();
                (binding.name.to_owned(), binding.about, labels(app.keymap.keys(*action)))
            }
            PaletteEntry::Environment(name) => (format!("environment {name}"), "switch to it", String::new()),
            PaletteEntry::Lead(lead) => (lead.to_string(), "open its history", String::new()),
        };
        let refused = matches!(&found[at], PaletteEntry::Action(action) if action.acts()) && app.read_only();
        let role = if refused { Role::Dim } else { Role::Strong };
        let columns = usize::from(area.width);
        let name_columns = match &found[at] {
            PaletteEntry::Action(_) => 17,
            _ => columns.saturating_sub(18),
        };
        let row = painter
            .row(area.width)
            .text(role, &name, name_columns)
            .gap(1)
            .text(Role::Dim, about, columns.saturating_sub(name_columns + 10))
            .cell(Align::Right, Role::Base, &keys, 9)
            .line;
        painter.line(area, &row);
        painter.cursor(area, at == index);
    }
}

/// A file to write dead letters into.
pub(super) fn file(painter: &mut Painter<'_>, input: &Input, letters: usize, layout: &Layout) {
    let columns = usize::from(layout.body.width).saturating_sub(4).clamp(1, WIDEST);
    let title = format!("Export {}", format::count(letters, "dead letter", "dead letters"));
    let inner = dialog(painter, layout, &title, columns, 2);
    painter
        .line(Area { height: 1, ..inner }, &[(Role::Dim, "With their messages, as NDJSON, to".to_owned())]);
    footer::input(painter, Area { height: 1, ..below(inner, 2) }, "", input, Vec::new());
}
