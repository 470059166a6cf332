//! A webhook subscription, as Close describes it.

use crate::is_id;
use outside::text;
use serde_json::{Value, json};
use url::Url;

use super::{filter, said, secret::CloseSecret};

/// The event to subscribe to.
const EVENT: (&str, &str) = ("lead", "created");
/// How much of each of Close's texts is used, in characters.
const LONGEST: usize = 200;
/// How many hex digits a signature key has.
const KEY_DIGITS: usize = 64;

/// A webhook subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// `whsub_…`.
    pub id: String,
    /// Where it posts to, where that is a valid URL; without a fragment, which is never sent. Only
    /// [`Subscription::shown_url`] may be printed.
    pub url: Option<Url>,
    /// Whether Close delivers: its status is `active`, not `paused`.
    pub is_active: bool,
    /// Whether new leads are among its events.
    pub has_leads: bool,
    /// Which new leads it sends, to follow "where"; `None` where it sends all of them.
    pub filter: Option<String>,
    /// How many other kinds of events it has.
    pub others: usize,
    /// Whether Close verifies the certificate of the address.
    pub verifies_certificate: bool,
    /// The state of its deliveries, such as `healthy`.
    pub health: Option<String>,
    /// Why it was paused.
    pub pause_reason: Option<String>,
    /// The last failure of a delivery.
    pub latest_error: Option<String>,
    /// When it was last changed, as Close writes it: UTC without a time zone.
    pub changed_at: Option<String>,
    /// Its signature key, where Close shows it.
    pub key: Option<CloseSecret>,
}

impl Subscription {
    /// Reads one of Close's answers; `None` where it has no subscription's id.
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let field = |name: &str| answer.get(name).filter(|value| !value.is_null());
        // It becomes part of a path and of a list of keys.
        let id = field("id")?.as_str().filter(|id| is_id(id, "whsub"))?;
        let words = |name: &str| field(name).map(|value| text::shorten(&said::words(value), LONGEST));
        let events = field("events").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let is_leads = |event: &&Value| {
            let has = |name: &str, value: &str| event.get(name).and_then(Value::as_str) == Some(value);
            has("object_type", EVENT.0) && has("action", EVENT.1)
        };
        let leads: Vec<&Value> = events.iter().filter(is_leads).collect();
        // One entry without a filter sends them all, unless the whole subscription has one.
        let of_events: Option<Vec<String>> = leads
            .iter()
            .map(|event| filter_of(event))
            .collect::<Option<_>>()
            .filter(|all: &Vec<_>| !all.is_empty());
        let filters = of_events.map(|all| all.join(", or where "));
        let filter = [filters, filter_of(answer)].into_iter().flatten().collect::<Vec<_>>().join(", and ");
        let key = field("signature_key").and_then(Value::as_str).map(str::trim);
        // A placeholder for a key that is not shown is not one.
        let key = key.filter(|key| key.len() == KEY_DIGITS && key.bytes().all(|b| b.is_ascii_hexdigit()));
        Some(Self {
            id: id.to_owned(),
            url: field("url").and_then(Value::as_str).and_then(address),
            is_active: field("status").and_then(Value::as_str) == Some("active"),
            has_leads: !leads.is_empty(),
            filter: (!filter.is_empty()).then_some(filter),
            others: events.len() - leads.len(),
            verifies_certificate: field("verify_ssl") != Some(&Value::Bool(false)),
            health: words("health_status"),
            pause_reason: words("pause_reason"),
            latest_error: words("latest_error"),
            changed_at: words("date_updated"),
            key: key.map(CloseSecret::new),
        })
    }

    /// Where it posts to, without parts that may be secret.
    pub fn shown_url(&self) -> String {
        self.url.as_ref().map_or_else(|| "(no valid URL)".to_owned(), web::shown)
    }

    /// Whether it delivers every new lead.
    pub fn is_complete(&self) -> bool {
        self.is_active && self.has_leads && self.filter.is_none()
    }
}

