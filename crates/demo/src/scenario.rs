//! The sample leads, and what goes wrong with the first of them.

use std::{fmt::Display, sync::Arc};

use lead::{LeadId, Timestamp};
use outside::text;
use pipeline::ports::Random;
use serde_json::{Value, json};
use system::SeededRandom;

use super::organization::{self, DEPARTED, FUNNEL_FIELD, MEMBERS, Member, OWNER_FIELD};

/// What goes wrong with a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Problem {
    /// Nobody is ever assigned: announced with the defaults.
    NoOwner,
    /// An owner is assigned only after it was announced: a follow-up names the owner.
    LateOwner,
    /// Its owner has left: announced with the owner's name, and that they have left.
    DepartedOwner,
    /// It has two owners: announced with both.
    TwoOwners,
    /// Close answers look-ups with a gateway's error page: announced with the defaults, and a follow-up names the owner
    /// once Close is back.
    CloseDown,
    /// Slack asks to wait: announced a little later.
    SlackBusy,
    /// Slack does not know the webhook: a dead letter, which can be redriven soon after.
    SlackGone,
    /// Signed with a key that is not ours: refused with 401.
    ForgedSignature,
    /// Delivered twice: announced once.
    DeliveredTwice,
    /// The body is cut off in the middle: refused with 400.
    MalformedBody,
}

impl Problem {
    /// Whether the webhook must refuse it.
    pub fn is_refused(self) -> bool {
        matches!(self, Self::ForgedSignature | Self::MalformedBody)
    }
}

/// The problems of the first dozen, arranged so that Slack's affect as few other leads as possible.
const OPENING: [Option<Problem>; 12] = [
    None,
    Some(Problem::LateOwner),
    Some(Problem::SlackGone),
    Some(Problem::DeliveredTwice),
    Some(Problem::NoOwner),
    Some(Problem::ForgedSignature),
    Some(Problem::DepartedOwner),
    Some(Problem::CloseDown),
    Some(Problem::MalformedBody),
    Some(Problem::TwoOwners),
    Some(Problem::SlackBusy),
    None,
];

/// A lead on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The lead.
    pub lead_id: LeadId,
    /// Its name.
    pub display_name: String,
    /// The body of the webhook, as Close writes it; cut short if that is its problem.
    pub event: Vec<u8>,
    /// What goes wrong with it.
    pub problem: Option<Problem>,
    /// Who owns it, or will.
    pub(crate) owners: Vec<&'static Member>,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) funnel: &'static str,
    pub(crate) status_label: &'static str,
    pub(crate) date_created: String,
}

/// An endless stream of leads: the same for the same seed and the same times.
#[derive(Debug)]
pub struct Scenario {
    random: Arc<SeededRandom>,
    count: usize,
    subscription: String,
}

