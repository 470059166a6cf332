//! What is being written, what is running, the last report, and the keys that help now.

use crate::{
    app::{App, Door},
    draw::{Pen, bar},
    format::{clock, since},
    keymap::{Action, Press},
    layout::{Area, Layout},
    line::Line,
    panel::Panel,
    text::width,
    theme::Role,
    window::{Input, Window},
};

/// How long a report stands there, in seconds. A failure stays until it has been looked at.
const SHOWN_FOR: u64 = 8;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    // Where there is only one line, the keys give way.
    let alone = layout.event.height == 0;
    let area = if alone { layout.hints } else { layout.event };
    let used = writing(pen, app, area) || running(pen, app, area) || said(pen, app, area, alone);
    if !(alone && used) {
        hints(pen, app, layout.hints);
    }
}

/// The filter or the search that is being written.
fn writing(pen: &mut Pen<'_>, app: &App, area: Area) -> bool {
    let Some(typing) = &app.typing else { return false };
    let mut after: Line = Vec::new();
    if app.windows.is_empty() {
        let found = app.view().matched();
        let role = if found.matched == 0 && found.of > 0 { Role::Warn } else { Role::Strong };
        after.push((role, found.line()));
        let fields = app.view().fields().join(": ");
        after.push((Role::Dim, format!("   {fields}:")));
    }
    input(
        pen,
        Area { x: area.x + 1, width: area.width.saturating_sub(1), ..area },
        "/",
        &typing.input,
        after,
    );
    true
}

/// A line that is being written, its cursor in sight, with something behind it as far as there is room.
pub(super) fn input(pen: &mut Pen<'_>, area: Area, prompt: &str, input: &Input, after: Line) {
    let total = usize::from(area.width);
    let prompt_width = width(prompt);
    let room = total.saturating_sub(prompt_width + 1).max(1);
    let before: String = input.text.chars().take(input.cursor).collect();
    let rest: String = input.text.chars().skip(input.cursor).collect();
    let mut before = pen.glyphs.safe_as_is(&before);
    while width(&before) > room {
        before.remove(0);
    }
    let rest = pen.glyphs.safe_as_is(&rest);
    let at = prompt_width + width(&before);
    let mut line: Line =
        vec![(Role::Accent, prompt.to_owned()), (Role::Strong, before), (Role::Strong, rest.clone())];
    line.push((Role::Base, " ".repeat(3)));
    let used: usize = line.iter().map(|(_, text)| width(text)).sum();
    let mut left = total.saturating_sub(used);
    for (role, text) in after {
        let text = if width(&text) <= left { text } else { pen.glyphs.fit(&text, left) };
        left -= width(&text).min(left);
        line.push((role, text));
    }
    pen.line(area, &line);
    let x = area.x + u16::try_from(at).unwrap_or(0).min(area.width.saturating_sub(1));
    pen.style(Area { x, width: 1, ..area }, pen.theme.selected());
}

/// The action that is under way.
fn running(pen: &mut Pen<'_>, app: &App, area: Area) -> bool {
    let Some(job) = app.jobs.iter().rev().find(|job| job.is_running() && job.outcomes.len() > 1) else {
        return false;
    };
    let finished = (job.done + job.failed) as u64;
    let columns = if area.width >= 70 { 20 } else { 0 };
    let (filled, rest) = bar(pen.glyphs, columns, finished, job.outcomes.len() as u64);
    let text = pen.glyphs.fit(
        &job.line(app.now, &app.keymap.key(Action::Stop)),
        usize::from(area.width).saturating_sub(columns + 5),
    );
    let role = if job.failed > 0 { Role::Alarm } else { Role::Strong };
    pen.line(
        area,
        &[
            (Role::Accent, format!(" {} ", pen.glyphs.working)),
            (Role::Accent, filled),
            (Role::Dim, rest),
            (role, format!(" {text}")),
        ],
    );
    true
}

/// The last report, for a while.
fn said(pen: &mut Pen<'_>, app: &App, area: Area, only_alarms: bool) -> bool {
    let Some(said) = app.said.back() else { return false };
    let fresh = since(app.now, said.at) < SHOWN_FOR;
    let unread = said.role == Role::Alarm && !app.read;
    if !fresh && !unread {
        return false;
    }
    let small = only_alarms && !fresh;
    if small {
        return false;
    }
    let (glyph, role) = match said.role {
        Role::Good => (pen.glyphs.good, Role::Good),
        Role::Alarm => (pen.glyphs.bad, Role::Alarm),
        Role::Warn => (pen.glyphs.warning, Role::Warn),
        _ => (pen.glyphs.dot, Role::Base),
    };
    let columns = usize::from(area.width).saturating_sub(2);
    let more = if unread && !fresh {
        format!("  ({}: read)", app.keymap.key(Action::Events))
    } else {
        String::new()
    };
    let mut line = pen.row(area.width).gap(1);
    let mut left = columns.saturating_sub(2);
    if area.width >= 60 {
        line = line.text(Role::Dim, &clock(said.at), 9usize);
        left = left.saturating_sub(9);
    }
    let text = pen.glyphs.fit(&said.text, left.saturating_sub(width(&more)));
    let line = line.glyphs(role, glyph).gap(1).text(role, &format!("{text}{more}"), left).line;
    pen.line(area, &line);
    true
}

