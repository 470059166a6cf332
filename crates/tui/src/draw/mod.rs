//! Drawing: a painter that never writes outside of an area, and rows of cells.

pub mod columns;
pub mod table;

use lead::Timestamp;
use ratatui::{
    buffer::Buffer,
    style::{Modifier, Style},
    symbols::border,
    widgets::{Block, Clear, Widget},
};

use self::columns::{Align, Column};
use crate::{
    format::{age, since},
    layout::{Area, Shape, below, right_of},
    line::{self, Line},
    panel::Panel,
    remote::{Freshness, Polling},
    scene::Scene,
    text::{Glyphs, width},
    theme::{Role, Theme},
};

/// After how many seconds without an answer the panel shows that it is loading.
const SLOW: u64 = 2;

const ASCII_BORDER: border::Set<'_> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Writes into a buffer, never outside of an area.
pub struct Painter<'a> {
    /// Where it writes.
    pub buffer: &'a mut Buffer,
    /// How roles look.
    pub theme: &'a Theme,
    /// The glyphs that the terminal can show.
    pub glyphs: &'static Glyphs,
}

impl Painter<'_> {
    /// Writes a line of safe text at the top of an area.
    pub fn line(&mut self, area: Area, pieces: &[(Role, String)]) {
        let area = area.intersection(self.buffer.area);
        if area.height == 0 {
            return;
        }
        let mut x = area.x;
        for (role, text) in pieces {
            let left = usize::from(area.right().saturating_sub(x));
            // Whatever a frame has left there must not shine through.
            let style = Style::reset().patch(self.theme.style(*role));
            x = self.buffer.set_stringn(x, area.y, text, left, style).0;
        }
    }

    /// Writes lines one below the other, as many as there is room for.
    pub fn lines<'l>(&mut self, area: Area, lines: impl IntoIterator<Item = &'l Line>) {
        for (line, row) in lines.into_iter().zip(area.rows()) {
            self.line(row, line);
        }
    }

    /// Writes a line at the right end of the top of an area.
    pub fn line_at_right(&mut self, area: Area, line: &[(Role, String)]) {
        let width = u16::try_from(line::width(line)).unwrap_or(area.width).min(area.width);
        self.line(Area { x: area.x + area.width - width, width, ..area }, line);
    }

    /// Draws a vertical rule in the first column of an area.
    pub fn vertical_rule(&mut self, area: Area) {
        for row in area.rows() {
            self.line(Area { width: 1, ..row }, &[(Role::Dim, self.glyphs.vertical.to_owned())]);
        }
    }

    /// Lays a style over an area.
    pub fn style(&mut self, area: Area, style: Style) {
        self.buffer.set_style(area, style);
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Area) {
        let area = area.intersection(self.buffer.area);
        // A wide letter that reaches into the area would swallow its first column.
        if let Some(x) = area.x.checked_sub(1) {
            for y in area.y..area.bottom() {
                let cell = &mut self.buffer[(x, y)];
                if width(cell.symbol()) > 1 {
                    cell.set_symbol(" ");
                }
            }
        }
        Clear.render(area, self.buffer);
    }

    /// Draws a frame.
    pub fn frame(&mut self, area: Area, role: Role) {
        let set = if self.glyphs.utf8 { border::ROUNDED } else { ASCII_BORDER };
        let mut style = self.theme.style(role);
        if role == Role::Accent {
            style = style.remove_modifier(Modifier::BOLD);
        }
        Block::bordered().border_set(set).border_style(style).render(area, self.buffer);
    }

    /// A row of cells of a width, to be filled from the left.
    pub fn row(&self, columns: u16) -> Row {
        Row { glyphs: self.glyphs, left: usize::from(columns), line: Line::new() }
    }

    /// Draws a panel's heading, a rule with its name; `state` is on the right, as far as there is
    /// room beside the name.
    pub fn heading(&mut self, scene: &Scene<'_>, mut state: Line) {
        let (area, layout, focused) = (scene.parts().heading, &scene.layout, scene.focused);
        if area.height == 0 {
            return;
        }
        let (rule, rule_role) = match focused {
            true => (self.glyphs.heavy, Role::Accent),
            false => (self.glyphs.rule, Role::Dim),
        };
        self.line(area, &[(rule_role, rule.repeat(usize::from(area.width)))]);
        if layout.shape == Shape::Grid && scene.panel == Panel::Dead {
            // The rule between the two halves hangs from it.
            self.vertical_rule(below(layout.panels[scene.panel.index()], 1));
            if !focused {
                self.line(Area { width: 1, ..area }, &[(Role::Dim, self.glyphs.cross.to_owned())]);
            }
        }
        let heading = if focused { Role::Accent } else { Role::Strong };
        let title = vec![
            (if focused { Role::Accent } else { Role::Dim }, format!(" {} ", scene.panel.index() + 1)),
            (heading, format!("{} ", scene.panel.titles().0)),
        ];
        let used = line::width(&title);
        let room = Area { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        self.line(room, &title);
        let mut needed = 2 + line::width(&state);
        while needed + used + 1 > usize::from(room.width) {
            let Some((_, text)) = state.pop() else { break };
            needed -= width(&text);
            // Nor what stood between it and the rest.
            while let Some((_, text)) = state.pop_if(|(_, text)| text.trim().is_empty()) {
                needed -= width(&text);
            }
        }
        if !state.is_empty() {
            state.insert(0, (Role::Base, " ".to_owned()));
            state.push((Role::Base, " ".to_owned()));
            self.line_at_right(room, &state);
        }
    }

    /// Draws the text of a panel without rows, or the line on a failing source below the rows. Returns the
    /// rest of the area.
    pub fn condition(&mut self, polling: &Polling, area: Area, now: Timestamp, empty: Option<&str>) -> Area {
        let mut rest = area;
        if let Some(failure) = &polling.error {
            let line = failure.line(now, polling.in_flight.is_some());
            let text = format!("{} {line}", self.glyphs.bad);
            let text = self.row(area.width).text(Role::Alarm, &text, area.width).line;
            // At the bottom, so that the rows stay where they were.
            rest.height = rest.height.saturating_sub(1);
            let last = Area { y: area.y + rest.height, height: 1, ..area };
            self.clear(last);
            self.line(last, &text);
        }
        let text = match (polling.is_known(), &polling.error) {
            (false, None) => Some(format!("loading{}", self.glyphs.ellipsis)),
            (false, Some(_)) => None,
            (true, _) => empty.map(str::to_owned),
        };
        if let Some(text) = text {
            let text = self.glyphs.fit(&text, usize::from(area.width).saturating_sub(2));
            self.line(right_of(area, 1), &[(Role::Dim, text)]);
        }
        rest
    }

    /// Draws a row of a list: whether it is marked, or where the cursor of a panel without focus is, then its
    /// `cells`.
    pub fn list_row(
        &mut self,
        scene: &Scene<'_>,
        area: Area,
        (marked, selected): (bool, bool),
        cells: impl FnOnce(Row) -> Row,
    ) {
        // In the overview, only the details below the dead letters are about the row under the cursor.
        let shows_cursor = scene.is_full() || scene.panel == Panel::Dead;
        let row = self.row(area.width);
        let row = match (marked, selected && !scene.focused && shows_cursor) {
            (true, _) => row.glyphs(Role::Accent, self.glyphs.mark),
            (false, true) => row.glyphs(Role::Dim, self.glyphs.marker),
            (false, false) => row.gap(1),
        };
        self.line(area, &cells(row).line);
        if selected {
            self.cursor(area, scene.focused);
        }
    }

    /// Marks the row under the cursor.
    pub fn cursor(&mut self, area: Area, focused: bool) {
        if focused {
            self.style(area, self.theme.selected());
        }
    }
}

