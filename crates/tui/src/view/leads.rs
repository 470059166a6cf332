//! Enriched leads, the newest first: whose they are, and whether somebody has been told.

use ops::{LeadRow, OwnerCell};
use pipeline::destination::DestinationId;

use super::{
    columns::{self, Column, number, text},
    widgets::{Pen, condition_of, finding, rows, states},
};
use crate::{
    app::{App, Panel},
    doc::{Line, delivery_mark},
    format::{self, age, since},
    layout::Layout,
    table::Row as _,
    text::{Glyphs, width},
    theme::Role,
};

/// The longest name of a destination in the table, in columns; its id stands for a longer one.
const LABEL: usize = 8;
/// From this width on destinations stand with their names.
const WIDE: usize = 60;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, layout: &Layout) {
    let (table, parts) = (&app.leads, layout.parts(Panel::Leads));
    let shown = &table.shown;
    let mut counted = Line::new();
    if !shown.rows.is_empty() {
        let more = if table.is_complete() { "" } else { "+" };
        let order = match (table.wanted.sort.column, table.wanted.sort.reverse) {
            (0, false) => "newest first".to_owned(),
            (column, _) => format!("by {}", LeadRow::SORTS[column]),
        };
        let known = format::number(shown.rows.len() as u64);
        counted.extend([(Role::Base, format!("{known}{more}")), (Role::Dim, format!("  {order}"))]);
    }
    let condition = condition_of(&table.remote, app.now, pen.glyphs);
    let state = states([finding(app, Panel::Leads), counted, condition]);
    pen.heading(app, Panel::Leads, layout, state);
    let empty =
        if table.wanted.filter.is_empty() { "No lead has been enriched yet." } else { "No lead matches." };
    let area = pen.condition(&table.remote, parts.rows, app.now, shown.is_empty().then_some(empty));

    let total = usize::from(area.width).saturating_sub(2);
    let destinations = destinations(app);
    let labels: Vec<String> = destinations.iter().map(|id| label(id, total, destinations.len())).collect();
    let told: usize = labels.iter().map(|label| if label.is_empty() { 2 } else { 3 + label.len() }).sum();
    let columns: [Column; 7] = [
        number("age", 6, 0),
        text("name", 8, 48, 5, 0),
        text("owner", 8, 40, 5, 0),
        text("status", 8, 24, 2, 96),
        text("funnel", 8, 24, 2, 60),
        text("lead", 14, 36, 2, 120),
        text("told", told.max(4), told.max(4), 0, 0),
    ];
    let widths = columns::widths(&columns, total);
    let sorted = Some((LeadRow::SORTS[table.wanted.sort.column], table.wanted.sort));
    columns::titles(pen, parts.columns, 1, &columns, &widths, sorted);
    let focused = app.focus == Panel::Leads && app.windows.is_empty();
    let range = table.range();
    for (index, area) in rows(table.list.top, shown.len(), area) {
        let Some(row) = shown.row(index) else { continue };
        let lead = &row.lead;
        let selected = index == table.list.index;
        let dim = table.wanted.dimmed && !table.wanted.filter.matches(row);
        let role = |role| if dim { Role::Dim } else { role };
        let marked = range.contains(&index) || table.marks.contains(&lead.lead_id);
        let mut line = pen
            .gutter(pen.row(area.width), marked, selected && !focused && layout.is_full())
            .right(Role::Dim, &age(since(app.now, lead.enriched_at)), widths[0])
            .gap(1)
            .text(role(Role::Base), &lead.display_name, widths[1])
            .gap(1);
        let owners = |columns: usize| {
            OwnerCell::of(lead).fit(columns, width, |text, columns| pen.glyphs.fit(text, columns))
        };
        line = if lead.has_owner() {
            line.text(role(Role::Base), &owners(widths[2]), widths[2])
        } else {
            let left = widths[2].saturating_sub(2);
            let line = line.glyphs(role(Role::Warn), pen.glyphs.warning).gap(1);
            line.text(role(Role::Warn), &owners(left), left)
        };
        line = line.gap(1);
        for (columns, text) in [(widths[3], &lead.status_label), (widths[4], &lead.funnel)] {
            if columns > 0 {
                line = line.text(Role::Dim, text, columns).gap(1);
            }
        }
        if widths[5] > 0 {
            line = line.id(Role::Dim, lead.lead_id.as_str(), widths[5]).gap(1);
        }
        for (destination, label) in destinations.iter().zip(&labels) {
            let (mark, glyph) = delivered(row, destination, pen.glyphs);
            line = line.glyphs(mark, glyph).gap(1);
            if !label.is_empty() {
                line = line.text(
                    role(if mark == Role::Good { Role::Dim } else { mark }),
                    label,
                    label.len() + 1,
                );
            }
        }
        let line = line.line;
        pen.line(area, &line);
        if selected {
            pen.cursor(area, focused);
        }
    }
}

/// The destinations in use: those that are set up, and those that some alert in sight has gone to.
fn destinations(app: &App) -> Vec<DestinationId> {
    let mut destinations = app.destinations.clone();
    let table = &app.leads;
    let in_sight = (table.list.top..table.list.top + 200).filter_map(|at| table.shown.row(at));
    let used = in_sight.flat_map(|row| row.notifications.iter().map(|alert| &alert.destination));
    for id in used {
        if !destinations.contains(id) {
            destinations.push(id.clone());
        }
    }
    destinations.sort_unstable();
    destinations
}

/// The only destination needs no name where there is little room, and of several an initial has to do.
fn label(id: &DestinationId, columns: usize, destinations: usize) -> String {
    match columns {
        WIDE.. => match id.label() {
            short if short.len() <= LABEL => short,
            _ => id.to_string(),
        },
        _ if destinations == 1 => String::new(),
        _ => id.as_str().chars().take(1).map(|c| c.to_ascii_uppercase()).collect(),
    }
}

/// The mark of a lead's latest alert at a destination.
fn delivered(row: &LeadRow, destination: &DestinationId, glyphs: &'static Glyphs) -> (Role, &'static str) {
    match row.notifications.iter().rfind(|notification| notification.destination == *destination) {
        None => (Role::Dim, glyphs.dot),
        Some(notification) => delivery_mark(notification, glyphs),
    }
}