impl Scenario {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        let mut new = Self { random: SeededRandom::new(seed), count: 0, subscription: String::new() };
        new.subscription = new.id("whsub_", 22);
        new
    }

    /// The next lead, created at `now`. Each problem happens to one of the first dozen.
    pub fn next(&mut self, now: Timestamp) -> Sample {
        let problem = OPENING.get(self.count).copied().flatten();
        self.next_with(now, problem)
    }

    /// The next lead with this problem, or without any.
    pub fn next_with(&mut self, now: Timestamp, problem: Option<Problem>) -> Sample {
        let display_name = name(self.count);
        self.count += 1;
        let lead = self.id("lead_", 43);
        let owners = match problem {
            Some(Problem::DepartedOwner) => vec![&DEPARTED],
            Some(Problem::TwoOwners) => self.two_members().to_vec(),
            _ => vec![self.one_of(&MEMBERS)],
        };
        let carries_owners = match problem {
            Some(Problem::TwoOwners) => true,
            Some(Problem::NoOwner | Problem::LateOwner | Problem::DepartedOwner | Problem::CloseDown) => {
                false
            }
            _ => *self.one_of(&[true, false]),
        };
        let (email, phone) = (format!("info@{}", domain(&display_name)), self.phone());
        let (funnel, status_label) = (*self.one_of(&FUNNELS), *self.one_of(&LABELS));
        let mut sample = Sample {
            // Made of the prefix and 43 letters and digits.
            lead_id: lead.parse().unwrap_or_else(|_| unreachable!("{lead} is a lead id")),
            display_name,
            event: Vec::new(),
            problem,
            owners,
            email,
            phone,
            funnel,
            status_label,
            date_created: format!("{}+00:00", now.strftime("%Y-%m-%dT%H:%M:%S.%6f")),
        };
        sample.event = self.event(&sample, carries_owners, now).into_bytes();
        if problem == Some(Problem::MalformedBody) {
            sample.event.truncate(sample.event.len() / 2);
        }
        sample
    }

    /// The body of the webhook, with its fields in Close's order.
    fn event(&mut self, sample: &Sample, carries_owners: bool, now: Timestamp) -> String {
        let at = now.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string();
        let lead = sample.lead_id.as_str();
        let [funnel, owners] = [FUNNEL_FIELD, OWNER_FIELD].map(|(_, id)| format!("custom.{id}"));
        let meta = [("request_path", written("/api/v1/lead/")), ("request_method", written("POST"))];
        let event = [
            ("id", written(self.id("ev_", 22))),
            ("date_created", written(&*at)),
            ("date_updated", written(&*at)),
            ("organization_id", written(organization::ID)),
            ("user_id", written(Value::Null)),
            ("request_id", written(self.id("req_", 22))),
            ("api_key_id", written(self.id("api_", 22))),
            ("oauth_client_id", written(Value::Null)),
            ("oauth_scope", written(Value::Null)),
            ("object_type", written("lead")),
            ("object_id", written(lead)),
            ("lead_id", written(lead)),
            ("action", written("created")),
            ("changed_fields", written(json!([]))),
            ("meta", object(meta)),
        ];
        let data = [
            ("id", written(lead)),
            ("organization_id", written(organization::ID)),
            ("name", written(&*sample.display_name)),
            ("display_name", written(&*sample.display_name)),
            ("description", written("")),
            ("url", written(format!("https://www.{}/", domain(&sample.display_name)))),
            ("status_id", written(self.id("stat_", 43))),
            ("status_label", written(sample.status_label)),
            ("addresses", written(json!([]))),
            ("contact_ids", written(json!([self.id("cont_", 43)]))),
            ("primary_email", written(sample.email_in_close())),
            ("primary_phone", written(sample.phone_in_close())),
            ("date_created", written(&*sample.date_created)),
            ("date_updated", written(&*sample.date_created)),
            (&funnel, written(sample.funnel)),
        ];
        let owners = carries_owners.then(|| (&*owners, written(sample.owner_value())));
        let data = object(data.into_iter().chain(owners));
        let event = event.into_iter().chain([("data", data), ("previous_data", written(json!({})))]);
        object([("subscription_id", written(&*self.subscription)), ("event", object(event))])
    }

    fn two_members(&mut self) -> [&'static Member; 2] {
        let first = self.one_of(&MEMBERS);
        loop {
            let second = self.one_of(&MEMBERS);
            if second != first {
                return [first, second];
            }
        }
    }

    /// A number reserved for fiction.
    fn phone(&mut self) -> String {
        format!("+1 202-555-01{:02}", self.random.bits() % 100)
    }

    fn id(&mut self, prefix: &str, length: usize) -> String {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let letters: String = (0..length).map(|_| char::from(*self.one_of(LETTERS))).collect();
        format!("{prefix}{letters}")
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let index = usize::try_from(self.random.bits() >> 33).unwrap_or_default() % list.len();
        &list[index]
    }
}

/// The name of the lead with this number: first each name unchanged, then with one town after the other.
fn name(number: usize) -> String {
    let [names, towns] =
        [include_str!("names.txt"), include_str!("towns.txt")].map(|list| list.lines().collect::<Vec<_>>());
    let name = names[number % names.len()];
    match (number / names.len()).checked_sub(1) {
        None => name.to_owned(),
        Some(round) => format!("{name} {}", towns[round % towns.len()]),
    }
}

/// A reserved domain (RFC 2606).
fn domain(name: &str) -> String {
    let folded = text::ascii(name).to_lowercase();
    let words: Vec<&str> =
        folded.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!("{}.example", if words.is_empty() { "company".to_owned() } else { words.join("-") })
}

const FUNNELS: [&str; 6] =
    ["Website form", "Trade fair", "Partner referral", "Webinar", "Free trial", "Newsletter"];

const LABELS: [&str; 3] = ["Potential", "Qualified", "Interested"];

/// JSON as Python's encoder writes it: a space after each comma and colon, and only ASCII.
fn written(value: impl Into<Value>) -> String {
    match value.into() {
        Value::Object(fields) => object(fields.into_iter().map(|(name, value)| (name, written(value)))),
        Value::Array(values) => {
            format!("[{}]", values.into_iter().map(written).collect::<Vec<_>>().join(", "))
        }
        value => {
            let mut written = String::new();
            for c in value.to_string().chars() {
                match c.is_ascii() {
                    true => written.push(c),
                    false => written
                        .extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
                }
            }
            written
        }
    }
}

