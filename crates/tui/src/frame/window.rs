//! What lies over the panels.

use super::question;
use crate::{
    app::App,
    doc::windows as doc,
    draw::Painter,
    find::Filter,
    layout::{Area, Layout, inside},
    line::{Line, plain},
    text::width,
    theme::Role,
    window::{OpenWindow, Window},
};

pub(super) fn draw(painter: &mut Painter<'_>, app: &App, open: &OpenWindow, layout: &Layout) {
    match &open.window {
        Window::Confirm(confirm) => question::confirm(painter, confirm, open.scroll, layout),
        Window::Palette { input, index } => question::palette(painter, app, input, *index, layout),
        Window::File { input, letters } => question::file(painter, input, letters.len(), layout),
        _ => text(painter, app, open, layout),
    }
}

fn text(painter: &mut Painter<'_>, app: &App, open: &OpenWindow, layout: &Layout) {
    let area = layout.window();
    painter.clear(area);
    painter.frame(area, Role::Accent);
    let inner = inside(area);
    let inner = Area { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let text = doc::of(app, open, usize::from(inner.width));
    let visible = usize::from(inner.height);
    let top = open.scroll.min(text.lines.len().saturating_sub(visible));
    let filter = Filter::parse(&open.find, &[]);
    for (line, y) in text.lines.iter().skip(top).zip(inner.y..inner.y + inner.height) {
        let row = Area { y, height: 1, ..inner };
        painter.line(row, line);
        if !filter.is_empty() && filter.matches_line(&plain(line)) {
            painter.style(row, painter.theme.style(Role::Found));
        }
    }
    heading(painter, open, &text.title, Area { height: 1, y: area.y, ..inner });
    let last = Area { y: area.y + area.height.saturating_sub(1), height: 1, ..inner };
    if !filter.is_empty() {
        let count = text.lines.iter().filter(|line| filter.matches_line(&plain(line))).count();
        let found =
            format!(" /{} {count} of {} lines ", painter.glyphs.fit(&open.find, 24), text.lines.len());
        painter.line(last, &[(Role::Accent, found)]);
    }
    if text.lines.len() > visible {
        let (up, down) = (top > 0, top + visible < text.lines.len());
        let arrows = format!(
            " {}{} {}{}{} of {} ",
            if up { painter.glyphs.up } else { " " },
            if down { painter.glyphs.down } else { " " },
            top + 1,
            if painter.glyphs.utf8 { "–" } else { "-" },
            top + visible,
            text.lines.len()
        );
        let columns = u16::try_from(width(&arrows)).unwrap_or(0).min(inner.width);
        painter.line(
            Area { x: inner.x + inner.width - columns, width: columns, ..last },
            &[(Role::Dim, arrows)],
        );
    }
}

/// The name on the left, the pages on the right.
fn heading(painter: &mut Painter<'_>, open: &OpenWindow, title: &str, area: Area) {
    let pages = open.window.pages();
    let mut right: Vec<Line> = Vec::new();
    for (index, page) in pages.iter().enumerate() {
        let role = if index == open.page { Role::Accent } else { Role::Dim };
        right.push(vec![(role, format!(" {page} "))]);
    }
    let wide: usize = right.iter().flatten().map(|(_, text)| width(text)).sum();
    let total = usize::from(area.width);
    let room = if wide + 16 <= total { total - wide - 2 } else { total };
    let title = painter.glyphs.fit(title, room.saturating_sub(2));
    painter.line(area, &[(Role::Accent, format!(" {title} "))]);
    if room == total {
        return;
    }
    let mut x = area.x + u16::try_from(total - wide).unwrap_or(0);
    for (index, page) in right.iter().enumerate() {
        let columns = u16::try_from(page.iter().map(|(_, text)| width(text)).sum::<usize>()).unwrap_or(0);
        let cell = Area { x, width: columns, ..area };
        painter.line(cell, page);
        if index == open.page {
            painter.style(cell, painter.theme.selected());
        }
        x += columns;
    }
}
