//! An alert about a lead, before it becomes a message of a channel.

use serde::{Deserialize, Serialize};

use crate::EnrichedLead;

/// Why an alert is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The lead is new.
    New,
    /// The lead was told without an owner, and now has one.
    FollowUp,
    /// An operator asked for it again.
    Resend,
}

/// What one alert says.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert<'a> {
    /// The lead.
    pub lead: &'a EnrichedLead,
    /// Why it is sent.
    pub kind: AlertKind,
    /// Whether an earlier attempt may have arrived unseen.
    pub possible_repeat: bool,
}

impl Alert<'_> {
    /// The headline.
    pub fn title(&self) -> &'static str {
        match self.kind {
            AlertKind::New => "New Lead Alert",
            AlertKind::FollowUp => "Lead Owner Found",
            AlertKind::Resend => "New Lead Alert (sent again)",
        }
    }

    /// The seven facts, labelled, in the order that the brief gives.
    pub fn facts(&self) -> [(&'static str, &str); 7] {
        let lead = self.lead;
        [
            ("Name", &lead.display_name),
            ("Lead ID", lead.lead_id.as_str()),
            ("Created Date", &lead.date_created),
            ("Label", &lead.status_label),
            ("Email", &lead.lead_email),
            ("Lead Owner", &lead.lead_owner),
            ("Funnel", &lead.funnel),
        ]
    }

    /// What the reader has to know besides the facts.
    pub fn notes(&self) -> Vec<&'static str> {
        use crate::OwnerStatus::{Assigned, LookupFailed, Mismatch, Missing, OfLaterVersion};
        let mut notes = Vec::new();
        match (self.lead.owner_status, self.kind) {
            (Assigned, AlertKind::FollowUp) => {
                notes.push("An owner has been assigned since the first alert.")
            }
            (Assigned | OfLaterVersion, _) => {}
            (Missing, _) => notes.push("No owner is assigned yet; a follow-up comes when one is."),
            (LookupFailed, _) => {
                notes.push("The owner could not be looked up; a follow-up comes when that succeeds.")
            }
            (Mismatch, _) => notes.push("The owner document is about another lead and was not used."),
        }
        if self.kind == AlertKind::Resend {
            notes.push("Sent again on request.");
        }
        if self.possible_repeat {
            notes.push("Possible repeat: an earlier attempt may have arrived.");
        }
        notes
    }
}
