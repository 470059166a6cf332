//! Enriched leads, the newest first: their owners, and whether their alerts were sent.

use std::{cmp::Ordering, sync::LazyLock};

use lead::LeadId;
use ops::{LeadQuery, LeadRow, Ops, OwnerCell};
use pipeline::{
    Fault,
    destination::{DestinationId, KINDS},
};

use crate::{
    doc::delivery_mark,
    draw::{
        self, Painter,
        columns::{Column, id, number, text},
        table,
    },
    find::{Searchable, by_text},
    format::{self, age, since},
    keymap::Action,
    layout::Area,
    line::Line,
    panel::Panel,
    rows::Rows,
    scene::Scene,
    table::{Row, Table},
    table_view::TableRow,
    text::{Glyphs, width},
    theme::Role,
    view::Named,
};

/// The longest name of a destination in the table, in columns; its id stands for a longer one.
const LABEL: usize = 8;
/// From this width on destinations are shown by name.
const WIDE: usize = 60;

/// The names of a lead's fields, those of the destinations among them.
static LEAD_FIELDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let destinations = KINDS.iter().map(|kind| kind.word);
    let before = ["name", "lead", "owner", "email", "status", "funnel"];
    before.into_iter().chain(destinations).chain(["owner_status"]).collect()
});

impl Searchable for LeadRow {
    fn fields() -> &'static [&'static str] {
        &LEAD_FIELDS
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        let lead = &self.lead;
        see("name", &lead.display_name)
            || see("lead", lead.lead_id.as_str())
            || lead.owner_labels().iter().any(|owner| see("owner", owner))
            || see("email", &lead.lead_email)
            || see("status", &lead.status_label)
            || see("funnel", &lead.funnel)
            || see("owner_status", lead.owner_status.as_str())
            || self.notifications.iter().any(|alert| {
                // A kind that this version does not know has no field.
                alert.destination.kind().is_some_and(|kind| see(kind.word, alert.state))
            })
    }
}

impl Row for LeadRow {
    type Key = LeadId;
    const SORTS: &'static [&'static str] = &["age", "name", "owner", "status", "funnel", "sent"];

    fn key(&self) -> &LeadId {
        &self.lead.lead_id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        let (a, b) = (&self.lead, &other.lead);
        match column {
            1 => by_text(&a.display_name, &b.display_name),
            2 => by_text(&a.lead_owner, &b.lead_owner),
            3 => by_text(&a.status_label, &b.status_label),
            4 => by_text(&a.funnel, &b.funnel),
            5 => worst_state(self).cmp(&worst_state(other)),
            _ => b.enriched_at.cmp(&a.enriched_at),
        }
    }
}

impl TableRow for LeadRow {
    const PANEL: Panel = Panel::Leads;
    const COPIED: &'static str = "the lead";
    const NOTHING: (&'static str, &'static str) = ("No lead has been enriched yet.", "No lead matches.");

    async fn fetch(ops: &Ops, limit: usize) -> Result<Rows, Fault> {
        Ok(Rows::of(ops.leads(&LeadQuery { limit, ..LeadQuery::default() }).await?, None))
    }

    fn lead(&self) -> Option<Named> {
        Some((self.lead.lead_id.clone(), Some(self.lead.display_name.clone())))
    }

    fn hints(_: &Table<Self>) -> Vec<(Action, &'static str)> {
        vec![(Action::Open, "open lead"), (Action::Resend, "resend alert")]
    }

    fn state(table: &Table<Self>, _: &Scene<'_>) -> Line {
        if table.shown.rows.is_empty() {
            return Line::new();
        }
        let more = if table.is_complete() { "" } else { "+" };
        let order = match (table.wanted.sort.column, table.wanted.sort.reverse) {
            (0, false) => "newest first".to_owned(),
            (column, _) => format!("by {}", Self::SORTS[column]),
        };
        let known = format::number(table.shown.rows.len() as u64);
        vec![(Role::Base, format!("{known}{more}")), (Role::Dim, format!("  {order}"))]
    }

    fn draw(table: &Table<Self>, painter: &mut Painter<'_>, scene: &Scene<'_>, area: Area) {
        let total = usize::from(area.width).saturating_sub(2);
        let destinations = destinations(table, scene);
        let labels: Vec<String> =
            destinations.iter().map(|id| label(id, total, destinations.len())).collect();
        let sent: usize = labels.iter().map(|label| if label.is_empty() { 2 } else { 3 + label.len() }).sum();
        let columns: [Column; 7] = [
            number("age", 6, 0),
            text("name", 8, 48, 5, 0),
            text("owner", 8, 40, 5, 0),
            text("status", 8, 24, 2, 96),
            text("funnel", 8, 24, 2, 60),
            id("lead", 14, 36, 2, 120),
            text("sent", sent.max(4), sent.max(4), 0, 0),
        ];
        let glyphs = painter.glyphs;
        table::draw(table, painter, scene, area, &columns, |line, seen| {
            let (row, lead, widths) = (seen.row, &seen.row.lead, seen.widths);
            let before = [
                (Role::Dim, &*age(since(scene.now, lead.enriched_at))),
                (seen.role(Role::Base), &lead.display_name),
            ];
            let after =
                [&*lead.status_label, &*lead.funnel, lead.lead_id.as_str()].map(|text| (Role::Dim, text));
            let owners = |line: draw::Row, role, columns| {
                let owners = OwnerCell::of(lead).fit(columns, width, |text, most| glyphs.fit(text, most));
                line.text(seen.role(role), &owners, columns).gap(1)
            };
            let line = line.cells(&columns, widths, &before);
            let line = if lead.has_owner() {
                owners(line, Role::Base, widths[2])
            } else {
                let line = line.glyphs(seen.role(Role::Warn), glyphs.warning).gap(1);
                owners(line, Role::Warn, widths[2].saturating_sub(2))
            };
            let mut line = line.cells(&columns[3..6], &widths[3..6], &after);
            for (destination, label) in destinations.iter().zip(&labels) {
                let (mark, glyph) = delivered(row, destination, glyphs);
                line = line.glyphs(mark, glyph).gap(1);
                if !label.is_empty() {
                    let role = if mark == Role::Good { Role::Dim } else { mark };
                    line = line.text(seen.role(role), label, label.len() + 1);
                }
            }
            line
        });
    }
}

/// The worst state of a lead's alerts: failed, then partly sent, then queued, then sent.
fn worst_state(row: &LeadRow) -> u8 {
    row.notifications
        .iter()
        .map(|alert| match alert.state {
            "failed" => 0,
            "partly_sent" => 1,
            "queued" => 2,
            _ => 3,
        })
        .min()
        .unwrap_or(4)
}

/// The destinations in use: those that are configured, and those of the alerts in sight.
fn destinations(table: &Table<LeadRow>, scene: &Scene<'_>) -> Vec<DestinationId> {
    let mut destinations = scene.destinations.to_vec();
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

/// Where there is little room, a single destination needs no name, and several have an initial each.
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
    let latest = row.notifications.iter().rfind(|alert| alert.destination == *destination);
    latest.map_or((Role::Dim, glyphs.dot), |alert| delivery_mark(alert, glyphs))
}
