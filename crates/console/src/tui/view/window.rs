//! What lies over the overview.

use super::widgets::Pen;
use crate::tui::{
    app::{App, Confirm, Open, Window},
    doc,
    doc::Line,
    layout::{Area, Layout, Shape, inside},
    text::width,
    theme::Role,
};

/// The narrowest and the widest question, in columns of text.
const NARROWEST: usize = 44;
const WIDEST: usize = 64;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, open: &Open, layout: &Layout) {
    match &open.window {
        Window::Confirm(confirm) => question(pen, confirm, layout),
        window => text(pen, app, window, open.scroll, layout),
    }
}

fn text(pen: &mut Pen<'_>, app: &App, window: &Window, scroll: usize, layout: &Layout) {
    let area = layout.window();
    pen.clear(area);
    pen.frame(area, Role::Accent);
    let inner = inside(Shape::Grid, area);
    let inner = Area { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let text = doc::of(app, window, usize::from(inner.width));
    let visible = usize::from(inner.height);
    let top = scroll.min(text.lines.len().saturating_sub(visible));
    for (line, y) in text.lines.iter().skip(top).zip(inner.y..inner.y + inner.height) {
        pen.line(Area { y, height: 1, ..inner }, line);
    }
    let title = pen.glyphs.fit(&text.title, usize::from(inner.width).saturating_sub(2));
    pen.line(Area { height: 1, ..Area { y: area.y, ..inner } }, &[(Role::Accent, format!(" {title} "))]);
    if text.lines.len() > visible {
        let (up, down) = (top > 0, top + visible < text.lines.len());
        let arrows = format!(
            " {}{} {}{}{} of {} ",
            if up { pen.glyphs.up } else { " " },
            if down { pen.glyphs.down } else { " " },
            top + 1,
            if pen.glyphs.utf8 { "–" } else { "-" },
            top + visible,
            text.lines.len()
        );
        let columns = u16::try_from(width(&arrows)).unwrap_or(0).min(inner.width);
        let y = area.y + area.height - 1;
        pen.line(
            Area { x: inner.x + inner.width - columns, y, width: columns, height: 1 },
            &[(Role::Dim, arrows)],
        );
    }
}

fn question(pen: &mut Pen<'_>, confirm: &Confirm, layout: &Layout) {
    let most = usize::from(layout.body.width).saturating_sub(4).max(1);
    let wanted = confirm.lines.iter().map(|(_, text)| text).chain([&confirm.title]);
    let wanted = wanted.map(|text| width(&pen.glyphs.safe(text)) + 4).max().unwrap_or(0);
    let columns = wanted.clamp(NARROWEST, WIDEST).min(most);
    let mut lines: Vec<Line> = Vec::new();
    for (role, text) in &confirm.lines {
        // Counted rows keep their columns.
        let indent = text.len() - text.trim_start().len();
        for (index, line) in pen.glyphs.wrap(text, columns.saturating_sub(indent)).into_iter().enumerate() {
            let indent = if index == 0 { indent } else { indent.min(columns / 4) };
            lines.push(vec![(*role, format!("{}{line}", " ".repeat(indent)))]);
        }
    }
    // What lies behind steps back.
    pen.style(layout.body, pen.theme.behind());
    let area = layout.question(columns, lines.len());
    pen.clear(area);
    pen.frame(area, Role::Accent);
    let inner = inside(Shape::Grid, area);
    let inner = Area { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let title = pen.glyphs.fit(&confirm.title, usize::from(inner.width).saturating_sub(2));
    pen.line(Area { y: area.y, height: 1, ..inner }, &[(Role::Accent, format!(" {title} "))]);
    // The answers are never pushed out; what could be read elsewhere goes first.
    let room = usize::from(inner.height).saturating_sub(1);
    if lines.len() > room {
        lines.retain(|line| line.iter().any(|(role, text)| *role != Role::Dim && !text.is_empty()));
    }
    if lines.len() > room {
        lines.truncate(room);
        if let Some(last) = lines.last_mut() {
            *last = vec![(Role::Dim, pen.glyphs.ellipsis.to_owned())];
        }
    }
    for (line, y) in lines.iter().zip(inner.y..) {
        pen.line(Area { y, height: 1, ..inner }, line);
    }
    let y = inner.y + inner.height.saturating_sub(1);
    let labels = std::iter::once("Cancel").chain(confirm.choices.iter().map(|(label, _)| label.as_str()));
    let labels: Vec<String> = labels.map(|label| format!("  {}  ", pen.glyphs.safe(label))).collect();
    let wanted: usize = labels.iter().map(|label| width(label) + 1).sum();
    let start = usize::from(inner.width).saturating_sub(wanted) + 1;
    let mut x = inner.x + u16::try_from(start).unwrap_or(0).min(inner.width);
    if wanted > usize::from(inner.width) {
        x = inner.x;
    }
    for (index, label) in labels.into_iter().enumerate() {
        let columns =
            u16::try_from(width(&label)).unwrap_or(0).min((inner.x + inner.width).saturating_sub(x));
        let cell = Area { x, y, width: columns, height: 1 };
        let focused = index == confirm.focus;
        pen.line(cell, &[(if focused { Role::Strong } else { Role::Dim }, label)]);
        if focused {
            pen.style(cell, pen.theme.selected());
        }
        x = (x + columns + 1).min(inner.x + inner.width);
    }
}
