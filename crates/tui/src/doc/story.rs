//! A lead.

use lead::{EnrichedLead, OwnerStatus};
use ops::Step;
use pipeline::{RetryState, Stage, State};

use super::{Writer, delivery, delivery_mark};
use crate::{
    format::{clock, countdown, since, step},
    line::Line,
    text::Glyphs,
    theme::Role,
    window::Story,
};

/// The enriched lead as it is stored, with people by their names.
pub(super) fn enriched(story: &Story, writer: &mut Writer<'_>) {
    writer.polling(&story.history);
    let Some(story) = story.history.get() else { return };
    writer.field("stored as", Role::Dim, &story.target_key);
    writer.blank();
    match &story.lead {
        Some(lead) => writer.json_of(&lead.for_people()),
        None => writer.line(vec![(Role::Dim, "The lead has not been enriched yet.".to_owned())]),
    }
}

/// The webhook's body, formatted.
pub(super) fn raw(story: &Story, writer: &mut Writer<'_>) {
    writer.polling(&story.raw);
    if let Some(story) = story.history.get() {
        writer.field("stored as", Role::Dim, &story.raw_key);
        writer.blank();
    }
    match story.raw.get() {
        Some(Some(lines)) => lines.iter().for_each(|line| writer.json(line)),
        Some(None) => writer.line(vec![(Role::Alarm, "There is no raw event under this key.".to_owned())]),
        None => {}
    }
}

/// What happened to it.
pub(super) fn history(story: &Story, writer: &mut Writer<'_>) {
    writer.polling(&story.history);
    let Some(story) = story.history.get() else { return };
    let now = writer.now;
    let standing = story.state.at(story.due_at, now, writer.overdue_after);
    let (role, state) = match standing {
        State::Pending => (Role::Base, format!("pending, due in {}", countdown(since(story.due_at, now)))),
        State::Processing => (Role::Base, "processing".to_owned()),
        State::Overdue => {
            let late = countdown(since(now, story.due_at));
            (Role::Alarm, format!("{} overdue by {late}", writer.glyphs.overdue))
        }
        State::Notified => (Role::Good, format!("{} notified", writer.glyphs.good)),
        State::Dead => (Role::Alarm, format!("{} dead", writer.glyphs.bad)),
    };
    writer.field("state", role, &state);
    if let Some(lead) = &story.lead {
        owners(lead, writer);
        let status = format!("{} {} {}", lead.status_label, writer.glyphs.dot, lead.funnel);
        writer.field("status", Role::Base, &status);
        writer.field("e-mail", Role::Base, &lead.lead_email);
        if let Some(phone) = &lead.lead_phone {
            writer.field("phone", Role::Base, phone);
        }
        writer.field("created", Role::Base, &lead.date_created);
    }
    writer.field("id", Role::Base, story.lead_id.as_str());
    writer.field("in Close", Role::Base, &story.lead_id.close_url());

    writer.heading("What happened");
    let mut before = None;
    for event in &story.timeline {
        let (role, glyph) = mark_of(event, writer.glyphs);
        let taken = before.map_or_else(String::new, |before| step(before, event.at));
        before = Some(event.at);
        let stage = event.stage.as_str().replace('_', " ");
        let first = vec![
            (Role::Dim, clock(event.at)),
            (Role::Dim, format!("{taken:>9} ")),
            (role, format!("{glyph} ")),
            (Role::Strong, format!("{stage:<16}")),
        ];
        if writer.columns >= 70 {
            writer.wrapped(first, 37, Role::Base, &event.detail);
        } else {
            writer.lines.push(first);
            writer.wrapped(Line::new(), 4, Role::Base, &event.detail);
        }
    }
    if standing == State::Pending {
        let left = format!("in {} ", countdown(since(story.due_at, now)));
        let due = format!("{}{left:>10} {} due", clock(story.due_at), writer.glyphs.dot);
        writer.lines.push(vec![(Role::Dim, due)]);
    }

    if !story.notifications.is_empty() {
        writer.heading("Alerts");
        for notification in &story.notifications {
            let mark = delivery_mark(notification, writer.glyphs);
            writer.marked(mark, Role::Base, &delivery(notification, now));
            if let Some(code) = notification.code.filter(|_| notification.state != "sent") {
                let standing =
                    if notification.state == "queued" { RetryState::Retrying } else { RetryState::Dead };
                let text = format!("{} {}", code.cause(), code.remedy(standing));
                writer.wrapped(Line::new(), 4, Role::Dim, &text);
            }
        }
    }
    writer.heading("Stored as");
    writer.field("raw event", Role::Base, &story.raw_key);
    writer.field("enriched", Role::Base, &story.target_key);
}

/// The owners of a lead, one per line, the decisive one first.
fn owners(lead: &EnrichedLead, writer: &mut Writer<'_>) {
    let labels = lead.owner_labels();
    let title = if labels.len() > 1 { "owners" } else { "owner" };
    for (index, label) in labels.iter().enumerate() {
        match (index, lead.owner_status) {
            (0, OwnerStatus::Assigned) => writer.field(title, Role::Strong, label),
            (0, OwnerStatus::Departed) => {
                writer.field(title, Role::Warn, &format!("{} {label}", writer.glyphs.warning));
            }
            (0, status) => {
                let status = status.as_str().replace('_', " ");
                writer.field(title, Role::Warn, &format!("{} {label} ({status})", writer.glyphs.warning));
            }
            _ => writer.field("", Role::Base, label),
        }
    }
}

fn mark_of(event: &Step, glyphs: &'static Glyphs) -> (Role, &'static str) {
    match event.stage {
        Stage::Notified if event.code.is_some() => (Role::Warn, glyphs.warning),
        Stage::Notified => (Role::Good, glyphs.good),
        Stage::Dead => (Role::Alarm, glyphs.bad),
        Stage::Retrying => (Role::Warn, glyphs.warning),
        Stage::Redriven | Stage::Deleted | Stage::Exported | Stage::Resent | Stage::Requeued => {
            (Role::Accent, glyphs.working)
        }
        _ => (Role::Dim, glyphs.dot),
    }
}
