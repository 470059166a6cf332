//! Dead letters: which, why, and what to do about the one under the cursor.

use ops::DeadRow;
use pipeline::Standing;

use super::{
    columns::{self, Column, number, text},
    widgets::{Pen, condition_of, finding, rows, states},
};
use crate::{
    app::{App, Panel},
    doc::{self, Line, name_of},
    format::{self, age, count, since},
    keymap::Action,
    layout::{Area, Layout},
    table::Row as _,
    text::width,
    theme::Role,
    window::Letter,
};

const LETTERS: [Column; 6] = [
    text("code", 5, 5, 0, 0),
    text("name", 8, 44, 4, 0),
    text("reason", 10, 90, 6, 50),
    text("queue", 12, 12, 0, 84),
    number("tries", 5, 34),
    number("age", 6, 0),
];
const KINDS: [Column; 4] =
    [text("code", 5, 5, 0, 0), text("reason", 8, 110, 1, 0), number("", 5, 0), number("age", 6, 0)];

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    let (table, parts) = (&app.dead, layout.parts(Panel::Dead));
    let (known, total) = (table.shown.rows.len() as u64, table.total().unwrap_or(0));
    let mut counted = Line::new();
    if total > 0 {
        counted.push((Role::Alarm, format!("{} {}", pen.glyphs.bad, format::number(total))));
        if !table.is_complete() {
            counted.push((Role::Dim, format!("  latest {}", format::number(known))));
        }
        if app.grouped() && app.kinds.len() > 1 {
            counted.push((Role::Dim, format!("  {}", count(app.kinds.len(), "kind", "kinds"))));
        }
    }
    let condition = condition_of(&table.remote, app.now, pen.glyphs);
    let state = states([finding(app, Panel::Dead), counted, condition]);
    pen.heading(app, Panel::Dead, layout, state);
    let none = match table.wanted.filter.is_empty() {
        true => format!("{} No dead letters.", pen.glyphs.good),
        false => "No dead letter matches.".to_owned(),
    };
    let empty = app.rows(Panel::Dead) == 0;
    let area = pen.condition(&table.remote, parts.rows, app.now, empty.then_some(&none));
    if app.grouped() {
        kinds(pen, app, layout, area)
    } else {
        letters(pen, app, layout, area)
    }

    if parts.about.height > 0 && app.dead_row().is_some() {
        let beside = parts.about.y == parts.rows.y || parts.about.y == parts.columns.y;
        let mut area = parts.about;
        if beside && layout.is_full() {
            for y in area.y..area.y + area.height {
                let cell = Area { y, width: 1, height: 1, ..area };
                pen.line(cell, &[(Role::Dim, pen.glyphs.vertical.to_owned())]);
            }
            area = area.right_of(1);
        }
        let (x, width) = (area.x + 1, area.width.saturating_sub(2));
        let area = Area { x, width, ..area };
        match app.peek.as_deref().filter(|_| beside && layout.is_full() && !app.grouped()) {
            Some(letter) => beside_it(pen, app, letter, area),
            None => about_selected(pen, app, area),
        }
    }
}

fn letters(pen: &mut Pen<'_>, app: &App, layout: &Layout, area: Area) {
    let table = &app.dead;
    let widths = columns::widths(&LETTERS, usize::from(area.width).saturating_sub(2));
    let sorted = Some((DeadRow::SORTS[table.wanted.sort.column], table.wanted.sort));
    columns::titles(pen, layout.parts(Panel::Dead).columns, 1, &LETTERS, &widths, sorted);
    let focused = app.focus == Panel::Dead && app.windows.is_empty();
    let range = table.range();
    for (index, area) in rows(table.list.top, table.shown.len(), area) {
        let Some(row) = table.shown.row(index) else { continue };
        let letter = &row.letter;
        let selected = index == table.list.index;
        let dim = table.wanted.dimmed && !table.wanted.filter.matches(row);
        let role = |role| if dim { Role::Dim } else { role };
        let marked = range.contains(&index) || table.marks.contains(&letter.id);
        let mut line = pen
            .gutter(pen.row(area.width), marked, selected && !focused)
            .text(role(Role::Alarm), letter.code.as_str(), widths[0])
            .gap(1)
            .text(role(Role::Base), &name_of(row), widths[1])
            .gap(1);
        if widths[2] > 0 {
            line = line.text(Role::Dim, &letter.reason, widths[2]).gap(1);
        }
        if widths[3] > 0 {
            line = line.text(Role::Dim, letter.queue.as_str(), widths[3]).gap(1);
        }
        if widths[4] > 0 {
            let tries = format!("{}{}", pen.glyphs.times, letter.attempts);
            line = line.right(Role::Dim, &tries, widths[4]).gap(1);
        }
        let line = line.right(role(Role::Base), &age(since(app.now, letter.dead_at)), widths[5]).line;
        pen.line(area, &line);
        if selected {
            pen.cursor(area, focused);
        }
    }
}

