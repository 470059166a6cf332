//! Texts, line by line, for a given width: the contents of windows, and what views show beside their rows.

pub mod letter;
mod log_line;
mod story;
pub mod windows;

use std::time::Duration;

use lead::{LeadId, Timestamp};
use ops::Notification;
use pipeline::{
    destination::LeftOut,
    ports::{DeadLetter, Level},
};
use serde::Serialize;

use super::{
    format::{age, since},
    keymap::{Action, Keymap},
    line::{self, Line},
    remote::Polling,
    text::{Glyphs, width},
    theme::Role,
};

/// Writes lines.
pub struct Writer<'a> {
    /// The glyphs that the terminal can show.
    pub glyphs: &'static Glyphs,
    /// The time.
    pub now: Timestamp,
    /// How long after its due time a lead counts as overdue.
    pub overdue_after: Duration,
    /// The keys.
    pub keymap: &'a Keymap,
    /// How wide it is.
    pub columns: usize,
    /// What has been written.
    pub lines: Vec<Line>,
}

impl Writer<'_> {
    /// One line, cut if it is too long.
    pub fn line(&mut self, pieces: Line) {
        let mut left = self.columns;
        let mut line = Line::new();
        for (role, text) in pieces {
            let text = self.glyphs.fit(&text, left);
            left -= width(&text).min(left);
            line.push((role, text));
        }
        self.lines.push(line);
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.lines.push(Line::new());
    }

    /// A heading, with an empty line above it.
    pub fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.blank();
        }
        self.lines.push(vec![(Role::Accent, self.glyphs.fit(text, self.columns))]);
    }

    /// A wrapped paragraph, indented by `indent` columns, with `first` in the indentation of its first line.
    pub fn wrapped(&mut self, first: Line, indent: usize, role: Role, text: &str) {
        let indent = indent.min(self.columns * 3 / 4);
        let used = line::width(&first);
        let room = self.columns.saturating_sub(indent).max(1);
        for (index, piece) in self.glyphs.wrap(text, room).into_iter().enumerate() {
            let mut line = if index == 0 && used <= indent { first.clone() } else { Line::new() };
            let gap = if index == 0 { indent.saturating_sub(used) } else { indent };
            line.push((Role::Base, " ".repeat(gap)));
            line.push((role, piece));
            self.lines.push(line);
        }
    }

    /// A paragraph behind a mark of one column.
    pub fn marked(&mut self, (role, mark): (Role, &str), text_role: Role, text: &str) {
        self.wrapped(vec![(role, mark.to_owned())], 2, text_role, text);
    }

    /// A value as indented JSON.
    pub fn json_of(&mut self, value: &impl Serialize) {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        text.lines().for_each(|line| self.json(line));
    }

    /// The lead that the text is about.
    pub fn lead(&mut self, lead: &str) {
        let key = self.keymap.key(Action::Open);
        self.field("lead", Role::Base, &format!("{lead}   ({key} opens its history)"));
    }

    /// A line on a failure, or on the first answer that is still awaited.
    pub fn polling(&mut self, polling: &Polling) {
        if let Some(failure) = &polling.error {
            let line = failure.line(self.now, polling.in_flight.is_some());
            self.marked((Role::Alarm, self.glyphs.bad), Role::Alarm, &line);
        } else if !polling.is_known() {
            self.line(vec![(Role::Dim, format!("loading{}", self.glyphs.ellipsis))]);
        }
    }

    /// A field with its label.
    pub fn field(&mut self, label: &str, role: Role, text: &str) {
        self.wrapped(vec![(Role::Dim, self.glyphs.fit(label, 11))], 12, role, text);
    }

    /// A line of formatted JSON: its indentation is preserved, names are highlighted, and what is too long is
    /// wrapped.
    pub fn json(&mut self, text: &str) {
        let indent = (text.len() - text.trim_start_matches(' ').len()).min(self.columns / 2);
        let text = text.trim_start();
        let name = text.strip_prefix('"').and_then(|rest| rest.split_once("\": "));
        let (first, rest) = match name {
            Some((name, value)) if !name.contains('"') => (format!("\"{}\":", self.glyphs.safe(name)), value),
            _ => (String::new(), text),
        };
        let lead_in = indent + if first.is_empty() { 0 } else { width(&first) + 1 };
        if lead_in + 8 > self.columns {
            return self.wrapped(vec![(Role::Base, " ".repeat(indent))], indent, Role::Base, text);
        }
        self.wrapped(vec![(Role::Base, " ".repeat(indent)), (Role::Name, first)], lead_in, Role::Base, rest);
    }
}

/// The mark of an alert's state.
pub fn delivery_mark(notification: &Notification, glyphs: &'static Glyphs) -> (Role, &'static str) {
    match notification.state {
        "sent" => (Role::Good, glyphs.good),
        "partly_sent" => (Role::Warn, glyphs.warning),
        "failed" => (Role::Alarm, glyphs.bad),
        _ if notification.code.is_some() => (Role::Warn, glyphs.queued),
        _ => (Role::Dim, glyphs.queued),
    }
}

/// `Slack sent 12 s ago, 2 attempts, LO202`.
pub fn delivery(notification: &Notification, now: Timestamp) -> String {
    let kind = match notification.kind {
        lead::AlertKind::New => "",
        lead::AlertKind::FollowUp => " follow-up",
        lead::AlertKind::Resend => " resend",
        lead::AlertKind::Trial => " trial",
    };
    let ago = match since(now, notification.at) {
        0 => "now".to_owned(),
        seconds => format!("{} ago", age(seconds)),
    };
    let state = notification.state.replace('_', " ");
    let mut text = format!("{}{kind} {state} {ago}", notification.destination.label());
    if notification.attempts > 1 {
        text += &format!(", {} attempts", notification.attempts);
    }
    if let Some(code) = notification.code {
        text += &format!(", {code}");
    }
    if !notification.left_out.is_empty() {
        text += &format!(", not for {}", LeftOut::line(&notification.left_out));
    }
    text
}

/// The name of a dead letter: its lead's name, else the lead's id, else its own.
pub fn name_of(letter: &DeadLetter, display_name: Option<&str>) -> String {
    let lead = letter.lead_id.as_ref().map(LeadId::as_str);
    display_name.or(lead).map_or_else(|| format!("message {}", letter.id), str::to_owned)
}

/// A message's body by lines: indented if it is JSON, else verbatim.
pub fn body(body: &str) -> Vec<String> {
    let laid_out = serde_json::from_str::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| body.to_owned());
    laid_out.lines().map(str::to_owned).collect()
}

/// The mark of a log line's level.
pub fn level_mark(level: Level, glyphs: &'static Glyphs) -> (Role, &'static str) {
    match level {
        Level::Debug => (Role::Dim, glyphs.dot),
        Level::Info => (Role::Base, " "),
        Level::Warn => (Role::Warn, glyphs.warning),
        Level::Error => (Role::Alarm, glyphs.bad),
    }
}
