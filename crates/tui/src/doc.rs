//! Windows with a text: what they say, line by line, for a given width.

use lead::{EnrichedLead, OwnerStatus, Timestamp};
use ops::{DeadRow, LeadStory, Notification, Step};
use pipeline::{
    Stage, Standing, State,
    destination::LeftOut,
    ports::{Level, LogLine},
};

use super::{
    app::App,
    format::{self, age, clock, countdown, moment, since, step},
    keymap,
    remote::Remote,
    text::{Glyphs, width},
    theme::Role,
    update,
    window::{self, Job, Letter, Open, Story, Window},
};

/// A line: pieces of safe text with their roles.
pub type Line = Vec<(Role, String)>;

/// How many outcomes of an action are listed.
const OUTCOMES: usize = 500;

/// A text with its heading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doc {
    /// The heading.
    pub title: String,
    /// The lines, none wider than asked for.
    pub lines: Vec<Line>,
}

/// The text of a line.
pub fn plain(line: &Line) -> String {
    line.iter().map(|(_, text)| text.as_str()).collect()
}

/// What a window says in so many columns. A question, the palette and a path say their own.
pub fn of(app: &App, open: &Open, columns: usize) -> Doc {
    let mut pen = Pen { glyphs: app.glyphs, columns, lines: Vec::new() };
    let title = match &open.window {
        Window::Help => {
            help(app, &mut pen);
            "Keys".to_owned()
        }
        Window::Events if open.page == 1 => {
            actions(app, &mut pen);
            "Actions".to_owned()
        }
        Window::Events => {
            events(app, &mut pen);
            "Events".to_owned()
        }
        Window::Story(story) => {
            match open.page {
                0 => told(story, app, &mut pen),
                1 => enriched(story, app, &mut pen),
                _ => raw(story, app, &mut pen),
            }
            story.name.clone()
        }
        Window::Letter(opened) => {
            match open.page {
                0 => letter_story(opened, app, &mut pen),
                _ => letter_raw(opened, app, &mut pen),
            }
            format!("Dead letter {} {}", app.glyphs.dot, name_of(&opened.row))
        }
        Window::Line(line) => {
            log_line(app, line, &mut pen);
            "Log line".to_owned()
        }
        Window::Confirm(_) | Window::Palette { .. } | Window::File { .. } => String::new(),
    };
    Doc { title, lines: pen.lines }
}

/// What there is to say of a dead letter, beside the list of them.
pub fn letter(app: &App, letter: &Letter, columns: usize) -> Vec<Line> {
    let mut pen = Pen { glyphs: app.glyphs, columns, lines: Vec::new() };
    letter_story(letter, app, &mut pen);
    pen.lines
}

/// Writes lines.
struct Pen {
    glyphs: &'static Glyphs,
    columns: usize,
    lines: Vec<Line>,
}

impl Pen {
    fn line(&mut self, pieces: Vec<(Role, String)>) {
        let mut left = self.columns;
        let mut line = Line::new();
        for (role, text) in pieces {
            let text = self.glyphs.fit(&text, left);
            left -= width(&text).min(left);
            line.push((role, text));
        }
        self.lines.push(line);
    }

    fn blank(&mut self) {
        self.lines.push(Line::new());
    }

    fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.blank();
        }
        self.lines.push(vec![(Role::Accent, self.glyphs.fit(text, self.columns))]);
    }

    /// A paragraph behind a lead-in of `indent` columns, which stands on its first line only.
    fn hang(&mut self, first: Line, indent: usize, role: Role, text: &str) {
        let indent = indent.min(self.columns * 3 / 4);
        let used: usize = first.iter().map(|(_, text)| width(text)).sum();
        let room = self.columns.saturating_sub(indent).max(1);
        for (index, piece) in self.glyphs.wrap(text, room).into_iter().enumerate() {
            let mut line = if index == 0 && used <= indent { first.clone() } else { Line::new() };
            let gap = if index == 0 { indent.saturating_sub(used) } else { indent };
            line.push((Role::Base, " ".repeat(gap)));
            line.push((role, piece));
            self.lines.push(line);
        }
    }

    fn field(&mut self, label: &str, role: Role, text: &str) {
        self.hang(vec![(Role::Dim, self.glyphs.fit(label, 11))], 12, role, text);
    }

    /// A line of a JSON text that is laid out: its indentation stays, names stand out, and what is too
    /// long goes on in the next lines.
    fn json(&mut self, text: &str) {
        let indent = (text.len() - text.trim_start_matches(' ').len()).min(self.columns / 2);
        let text = text.trim_start();
        let name = text.strip_prefix('"').and_then(|rest| rest.split_once("\": "));
        let (first, rest) = match name {
            Some((name, value)) if !name.contains('"') => (format!("\"{}\":", self.glyphs.safe(name)), value),
            _ => (String::new(), text),
        };
        let lead_in = indent + if first.is_empty() { 0 } else { width(&first) + 1 };
        if lead_in + 8 > self.columns {
            return self.hang(vec![(Role::Base, " ".repeat(indent))], indent, Role::Base, text);
        }
        self.hang(vec![(Role::Base, " ".repeat(indent)), (Role::Name, first)], lead_in, Role::Base, rest);
    }
}

fn help(app: &App, pen: &mut Pen) {
    let table = app.keymap.table();
    for group in keymap::Group::ALL {
        pen.heading(group.title());
        for row in table.iter().filter(|row| row.group == group) {
            let keys = if row.keys.is_empty() {
                format!("{}{}", app.keymap.key(keymap::Action::Palette), row.action)
            } else {
                row.keys.clone()
            };
            let keys = pen.glyphs.fit(&keys, 16);
            pen.hang(vec![(Role::Strong, keys)], 17, Role::Base, row.about);
        }
    }
    let glyphs = pen.glyphs;
    pen.heading("Marks");
    let marks = [
        (Role::Alarm, glyphs.overdue, "overdue: due for longer than it should be, without an end"),
        (Role::Alarm, glyphs.bad, "dead, or failed: needs a person"),
        (
            Role::Warn,
            glyphs.warning,
            "a warning in the log; a lead without an owner, or whose owner has left",
        ),
        (Role::Base, glyphs.working, "due, and being worked on"),
        (Role::Dim, glyphs.queued, "an alert that is queued, or is tried again"),
        (Role::Good, glyphs.good, "told"),
        (Role::Accent, glyphs.mark, "marked for the next action"),
    ];
    for (role, glyph, about) in marks {
        pen.hang(vec![(role, glyph.to_owned())], 17, Role::Base, about);
    }
}

fn events(app: &App, pen: &mut Pen) {
    if app.said.is_empty() {
        pen.line(vec![(Role::Dim, "Nothing yet. What actions come to is written here.".to_owned())]);
    }
    for said in app.said.iter().rev() {
        pen.hang(vec![(Role::Dim, clock(said.at))], 10, said.role, &said.text);
    }
}

/// Each action and what its items came to, the latest action first.
fn actions(app: &App, pen: &mut Pen) {
    if app.jobs.is_empty() {
        pen.line(vec![(Role::Dim, "Nothing has been done from here yet.".to_owned())]);
    }
    for job in app.jobs.iter().rev() {
        job_story(job, app, pen);
    }
}

