//! Which pipeline it is, whether what is shown is live, and the key figures.

use std::iter;

use super::health;
use crate::{
    app::{App, Connection},
    draw::{Painter, columns::Align, spark, states},
    format::{self, age, clock, millis, since},
    layout::{Area, Layout},
    line::{self, Line},
    panel::Panel,
    remote::{Freshness, QueryError},
    text::width,
    theme::Role,
    update::is_gone,
    view::finding,
};

/// Up to this width words are short.
const NARROW: u16 = 60;
/// What is beside the sparklines: `in  1,234/min   sent  1,234/min   `.
const RATES: usize = 34;
/// How many minutes the sparklines show at most.
const MINUTES: usize = 60;

pub(super) fn draw(painter: &mut Painter<'_>, app: &App, layout: &Layout) {
    let header = layout.header;
    let row = |index: u16| Area { y: header.y + index, height: u16::from(index < header.height), ..header };
    title(painter, app, row(0));
    key_figures(painter, app, row(1));
    if header.height > 3 {
        rates(painter, app, row(2));
    }
    if header.height > 2 {
        groups(painter, row(header.height - 1), health::indicators(app));
    }
    if layout.is_full() {
        tabs(painter, app, layout.tabs);
    }
}

fn title(painter: &mut Painter<'_>, app: &App, area: Area) {
    let time = format!("{} UTC ", clock(app.now));
    let mut right = state(app, area.width < 80);
    right.push((Role::Dim, format!("   {time}")));
    let total = usize::from(area.width);
    // The state outlasts the clock, and both outlast the place.
    if line::width(&right) + 24 > total {
        right.pop();
        right.push((Role::Base, " ".to_owned()));
    }
    let room = total.saturating_sub(line::width(&right));
    let badge = if app.read_only() { " READ-ONLY " } else { "" };
    let name = painter.glyphs.fit(&app.banner.name, room.saturating_sub(badge.len() + 4).clamp(4, 32));
    let block = format!(" {name} ");
    let mut left = painter.row(u16::try_from(room).unwrap_or(u16::MAX));
    left = left.glyphs(Role::Strong, &block);
    let badge_at = line::width(&left.line) + 1;
    if !badge.is_empty() {
        left = left.gap(1).glyphs(Role::Warn, badge);
    }
    for text in iter::once(&app.banner.place).chain(&app.banner.note) {
        let text = painter.glyphs.safe(text);
        let left_over = room.saturating_sub(line::width(&left.line) + 4);
        if left_over >= 8 && !text.is_empty() {
            let columns = width(&text).min(left_over);
            left = left.gap(2).cell(Align::Id, Role::Dim, &text, columns);
        }
    }
    painter.line(area, &left.line);
    let columns = u16::try_from(width(&block)).unwrap_or(0).min(area.width);
    painter.style(Area { width: columns, ..area }, painter.theme.name(app.banner.colour));
    if !badge.is_empty() && badge_at + badge.len() <= room {
        let x = area.x + u16::try_from(badge_at).unwrap_or(0);
        painter.style(Area { x, width: 11, ..area }, painter.theme.badge());
    }
    painter.line_at_right(area, &right);
}