/// The state of a panel that is not up to date: `loading 4 s`, `12 s old`.
pub fn condition_of(polling: &Polling, now: Timestamp, glyphs: &Glyphs) -> Line {
    let waiting = polling.in_flight.map(|flight| since(now, flight.sent_at));
    let (role, state) = match polling.freshness(now) {
        Freshness::Failed(Some(old)) => (Role::Alarm, format!("{} old", age(old))),
        Freshness::Failed(None) => (Role::Alarm, "unknown".to_owned()),
        Freshness::NotPermitted(Some(old)) => (Role::Alarm, format!("not permitted, {} old", age(old))),
        Freshness::NotPermitted(None) => (Role::Alarm, "not permitted".to_owned()),
        Freshness::Stale(old) => (Role::Warn, format!("{} old", age(old))),
        Freshness::Loading | Freshness::Fresh => {
            return match waiting {
                Some(seconds) if seconds > SLOW => vec![(Role::Dim, format!("loading {seconds} s"))],
                _ => Line::new(),
            };
        }
    };
    vec![(role, format!("{} {state}", glyphs.stale))]
}

/// Cells from left to right, each of its width, none beyond the row's.
pub struct Row {
    glyphs: &'static Glyphs,
    left: usize,
    /// What has been written so far.
    pub line: Line,
}

