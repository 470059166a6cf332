//! The rows of the tables: what can be found in them, and how they are sorted.

use std::{cmp::Ordering, sync::LazyLock};

use lead::LeadId;
use ops::{DeadRow, LeadRow, PendingRow};
use pipeline::{destination::KINDS, ports::LogLine};

use super::{find::Texts, table::Row};

fn by_text(a: &str, b: &str) -> Ordering {
    a.to_lowercase().cmp(&b.to_lowercase())
}

impl Texts for PendingRow {
    fn fields() -> &'static [&'static str] {
        &["name", "lead", "state"]
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        see("name", &self.display_name)
            || see("lead", self.lead_id.as_str())
            || see("state", self.state.as_str())
    }
}

impl Row for PendingRow {
    type Key = LeadId;
    const SORTS: &'static [&'static str] = &["due", "name", "received"];

    fn key(&self) -> &LeadId {
        &self.lead_id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        match column {
            1 => by_text(&self.display_name, &other.display_name),
            2 => self.received_at.cmp(&other.received_at),
            _ => self.due_at.cmp(&other.due_at),
        }
    }
}

impl Texts for DeadRow {
    fn fields() -> &'static [&'static str] {
        &["name", "lead", "code", "reason", "queue", "id"]
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        let letter = &self.letter;
        self.display_name.as_deref().is_some_and(|name| see("name", name))
            || letter.lead_id.as_ref().is_some_and(|lead| see("lead", lead.as_str()))
            || see("code", letter.code.as_str())
            || see("reason", &letter.reason)
            || see("queue", letter.queue.as_str())
            || see("id", &letter.id)
    }
}

impl Row for DeadRow {
    type Key = String;
    const SORTS: &'static [&'static str] = &["age", "code", "name", "reason", "tries", "queue"];

    fn key(&self) -> &String {
        &self.letter.id
    }

    fn compare(&self, other: &Self, column: usize) -> Ordering {
        let (a, b) = (&self.letter, &other.letter);
        match column {
            1 => a.code.cmp(&b.code),
            2 => by_text(
                self.display_name.as_deref().unwrap_or_default(),
                other.display_name.as_deref().unwrap_or_default(),
            ),
            3 => by_text(&a.reason, &b.reason),
            4 => b.attempts.cmp(&a.attempts),
            5 => a.queue.cmp(&b.queue),
            _ => b.dead_at.cmp(&a.dead_at),
        }
    }
}

/// The names of a lead's fields, those of the destinations among them.
static LEAD_FIELDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let destinations = KINDS.iter().map(|kind| kind.word);
    let before = ["name", "lead", "owner", "email", "status", "funnel"];
    before.into_iter().chain(destinations).chain(["owner_status"]).collect()
});

impl Texts for LeadRow {
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
                // Of a kind that this version does not know, nobody can ask.
                alert.destination.kind().is_some_and(|kind| see(kind.word, alert.state))
            })
    }
}

impl Row for LeadRow {
    type Key = LeadId;
    const SORTS: &'static [&'static str] = &["age", "name", "owner", "status", "funnel", "told"];

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
            5 => worst(self).cmp(&worst(other)),
            _ => b.enriched_at.cmp(&a.enriched_at),
        }
    }
}

/// The worst state of a lead's alerts: failed, then partly sent, then queued, then sent.
fn worst(row: &LeadRow) -> u8 {
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

impl Texts for LogLine {
    fn fields() -> &'static [&'static str] {
        &["function", "level", "lead", "code", "message"]
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        see("message", &self.message)
            || see("function", &self.function)
            || see("level", self.level.as_str())
            || self.lead_id.as_deref().is_some_and(|lead| see("lead", lead))
            || self.code.as_deref().is_some_and(|code| see("code", code))
    }
}
