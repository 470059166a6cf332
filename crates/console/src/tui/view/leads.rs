//! Enriched leads, the newest first: whose they are, and whether somebody has been told.

use ops::LeadRow;
use pipeline::Channel;

use super::{
    pending::separated,
    widgets::{Pen, condition_of, rows},
};
use crate::tui::{
    app::{App, Panel},
    doc::{Line, delivery_mark},
    format::{age, since},
    layout::Area,
    text::Glyphs,
    theme::Role,
};

/// From this width on channels stand with their names and the funnel is shown.
const WIDE: usize = 60;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, area: Area) {
    let leads = app.leads.get().map_or(&[][..], Vec::as_slice);
    let mut state: Line = Vec::new();
    if !leads.is_empty() {
        state.push((Role::Dim, "newest first".to_owned()));
    }
    state.extend(separated(condition_of(&app.leads, app.now, pen.glyphs)));
    let inside = pen.panel(app, Panel::Leads, area, state);
    let empty = leads.is_empty().then_some("No lead has been enriched yet.");
    let inside = pen.condition(&app.leads, inside, app.now, empty);

    let columns = usize::from(inside.width);
    let channels = channels(app);
    let labels: Vec<&str> = channels.iter().map(|channel| label(*channel, columns, channels.len())).collect();
    let told: usize = labels.iter().map(|label| if label.is_empty() { 2 } else { 3 + label.len() }).sum();
    let time = 6;
    let rest = columns.saturating_sub(time + 1 + told);
    let (name, owner, funnel) = match columns {
        WIDE.. => (rest * 4 / 10, rest * 3 / 10, rest - rest * 4 / 10 - rest * 3 / 10),
        _ => (rest * 11 / 20, rest - rest * 11 / 20, 0),
    };
    let focused = app.focus == Panel::Leads && app.windows.is_empty();
    for (index, area) in rows(app.leads_list.top, leads.len(), inside) {
        let row = &leads[index];
        let lead = &row.lead;
        let mut line = pen
            .row(area.width)
            .right(Role::Dim, &age(since(app.now, lead.enriched_at)), time)
            .gap(1)
            .text(Role::Base, &lead.display_name, name.saturating_sub(1))
            .gap(1);
        line = if lead.has_owner() {
            line.text(Role::Base, &lead.lead_owner, owner.saturating_sub(1))
        } else {
            line.glyphs(Role::Warn, pen.glyphs.warning).gap(1).text(
                Role::Warn,
                &lead.lead_owner,
                owner.saturating_sub(3),
            )
        };
        line = line.gap(1);
        if funnel > 0 {
            line = line.text(Role::Dim, &lead.funnel, funnel.saturating_sub(1)).gap(1);
        }
        for (channel, label) in channels.iter().zip(&labels) {
            let (role, glyph) = delivered(row, *channel, pen.glyphs);
            line = line.glyphs(role, glyph).gap(1);
            if !label.is_empty() {
                line = line.text(role, label, label.len() + 1);
            }
        }
        let line = line.line;
        pen.line(area, &line);
        if index == app.leads_list.index {
            pen.cursor(area, focused);
        }
    }
}

/// The channels in use: those that are set up, and those that some alert has gone to.
fn channels(app: &App) -> Vec<Channel> {
    let mut channels = app.channels.clone();
    let notifications = app.leads.get().into_iter().flatten().flat_map(|row| &row.notifications);
    channels.extend(notifications.map(|notification| notification.channel));
    channels.sort_unstable();
    channels.dedup();
    channels
}

/// The only channel needs no name where there is little room.
fn label(channel: Channel, columns: usize, channels: usize) -> &'static str {
    match (channel, columns) {
        (channel, WIDE..) => channel.label(),
        _ if channels == 1 => "",
        (Channel::Slack, _) => "S",
        (Channel::Email, _) => "E",
    }
}

/// The mark of a lead's latest alert on a channel.
fn delivered(row: &LeadRow, channel: Channel, glyphs: &'static Glyphs) -> (Role, &'static str) {
    match row.notifications.iter().rfind(|notification| notification.channel == channel) {
        None => (Role::Dim, glyphs.dot),
        Some(notification) => delivery_mark(notification, glyphs),
    }
}