/// The oldest of what the panels show decides.
fn state(app: &App, short: bool) -> Line {
    let (glyphs, now, error) = (app.glyphs, app.now, app.status.error.as_ref());
    let old = app.status.age(now).map_or_else(|| "no data".to_owned(), |old| format!("{} old", age(old)));
    let (role, glyph, text) = match (&app.connection, app.status.freshness(now)) {
        (Connection::Opening(_), _) => (Role::Dim, glyphs.queued, "opening".to_owned()),
        (Connection::Failed(_), _) => (Role::Alarm, glyphs.bad, "not open".to_owned()),
        _ if is_gone(&app.watch) => (Role::Alarm, glyphs.bad, format!("gone, {old}")),
        _ if app.paused => (Role::Warn, glyphs.paused, format!("paused, {old}")),
        (_, Freshness::Loading) => (Role::Dim, glyphs.queued, format!("loading{}", glyphs.ellipsis)),
        (_, Freshness::Fresh) => {
            let mut others = app.panels.all().map(|view| view.polling().freshness(now));
            if others.any(|other| !matches!(other, Freshness::Loading | Freshness::Fresh)) {
                (Role::Warn, glyphs.stale, "partly live".to_owned())
            } else if app.watch.get().is_some_and(|seen| seen.worked == Some(false)) {
                // The figures are fresh, but nothing moves: that is not live.
                let text = if short { "no worker" } else { "no worker is running" };
                (Role::Alarm, glyphs.warning, text.to_owned())
            } else {
                let old = match app.status.age(now) {
                    Some(seconds @ 2..) => format!("  {} ago", age(seconds)),
                    _ => String::new(),
                };
                return vec![(Role::Good, format!("{} live", glyphs.live)), (Role::Dim, old)];
            }
        }
        (_, Freshness::Stale(old)) => (Role::Warn, glyphs.stale, format!("stale, {} old", age(old))),
        (_, Freshness::NotPermitted(_)) => {
            let code = match error.map(|failure| &failure.error) {
                Some(QueryError::Fault(fault)) => fault.code.as_str(),
                _ => "",
            };
            (Role::Alarm, glyphs.bad, format!("not permitted {code}, {old}"))
        }
        (_, Freshness::Failed(_)) => {
            let wait = error.map_or(0, |failure| since(failure.retry_at, now));
            (Role::Alarm, glyphs.bad, format!("not live, {old}, retry in {wait} s"))
        }
    };
    vec![(role, format!("{glyph} {text}"))]
}

/// `3 dead`; a zero steps back.
fn number(role: Role, glyph: &str, count: u64, about: &str, what: &str) -> Line {
    let role = if count == 0 { Role::Dim } else { role };
    let glyph = if glyph.is_empty() { String::new() } else { format!("{glyph} ") };
    let what_role = if role == Role::Alarm { role } else { Role::Dim };
    vec![(role, format!("{glyph}{about}{}", format::number(count))), (what_role, format!(" {what}"))]
}

/// Groups of numbers, as many as fit.
fn groups(painter: &mut Painter<'_>, area: Area, groups: Vec<Line>) {
    let mut line: Line = vec![(Role::Base, " ".to_owned())];
    let mut used = 1;
    let gap = if area.width < NARROW { 2 } else { 3 };
    for group in groups {
        let needed = line::width(&group);
        if used + needed > usize::from(area.width) {
            break;
        }
        used += needed + gap;
        line.extend(group);
        line.push((Role::Base, " ".repeat(gap)));
    }
    painter.line(area, &line);
}

/// What needs attention comes first, and always in the same place.
fn key_figures(painter: &mut Painter<'_>, app: &App, area: Area) {
    let Some(status) = app.status.get() else { return };
    let glyphs = painter.glyphs;
    let dead = status.queues.delay.dead + status.queues.notification.dead;
    let narrow = area.width < NARROW;
    let (waiting, working, late) =
        if narrow { ("pend", "proc", "late") } else { ("pending", "processing", "overdue") };
    let about = if status.approximate { "~" } else { "" };
    let mut died = number(Role::Alarm, glyphs.bad, dead, "", "dead");
    if let (Some(oldest), true) = (status.oldest_dead_seconds, dead > 0 && !narrow) {
        died.push((Role::Dim, format!(", oldest {}", age(oldest))));
    }
    let day = &status.last_24h;
    let mut accepted = vec![(Role::Dim, "24 h  ".to_owned())];
    accepted.extend(number(Role::Base, "", day.accepted, "", "in"));
    let shown = vec![
        number(Role::Alarm, glyphs.overdue, status.overdue, about, late),
        died,
        number(Role::Strong, "", status.pending, about, waiting),
        number(Role::Strong, "", status.processing, about, working),
        // On a narrow screen the present matters more than the last 24 hours.
        accepted,
        number(Role::Base, "", day.notified, "", "sent"),
        number(Role::Base, "", day.failed, "", "died"),
    ];
    groups(painter, area, shown);
}

