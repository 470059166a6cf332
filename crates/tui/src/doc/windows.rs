//! The texts of windows, line by line, for a given width.

use super::{
    Writer,
    letter::{At, letter_raw, letter_story},
    log_line::log_line,
    name_of,
    story::{enriched, history, raw},
};
use crate::{
    app::App,
    format::clock,
    keymap,
    line::Line,
    theme::Role,
    window::{self, Job, OpenWindow, Window},
};

/// How many results of an operation are listed.
const OUTCOMES: usize = 500;

/// A text with its heading.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doc {
    /// The heading.
    pub title: String,
    /// The lines, none wider than asked for.
    pub lines: Vec<Line>,
}

/// The text of a window in so many columns. Questions, the palette and the path draw themselves.
pub fn of(app: &App, open: &OpenWindow, columns: usize) -> Doc {
    let mut writer = Writer::new(app.glyphs, columns);
    let title = match &open.window {
        Window::Help => {
            help(app, &mut writer);
            "Keys".to_owned()
        }
        Window::Events if open.page == 1 => {
            actions(app, &mut writer);
            "Actions".to_owned()
        }
        Window::Events => {
            events(app, &mut writer);
            "Events".to_owned()
        }
        Window::Story(story) => {
            match open.page {
                0 => history(story, app.now, &mut writer),
                1 => enriched(story, app.now, &mut writer),
                _ => raw(story, app.now, &mut writer),
            }
            story.name.clone()
        }
        Window::Letter(opened) => {
            match open.page {
                0 => letter_story(opened, &At { now: app.now, keymap: &app.keymap }, &mut writer),
                _ => letter_raw(opened, &At { now: app.now, keymap: &app.keymap }, &mut writer),
            }
            format!(
                "Dead letter {} {}",
                app.glyphs.dot,
                name_of(&opened.row.letter, opened.row.display_name.as_deref())
            )
        }
        Window::Line(line) => {
            log_line(&app.keymap, line, &mut writer);
            "Log line".to_owned()
        }
        Window::Confirm(_) | Window::Palette { .. } | Window::File { .. } => String::new(),
    };
    Doc { title, lines: writer.lines }
}

fn help(app: &App, writer: &mut Writer) {
    let table = app.keymap.table();
    for group in keymap::Group::ALL {
        writer.heading(group.title());
        for row in table.iter().filter(|row| row.group == group) {
            let keys = if row.keys.is_empty() {
                format!("{}{}", app.keymap.key(keymap::Action::Palette), row.action)
            } else {
                row.keys.clone()
            };
            let keys = writer.glyphs.fit(&keys, 16);
            writer.wrapped(vec![(Role::Strong, keys)], 17, Role::Base, row.about);
        }
    }
    let glyphs = writer.glyphs;
    writer.heading("Marks");
    let marks = [
        (Role::Alarm, glyphs.overdue, "overdue: past its due time and not finished"),
        (Role::Alarm, glyphs.bad, "dead or failed: needs attention"),
        (
            Role::Warn,
            glyphs.warning,
            "a warning in the log; a lead without an owner, or whose owner has left",
        ),
        (Role::Base, glyphs.working, "processing"),
        (Role::Dim, glyphs.queued, "an alert that is queued or being retried"),
        (Role::Good, glyphs.good, "notified"),
        (Role::Accent, glyphs.mark, "marked for the next action"),
    ];
    for (role, glyph, about) in marks {
        writer.wrapped(vec![(role, glyph.to_owned())], 17, Role::Base, about);
    }
}

fn events(app: &App, writer: &mut Writer) {
    if app.notices.is_empty() {
        writer.line(vec![(Role::Dim, "No events yet. Results of actions appear here.".to_owned())]);
    }
    for said in app.notices.iter().rev() {
        writer.wrapped(vec![(Role::Dim, clock(said.at))], 10, said.role, &said.text);
    }
}

/// Each operation and its results, the latest first.
fn actions(app: &App, writer: &mut Writer) {
    if app.jobs.is_empty() {
        writer.line(vec![(Role::Dim, "No actions yet.".to_owned())]);
    }
    for job in app.jobs.iter().rev() {
        job_story(job, app, writer);
    }
}

fn job_story(job: &Job, app: &App, writer: &mut Writer) {
    let (verb, count) = (&job.operation.verb, job.outcomes.len());
    let state = match job.state {
        window::JobState::Running | window::JobState::Stopping => {
            job.line(app.now, &app.keymap.key(keymap::Action::Stop))
        }
        window::JobState::Following => format!("{} {}, watching the result", job.done, verb.done()),
        window::JobState::Finished => {
            let left = job.left();
            let left = if left > 0 { format!(", {left} unchanged") } else { String::new() };
            format!("{} {}, {} failed{left}", job.done, verb.done(), job.failed)
        }
    };
    writer.heading(&format!("{} {} {count}", clock(job.started_at), verb.doing()));
    writer.line(vec![(Role::Base, state)]);
    let named = || job.operation.targets.iter().zip(&job.outcomes);
    // What needs attention comes first.
    let failed = named().filter(|(_, outcome)| needs_attention(outcome.as_ref()));
    let rest = named().filter(|(_, outcome)| outcome.is_some() && !needs_attention(outcome.as_ref()));
    for (target, outcome) in failed.chain(rest).take(OUTCOMES) {
        let Some(outcome) = outcome else { continue };
        let (role, glyph, text) = match (&outcome.result, &outcome.followed) {
            (Err(what), _) => (Role::Alarm, writer.glyphs.bad, what.clone()),
            (Ok(_), Some(Err(what))) => (Role::Alarm, writer.glyphs.bad, what.clone()),
            (Ok(_), Some(Ok(what))) => (Role::Good, writer.glyphs.good, what.clone()),
            (Ok(word), None) => {
                (Role::Good, writer.glyphs.good, word.clone().unwrap_or_else(|| verb.done().to_owned()))
            }
        };
        let first = vec![(role, format!("{glyph} ")), (Role::Strong, writer.glyphs.fit(&target.name, 26))];
        writer.wrapped(first, 30, Role::Base, &text);
    }
    let more = named().filter(|(_, outcome)| outcome.is_some()).count().saturating_sub(OUTCOMES);
    if more > 0 {
        writer.line(vec![(Role::Dim, format!("and {more} more"))]);
    }
}

fn needs_attention(outcome: Option<&window::Outcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.result.is_err() || matches!(outcome.followed, Some(Err(_))))
}