fn job_story(job: &Job, app: &App, pen: &mut Pen) {
    let (verb, count) = (&job.act.verb, job.outcomes.len());
    let state = match job.stage {
        window::Stage::Running | window::Stage::Stopping => update::job_line(job, app),
        window::Stage::Following => format!("{} {}, looking at what becomes of it", job.done, verb.done()),
        window::Stage::Over => {
            let left = job.left();
            let left = if left > 0 { format!(", {left} left as they were") } else { String::new() };
            format!("{} {}, {} failed{left}", job.done, verb.done(), job.failed)
        }
    };
    pen.heading(&format!("{} {} {count}", clock(job.started_at), verb.doing()));
    pen.line(vec![(Role::Base, state)]);
    let named = || job.act.targets.iter().zip(&job.outcomes);
    // What needs a person comes first.
    let failed = named().filter(|(_, outcome)| needs_somebody(outcome.as_ref()));
    let rest = named().filter(|(_, outcome)| outcome.is_some() && !needs_somebody(outcome.as_ref()));
    for (target, outcome) in failed.chain(rest).take(OUTCOMES) {
        let Some(outcome) = outcome else { continue };
        let (role, glyph, text) = match (&outcome.result, &outcome.became) {
            (Err(what), _) => (Role::Alarm, pen.glyphs.bad, what.clone()),
            (Ok(_), Some(Err(what))) => (Role::Alarm, pen.glyphs.bad, what.clone()),
            (Ok(_), Some(Ok(what))) => (Role::Good, pen.glyphs.good, what.clone()),
            (Ok(word), None) => {
                (Role::Good, pen.glyphs.good, word.clone().unwrap_or_else(|| verb.done().to_owned()))
            }
        };
        let first = vec![(role, format!("{glyph} ")), (Role::Strong, pen.glyphs.fit(&target.name, 26))];
        pen.hang(first, 30, Role::Base, &text);
    }
    let more = named().filter(|(_, outcome)| outcome.is_some()).count().saturating_sub(OUTCOMES);
    if more > 0 {
        pen.line(vec![(Role::Dim, format!("and {more} more"))]);
    }
}

fn needs_somebody(outcome: Option<&window::Outcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.result.is_err() || matches!(outcome.became, Some(Err(_))))
}

/// A line on how asking goes, where it does not go well.
fn about_remote<T>(remote: &Remote<T>, now: Timestamp, pen: &mut Pen) {
    if let Some(failure) = &remote.error {
        let line = failure.line(now, remote.in_flight.is_some());
        pen.hang(vec![(Role::Alarm, pen.glyphs.bad.to_owned())], 2, Role::Alarm, &line);
    } else if remote.get().is_none() {
        pen.line(vec![(Role::Dim, format!("asking{}", pen.glyphs.ellipsis))]);
    }
}

fn told(story: &Story, app: &App, pen: &mut Pen) {
    about_remote(&story.story, app.now, pen);
    if let Some(story) = story.story.get() {
        tell(story, app, pen);
    }
}

/// The enriched lead as it is kept, with people by their names.
fn enriched(story: &Story, app: &App, pen: &mut Pen) {
    about_remote(&story.story, app.now, pen);
    let Some(story) = story.story.get() else { return };
    pen.field("kept under", Role::Dim, &story.target_key);
    pen.blank();
    match &story.lead {
        Some(lead) => {
            let text = serde_json::to_string_pretty(&lead.for_people()).unwrap_or_default();
            text.lines().for_each(|line| pen.json(line));
        }
        None => pen.line(vec![(Role::Dim, "The lead has not been enriched yet.".to_owned())]),
    }
}

/// The webhook's body, laid out.
fn raw(story: &Story, app: &App, pen: &mut Pen) {
    about_remote(&story.raw, app.now, pen);
    if let Some(story) = story.story.get() {
        pen.field("kept under", Role::Dim, &story.raw_key);
        pen.blank();
    }
    match story.raw.get() {
        Some(Some(lines)) => lines.iter().for_each(|line| pen.json(line)),
        Some(None) => pen.line(vec![(Role::Alarm, "There is no raw event under this key.".to_owned())]),
        None => {}
    }
}

