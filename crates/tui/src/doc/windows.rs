//! Windows with a text: what they say, line by line, for a given width.

use super::{
    Writer,
    letter::{At, letter_raw, letter_story},
    log_line::log_line,
    name_of,
    story::{enriched, raw, told},
};
use crate::{
    app::App,
    format::clock,
    keymap,
    line::Line,
    theme::Role,
    window::{self, Job, Open, Window},
};

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

/// What a window says in so many columns. A question, the palette and a path say their own.
pub fn of(app: &App, open: &Open, columns: usize) -> Doc {
    let mut pen = Writer::new(app.glyphs, columns);
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
                0 => told(story, app.now, &mut pen),
                1 => enriched(story, app.now, &mut pen),
                _ => raw(story, app.now, &mut pen),
            }
            story.name.clone()
        }
        Window::Letter(opened) => {
            match open.page {
                0 => letter_story(opened, &At { now: app.now, keymap: &app.keymap }, &mut pen),
                _ => letter_raw(opened, &At { now: app.now, keymap: &app.keymap }, &mut pen),
            }
            format!("Dead letter {} {}", app.glyphs.dot, name_of(&opened.row))
        }
        Window::Line(line) => {
            log_line(&app.keymap, line, &mut pen);
            "Log line".to_owned()
        }
        Window::Confirm(_) | Window::Palette { .. } | Window::File { .. } => String::new(),
    };
    Doc { title, lines: pen.lines }
}

fn help(app: &App, pen: &mut Writer) {
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

fn events(app: &App, pen: &mut Writer) {
    if app.said.is_empty() {
        pen.line(vec![(Role::Dim, "Nothing yet. What actions come to is written here.".to_owned())]);
    }
    for said in app.said.iter().rev() {
        pen.hang(vec![(Role::Dim, clock(said.at))], 10, said.role, &said.text);
    }
}

/// Each action and what its items came to, the latest action first.
fn actions(app: &App, pen: &mut Writer) {
    if app.jobs.is_empty() {
        pen.line(vec![(Role::Dim, "Nothing has been done from here yet.".to_owned())]);
    }
    for job in app.jobs.iter().rev() {
        job_story(job, app, pen);
    }
}

fn job_story(job: &Job, app: &App, pen: &mut Writer) {
    let (verb, count) = (&job.act.verb, job.outcomes.len());
    let state = match job.stage {
        window::Stage::Running | window::Stage::Stopping => {
            job.line(app.now, &app.keymap.key(keymap::Action::Stop))
        }
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
