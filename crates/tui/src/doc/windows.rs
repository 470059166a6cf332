//! The texts of windows, line by line, for a given width.

use std::collections::VecDeque;

use super::{
    Writer,
    letter::{letter_raw, letter_story},
    log_line::log_line,
    name_of,
    story::{enriched, history, raw},
};
use crate::{
    app::{App, Notice},
    format::clock,
    keymap::{Action, Group},
    line::Line,
    theme::Role,
    window::{Job, JobState, OpenWindow, Outcome, Window},
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
    let (glyphs, now, overdue_after, keymap) = (app.glyphs, app.now, app.overdue_after, &*app.keymap);
    let mut writer = Writer { glyphs, now, overdue_after, keymap, columns, lines: Vec::new() };
    match (&open.window, open.page) {
        (Window::Help, _) => help(&mut writer),
        (Window::Events, 1) => actions(&app.jobs, &mut writer),
        (Window::Events, _) => events(&app.notices, &mut writer),
        (Window::Story(story), 0) => history(story, &mut writer),
        (Window::Story(story), 1) => enriched(story, &mut writer),
        (Window::Story(story), _) => raw(story, &mut writer),
        (Window::Letter(opened), 0) => letter_story(opened, &mut writer),
        (Window::Letter(opened), _) => letter_raw(opened, &mut writer),
        (Window::Line(line), _) => log_line(line, &mut writer),
        (Window::Confirm(_) | Window::Palette { .. } | Window::File { .. }, _) => {}
    }
    let title = match &open.window {
        Window::Help => "Keys".to_owned(),
        Window::Story(story) => story.name.clone(),
        Window::Letter(opened) => {
            let name = name_of(&opened.row.letter, opened.row.display_name.as_deref());
            format!("Dead letter {} {name}", glyphs.dot)
        }
        Window::Line(_) => "Log line".to_owned(),
        Window::Events => if open.page == 1 { "Actions" } else { "Events" }.to_owned(),
        Window::Confirm(_) | Window::Palette { .. } | Window::File { .. } => String::new(),
    };
    Doc { title, lines: writer.lines }
}

fn help(writer: &mut Writer<'_>) {
    let table = writer.keymap.table();
    for group in Group::ALL {
        writer.heading(group.title());
        for row in table.iter().filter(|row| row.group == group) {
            let keys = if row.keys.is_empty() {
                format!("{}{}", writer.keymap.key(Action::Palette), row.action)
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

fn events(notices: &VecDeque<Notice>, writer: &mut Writer<'_>) {
    if notices.is_empty() {
        writer.line(vec![(Role::Dim, "No events yet. Results of actions appear here.".to_owned())]);
    }
    for said in notices.iter().rev() {
        writer.wrapped(vec![(Role::Dim, clock(said.at))], 10, said.role, &said.text);
    }
}

/// Each operation and its results, the latest first.
fn actions(jobs: &[Job], writer: &mut Writer<'_>) {
    if jobs.is_empty() {
        writer.line(vec![(Role::Dim, "No actions yet.".to_owned())]);
    }
    jobs.iter().rev().for_each(|job| job_story(job, writer));
}

fn job_story(job: &Job, writer: &mut Writer<'_>) {
    let (verb, count) = (&job.operation.verb, job.outcomes.len());
    let state = match job.state {
        JobState::Running | JobState::Stopping => job.line(writer.now, &writer.keymap.key(Action::Stop)),
        JobState::Following => format!("{} {}, watching the result", job.done, verb.done()),
        JobState::Finished => {
            let left = job.left();
            let left = if left > 0 { format!(", {left} unchanged") } else { String::new() };
            format!("{} {}, {} failed{left}", job.done, verb.done(), job.failed)
        }
    };
    writer.heading(&format!("{} {} {count}", clock(job.started_at), verb.doing()));
    writer.line(vec![(Role::Base, state)]);
    let known = || {
        let outcomes = job.operation.targets.iter().zip(&job.outcomes);
        outcomes.filter_map(|(target, outcome)| Some((target, outcome.as_ref()?)))
    };
    // What needs attention comes first.
    let failed = known().filter(|(_, outcome)| needs_attention(outcome));
    let rest = known().filter(|(_, outcome)| !needs_attention(outcome));
    for (target, outcome) in failed.chain(rest).take(OUTCOMES) {
        let (role, glyph, text) = match (&outcome.result, &outcome.followed) {
            (Err(what), _) | (Ok(_), Some(Err(what))) => (Role::Alarm, writer.glyphs.bad, what.as_str()),
            (Ok(_), Some(Ok(what))) | (Ok(Some(what)), None) => (Role::Good, writer.glyphs.good, &**what),
            (Ok(None), None) => (Role::Good, writer.glyphs.good, verb.done()),
        };
        let first = vec![(role, format!("{glyph} ")), (Role::Strong, writer.glyphs.fit(&target.name, 26))];
        writer.wrapped(first, 30, Role::Base, text);
    }
    let more = known().count().saturating_sub(OUTCOMES);
    if more > 0 {
        writer.line(vec![(Role::Dim, format!("and {more} more"))]);
    }
}

fn needs_attention(outcome: &Outcome) -> bool {
    outcome.result.is_err() || matches!(outcome.followed, Some(Err(_)))
}
