//! The leads of a fixture, each called after the state that it is in.

use lead::LeadId;
use serde_json::json;

/// Waits for its due time.
pub const WAITING: &str = "Waiting";
/// Waits as well, and is due soon.
pub const DUE: &str = "Due";
/// Was announced without an owner, who is looked for again.
pub const SEARCHED: &str = "Searched";
/// Was announced without an owner, who is not looked for any more.
pub const UNOWNED: &str = "Unowned";
/// Was announced without an owner, and again when there was one.
pub const FOLLOWED_UP: &str = "FollowedUp";
/// Was announced, to everybody and once.
pub const ANNOUNCED: &str = "Announced";
/// Was announced, and is to be processed again, as an operator has asked.
pub const REQUEUED: &str = "Requeued";
/// Was announced, and again as an operator had asked.
pub const RESENT: &str = "Resent";
/// Was announced, and is to be again, as an operator has asked.
pub const RESENDING: &str = "Resending";
/// Slack's alert is being posted by a worker that is gone; the mail has failed once, and is tried again.
pub const HALF_SENT: &str = "HalfSent";
/// Died in the delay queue, as its raw event was gone.
pub const UNREADABLE: &str = "Unreadable";
/// Its alert on Slack died.
pub const REFUSED: &str = "Refused";
/// Its alert on Slack died, and was put back as it was.
pub const REDRIVEN: &str = "Redriven";
/// Its alert on Slack died, and was put back edited.
pub const EDITED: &str = "Edited";
/// Its alert on Slack died, and the dead letter was deleted.
pub const DELETED: &str = "Deleted";

/// All of them.
pub const ALL: [&str; 15] = [
    WAITING,
    DUE,
    SEARCHED,
    UNOWNED,
    FOLLOWED_UP,
    ANNOUNCED,
    REQUEUED,
    RESENT,
    RESENDING,
    HALF_SENT,
    UNREADABLE,
    REFUSED,
    REDRIVEN,
    EDITED,
    DELETED,
];

/// A lead's id, as long as Close's are.
pub fn id(name: &str) -> LeadId {
    format!("lead_{name:0<43}").parse().unwrap()
}

/// What Close sends of it: a name with letters of several scripts, and custom fields of every kind.
pub fn event(name: &str) -> Vec<u8> {
    let lead = id(name);
    let event = json!({"subscription_id": "whsub_upgrade", "event": {
        "id": format!("ev_{name:0<22}"), "object_type": "lead", "action": "created",
        "lead_id": lead, "object_id": lead, "date_created": "2026-09-14T15:02:11.642000",
        "data": {
            "id": lead, "display_name": format!("{name} & Söhne 株式会社"), "status_label": "Potential",
            "date_created": "2026-09-14T15:02:11.642000+00:00",
            "custom.cf_a": "Trade fair", "custom.cf_b": ["One", "Two"], "custom.cf_c": 12_345_678_901_234_567_u64,
            "custom.cf_d": null,
        },
    }});
    // A space behind it: these bytes, and not what they mean, are stored.
    format!("{event} ").into_bytes()
}

/// The owner document of a lead.
pub fn owner(name: &str) -> String {
    let document = json!({
        "lead_id": id(name), "lead_owner": "Sales North", "lead_email": "lead@example.org", "funnel": "Trade fair",
    });
    document.to_string()
}