fn tell(story: &LeadStory, app: &App, pen: &mut Pen) {
    let due = since(story.due_at, app.now);
    let (role, state) = match story.state {
        State::Pending if due > 0 => (Role::Base, format!("waits, due in {}", countdown(due))),
        State::Pending | State::Processing => (Role::Base, "due, being worked on".to_owned()),
        State::Overdue => (
            Role::Alarm,
            format!("{} overdue by {}", pen.glyphs.overdue, countdown(since(app.now, story.due_at))),
        ),
        State::Notified => (Role::Good, format!("{} told", pen.glyphs.good)),
        State::Dead => (Role::Alarm, format!("{} dead", pen.glyphs.bad)),
    };
    pen.field("state", role, &state);
    if let Some(lead) = &story.lead {
        owners(lead, pen);
        pen.field("status", Role::Base, &format!("{} {} {}", lead.status_label, pen.glyphs.dot, lead.funnel));
        pen.field("e-mail", Role::Base, &lead.lead_email);
        if let Some(phone) = &lead.lead_phone {
            pen.field("phone", Role::Base, phone);
        }
        pen.field("created", Role::Base, &lead.date_created);
    }
    pen.field("id", Role::Base, story.lead_id.as_str());
    pen.field("in Close", Role::Base, &story.lead_id.close_url());

    pen.heading("What happened");
    let mut before = None;
    for event in &story.timeline {
        let (role, glyph) = mark_of(event, pen.glyphs);
        let taken = before.map_or_else(String::new, |before| step(before, event.at));
        before = Some(event.at);
        let stage = event.stage.as_str().replace('_', " ");
        let first = vec![
            (Role::Dim, clock(event.at)),
            (Role::Dim, format!("{taken:>9} ")),
            (role, format!("{glyph} ")),
            (Role::Strong, format!("{stage:<16}")),
        ];
        if pen.columns >= 70 {
            pen.hang(first, 37, Role::Base, &event.detail);
        } else {
            pen.lines.push(first);
            pen.hang(Line::new(), 4, Role::Base, &event.detail);
        }
    }
    if let State::Pending = story.state
        && due > 0
    {
        let due = format!(
            "{}{:>10} {} due",
            clock(story.due_at),
            format!("in {} ", countdown(due)),
            pen.glyphs.dot
        );
        pen.lines.push(vec![(Role::Dim, due)]);
    }

    if !story.notifications.is_empty() {
        pen.heading("Alerts");
        for notification in &story.notifications {
            let (role, glyph) = delivery_mark(notification, pen.glyphs);
            let text = delivery(notification, app.now);
            pen.hang(vec![(role, glyph.to_owned())], 2, Role::Base, &text);
            if let Some(code) = notification.code.filter(|_| notification.state != "sent") {
                let standing =
                    if notification.state == "queued" { Standing::TriedAgain } else { Standing::Dead };
                let text = format!("{} {}", code.cause(), code.remedy(standing));
                pen.hang(Line::new(), 4, Role::Dim, &text);
            }
        }
    }
    pen.heading("Kept under");
    pen.field("raw event", Role::Base, &story.raw_key);
    pen.field("enriched", Role::Base, &story.target_key);
}

/// Who owns a lead, a line each, the one who counts first.
fn owners(lead: &EnrichedLead, pen: &mut Pen) {
    let labels = lead.owner_labels();
    let title = if labels.len() > 1 { "owners" } else { "owner" };
    for (index, label) in labels.iter().enumerate() {
        match (index, lead.owner_status) {
            (0, OwnerStatus::Assigned) => pen.field(title, Role::Strong, label),
            (0, OwnerStatus::Departed) => {
                pen.field(title, Role::Warn, &format!("{} {label}", pen.glyphs.warning));
            }
            (0, status) => {
                let status = status.as_str().replace('_', " ");
                pen.field(title, Role::Warn, &format!("{} {label} ({status})", pen.glyphs.warning));
            }
            _ => pen.field("", Role::Base, label),
        }
    }
}