/// An object of written values, in this order.
fn object<N: Display>(fields: impl IntoIterator<Item = (N, String)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use close::{CustomFieldOwners, FieldId, FieldSetting, Incoming, Malformed};

    use super::*;

    fn stream(seed: u64, length: usize) -> Vec<Sample> {
        let mut scenario = Scenario::new(seed);
        let now: Timestamp = "2026-09-14T15:02:11.674Z".parse().unwrap();
        (0..length).map(|_| scenario.next(now)).collect()
    }

    #[test]
    fn every_problem_occurs_once_and_within_the_first_dozen() {
        let samples = stream(1, 500);
        let problems: Vec<_> = samples.iter().filter_map(|sample| sample.problem).collect();
        assert_eq!(problems.len(), 10);
        assert_eq!(problems.iter().collect::<BTreeSet<_>>().len(), 10);
        assert!(samples.iter().skip(12).all(|sample| sample.problem.is_none()));
        assert_eq!(problems.iter().filter(|problem| problem.is_refused()).count(), 2);
    }

    #[test]
    fn every_event_is_what_it_says_it_is() {
        let mut carried = Vec::new();
        for sample in stream(7, 500) {
            let parsed = Incoming::parse(&sample.event);
            if sample.problem == Some(Problem::MalformedBody) {
                assert!(matches!(parsed, Err(Malformed::NotAnEvent(_))), "{parsed:?}");
                continue;
            }
            let Ok(Incoming::Created(created)) = parsed else { panic!("{parsed:?}") };
            assert_eq!((&created.lead_id, &created.name()), (&sample.lead_id, &sample.display_name));
            assert_eq!(sample.lead_id.as_str().len(), 48);
            assert_eq!(created.created_at(), "2026-09-14T15:02:11.674Z".parse().ok());
            let field = |id: &str| (FieldSetting::parse(id).unwrap(), FieldId::parse(id).unwrap());
            let (owner, funnel) = (field(OWNER_FIELD.1), field(FUNNEL_FIELD.1));
            let funnel = Some((&funnel.0, &funnel.1));
            let custom = (&created.custom, &created.custom_by_name);
            let owned = CustomFieldOwners::of_webhook(custom.0, custom.1, (&owner.0, &owner.1), funnel);
            assert_eq!(owned.funnel.as_deref(), Some(sample.funnel));
            carried.push(!owned.owners.is_empty());
            if !owned.owners.is_empty() {
                assert_eq!(owned.owners, sample.owners.iter().map(|owner| owner.id).collect::<Vec<_>>());
            }
            assert_eq!(created.organization_id.as_deref(), Some(organization::ID));
            assert!(sample.email.ends_with(".example") && sample.phone.starts_with("+1 202-555-01"));
            let (count, left) = match sample.problem {
                Some(Problem::TwoOwners) => (2, false),
                problem => (1, problem == Some(Problem::DepartedOwner)),
            };
            assert_eq!(sample.owners.iter().collect::<BTreeSet<_>>().len(), count);
            assert_eq!(sample.owners.contains(&&DEPARTED), left);
        }
        let count = carried.iter().filter(|carried| **carried).count();
        assert!((150..350).contains(&count), "{count} of 500 have their owners in the webhook");
    }

    #[test]
    fn the_bytes_are_as_close_writes_them() {
        let sample = stream(1, 5).pop().unwrap();
        let event = String::from_utf8(sample.event).unwrap();
        assert!(event.is_ascii() && event.starts_with("{\"subscription_id\": \"whsub_"), "{event}");
        assert!(
            event.contains("\"display_name\": \"\\u682a\\u5f0f\\u4f1a\\u793e\\u307f\\u306a\\u3068\", "),
            "{event}"
        );
        assert!(event.contains("\"date_created\": \"2026-09-14T15:02:11.674000\", "), "{event}");
        assert!(event.contains("\"date_created\": \"2026-09-14T15:02:11.674000+00:00\", "), "{event}");
        assert!(event.contains("\"changed_fields\": [], \"meta\": {\"request_path\": "), "{event}");
        assert!(event.ends_with("\"previous_data\": {}}}"), "{event}");
    }

    #[test]
    fn a_seed_makes_the_same_stream_and_another_seed_another() {
        assert_eq!(stream(1, 100), stream(1, 100));
        let ids = |seed| stream(seed, 500).into_iter().map(|sample| sample.lead_id).collect::<BTreeSet<_>>();
        assert!(ids(1).len() == 500 && ids(1).is_disjoint(&ids(2)));
        let names: BTreeSet<_> = stream(1, 500).into_iter().map(|sample| sample.display_name).collect();
        assert!(names.len() > 400);
    }
}
