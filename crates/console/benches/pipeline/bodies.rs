//! The bodies of webhooks: `lead.created` events of one organisation in Close, with random texts of varying
//! length.

use crate::chance::Chance;

/// How many different ones there are.
const BODIES: usize = 200;
/// Placeholders for the ids.
const LEAD: &str = "{lead}";
const EVENT: &str = "{event}";
const STATUSES: [&str; 4] = ["Potential", "Qualified", "Contacted", "Bad Fit"];

/// A body without the ids of its lead and its event.
pub(crate) struct Body(String);

impl Body {
    /// The body with these ids.
    pub(crate) fn with_ids(&self, lead: &str, event: &str) -> String {
        self.0.replace(LEAD, lead).replace(EVENT, event)
    }
}

/// All of them.
pub(crate) fn bodies(chance: &Chance) -> Vec<Body> {
    let organisation = Organisation::new(chance);
    (0..BODIES).map(|_| organisation.body(chance)).collect()
}

/// What the webhooks of one subscription have in common.
struct Organisation {
    id: String,
    subscription: String,
    /// Ids and names.
    users: Vec<(String, String)>,
    /// Labels and ids.
    statuses: Vec<(&'static str, String)>,
    custom_fields: Vec<String>,
}

impl Organisation {
    fn new(chance: &Chance) -> Self {
        Self {
            id: chance.id("orga_", 43),
            subscription: chance.id("whsub_", 22),
            users: (0..12)
                .map(|_| (chance.id("user_", 43), format!("{} {}", chance.name(), chance.name())))
                .collect(),
            statuses: STATUSES.map(|label| (label, chance.id("stat_", 43))).into(),
            custom_fields: (0..15).map(|_| chance.id("custom.cf_", 43)).collect(),
        }
    }

    fn body(&self, chance: &Chance) -> Body {
        let (user, user_name) = chance.pick(&self.users);
        let created = time(chance);
        let event = [
            ("id", text(EVENT)),
            ("date_created", text(&created)),
            ("date_updated", text(&created)),
            ("organization_id", text(&self.id)),
            ("user_id", text(user)),
            ("request_id", text(&chance.id("req_", 22))),
            ("api_key_id", text(&chance.id("api_", 22))),
            ("oauth_client_id", null()),
            ("oauth_scope", null()),
            ("object_type", text("lead")),
            ("object_id", text(LEAD)),
            ("lead_id", text(LEAD)),
            ("action", text("created")),
            ("changed_fields", list(&[])),
            ("meta", object(&[("request_path", text("/api/v1/lead/")), ("request_method", text("POST"))])),
            ("data", self.data(chance, &created, user, user_name)),
            ("previous_data", object(&[])),
        ];
        Body(object(&[("subscription_id", text(&self.subscription)), ("event", object(&event))]))
    }

    /// The lead itself.
    fn data(&self, chance: &Chance, created: &str, user: &str, user_name: &str) -> String {
        let with_zone = text(&format!("{created}+00:00"));
        let company = format!("{} {}", chance.name(), chance.name());
        let (status, status_id) = chance.pick(&self.statuses);
        let addresses: Vec<String> = (0..chance.between(0, 1)).map(|_| address(chance)).collect();
        let contacts: Vec<String> =
            (0..chance.between(1, 3)).map(|_| text(&chance.id("cont_", 43))).collect();
        let website = format!("https://{}.example", chance.id("", 12));
        let words = chance.between(0, 30);
        let mut fields = vec![
            ("date_updated", with_zone.clone()),
            ("addresses", list(&addresses)),
            ("organization_id", text(&self.id)),
            ("updated_by", text(user)),
            ("display_name", text(&company)),
            ("updated_by_name", text(user_name)),
            ("contact_ids", list(&contacts)),
            ("id", text(LEAD)),
            ("name", text(&company)),
            ("created_by_name", text(user_name)),
            ("created_by", text(user)),
            ("url", if chance.between(0, 1) == 0 { null() } else { text(&website) }),
            ("date_created", with_zone),
            ("status_label", text(status)),
            ("description", text(&chance.words(words))),
            ("status_id", text(status_id)),
        ];
        let share = chance.between(1, 4);
        for field in &self.custom_fields {
            if chance.between(0, 9) < share {
                fields.push((field, self.custom_value(chance)));
            }
        }
        object(&fields)
    }

    fn custom_value(&self, chance: &Chance) -> String {
        let words = chance.between(1, 6);
        match chance.between(0, 9) {
            0 => chance.between(0, 10_000_000).to_string(),
            1 => list(&[text(&chance.name()), text(&chance.words(words))]),
            2 => text(&chance.pick(&self.users).0),
            3 => text(&time(chance)),
            _ => text(&chance.words(words)),
        }
    }
}

fn address(chance: &Chance) -> String {
    object(&[
        ("label", text("business")),
        ("address_1", text(&format!("{} {} {}", chance.between(1, 999), chance.name(), chance.name()))),
        ("address_2", text(&format!("Unit {}", chance.between(1, 99)))),
        ("city", text(&chance.name())),
        ("state", text(&chance.name())),
        ("zipcode", text(&chance.between(10_000, 99_999).to_string())),
        ("country", text("US")),
    ])
}

/// A time as Close writes it, without its zone.
fn time(chance: &Chance) -> String {
    format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}000",
        chance.between(1, 12),
        chance.between(1, 28),
        chance.between(0, 23),
        chance.between(0, 59),
        chance.between(0, 59),
        chance.between(0, 999)
    )
}

/// A JSON string. Its text contains nothing that would have to be escaped.
fn text(inside: &str) -> String {
    format!("\"{inside}\"")
}

fn null() -> String {
    "null".to_owned()
}

fn list(values: &[String]) -> String {
    format!("[{}]", values.join(", "))
}

/// With spaces, as Close writes it.
fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}