fn mark_of(event: &Step, glyphs: &'static Glyphs) -> (Role, &'static str) {
    match event.stage {
        Stage::Notified if event.code.is_some() => (Role::Warn, glyphs.warning),
        Stage::Notified => (Role::Good, glyphs.good),
        Stage::Dead => (Role::Alarm, glyphs.bad),
        Stage::Retrying => (Role::Warn, glyphs.warning),
        Stage::Redriven | Stage::Deleted | Stage::Exported | Stage::Resent | Stage::Requeued => {
            (Role::Accent, glyphs.working)
        }
        _ => (Role::Dim, glyphs.dot),
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

/// What a dead letter is called: its lead's name, else the lead's id, else its own.
pub fn name_of(row: &DeadRow) -> String {
    let lead = row.letter.lead_id.as_ref().map(ToString::to_string);
    row.display_name.clone().or(lead).unwrap_or_else(|| format!("message {}", row.letter.id))
}

/// A message's body by lines: indented where it is JSON, else as it is.
pub fn body(body: &str) -> Vec<String> {
    let laid_out = serde_json::from_str::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| body.to_owned());
    laid_out.lines().map(str::to_owned).collect()
}

fn letter_story(opened: &Letter, app: &App, pen: &mut Pen) {
    let row = &opened.row.letter;
    pen.field("reason", Role::Strong, &row.reason);
    pen.field("code", Role::Alarm, &format!("{} {} {}", pen.glyphs.bad, row.code, row.code.cause()));
    pen.field("remedy", Role::Accent, &format!("{} {}", pen.glyphs.arrow, row.code.remedy(Standing::Dead)));
    let tries = format::count(row.attempts as usize, "attempt", "attempts");
    let died = format!(
        "{} ago, {tries} since {}; {} queue",
        age(since(app.now, row.dead_at)),
        moment(row.first_failed_at),
        row.queue.as_str()
    );
    pen.field("died", Role::Base, &died);
    if let Some(lead) = &row.lead_id {
        let key = app.keymap.key(keymap::Action::Open);
        pen.field("lead", Role::Base, &format!("{lead}   ({key} opens its story)"));
    }
    pen.field("id", Role::Base, &row.id);
    pen.heading("Message");
    about_remote(&opened.detail, app.now, pen);
    let Some(found) = opened.detail.get() else { return };
    for line in &found.body {
        pen.json(line);
    }
    pen.heading("Log of its last attempt");
    if found.detail.logs.is_empty() {
        pen.line(vec![(Role::Dim, "no lines".to_owned())]);
    }
    for line in &found.detail.logs {
        let (role, glyph) = level_mark(line.level, pen.glyphs);
        let first = vec![(Role::Dim, format!("{} ", clock(line.at))), (role, glyph.to_owned())];
        pen.hang(first, 11, Role::Base, &line.message);
    }
}

/// The message exactly as it lies in the queue, and everything that is known about its death.
fn letter_raw(opened: &Letter, app: &App, pen: &mut Pen) {
    about_remote(&opened.detail, app.now, pen);
    let Some(found) = opened.detail.get() else { return };
    pen.heading("Body, as it is");
    pen.hang(Line::new(), 0, Role::Base, &found.detail.body);
    pen.heading("Dead letter");
    let row = serde_json::to_string_pretty(&found.detail.row).unwrap_or_default();
    row.lines().for_each(|line| pen.json(line));
}

fn log_line(app: &App, line: &LogLine, pen: &mut Pen) {
    let (role, glyph) = level_mark(line.level, pen.glyphs);
    pen.field("at", Role::Base, &format!("{} UTC", moment(line.at)));
    pen.field("function", Role::Base, &line.function);
    pen.field("level", role, format!("{glyph} {}", line.level.as_str()).trim());
    pen.field("message", Role::Strong, &line.message);
    if let Some(lead) = &line.lead_id {
        let key = app.keymap.key(keymap::Action::Open);
        pen.field("lead", Role::Base, &format!("{lead}   ({key} opens its story)"));
    }
    if let Some(code) = &line.code {
        pen.field("code", Role::Warn, code);
        if let Ok(code) = code.parse::<pipeline::Code>() {
            pen.field("cause", Role::Base, code.cause());
            pen.field("remedy", Role::Base, code.remedy(standing(line)));
        }
    }
    for (name, value) in &line.fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        pen.field(name, Role::Base, &text);
    }
}

/// How it stands with the work that a line of the log is about: an entry of the journal begins with its kind.
fn standing(line: &LogLine) -> Standing {
    let is =
        |stage: Stage| line.message.strip_prefix(stage.as_str()).is_some_and(|rest| rest.starts_with(':'));
    match line {
        _ if is(Stage::Dead) => Standing::Dead,
        _ if is(Stage::Retrying) => Standing::TriedAgain,
        _ => Standing::Reported,
    }
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