/// Accepted and sent, minute by minute, and the time from due to sent.
fn rates(painter: &mut Painter<'_>, app: &App, area: Area) {
    let mut shown: Vec<Line> = Vec::new();
    let speed = app.status.get().map(|status| status.speed).unwrap_or_default();
    let figures = [("p50", speed.p50_ms), ("p95", speed.p95_ms), ("p99", speed.p99_ms)];
    let due = if area.width < 100 { String::new() } else { format!("due{}", painter.glyphs.arrow) };
    let mut took: Line = vec![(Role::Dim, format!("{due}alert"))];
    for (name, figure) in figures {
        let figure = figure.map_or_else(|| painter.glyphs.dot.to_owned(), millis);
        took.push((Role::Dim, format!(" {name} ")));
        took.push((Role::Base, figure));
    }
    if let Some(minutes) = app.minutes.get() {
        let room = usize::from(area.width).saturating_sub(line::width(&took) + RATES);
        let columns = (room / 2).clamp(4, MINUTES);
        let accepted: Vec<u64> = minutes.iter().map(|minute| minute.accepted).collect();
        let notified: Vec<u64> = minutes.iter().map(|minute| minute.notified).collect();
        for (what, values) in [("in", accepted), ("sent", notified)] {
            // The running minute is drawn as it grows, but its number means nothing yet.
            let last = values.iter().rev().nth(1).copied().unwrap_or(0);
            let mut line = vec![(Role::Dim, format!("{what} "))];
            line.extend(spark(painter.glyphs, &values, columns));
            line.push((Role::Base, format!(" {}", format::number(last))));
            line.push((Role::Dim, "/min".to_owned()));
            shown.push(line);
        }
    }
    if app.status.get().is_some() {
        shown.push(took);
    }
    groups(painter, area, shown);
}

fn tabs(painter: &mut Painter<'_>, app: &App, area: Area) {
    let narrow = area.width < NARROW;
    let rule = painter.glyphs.rule.repeat(usize::from(area.width));
    painter.line(area, &[(Role::Dim, rule)]);
    let text = |panel: Panel| {
        let (title, short) = panel.titles();
        let name = if narrow { short } else { title };
        let count = app.panels.view(panel).count();
        let count = count.map_or_else(String::new, |count| format!(" {}", format::number(count)));
        format!(" {} {name}{count} ", panel.index() + 1)
    };
    let gap = usize::from(!narrow);
    // If there is no room for all of them, the first ones are left out until the one in focus fits.
    let mut first = 0;
    let needed = |first: usize| -> usize {
        Panel::ALL[first..=app.focus.index()].iter().map(|panel| width(&text(*panel)) + gap).sum()
    };
    while first < app.focus.index() && gap + needed(first) > usize::from(area.width) {
        first += 1;
    }
    let mut x = area.x + u16::from(!narrow);
    for panel in &Panel::ALL[first..] {
        let text = text(*panel);
        let columns = u16::try_from(width(&text)).unwrap_or(0);
        let cell = Area { x, width: columns.min((area.x + area.width).saturating_sub(x)), ..area };
        let is_alarming = app.panels.view(*panel).is_alarming(app.status.get());
        let role = if is_alarming { Role::Alarm } else { Role::Base };
        let focused = *panel == app.focus;
        painter.line(cell, &[(if focused { Role::Strong } else { role }, text)]);
        painter.cursor(cell, focused);
        x += columns + u16::from(!narrow);
    }
    // What else the heading of a panel would say.
    let view = app.view();
    let mut line = states([finding(view, app.glyphs), view.tab_state(&app.scene(app.focus))]);
    if !line.is_empty() {
        line.insert(0, (Role::Base, " ".to_owned()));
        line.push((Role::Base, " ".to_owned()));
        if usize::from(x) + line::width(&line) < usize::from(area.right()) {
            painter.line_at_right(Area { width: area.width.saturating_sub(1), ..area }, &line);
        }
    }
}