impl Row {
    /// A cell of text.
    pub fn text(self, role: Role, text: &str, columns: impl Into<usize>) -> Self {
        self.cell(Align::Left, role, text, columns.into())
    }

    /// A cell of text, cut and filled up as it is aligned.
    pub fn cell(mut self, align: Align, role: Role, text: &str, columns: usize) -> Self {
        let columns = columns.min(self.left);
        let text = match align {
            Align::Left | Align::Right => self.glyphs.fit(text, columns),
            Align::Id => self.glyphs.fit_middle(text, columns),
        };
        let gap = " ".repeat(columns - width(&text));
        self.left -= columns;
        self.line.push((role, if align == Align::Right { gap + &text } else { text + &gap }));
        self
    }

    /// A cell and a gap for each of these columns that is shown.
    pub fn cells(self, columns: &[Column], widths: &[usize], cells: &[(Role, impl AsRef<str>)]) -> Self {
        let shown = columns.iter().zip(widths).zip(cells).filter(|((_, width), _)| **width > 0);
        shown.fold(self, |row, ((column, width), (role, text))| {
            row.cell(column.align, *role, text.as_ref(), *width).gap(1)
        })
    }

    /// Empty columns.
    pub fn gap(mut self, columns: usize) -> Self {
        let columns = columns.min(self.left);
        self.left -= columns;
        self.line.push((Role::Base, " ".repeat(columns)));
        self
    }

    /// Glyphs of our own, verbatim; nothing if they do not fit.
    pub fn glyphs(mut self, role: Role, glyphs: &str) -> Self {
        let columns = width(glyphs);
        if columns <= self.left {
            self.left -= columns;
            self.line.push((role, glyphs.to_owned()));
        }
        self
    }
}

/// A bar of which a fraction of `parts` of `whole` is filled.
pub fn bar(glyphs: &Glyphs, columns: usize, part: u64, whole: u64) -> (String, String) {
    let part = part.min(whole);
    let halves = match whole {
        0 => 2 * columns,
        _ => usize::try_from(part.saturating_mul(2 * columns as u64) / whole).unwrap_or(2 * columns),
    };
    let mut filled = glyphs.bar.repeat(halves / 2);
    if halves % 2 == 1 {
        filled.push_str(glyphs.bar_half);
    }
    let rest = columns - halves.div_ceil(2);
    (filled, glyphs.bar_rest.repeat(rest))
}

/// A sparkline of the last values, the newest on the right, as many as there are columns. Nothing is a
/// dim ground line, so that the time it covers can be seen.
pub fn spark(glyphs: &Glyphs, values: &[u64], columns: usize) -> Line {
    let shown = &values[values.len().saturating_sub(columns)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    let mut line = vec![(Role::Dim, glyphs.spark[1].repeat(columns - shown.len()))];
    for value in shown {
        let level = usize::try_from((value * 7).div_ceil(most)).unwrap_or(7).min(7) + 1;
        let role = if *value == 0 { Role::Dim } else { Role::Base };
        match line.last_mut() {
            Some((last, text)) if *last == role => text.push_str(glyphs.spark[level]),
            _ => line.push((role, glyphs.spark[level].to_owned())),
        }
    }
    line
}

/// States one after the other, without the empty ones.
pub fn states(parts: impl IntoIterator<Item = Line>) -> Line {
    let mut line = Line::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push((Role::Base, "  ".to_owned()));
        }
        line.extend(part);
    }
    line
}

/// The rows in sight: their places in the list, and where each is drawn.
pub fn rows(top: usize, count: usize, area: Area) -> impl Iterator<Item = (usize, Area)> {
    (top..count).zip(area.rows())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::UTF8;

    #[test]
    fn bars_fill_by_halves() {
        let shown = |part| {
            let (filled, rest) = bar(&UTF8, 4, part, 8);
            format!("{filled}{rest}")
        };
        assert_eq!([0, 1, 2, 7, 8, 99].map(shown), ["────", "╸───", "━───", "━━━╸", "━━━━", "━━━━"]);
    }

    #[test]
    fn sparklines_show_every_minute_with_something_in_it() {
        let drawn = |values: &[u64], columns| crate::line::plain(&spark(&UTF8, values, columns));
        assert_eq!(drawn(&[0, 1, 800], 4), "▁▁▂█");
        assert_eq!(drawn(&[9, 0, 4], 2), "▁█");
    }
}