fn address(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok().filter(Url::has_host)?;
    url.set_fragment(None);
    Some(url)
}

/// The filter of an event or of a whole subscription, as text.
fn filter_of(value: &Value) -> Option<String> {
    ["extra_filter", "event_filter"].iter().find_map(|name| filter::words(value.get(name)?))
}

/// The events to subscribe to: new leads, all of them.
pub(super) fn events() -> Value {
    json!([{"object_type": EVENT.0, "action": EVENT.1}])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &Value) -> Subscription {
        let mut answer = json!({
            "id": "whsub_1", "url": "https://h.example.com/crm/webhook", "status": "active", "events": events(),
        });
        for (name, value) in more.as_object().unwrap() {
            answer[name] = value.clone();
        }
        Subscription::read(&answer).unwrap()
    }

    fn filtered(filter: Value) -> Value {
        json!({"object_type": "lead", "action": "created", "extra_filter": filter})
    }

    #[test]
    fn a_filter_of_new_leads_is_said_and_one_of_others_is_not() {
        let status = json!({"type": "field_accessor", "field": "data", "filter": {
            "type": "field_accessor", "field": "status_label", "filter": {"type": "equals", "value": "Hot"}}});
        let words = "data.status_label is \"Hot\"";
        let updated = json!({"object_type": "lead", "action": "updated", "extra_filter": status});
        for (events, filter, complete) in [
            (json!([filtered(Value::Null)]), None, true),
            (json!([filtered(status.clone())]), Some(words.to_owned()), false),
            (json!([filtered(status.clone()), filtered(Value::Null)]), None, true),
            (
                json!([filtered(status.clone()), filtered(json!({"type": "is_null"}))]),
                Some(format!("{words}, or where it is empty")),
                false,
            ),
            (json!([filtered(Value::Null), updated]), None, true),
            (json!([updated]), None, false),
        ] {
            let subscription = read(&json!({"events": events}));
            assert_eq!((&subscription.filter, subscription.is_complete()), (&filter, complete), "{events}");
        }
        assert_eq!(read(&json!({"event_filter": status})).filter.as_deref(), Some(words));
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_not_there() {
        let bare = Subscription::read(&json!({"id": "whsub_1"})).unwrap();
        assert!(!bare.is_active && !bare.has_leads && bare.url.is_none() && bare.key.is_none());
        assert!(bare.verifies_certificate && bare.filter.is_none());
        for id in [json!("../x"), json!("whsub_"), json!("lead_1"), json!("whsub_a=b"), json!(7), Value::Null]
        {
            assert_eq!(Subscription::read(&json!({"id": id, "url": "https://x.example.com/"})), None);
        }
        for url in [json!("nonsense"), json!("mailto:a@b"), json!(1)] {
            assert_eq!(read(&json!({"url": url})).shown_url(), "(no valid URL)");
        }
        for key in [String::new(), "*".repeat(64), "ab".repeat(31), format!("{}zz", "ab".repeat(31))] {
            assert_eq!(read(&json!({"signature_key": key})).key, None);
        }
        assert_eq!(read(&json!({"url": "https://h.example.com/x#y"})).shown_url(), "https://h.example.com/x");
        assert!(!read(&json!({"verify_ssl": false})).verifies_certificate);
    }

    #[test]
    fn what_close_says_is_words() {
        let error = json!({"status_code": 401, "message": "401 Client Error: Unauthorized", "date": "2026-09-12T09:29:58"});
        let subscription =
            read(&json!({"latest_error": error, "pause_reason": "delivery\u{1b}[2J_failures"}));
        assert_eq!(
            subscription.latest_error.unwrap(),
            "date: 2026-09-12T09:29:58; message: 401 Client Error: Unauthorized; status_code: 401"
        );
        assert_eq!(subscription.pause_reason.unwrap(), "delivery [2J_failures");
    }
}
