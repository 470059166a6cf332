//! What is being typed, what is running, the last notice, and the most useful keys.

use crate::{
    app::{App, Connection},
    draw::{Painter, bar},
    format::{clock, since},
    keymap::{Action, Press},
    layout::{Area, Layout, right_of},
    line::{self, Line},
    panel::Panel,
    text::width,
    theme::Role,
    window::{Input, Window},
};

/// How long a notice is shown, in seconds. A failure stays until it has been read.
const SHOWN_FOR: u64 = 8;

pub(super) fn draw(painter: &mut Painter<'_>, app: &App, layout: &Layout) {
    // If there is only one line, the keys are left out.
    let alone = layout.event.height == 0;
    let area = if alone { layout.hints } else { layout.event };
    let used = search_line(painter, app, area)
        || running(painter, app, area)
        || recent_notice(painter, app, area, alone);
    if !(alone && used) {
        hints(painter, app, layout.hints);
    }
}

/// The filter or the search that is being typed.
fn search_line(painter: &mut Painter<'_>, app: &App, area: Area) -> bool {
    let Some(typing) = &app.typing else { return false };
    let mut after: Line = Vec::new();
    if app.windows.is_empty() {
        let found = app.view().matched();
        let role = if found.matched == 0 && found.of > 0 { Role::Warn } else { Role::Strong };
        after.push((role, found.line()));
        let fields = app.view().fields().join(": ");
        after.push((Role::Dim, format!("   {fields}:")));
    }
    input(painter, right_of(area, 1), "/", &typing.input, after);
    true
}

/// A line that is being typed, its cursor in sight, with as much of `after` behind it as fits.
pub(super) fn input(painter: &mut Painter<'_>, area: Area, prompt: &str, input: &Input, after: Line) {
    let total = usize::from(area.width);
    let prompt_width = width(prompt);
    let room = total.saturating_sub(prompt_width + 1).max(1);
    let before: String = input.text.chars().take(input.cursor).collect();
    let rest: String = input.text.chars().skip(input.cursor).collect();
    let mut before = painter.glyphs.safe_as_is(&before);
    while width(&before) > room {
        before.remove(0);
    }
    let rest = painter.glyphs.safe_as_is(&rest);
    let at = prompt_width + width(&before);
    let mut line: Line = vec![
        (Role::Accent, prompt.to_owned()),
        (Role::Strong, before),
        (Role::Strong, rest),
        (Role::Base, " ".repeat(3)),
    ];
    let mut left = total.saturating_sub(line::width(&line));
    for (role, text) in after {
        let text = if width(&text) <= left { text } else { painter.glyphs.fit(&text, left) };
        left -= width(&text).min(left);
        line.push((role, text));
    }
    painter.line(area, &line);
    let x = area.x + u16::try_from(at).unwrap_or(0).min(area.width.saturating_sub(1));
    painter.style(Area { x, width: 1, ..area }, painter.theme.selected());
}

/// The operation in progress.
fn running(painter: &mut Painter<'_>, app: &App, area: Area) -> bool {
    let Some(job) = app.jobs.iter().rev().find(|job| job.is_running() && job.outcomes.len() > 1) else {
        return false;
    };
    let finished = (job.done + job.failed) as u64;
    let columns = if area.width >= 70 { 20 } else { 0 };
    let (filled, rest) = bar(painter.glyphs, columns, finished, job.outcomes.len() as u64);
    let text = painter.glyphs.fit(
        &job.line(app.now, &app.keymap.key(Action::Stop)),
        usize::from(area.width).saturating_sub(columns + 5),
    );
    let role = if job.failed > 0 { Role::Alarm } else { Role::Strong };
    painter.line(
        area,
        &[
            (Role::Accent, format!(" {} ", painter.glyphs.working)),
            (Role::Accent, filled),
            (Role::Dim, rest),
            (role, format!(" {text}")),
        ],
    );
    true
}

/// The last notice, for a while.
fn recent_notice(painter: &mut Painter<'_>, app: &App, area: Area, only_alarms: bool) -> bool {
    let Some(notice) = app.notices.back() else { return false };
    let fresh = since(app.now, notice.at) < SHOWN_FOR;
    let unread = notice.role == Role::Alarm && !app.read;
    if !fresh && (!unread || only_alarms) {
        return false;
    }
    let glyph = notice.role.mark(painter.glyphs);
    let role = match notice.role {
        role @ (Role::Good | Role::Alarm | Role::Warn) => role,
        _ => Role::Base,
    };
    let more = if unread && !fresh {
        format!("  ({}: read)", app.keymap.key(Action::Events))
    } else {
        String::new()
    };
    let mut line = painter.row(area.width).gap(1);
    let mut left = usize::from(area.width).saturating_sub(4);
    if area.width >= 60 {
        line = line.text(Role::Dim, &clock(notice.at), 9usize);
        left = left.saturating_sub(9);
    }
    let text = painter.glyphs.fit(&notice.text, left.saturating_sub(width(&more)));
    let line = line.glyphs(role, glyph).gap(1).text(role, &format!("{text}{more}"), left).line;
    painter.line(area, &line);
    true
}

