//! What lies over the panels.

use super::question;
use crate::{
    app::App,
    doc::windows as doc,
    draw::Pen,
    find::Filter,
    layout::{Area, Layout, inside},
    line::{Line, plain},
    text::width,
    theme::Role,
    window::{Open, Window},
};

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, open: &Open, layout: &Layout) {
    match &open.window {
        Window::Confirm(confirm) => question::confirm(pen, confirm, open.scroll, layout),
        Window::Palette { input, index } => question::palette(pen, app, input, *index, layout),
        Window::File { input, letters } => question::file(pen, input, letters.len(), layout),
        _ => text(pen, app, open, layout),
    }
}

fn text(pen: &mut Pen<'_>, app: &App, open: &Open, layout: &Layout) {
    let area = layout.window();
    pen.clear(area);
    pen.frame(area, Role::Accent);
    let inner = inside(area);
    let inner = Area { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let text = doc::of(app, open, usize::from(inner.width));
    let visible = usize::from(inner.height);
    let top = open.scroll.min(text.lines.len().saturating_sub(visible));
    let filter = Filter::parse(&open.find, &[]);
    for (line, y) in text.lines.iter().skip(top).zip(inner.y..inner.y + inner.height) {
        let row = Area { y, height: 1, ..inner };
        pen.line(row, line);
        if !filter.is_empty() && filter.matches_line(&plain(line)) {
            pen.style(row, pen.theme.style(Role::Found));
        }
    }
    heading(pen, open, &text.title, Area { height: 1, y: area.y, ..inner });
    let last = Area { y: area.y + area.height.saturating_sub(1), height: 1, ..inner };
    if !filter.is_empty() {
        let count = text.lines.iter().filter(|line| filter.matches_line(&plain(line))).count();
        let found = format!(" /{} {count} of {} lines ", pen.glyphs.fit(&open.find, 24), text.lines.len());
        pen.line(last, &[(Role::Accent, found)]);
    }
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
        pen.line(Area { x: inner.x + inner.width - columns, width: columns, ..last }, &[(Role::Dim, arrows)]);
    }
}

/// The name on the left, the pages on the right.
fn heading(pen: &mut Pen<'_>, open: &Open, title: &str, area: Area) {
    let pages = open.window.pages();
    let mut right: Vec<Line> = Vec::new();
    for (index, page) in pages.iter().enumerate() {
        let role = if index == open.page { Role::Accent } else { Role::Dim };
        right.push(vec![(role, format!(" {page} "))]);
    }
    let wide: usize = right.iter().flatten().map(|(_, text)| width(text)).sum();
    let total = usize::from(area.width);
    let room = if wide + 16 <= total { total - wide - 2 } else { total };
    let title = pen.glyphs.fit(title, room.saturating_sub(2));
    pen.line(area, &[(Role::Accent, format!(" {title} "))]);
    if room == total {
        return;
    }
    let mut x = area.x + u16::try_from(total - wide).unwrap_or(0);
    for (index, page) in right.iter().enumerate() {
        let columns = u16::try_from(page.iter().map(|(_, text)| width(text)).sum::<usize>()).unwrap_or(0);
        let cell = Area { x, width: columns, ..area };
        pen.line(cell, page);
        if index == open.page {
            pen.style(cell, pen.theme.selected());
        }
        x += columns;
    }
}
