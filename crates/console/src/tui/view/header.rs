//! Which pipeline it is, whether what is shown is live, and the vital signs.

use super::widgets::{Pen, spark};
use crate::tui::{
    app::{App, Panel},
    doc::Line,
    format::{age, clock, millis, since},
    layout::{Area, Layout, Shape},
    remote::Freshness,
    text::width,
    theme::Role,
};

/// Where the numbers of the last 24 hours get a line of their own.
const NARROW: u16 = 116;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    let header = layout.header;
    let row = |index: u16| Area { y: header.y + index, height: u16::from(index < header.height), ..header };
    title(pen, app, row(0));
    if header.height > 1 {
        let narrow = header.width < NARROW;
        vitals(pen, app, row(1), !narrow || header.height == 2);
        match (header.height > 2, narrow) {
            (true, true) => day(pen, app, row(2)),
            (true, false) => minutes(pen, app, row(2)),
            _ => {}
        }
    }
    if layout.shape == Shape::Single {
        tabs(pen, app, layout.tabs);
    }
}

fn title(pen: &mut Pen<'_>, app: &App, area: Area) {
    let clock = format!("{} UTC ", clock(app.now));
    let mut right = state(app, pen);
    right.push((Role::Dim, format!("   {clock}")));
    let wide = |line: &Line| line.iter().map(|(_, text)| width(text)).sum::<usize>();
    let total = usize::from(area.width);
    // The state outlasts the clock, and both outlast the place.
    if wide(&right) + 24 > total {
        right.pop();
        right.push((Role::Base, " ".to_owned()));
    }
    let room = total.saturating_sub(wide(&right));
    let badge = if app.read_only() { " READ-ONLY " } else { "" };
    let mut left = pen.row(u16::try_from(room).unwrap_or(u16::MAX)).gap(1);
    if total >= 60 {
        left = left.text(Role::Accent, "leadops", 7usize).gap(2);
    }
    let name = pen.glyphs.safe(&app.banner.name);
    left = left.text(Role::Strong, &name, width(&name));
    let badge_at = wide(&left.line) + 2;
    if !badge.is_empty() {
        left = left.gap(2).glyphs(Role::Warn, badge);
    }
    for (role, text) in [(Role::Dim, Some(&app.banner.place)), (Role::Dim, app.banner.note.as_ref())] {
        let Some(text) = text.map(|text| pen.glyphs.safe(text)) else { continue };
        let left_over = room.saturating_sub(wide(&left.line) + 4);
        if left_over >= 8 {
            let columns = width(&text).min(left_over);
            left = left.gap(2).id(role, &text, columns);
        }
    }
    pen.line(area, &left.line);
    if !badge.is_empty() && badge_at + badge.len() <= room {
        let x = area.x + u16::try_from(badge_at).unwrap_or(0);
        pen.style(Area { x, width: 11, ..area }, pen.theme.badge());
    }
    let needed = u16::try_from(wide(&right)).unwrap_or(area.width).min(area.width);
    pen.line(Area { x: area.x + area.width - needed, width: needed, ..area }, &right);
}

/// The oldest of what the panels show decides.
fn state(app: &App, pen: &Pen<'_>) -> Line {
    let glyphs = pen.glyphs;
    let now = app.now;
    match app.status.freshness(now) {
        Freshness::Loading => vec![(Role::Dim, format!("{} asking{}", glyphs.queued, glyphs.ellipsis))],
        Freshness::Fresh => {
            let others = [
                app.pending.freshness(now),
                app.dead.freshness(now),
                app.leads.freshness(now),
                app.logs.source.freshness(now),
            ];
            if others.iter().any(|other| matches!(other, Freshness::Failed(_) | Freshness::Stale(_))) {
                return vec![(Role::Warn, format!("{} partly live", glyphs.stale))];
            }
            let old = match app.status.age(now) {
                Some(seconds @ 1..) => format!("  {} ago", age(seconds)),
                _ => String::new(),
            };
            vec![(Role::Good, format!("{} live", glyphs.live)), (Role::Dim, old)]
        }
        Freshness::Stale(old) => vec![(Role::Warn, format!("{} stale, {} old", glyphs.stale, age(old)))],
        Freshness::Failed(old) => {
            let wait = app.status.error.as_ref().map_or(0, |failure| since(failure.retry_at, now));
            let old = old.map_or_else(|| "no data".to_owned(), |old| format!("{} old", age(old)));
            vec![(Role::Alarm, format!("{} not live, {old}, again in {wait} s", glyphs.bad))]
        }
    }
}

fn number(role_if_any: Role, glyph: &str, number: u64, what: &str) -> Line {
    let role = if number == 0 { Role::Dim } else { role_if_any };
    let glyph = if glyph.is_empty() { String::new() } else { format!("{glyph} ") };
    vec![
        (role, format!("{glyph}{number}")),
        (if number == 0 { Role::Dim } else { Role::Base }, format!(" {what}")),
    ]
}

