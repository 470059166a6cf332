//! The samples, and webhooks made up of them.

use lead::LeadId;
use serde_json::Value;

/// The bytes of a sample, as Close sent them.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/samples/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A sample as JSON.
pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// The first sample about another lead, changed.
pub(crate) fn changed(lead: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut event = json("lead_created_01_oauth_app");
    for place in ["/event/lead_id", "/event/object_id", "/event/data/id"] {
        *event.pointer_mut(place).unwrap() = lead.into();
    }
    change(&mut event);
    event.to_string().into_bytes()
}

/// A lead's id.
pub(crate) fn id(lead: &str) -> LeadId {
    lead.parse().unwrap()
}
