//! The last report, and the keys that help now.

use super::widgets::Pen;
use crate::tui::{
    app::{App, Panel, Window},
    doc::Line,
    format::{clock, since},
    keymap::{Action, Press, keys},
    layout::Layout,
    msg::Act,
    text::width,
    theme::Role,
};

/// How long a report stands out, in seconds.
const FRESH: u64 = 8;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    if layout.event.height > 0 {
        event(pen, app, layout);
    }
    hints(pen, app, layout);
}

fn event(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    let area = layout.event;
    let columns = usize::from(area.width).saturating_sub(2);
    if let Some(job) = app.jobs.iter().find(|job| !matches!(job.act, Act::Resend { .. })) {
        let total = job.total.map_or_else(|| "?".to_owned(), |total| total.to_string());
        let stop = if job.stopping { "stopping" } else { "X stops it" };
        let failed = if job.failed > 0 { format!(", {} failed", job.failed) } else { String::new() };
        let text = format!("redriving {} of {total}{failed}; {stop}", job.done + job.failed);
        let text = pen.glyphs.fit(&text, columns);
        return pen.line(area, &[(Role::Accent, format!(" {} {text}", pen.glyphs.working))]);
    }
    let Some(said) = app.said.back() else { return };
    let (glyph, role) = match said.role {
        Role::Good => (pen.glyphs.good, Role::Good),
        Role::Alarm => (pen.glyphs.bad, Role::Alarm),
        Role::Warn => (pen.glyphs.warning, Role::Warn),
        _ => (pen.glyphs.dot, Role::Base),
    };
    // A failure stays until it has been looked at.
    let unread = said.role == Role::Alarm && !app.read;
    let loud = since(app.now, said.at) < FRESH || unread;
    let more = if unread && since(app.now, said.at) >= FRESH { "  (e: read)" } else { "" };
    let line = pen
        .row(area.width)
        .gap(1)
        .text(Role::Dim, &clock(said.at), 9usize)
        .glyphs(if loud { role } else { Role::Dim }, glyph)
        .gap(1)
        .text(
            if loud { role } else { Role::Dim },
            &format!("{}{more}", said.text),
            columns.saturating_sub(11),
        )
        .line;
    pen.line(area, &line);
}

/// The keys that help now, the most useful first.
fn useful(app: &App) -> Vec<(Action, &'static str)> {
    let mut useful = Vec::new();
    let acts = !app.read_only();
    match app.window() {
        Some(Window::Confirm(_)) => {
            return vec![
                (Action::Open, "choose"),
                (Action::NextPanel, "other answer"),
                (Action::Back, "cancel"),
            ];
        }
        Some(Window::Story { .. }) => {
            useful.extend([(Action::Back, "back"), (Action::Down, "scroll")]);
            useful.extend(acts.then_some((Action::Resend, "resend alert")));
            if acts && !app.letters_at_hand().is_empty() {
                useful.push((Action::Redrive, "redrive"));
            }
        }
        Some(Window::Letter(_)) => {
            useful.push((Action::Back, "back"));
            useful.extend(acts.then_some((Action::Redrive, "redrive")));
            useful.extend([(Action::Open, "its lead"), (Action::Down, "scroll")]);
        }
        Some(Window::Line(line)) => {
            useful.push((Action::Back, "back"));
            useful.extend(line.lead_id.as_ref().map(|_| (Action::Open, "its lead")));
        }
        Some(Window::Help | Window::Events) => {
            useful.extend([(Action::Back, "back"), (Action::Down, "scroll")])
        }
        None => {
            let open = match app.focus {
                Panel::Dead => "open letter",
                Panel::Logs => "open line",
                _ => "open lead",
            };
            useful.push((Action::Open, open));
            if acts && app.dead.get().is_some_and(|(_, count)| *count > 0) {
                if app.focus == Panel::Dead {
                    useful.push((Action::Redrive, "redrive"));
                }
                useful.push((Action::RedriveAll, "redrive all"));
            }
            if acts && app.focus == Panel::Leads {
                useful.push((Action::Resend, "resend alert"));
            }
            if app.focus == Panel::Logs && app.logs.held.is_some() {
                useful.push((Action::Bottom, "follow"));
            }
            useful.extend([(Action::NextPanel, "panel"), (Action::Events, "events")]);
        }
    }
    useful.extend([
        (Action::Help, "keys"),
        (Action::Quit, if app.windows.is_empty() { "quit" } else { "close" }),
    ]);
    useful
}

fn hints(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    let area = layout.hints;
    let mut line: Line = vec![(Role::Base, " ".to_owned())];
    let mut left = usize::from(area.width).saturating_sub(1);
    for (action, what) in useful(app) {
        let key = match keys(action).first() {
            Some(Press::Enter) => pen.glyphs.enter.to_owned(),
            Some(Press::Tab) => pen.glyphs.tab.to_owned(),
            Some(Press::Down) => format!("{}{}", pen.glyphs.up, pen.glyphs.down),
            Some(key) => key.to_string(),
            None => continue,
        };
        let needed = width(&key) + 1 + width(what);
        // Shorter ones may fit still, and `?` shows them all.
        if needed > left {
            continue;
        }
        left = left.saturating_sub(needed + 3);
        line.push((Role::Strong, key));
        line.push((Role::Dim, format!(" {what}   ")));
    }
    pen.line(area, &line);
}
