//! What a trial alert is about: no lead of anybody's.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{EnrichedLead, OwnerStatus};
use close::LeadId;
use outside::{UNASSIGNED, UNKNOWN, UNKNOWN_EMAIL};

impl EnrichedLead {
    /// What stands in a trial alert where a lead would.
    pub fn of_trial(at: Timestamp) -> Self {
        Self {
            lead_id: LeadId::of_trial(),
            display_name: "Trial of leadops".to_owned(),
            status_label: "Trial".to_owned(),
            date_created: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            lead_email: UNKNOWN_EMAIL.to_owned(),
            lead_phone: None,
            lead_owner: UNASSIGNED.to_owned(),
            owners: Vec::new(),
            funnel: UNKNOWN.to_owned(),
            enriched_at: at,
            event_id: None,
            received_at: at,
            owner_status: OwnerStatus::Missing,
            custom: BTreeMap::new(),
        }
    }
}
