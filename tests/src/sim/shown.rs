//! What a message says to the people who read it.

use lead::{AlertKind, LeadId, OwnerStatus, email::Mail};
use serde_json::Value;

/// An alert as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownAlert {
    /// The lead.
    pub lead: LeadId,
    /// Why it is sent.
    pub kind: AlertKind,
    /// The owner that is named.
    pub owner: String,
    /// How the search for the owner ended, where the message says it: a digest does not.
    pub status: Option<OwnerStatus>,
    /// Whether it is labelled as a possible repeat.
    pub repeat: bool,
}

/// The alerts in a message for Slack.
pub fn on_slack(message: &Value) -> Vec<ShownAlert> {
    let title = message["text"].as_str().unwrap_or_default();
    if !title.lines().next().unwrap_or_default().ends_with("Lead Alerts") {
        return read(title).into_iter().collect();
    }
    let blocks = message["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let about = blocks.iter().filter_map(|block| block["fields"][0]["text"].as_str());
    about.filter_map(|text| read(text).map(|shown| ShownAlert { status: None, ..shown })).collect()
}

/// The alert in a mail.
pub fn by_mail(mail: &Mail) -> Option<ShownAlert> {
    read(&mail.body)
}

fn read(text: &str) -> Option<ShownAlert> {
    let value = |label: &str| text.lines().find_map(|line| line.strip_prefix(label));
    let says = |part: &str| text.lines().any(|line| line.contains(part));
    let kind = if says("Trial Alert") {
        AlertKind::Trial
    } else if says("sent again") || says("Sent again on request") {
        AlertKind::Resend
    } else if ["Lead Owner Found", "Owner found since", "Lead Owner Departed", "The owner has left."]
        .into_iter()
        .any(says)
    {
        AlertKind::FollowUp
    } else {
        AlertKind::New
    };
    let status = if says("No owner is assigned yet") {
        OwnerStatus::Missing
    } else if says("could not be looked up") {
        OwnerStatus::LookupFailed
    } else if says("The owner has left the organisation") {
        OwnerStatus::Departed
    } else if says("about another lead") {
        OwnerStatus::Mismatch
    } else {
        OwnerStatus::Assigned
    };
    Some(ShownAlert {
        lead: value("Lead ID: ")?.parse().ok()?,
        kind,
        owner: value("Lead Owner: ")?.to_owned(),
        status: Some(status),
        repeat: says("Possible repeat"),
    })
}
