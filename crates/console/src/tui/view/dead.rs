//! Dead letters: which, why, and what to do about the one under the cursor.

use ops::DeadRow;

use super::{
    pending::separated,
    widgets::{Pen, condition_of, rows},
};
use crate::tui::{
    app::{App, Panel},
    doc::{Line, name_of},
    format::{age, count, since},
    layout::{Area, dead_rows},
    theme::Role,
};

/// From this width on the reason stands in the list as well.
const WIDE: usize = 62;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, area: Area) {
    let (letters, total) = app.dead.get().map_or((&[][..], 0), |(rows, total)| (rows.as_slice(), *total));
    let mut state: Line = Vec::new();
    if total > 0 {
        state.push((Role::Alarm, format!("{} {total}", pen.glyphs.bad)));
        if total > letters.len() as u64 {
            state.push((Role::Dim, format!("  latest {}", letters.len())));
        }
    }
    state.extend(separated(condition_of(&app.dead, app.now, pen.glyphs)));
    let inside = pen.panel(app, Panel::Dead, area, state);
    let none = format!("{} No dead letters.", pen.glyphs.good);
    let inside = pen.condition(&app.dead, inside, app.now, letters.is_empty().then_some(&none));

    let (list, about) = dead_rows(inside.height);
    let columns = usize::from(inside.width);
    let (code, attempts, dead) = (6, 5, 7);
    let rest = columns.saturating_sub(1 + code + attempts + dead);
    let (name, reason) = if columns >= WIDE { (rest * 2 / 5, rest - rest * 2 / 5 - 1) } else { (rest, 0) };
    let focused = app.focus == Panel::Dead && app.windows.is_empty();
    for (index, area) in rows(app.dead_list.top, letters.len(), Area { height: list, ..inside }) {
        let row = &letters[index];
        let letter = &row.letter;
        let selected = index == app.dead_list.index;
        let marker = if selected && !focused && about > 0 { pen.glyphs.marker } else { " " };
        let mut line = pen
            .row(area.width)
            .glyphs(Role::Dim, marker)
            .text(Role::Alarm, letter.code.as_str(), code)
            .text(Role::Base, &name_of(row), name);
        if reason > 0 {
            line = line.gap(1).text(Role::Dim, &letter.reason, reason);
        }
        let line = line
            .right(Role::Dim, &format!("{}{}", pen.glyphs.times, letter.attempts), attempts)
            .right(Role::Base, &age(since(app.now, letter.dead_at)), dead)
            .line;
        pen.line(area, &line);
        if selected {
            pen.cursor(area, focused);
        }
    }
    if about > 0 && app.dead_row().is_some() {
        let y = inside.y + list;
        let x = inside.x + 1;
        about_selected(
            pen,
            app,
            Area { x, y, width: inside.width.saturating_sub(2), height: about },
            letters.len(),
        );
    }
}

/// Code, cause, reason and remedy of the letter under the cursor.
fn about_selected(pen: &mut Pen<'_>, app: &App, area: Area, loaded: usize) {
    let Some(row) = app.dead_row() else { return };
    let letter = &row.letter;
    let columns = usize::from(area.width);
    let same =
        app.dead.get().map_or(0, |(rows, _)| rows.iter().filter(|r| r.letter.code == letter.code).count());
    let heading = if same > 1 && loaded > 1 {
        format!("{} {} {} of this kind ", letter.code, pen.glyphs.dot, count(same, "letter", "letters"))
    } else {
        format!("{} ", letter.code)
    };
    let heading = pen.glyphs.fit(&heading, columns);
    let rule = pen.glyphs.rule.repeat(columns.saturating_sub(crate::tui::text::width(&heading) + 1));
    let mut lines: Vec<Line> = vec![vec![(Role::Strong, format!("{heading} ")), (Role::Dim, rule)]];
    // The remedy is the point; then why, then what exactly, then the rest.
    let mut room = usize::from(area.height).saturating_sub(1);
    let remedy = pen.glyphs.wrap_at_most(
        letter.code.remedy(),
        columns.saturating_sub(2),
        room.saturating_sub(2).max(1),
    );
    room = room.saturating_sub(remedy.len());
    for (role, text, most) in [
        (Role::Base, letter.code.cause().to_owned(), 3),
        (Role::Dim, letter.reason.clone(), 2),
        (Role::Dim, history(app, row), 1),
    ] {
        let text = pen.glyphs.wrap_at_most(&text, columns, most.min(room));
        room = room.saturating_sub(text.len());
        lines.extend(text.into_iter().map(|line| vec![(role, line)]));
    }
    for (index, line) in remedy.into_iter().enumerate() {
        let lead_in = if index == 0 { format!("{} ", pen.glyphs.arrow) } else { "  ".to_owned() };
        lines.push(vec![(Role::Accent, lead_in), (Role::Strong, line)]);
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