/// The keys that help now, the most useful first.
fn useful(app: &App) -> Vec<(Action, &'static str)> {
    let mut useful = Vec::new();
    let acts = !app.read_only();
    let act = |action, what| acts.then_some((action, what));
    match app.window() {
        Some(Window::Confirm(_)) => {
            return vec![
                (Action::Open, "choose"),
                (Action::NextPanel, "other answer"),
                (Action::Back, "cancel"),
                (Action::Down, "scroll"),
            ];
        }
        Some(Window::Palette { .. } | Window::File { .. }) => return Vec::new(),
        Some(Window::Story(_)) => {
            useful.extend([(Action::Back, "back"), (Action::NextPanel, "page"), (Action::Down, "scroll")]);
            useful.extend(act(Action::Resend, "resend alert"));
            if !app.letters_at_hand().is_empty() {
                useful.extend(act(Action::Redrive, "redrive"));
            }
            useful.extend([(Action::ItsLog, "its log"), (Action::Copy, "copy id")]);
        }
        Some(Window::Letter(_)) => {
            useful.push((Action::Back, "back"));
            useful.extend(act(Action::Redrive, "redrive"));
            useful.extend(act(Action::Edit, "edit, redrive"));
            useful.extend([
                (Action::Open, "its lead"),
                (Action::NextPanel, "page"),
                (Action::CopyAll, "copy"),
            ]);
        }
        Some(Window::Line(line)) => {
            useful.push((Action::Back, "back"));
            useful.extend(line.lead_id.as_ref().map(|_| (Action::Open, "its lead")));
            useful.push((Action::CopyAll, "copy"));
        }
        Some(Window::Help | Window::Events) => {
            useful.extend([(Action::Back, "back"), (Action::NextPanel, "page"), (Action::Down, "scroll")]);
        }
        None if app.door != Door::Open => {
            useful.extend([(Action::Refresh, "try again"), (Action::Palette, "palette")]);
        }
        None => {
            let (view, is_filtered) = (app.view(), !app.view().filter().is_empty());
            if is_filtered || view.marks() > 0 {
                useful.push((Action::Back, if is_filtered { "show all" } else { "unmark" }));
            }
            let hints = view.hints().into_iter();
            useful.extend(hints.filter(|(action, _)| acts || !action.acts()));
            useful.push((Action::Filter, "filter"));
            useful.push(match app.full {
                _ if !Panel::OVERVIEW.contains(&app.focus) => (Action::Overview, "overview"),
                true => (Action::Zoom, "overview"),
                false => (Action::Zoom, "full view"),
            });
            useful.extend([(Action::NextPanel, "panel"), (Action::Palette, "palette")]);
        }
    }
    let quit = if app.windows.is_empty() { "quit" } else { "close" };
    useful.extend([(Action::Help, "keys"), (Action::Quit, quit)]);
    useful
}

fn hints(pen: &mut Pen<'_>, app: &App, area: Area) {
    let keyed = |action: Action| match app.keymap.keys(action).first() {
        Some(Press::Enter) => Some(pen.glyphs.enter.to_owned()),
        Some(Press::Tab) => Some(pen.glyphs.tab.to_owned()),
        Some(Press::Down) => Some(format!("{}{}", pen.glyphs.up, pen.glyphs.down)),
        Some(key) => Some(key.to_string()),
        None => None,
    };
    let hints: Vec<(String, &str)> = match app.window() {
        _ if app.typing.is_some() => {
            vec![
                (pen.glyphs.enter.to_owned(), "keep"),
                ("Esc".to_owned(), "as before"),
                ("Ctrl-u".to_owned(), "clear"),
            ]
        }
        Some(Window::Palette { .. }) => vec![
            (pen.glyphs.enter.to_owned(), "do it"),
            (format!("{}{}", pen.glyphs.up, pen.glyphs.down), "choose"),
            ("Esc".to_owned(), "close"),
        ],
        Some(Window::File { .. }) => {
            vec![
                (pen.glyphs.enter.to_owned(), "go on"),
                ("Esc".to_owned(), "cancel"),
                ("Ctrl-u".to_owned(), "clear"),
            ]
        }
        _ => useful(app).into_iter().filter_map(|(action, what)| Some((keyed(action)?, what))).collect(),
    };
    let gap = if area.width < 60 { 2 } else { 3 };
    let mut line: Line = vec![(Role::Base, " ".to_owned())];
    let mut left = usize::from(area.width).saturating_sub(1);
    for (key, what) in hints {
        let needed = width(&key) + 1 + width(what);
        // Shorter ones may fit still, and `?` shows them all.
        if needed > left {
            continue;
        }
        left = left.saturating_sub(needed + gap);
        line.push((Role::Strong, key));
        line.push((Role::Dim, format!(" {what}{}", " ".repeat(gap))));
    }
    pen.line(area, &line);
}