/// Groups of numbers, as many as fit.
fn groups(pen: &mut Pen<'_>, area: Area, groups: Vec<Line>) {
    let mut line: Line = vec![(Role::Base, " ".to_owned())];
    let mut used = 1;
    let gap = if area.width < 60 { 2 } else { 3 };
    for group in groups {
        let needed: usize = group.iter().map(|(_, text)| width(text)).sum();
        if used + needed > usize::from(area.width) {
            line.push((Role::Dim, pen.glyphs.ellipsis.to_owned()));
            break;
        }
        used += needed + gap;
        line.extend(group);
        line.push((Role::Base, " ".repeat(gap)));
    }
    pen.line(area, &line);
}

fn vitals(pen: &mut Pen<'_>, app: &App, area: Area, with_day: bool) {
    let Some(status) = app.status.get() else { return };
    let glyphs = pen.glyphs;
    let dead = status.queues.delay.dead + status.queues.notification.dead;
    let narrow = area.width < 60;
    let (waiting, working, late) =
        if narrow { ("wait", "work", "late") } else { ("waiting", "in work", "overdue") };
    let mut shown = vec![
        number(Role::Strong, "", status.pending, waiting),
        number(Role::Strong, "", status.processing, working),
        number(Role::Alarm, glyphs.overdue, status.overdue, late),
        number(Role::Alarm, glyphs.bad, dead, "dead"),
    ];
    if narrow && status.overdue + dead > 0 {
        // What needs a person is never what the width cuts off.
        shown.rotate_left(2);
        if status.overdue == 0 {
            shown.swap(0, 1);
        }
    }
    if let (Some(oldest), true) = (status.oldest_dead_seconds, !narrow)
        && dead > 0
        && let Some(last) = shown.last_mut()
    {
        last.push((Role::Dim, format!(", oldest {}", age(oldest))));
    }
    if with_day {
        shown.extend(day_of(app));
    }
    groups(pen, area, shown);
}

fn day_of(app: &App) -> Vec<Line> {
    let Some(status) = app.status.get() else { return Vec::new() };
    let day = &status.last_24h;
    let mut numbers = vec![(Role::Dim, "24 h  ".to_owned())];
    for (index, (role, count, what)) in [
        (Role::Strong, day.accepted, "in"),
        (Role::Strong, day.notified, "told"),
        (Role::Alarm, day.failed, "dead"),
    ]
    .into_iter()
    .enumerate()
    {
        if index > 0 {
            numbers.push((Role::Base, "  ".to_owned()));
        }
        numbers.extend(number(role, "", count, what));
    }
    let speed = match (status.speed.p50_ms, status.speed.p95_ms) {
        (Some(p50), Some(p95)) => vec![
            (Role::Dim, format!("due{}alert  p50 ", app.glyphs.arrow)),
            (Role::Base, millis(p50)),
            (Role::Dim, "  p95 ".to_owned()),
            (Role::Base, millis(p95)),
        ],
        _ => Line::new(),
    };
    [numbers, speed].into_iter().filter(|line| !line.is_empty()).collect()
}

fn day(pen: &mut Pen<'_>, app: &App, area: Area) {
    groups(pen, area, day_of(app));
}

/// Accepted and told, minute by minute.
fn minutes(pen: &mut Pen<'_>, app: &App, area: Area) {
    let Some(minutes) = app.minutes.get() else { return };
    let columns = usize::from((area.width - 52) / 2).min(60);
    let mut line: Line = vec![(Role::Base, " ".to_owned())];
    let accepted: Vec<u64> = minutes.iter().map(|minute| minute.accepted).collect();
    let notified: Vec<u64> = minutes.iter().map(|minute| minute.notified).collect();
    for (what, values) in [("accepted", accepted), ("told", notified)] {
        // The running minute is drawn as it grows, but its number means nothing yet.
        let last = values.iter().rev().nth(1).copied().unwrap_or(0);
        line.push((Role::Dim, format!("{what} ")));
        line.push((Role::Base, spark(pen.glyphs, &values, columns)));
        line.push((Role::Base, format!(" {last:>3}")));
        line.push((Role::Dim, "/min    ".to_owned()));
    }
    line.push((Role::Dim, format!("last {columns} min")));
    pen.line(area, &line);
}

fn tabs(pen: &mut Pen<'_>, app: &App, area: Area) {
    let counts = [
        app.pending.get().map(|rows| rows.len() as u64),
        app.dead.get().map(|(_, count)| *count),
        None,
        None,
    ];
    let overdue = app.status.get().is_some_and(|status| status.overdue > 0);
    let narrow = area.width < 50;
    let mut x = area.x;
    for panel in Panel::ALL {
        let name = match (panel, narrow) {
            (Panel::Dead, true) => "Dead",
            (panel, _) => panel.title(),
        };
        let count = counts[panel.index()].map_or_else(String::new, |count| format!(" {count}"));
        let alarm = match panel {
            Panel::Pending => overdue,
            Panel::Dead => counts[1].is_some_and(|count| count > 0),
            _ => false,
        };
        let text = format!(" {} {name}{count} ", panel.index() + 1);
        let columns = u16::try_from(width(&text)).unwrap_or(0);
        let cell = Area { x, width: columns.min((area.x + area.width).saturating_sub(x)), ..area };
        let role = if alarm { Role::Alarm } else { Role::Dim };
        let focused = panel == app.focus;
        pen.line(cell, &[(if focused { Role::Strong } else { role }, text)]);
        if focused {
            pen.style(cell, pen.theme.selected());
        }
        x += columns;
    }
}
