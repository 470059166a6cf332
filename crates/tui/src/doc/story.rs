//! A lead.

use lead::{EnrichedLead, OwnerStatus, Timestamp};
use ops::{LeadStory, Step};
use pipeline::{RetryState, Stage, State};

use super::{Writer, about_polling, delivery, delivery_mark};
use crate::{
    format::{clock, countdown, since, step},
    line::Line,
    text::Glyphs,
    theme::Role,
    window::Story,
};

/// What happened to it.
pub(super) fn told(story: &Story, now: Timestamp, pen: &mut Writer) {
    about_polling(&story.story, now, pen);
    if let Some(story) = story.story.get() {
        tell(story, now, pen);
    }
}

/// The enriched lead as it is kept, with people by their names.
pub(super) fn enriched(story: &Story, now: Timestamp, pen: &mut Writer) {
    about_polling(&story.story, now, pen);
    let Some(story) = story.story.get() else { return };
    pen.field("kept under", Role::Dim, &story.target_key);
    pen.blank();
    match &story.lead {
        Some(lead) => {
            let text = serde_json::to_string_pretty(&lead.for_people()).unwrap_or_default();
            text.lines().for_each(|line| pen.json(line));
        }
        None => pen.line(vec![(Role::Dim, "The lead has not been enriched yet.".to_owned())]),
    }
}

/// The webhook's body, laid out.
pub(super) fn raw(story: &Story, now: Timestamp, pen: &mut Writer) {
    about_polling(&story.raw, now, pen);
    if let Some(story) = story.story.get() {
        pen.field("kept under", Role::Dim, &story.raw_key);
        pen.blank();
    }
    match story.raw.get() {
        Some(Some(lines)) => lines.iter().for_each(|line| pen.json(line)),
        Some(None) => pen.line(vec![(Role::Alarm, "There is no raw event under this key.".to_owned())]),
        None => {}
    }
}

fn tell(story: &LeadStory, now: Timestamp, pen: &mut Writer) {
    let due = since(story.due_at, now);
    let (role, state) = match story.state {
        State::Pending if due > 0 => (Role::Base, format!("waits, due in {}", countdown(due))),
        State::Pending | State::Processing => (Role::Base, "due, being worked on".to_owned()),
        State::Overdue => (
            Role::Alarm,
            format!("{} overdue by {}", pen.glyphs.overdue, countdown(since(now, story.due_at))),
        ),
        State::Notified => (Role::Good, format!("{} told", pen.glyphs.good)),
        State::Dead => (Role::Alarm, format!("{} dead", pen.glyphs.bad)),
    };
    pen.field("state", role, &state);
    if let Some(lead) = &story.lead {
        owners(lead, pen);
        pen.field("status", Role::Base, &format!("{} {} {}", lead.status_label, pen.glyphs.dot, lead.funnel));
        pen.field("e-mail", Role::Base, &lead.lead_email);
        if let Some(phone) = &lead.lead_phone {
            pen.field("phone", Role::Base, phone);
        }
        pen.field("created", Role::Base, &lead.date_created);
    }
    pen.field("id", Role::Base, story.lead_id.as_str());
    pen.field("in Close", Role::Base, &story.lead_id.close_url());

    pen.heading("What happened");
    let mut before = None;
    for event in &story.timeline {
        let (role, glyph) = mark_of(event, pen.glyphs);
        let taken = before.map_or_else(String::new, |before| step(before, event.at));
        before = Some(event.at);
        let stage = event.stage.as_str().replace('_', " ");
        let first = vec![
            (Role::Dim, clock(event.at)),
            (Role::Dim, format!("{taken:>9} ")),
            (role, format!("{glyph} ")),
            (Role::Strong, format!("{stage:<16}")),
        ];
        if pen.columns >= 70 {
            pen.hang(first, 37, Role::Base, &event.detail);
        } else {
            pen.lines.push(first);
            pen.hang(Line::new(), 4, Role::Base, &event.detail);
        }
    }
    if let State::Pending = story.state
        && due > 0
    {
        let due = format!(
            "{}{:>10} {} due",
            clock(story.due_at),
            format!("in {} ", countdown(due)),
            pen.glyphs.dot
        );
        pen.lines.push(vec![(Role::Dim, due)]);
    }

    if !story.notifications.is_empty() {
        pen.heading("Alerts");
        for notification in &story.notifications {
            let (role, glyph) = delivery_mark(notification, pen.glyphs);
            let text = delivery(notification, now);
            pen.hang(vec![(role, glyph.to_owned())], 2, Role::Base, &text);
            if let Some(code) = notification.code.filter(|_| notification.state != "sent") {
                let standing =
                    if notification.state == "queued" { RetryState::Retrying } else { RetryState::Dead };
                let text = format!("{} {}", code.cause(), code.remedy(standing));
                pen.hang(Line::new(), 4, Role::Dim, &text);
            }
        }
    }
    pen.heading("Kept under");
    pen.field("raw event", Role::Base, &story.raw_key);
    pen.field("enriched", Role::Base, &story.target_key);
}

/// Who owns a lead, a line each, the one who counts first.
fn owners(lead: &EnrichedLead, pen: &mut Writer) {
    let labels = lead.owner_labels();
    let title = if labels.len() > 1 { "owners" } else { "owner" };
    for (index, label) in labels.iter().enumerate() {
        match (index, lead.owner_status) {
            (0, OwnerStatus::Assigned) => pen.field(title, Role::Strong, label),
            (0, OwnerStatus::Departed) => {
                pen.field(title, Role::Warn, &format!("{} {label}", pen.glyphs.warning));
            }
            (0, status) => {
                let status = status.as_str().replace('_', " ");
                pen.field(title, Role::Warn, &format!("{} {label} ({status})", pen.glyphs.warning));
            }
            _ => pen.field("", Role::Base, label),
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
