//! What lies over the panels.

use super::question;
use crate::{
    app::App,
    doc::windows as doc,
    draw::Painter,
    find::Filter,
    layout::{Area, Layout, inside},
    line::plain,
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
    let text = doc::of(app, open, usize::from(inner.width));
    let visible = usize::from(inner.height);
    let top = open.scroll.min(text.lines.len().saturating_sub(visible));
    let filter = Filter::parse(&open.find, &[]);
    for (line, row) in text.lines.iter().skip(top).zip(inner.rows()) {
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
        painter.line_at_right(last, &[(Role::Dim, arrows)]);
    }
}

/// The name on the left, the pages on the right.
fn heading(painter: &mut Painter<'_>, open: &OpenWindow, title: &str, area: Area) {
    let pages: Vec<String> = open.window.pages().iter().map(|page| format!(" {page} ")).collect();
    let wide: usize = pages.iter().map(|page| width(page)).sum();
    let total = usize::from(area.width);
    let room = if wide + 16 <= total { total - wide - 2 } else { total };
    let title = painter.glyphs.fit(title, room.saturating_sub(2));
    painter.line(area, &[(Role::Accent, format!(" {title} "))]);
    if room == total {
        return;
    }
    let mut x = area.x + u16::try_from(total - wide).unwrap_or(0);
    for (index, page) in pages.into_iter().enumerate() {
        let cell = Area { x, width: u16::try_from(width(&page)).unwrap_or(0), ..area };
        x += cell.width;
        let open = index == open.page;
        painter.line(cell, &[(if open { Role::Accent } else { Role::Dim }, page)]);
        painter.cursor(cell, open);
    }
}