/// The keys for the hints, the most useful first.
fn useful_keys(app: &App) -> Vec<(Action, &'static str)> {
    let mut keys = match app.window() {
        Some(Window::Confirm(_)) => {
            return vec![
                (Action::Open, "choose"),
                (Action::NextPanel, "next button"),
                (Action::Back, "cancel"),
                (Action::Down, "scroll"),
            ];
        }
        Some(Window::Palette { .. } | Window::File { .. }) => return Vec::new(),
        Some(Window::Story(story)) => {
            let lead = Some(&story.lead);
            let is_dead = app.panels.dead.table.known().iter().any(|row| row.letter.lead_id.as_ref() == lead);
            let redrive = is_dead.then_some((Action::Redrive, "redrive"));
            let mut keys = vec![
                (Action::Back, "back"),
                (Action::NextPanel, "page"),
                (Action::Down, "scroll"),
                (Action::Resend, "resend alert"),
            ];
            keys.extend(redrive);
            keys.extend([(Action::ItsLog, "its log"), (Action::Copy, "copy id")]);
            keys
        }
        Some(Window::Letter(_)) => vec![
            (Action::Back, "back"),
            (Action::Redrive, "redrive"),
            (Action::Edit, "edit, redrive"),
            (Action::Open, "its lead"),
            (Action::NextPanel, "page"),
            (Action::CopyAll, "copy"),
        ],
        Some(Window::Line(line)) => {
            let mut keys = vec![(Action::Back, "back")];
            keys.extend(line.lead_id.as_ref().map(|_| (Action::Open, "its lead")));
            keys.push((Action::CopyAll, "copy"));
            keys
        }
        Some(Window::Help | Window::Events) => {
            vec![(Action::Back, "back"), (Action::NextPanel, "page"), (Action::Down, "scroll")]
        }
        None if app.connection != Connection::Open => {
            vec![(Action::Refresh, "retry"), (Action::Palette, "palette")]
        }
        None => {
            let (view, is_filtered) = (app.view(), !app.view().filter().is_empty());
            let mut keys = Vec::new();
            if is_filtered || view.marks() > 0 {
                keys.push((Action::Back, if is_filtered { "show all" } else { "unmark" }));
            }
            keys.extend(view.hints());
            keys.push((Action::Filter, "filter"));
            keys.push(match app.full {
                _ if !Panel::OVERVIEW.contains(&app.focus) => (Action::Overview, "overview"),
                true => (Action::Zoom, "overview"),
                false => (Action::Zoom, "full view"),
            });
            keys.extend([(Action::NextPanel, "panel"), (Action::Palette, "palette")]);
            keys
        }
    };
    keys.retain(|(action, _)| !(action.acts() && app.read_only()));
    let quit = if app.windows.is_empty() { "quit" } else { "close" };
    keys.extend([(Action::Help, "keys"), (Action::Quit, quit)]);
    keys
}

fn hints(painter: &mut Painter<'_>, app: &App, area: Area) {
    let enter = || painter.glyphs.enter.to_owned();
    let up_and_down = || format!("{}{}", painter.glyphs.up, painter.glyphs.down);
    let keyed = |action: Action| {
        Some(match app.keymap.keys(action).first()? {
            Press::Enter => enter(),
            Press::Tab => painter.glyphs.tab.to_owned(),
            Press::Down => up_and_down(),
            key => key.to_string(),
        })
    };
    let typed = |what| vec![(enter(), what), ("Esc".to_owned(), "cancel"), ("Ctrl-u".to_owned(), "clear")];
    let hints: Vec<(String, &str)> = match app.window() {
        _ if app.typing.is_some() => typed("apply"),
        Some(Window::Palette { .. }) => {
            vec![(enter(), "run"), (up_and_down(), "choose"), ("Esc".to_owned(), "close")]
        }
        Some(Window::File { .. }) => typed("continue"),
        _ => useful_keys(app).into_iter().filter_map(|(action, what)| Some((keyed(action)?, what))).collect(),
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
    painter.line(area, &line);
}