fn kinds(pen: &mut Pen<'_>, app: &App, layout: &Layout, area: Area) {
    let widths = columns::widths(&KINDS, usize::from(area.width).saturating_sub(2));
    columns::titles(pen, layout.parts(Panel::Dead).columns, 1, &KINDS, &widths, None);
    let focused = app.focus == Panel::Dead && app.windows.is_empty();
    for (index, area) in rows(app.kinds_list.top, app.kinds.len(), area) {
        let kind = &app.kinds[index];
        let selected = index == app.kinds_list.index;
        // Where the reasons differ, the code's own words say what they have in common.
        let reason = if kind.same_reason { kind.reason.as_str() } else { kind.code.cause() };
        let line = pen
            .gutter(pen.row(area.width), false, selected && !focused)
            .text(Role::Alarm, kind.code.as_str(), widths[0])
            .gap(1)
            .text(Role::Base, reason, widths[1])
            .gap(1)
            .right(Role::Strong, &format!("{}{}", pen.glyphs.times, kind.count), widths[2])
            .gap(1)
            .right(Role::Base, &age(since(app.now, kind.latest)), widths[3])
            .line;
        pen.line(area, &line);
        if selected {
            pen.cursor(area, focused);
        }
    }
}

/// All of the letter under the cursor: why it died, what to do, its message, the log of its last attempt.
fn beside_it(pen: &mut Pen<'_>, app: &App, letter: &Letter, area: Area) {
    let lines = doc::letter(app, letter, usize::from(area.width));
    let more = lines.len() > usize::from(area.height);
    for (line, y) in lines.iter().zip(area.y..area.y + area.height) {
        pen.line(Area { y, height: 1, ..area }, line);
    }
    if more {
        let y = area.y + area.height.saturating_sub(1);
        let key = app.keymap.key(Action::Open);
        let text =
            pen.glyphs.fit(&format!("{} {key} shows all of it", pen.glyphs.down), usize::from(area.width));
        pen.line(
            Area { y, height: 1, ..area },
            &[(Role::Dim, format!("{text}{}", " ".repeat(usize::from(area.width))))],
        );
    }
}

/// Code, cause, reason and remedy of the letter under the cursor.
fn about_selected(pen: &mut Pen<'_>, app: &App, area: Area) {
    let Some(row) = app.dead_row() else { return };
    let letter = &row.letter;
    let columns = usize::from(area.width);
    let kind = app.kind_row().filter(|_| app.grouped());
    let heading = match kind {
        Some(kind) if kind.count > 1 => {
            let (times, ago) = (pen.glyphs.times, age(since(app.now, kind.oldest)));
            format!("{} {times}{}, the first {ago} ago", letter.code, kind.count)
        }
        _ => format!("{} {} {}", letter.code, pen.glyphs.dot, name_of(row)),
    };
    let heading = pen.glyphs.fit(&heading, columns.saturating_sub(1));
    let rule = pen.glyphs.rule.repeat(columns.saturating_sub(width(&heading) + 1));
    let mut lines: Vec<Line> = vec![vec![(Role::Strong, format!("{heading} ")), (Role::Dim, rule)]];
    // The remedy is the point; then what exactly, then why, then the rest.
    let mut room = usize::from(area.height).saturating_sub(1);
    let remedy = pen.glyphs.wrap_at_most(
        letter.code.remedy(Standing::Dead),
        columns.saturating_sub(2),
        room.saturating_sub(1).max(1),
    );
    room = room.saturating_sub(remedy.len());
    let pieces = [
        (Role::Base, letter.reason.clone(), 2),
        (Role::Dim, letter.code.cause().to_owned(), 3),
        (Role::Dim, history(app, row), 2),
    ];
    for (role, text, most) in pieces {
        let text = pen.glyphs.wrap_at_most(&text, columns, most.min(room));
        let text = if room == 0 { Vec::new() } else { text };
        room = room.saturating_sub(text.len());
        lines.extend(text.into_iter().map(|line| vec![(role, line)]));
    }
    for (index, line) in remedy.into_iter().enumerate() {
        let lead_in = if index == 0 { format!("{} ", pen.glyphs.arrow) } else { "  ".to_owned() };
        lines.push(vec![(Role::Accent, lead_in), (Role::Strong, line)]);
    }
    if room >= 2 && !app.read_only() {
        let keys =
            [(Action::Open, "message and log"), (Action::Redrive, "redrive"), (Action::Edit, "edit first")];
        let mut line = Line::new();
        for (action, what) in keys {
            line.push((Role::Strong, app.keymap.key(action)));
            line.push((Role::Dim, format!(" {what}   ")));
        }
        let wide: usize = line.iter().map(|(_, text)| width(text)).sum();
        if wide <= columns + 3 {
            lines.push(Line::new());
            lines.push(line);
        }
    }
    for (line, y) in lines.iter().zip(area.y..area.y + area.height) {
        pen.line(Area { y, height: 1, ..area }, line);
    }
}

/// `notification queue, 3 attempts in 2 min`.
fn history(app: &App, row: &DeadRow) -> String {
    let letter = &row.letter;
    let tries = count(letter.attempts as usize, "attempt", "attempts");
    let took = match since(letter.dead_at, letter.first_failed_at) {
        0 => String::new(),
        seconds => format!(" in {}", age(seconds)),
    };
    let ago = age(since(app.now, letter.dead_at));
    format!("{} queue, {tries}{took}, died {ago} ago", letter.queue.as_str())
}
