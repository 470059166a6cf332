//! An alert about a lead, before it becomes a message for a destination.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::{EnrichedLead, OwnerStatus};

/// Why an alert is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AlertKind {
    /// The lead is new.
    New,
    /// The lead was announced with another owner than it has now, or without one.
    FollowUp,
    /// An operator asked for it again.
    Resend,
    /// It is about no lead: an operator wants to see whether alerts arrive.
    Trial,
}

impl AlertKind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
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
            AlertKind::FollowUp if self.lead.owner_status == OwnerStatus::Departed => "Lead Owner Departed",
            AlertKind::FollowUp => "Lead Owner Found",
            AlertKind::Resend => "New Lead Alert (sent again)",
            AlertKind::Trial => "Trial Alert",
        }
    }

    /// The seven facts, labelled, in the order that the brief gives; then the phone number, where there is one.
    pub fn facts(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let lead = self.lead;
        let mut facts: Vec<(&'static str, Cow<'_, str>)> = vec![
            ("Name", lead.display_name.as_str().into()),
            ("Lead ID", lead.lead_id.as_str().into()),
            ("Created Date", lead.date_created.as_str().into()),
            ("Label", lead.status_label.as_str().into()),
            ("Email", lead.lead_email.as_str().into()),
            ("Lead Owner", lead.owner_label().into()),
            ("Funnel", lead.funnel.as_str().into()),
        ];
        facts.extend(lead.lead_phone.as_deref().map(|phone| ("Phone", phone.into())));
        facts
    }

    /// The lead's page in Close, where there is one.
    pub fn link(&self) -> Option<String> {
        (self.kind != AlertKind::Trial).then(|| self.lead.lead_id.close_url())
    }

    /// What the reader has to know besides the facts.
    pub fn notes(&self) -> Vec<&'static str> {
        use OwnerStatus::{Assigned, Departed, LookupFailed, Mismatch, Missing, OfLaterVersion};
        let mut notes = Vec::new();
        match (self.lead.owner_status, self.kind) {
            (_, AlertKind::Trial) => {
                notes.push("Sent by `leadops try`: this is no lead, and nothing is to be done.")
            }
            (Assigned, AlertKind::FollowUp) => {
                notes.push("The owner is another than in the last alert, or was not known then.")
            }
            (Assigned | OfLaterVersion, _) => {}
            (Missing, _) => notes.push("No owner is assigned yet; a follow-up comes when one is."),
            (LookupFailed, _) => {
                notes.push("The owner could not be looked up; a follow-up comes when that succeeds.")
            }
            (Departed, _) => {
                notes.push("The owner has left the organisation; a follow-up comes when there is another.")
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
