//! The tail of the log: it follows the newest line, or stays at the line under the cursor.

use jiff::SignedDuration;
use lead::LeadId;
use pipeline::{
    Function,
    ports::{Level, LogLine, LogQuery},
};

use crate::{
    doc::level_mark,
    draw::{
        Painter,
        columns::{Column, id, text},
        rows, states, table,
    },
    find::{Filter, Searchable},
    format::clock,
    keymap::Action,
    layout::{Area, below},
    line::Line,
    msg::{Answer, LOG_PAGE, Query},
    remote::Polling,
    scene::Scene,
    table_view::{ROWS_MAX_AGE, json, mismatched_answer},
    tail::Tail,
    text::Glyphs,
    theme::Role,
    view::{Handled, Matched, Named, Opens, QueryReply, View},
    window::Window,
};

/// Up to this width there is no room among the tabs to say whether the log is followed.
const NARROW: u16 = 60;

/// What the minimum level can be.
const LEVELS: [Level; 3] = [Level::Info, Level::Warn, Level::Error];
/// The functions whose lines can be shown alone: those that write a log.
const FUNCTIONS: [Function; 4] =
    [Function::WebhookIngestion, Function::LeadProcessor, Function::Notification, Function::Housekeeping];

const COLUMNS: [Column; 5] = [
    text("time", 8, 8, 0, 0),
    text("", 1, 1, 0, 0),
    text("function", 8, 8, 0, 58),
    text("message", 8, 400, 1, 0),
    id("lead", 15, 24, 0, 100),
];

impl Searchable for LogLine {
    fn fields() -> &'static [&'static str] {
        &["function", "level", "lead", "code", "message"]
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        see("message", &self.message)
            || see("function", &self.function)
            || see("level", self.level.as_str())
            || self.lead_id.as_deref().is_some_and(|lead| see("lead", lead))
            || self.code.as_deref().is_some_and(|code| see("code", code))
    }
}

impl View for Tail {
    fn polling(&self) -> &Polling {
        &self.remote
    }

    fn polling_mut(&mut self) -> &mut Polling {
        &mut self.remote
    }

    fn next_query(&self) -> (Query, SignedDuration) {
        let after = self.lines.back().map(|line| line.cursor.clone());
        (Query::Logs(LogQuery { after, limit: LOG_PAGE, ..LogQuery::default() }), ROWS_MAX_AGE)
    }

    fn answered(&mut self, reply: QueryReply) {
        let QueryReply { generation, answer, took, now } = reply;
        let (lines, answer) = match answer {
            Ok(Answer::Logs(lines)) => (lines, Ok(())),
            Ok(_) => (Vec::new(), Err(mismatched_answer())),
            Err(error) => (Vec::new(), Err(error)),
        };
        if self.remote.answered(generation, answer, took, now).is_ok() {
            // A full page: there may be more.
            if lines.len() >= LOG_PAGE {
                self.remote.refresh_soon();
            }
            self.append(lines);
        }
    }

    fn reset(&mut self) {
        *self = self.emptied();
    }

    fn len(&self) -> usize {
        self.places()
    }

    fn index(&self) -> usize {
        self.cursor().unwrap_or(0)
    }

    fn top(&self) -> Option<usize> {
        (!self.wrap).then_some(self.top)
    }

    fn go(&mut self, to: usize, visible: usize) {
        self.move_to(to.min(self.places().saturating_sub(1)), visible);
    }

    fn clamp_cursor(&mut self, visible: usize, _full: bool) {
        self.keep_in_sight(visible);
    }

    fn fields(&self) -> &'static [&'static str] {
        LogLine::fields()
    }

    fn filter(&self) -> &Filter {
        &self.wanted.filter
    }

    fn set_filter(&mut self, text: &str, visible: usize) {
        self.wanted.filter = Filter::parse(text, LogLine::fields());
        self.refilter(visible);
    }

    fn matched(&self) -> Matched {
        Matched { matched: self.matching(), of: self.lines.len(), more: self.first > 0 }
    }

    fn next_match(&self, forward: bool) -> Option<usize> {
        self.next(forward, |line| self.wanted.filter.matches(line))
    }

    fn handle(&mut self, action: Action, visible: usize) -> Handled {
        match action {
            Action::Wrap => {
                self.wrap = !self.wrap;
                return Handled::Yes;
            }
            Action::Dim => self.wanted.dimmed = !self.wanted.dimmed,
            Action::Level => self.wanted.level = next(&LEVELS, self.wanted.level),
            Action::Function => self.wanted.function = next(&FUNCTIONS, self.wanted.function),
            _ => return Handled::No,
        }
        self.refilter(visible);
        Handled::Yes
    }

    fn back(&mut self, visible: usize) -> bool {
        if self.wanted.is_open() {
            return false;
        }
        (self.wanted.level, self.wanted.function) = (None, None);
        self.set_filter("", visible);
        true
    }

    fn open(&self) -> Opens {
        let line = self.row().map(|line| LogLine::clone(line));
        line.map_or(Opens::Story, |line| Opens::Window(Window::Line(Box::new(line))))
    }

    fn hints(&self) -> Vec<(Action, &'static str)> {
        let own = if self.held.is_some() { (Action::Bottom, "follow") } else { (Action::Level, "level") };
        vec![(Action::Open, "open line"), own]
    }

    fn lead(&self) -> Option<Named> {
        lead_of(self.row()?)
    }

    fn copy(&self) -> Option<(&'static str, String)> {
        Some(("the line", json(&**self.row()?)?))
    }

    fn state(&self, scene: &Scene<'_>) -> Line {
        let mut wanted = Line::new();
        if let Some(level) = self.wanted.level {
            wanted.push((Role::Accent, format!("{} and above", level.as_str())));
        }
        if let Some(function) = self.wanted.function {
            let gap = if wanted.is_empty() { "" } else { "  " };
            wanted.push((Role::Accent, format!("{gap}{}", short(function.as_str()))));
        }
        states([wanted, self.tab_state(scene)])
    }

    /// Whether the newest lines are followed: `following`, or `held, 37 new`.
    fn tab_state(&self, scene: &Scene<'_>) -> Line {
        if self.held.is_none() {
            return vec![(Role::Dim, format!("following {}", scene.glyphs.live))];
        }
        let new = match self.new_lines() {
            0 => String::new(),
            new => format!(", {new} new {}", scene.glyphs.down),
        };
        let key = scene.keymap.key(Action::Bottom);
        vec![(Role::Warn, format!("held{new}")), (Role::Dim, format!("  {key} follows"))]
    }

    fn nothing(&self, _: &Glyphs) -> String {
        if self.wanted.is_open() { "No log lines yet." } else { "No log line matches." }.to_owned()
    }

    fn draw(&self, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        let widths = table::titles(painter, scene, area, &COLUMNS, None);
        if self.wrap {
            wrapped(painter, self, scene, area, &widths);
        } else {
            cut(painter, self, scene, area, &widths);
        }
        // Without a heading, and no room among the tabs, there is no other place to say it in.
        if scene.is_full()
            && area.width < NARROW
            && self.held.is_some()
            && let Some((role, text)) = self.tab_state(scene).into_iter().next()
        {
            let last = below(area, area.height.saturating_sub(1));
            painter.line_at_right(last, &[(role, format!(" {text} "))]);
        }
    }
}

/// The choice after the present one; first none is chosen, and none again after the last.
fn next<T: Copy + PartialEq>(choices: &[T], chosen: Option<T>) -> Option<T> {
    let behind = |chosen| 1 + choices.iter().take_while(|choice| **choice != chosen).count();
    choices.get(chosen.map_or(0, behind)).copied()
}

/// The lead that a line is about.
pub fn lead_of(line: &LogLine) -> Option<Named> {
    let id: LeadId = line.lead_id.as_ref()?.parse().ok()?;
    Some((id, None))
}

/// Each line in one row.
fn cut(painter: &mut Painter<'_>, logs: &Tail, scene: &Scene<'_>, area: Area, widths: &[usize]) {
    let focused = scene.focused;
    for (place, area) in rows(logs.top, logs.len(), area) {
        let Some((number, line)) = logs.at(place) else { continue };
        let row = first(painter, logs, line, widths, &line.message, area.width);
        painter.line(area, &row);
        // While following, the newest line needs no cursor: it is always the last one.
        if logs.held == Some(number) {
            painter.cursor(area, focused);
        }
    }
}

/// Each line in as many rows as it needs, from the one under the cursor upwards.
fn wrapped(painter: &mut Painter<'_>, logs: &Tail, scene: &Scene<'_>, area: Area, widths: &[usize]) {
    let focused = scene.focused;
    let Some(cursor) = logs.cursor() else { return };
    let indent = 1 + widths[..3].iter().filter(|width| **width > 0).map(|width| width + 1).sum::<usize>();
    let mut free = area.rows().rev();
    for place in (0..=cursor).rev() {
        let Some((number, line)) = logs.at(place) else { break };
        let pieces = painter.glyphs.wrap(&line.message, widths[3].max(1));
        let (role, _) = mark_of(logs, line, painter.glyphs);
        for (index, piece) in pieces.iter().enumerate().rev() {
            let Some(area) = free.next() else { return };
            let row = match index {
                0 => first(painter, logs, line, widths, piece, area.width),
                _ => painter.row(area.width).gap(indent).text(role, piece, widths[3]).line,
            };
            painter.line(area, &row);
            if logs.held == Some(number) {
                painter.cursor(area, focused);
            }
        }
    }
}

/// The first row of a line.
fn first(
    painter: &Painter<'_>,
    logs: &Tail,
    line: &LogLine,
    widths: &[usize],
    message: &str,
    columns: u16,
) -> Line {
    let (role, glyph) = mark_of(logs, line, painter.glyphs);
    let cells = [
        (Role::Dim, &*clock(line.at)),
        (role, glyph),
        (Role::Dim, short(&line.function)),
        (role, message),
        (Role::Dim, line.lead_id.as_deref().unwrap_or_default()),
    ];
    painter.row(columns).gap(1).cells(&COLUMNS, widths, &cells).line
}

/// The mark of a line's level, and the role of its text: dim where it does not match.
fn mark_of(logs: &Tail, line: &LogLine, glyphs: &'static Glyphs) -> (Role, &'static str) {
    let dim = logs.wanted.dimmed && !logs.wanted.is_open() && !logs.wanted.matches(line);
    let (role, glyph) = level_mark(line.level, glyphs);
    (if dim { Role::Dim } else { role }, glyph)
}

/// The short name of a function.
fn short(function: &str) -> &str {
    match function {
        "webhook-ingestion" => "ingest",
        "lead-processor" => "process",
        "notification" => "notify",
        "housekeeping" => "house",
        other => other,
    }
}
