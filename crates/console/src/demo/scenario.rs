//! The sample leads, and what goes wrong with the first of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lead::{LeadId, Timestamp, text};
use pipeline::ports::Random;
use serde::Serialize;
use serde_json::{
    json,
    ser::{CharEscape, Formatter},
};
use system::SeededRandom;

use super::{Mood, OwnerStandIn, Says, SlackStandIn};

/// How long Slack asks to wait when it is [`Misfortune::SlackBusy`].
const BUSY_FOR: Duration = Duration::from_secs(5);
/// How long Slack does not know the webhook when it is [`Misfortune::SlackGone`].
const GONE_FOR: Duration = Duration::from_secs(8);

/// What goes wrong with a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Misfortune {
    /// Nobody is ever assigned: told with the defaults.
    NoOwner,
    /// Somebody is assigned only after it was told: a follow-up says who.
    LateOwner,
    /// The owner document breaks off in the middle: told with the defaults.
    BrokenOwner,
    /// The owner document is about another lead: told with the defaults.
    OtherLeadsOwner,
    /// Slack asks to wait when it is told: told a little later.
    SlackBusy,
    /// Slack does not know the webhook when it is told: a dead letter, which can be redriven soon after.
    SlackGone,
    /// Signed with a key that is not ours: refused with 401.
    ForgedSignature,
    /// Delivered twice: told once.
    DeliveredTwice,
    /// The body breaks off in the middle: refused with 400.
    MalformedBody,
}

impl Misfortune {
    /// Whether the webhook must refuse it.
    pub fn is_refused(self) -> bool {
        matches!(self, Self::ForgedSignature | Self::MalformedBody)
    }
}

/// The first dozen, so that the troubles of Slack meet as few other leads as possible.
const OPENING: [Option<Misfortune>; 12] = [
    None,
    Some(Misfortune::LateOwner),
    Some(Misfortune::SlackGone),
    Some(Misfortune::DeliveredTwice),
    Some(Misfortune::NoOwner),
    Some(Misfortune::ForgedSignature),
    None,
    Some(Misfortune::BrokenOwner),
    Some(Misfortune::MalformedBody),
    Some(Misfortune::OtherLeadsOwner),
    Some(Misfortune::SlackBusy),
    None,
];

/// A lead on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The lead.
    pub lead_id: LeadId,
    /// Its name.
    pub display_name: String,
    /// The body of the webhook, as Close writes it; cut short where that is the misfortune.
    pub event: Vec<u8>,
    /// What goes wrong with it.
    pub misfortune: Option<Misfortune>,
    /// The owner document that it has, or would have.
    owner: String,
}

impl Sample {
    /// The owner document that it has, or would have.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// Tells the stand-ins what to do when it comes by. To be called before it is sent.
    ///
    /// `delay` is the pipeline's: an owner who is late appears between the first look-up, one delay
    /// from now, and the second, at least one delay after that.
    pub fn set_stage(&self, owners: &OwnerStandIn, slack: &SlackStandIn, delay: Duration) {
        let document = self.owner.clone();
        let says = match self.misfortune {
            Some(Misfortune::NoOwner) => Says::Nothing,
            Some(Misfortune::LateOwner) => {
                let between = delay + delay.max(Duration::from_secs(1)) / 2;
                Says::DocumentFrom(Instant::now() + between, document)
            }
            Some(Misfortune::BrokenOwner) => Says::Document(half(&document).to_owned()),
            _ => Says::Document(document),
        };
        owners.say(self.lead_id.clone(), says);
        match self.misfortune {
            Some(Misfortune::SlackBusy) => {
                slack.feel_at(self.lead_id.clone(), Mood::Busy { retry_after: BUSY_FOR }, BUSY_FOR);
            }
            Some(Misfortune::SlackGone) => slack.feel_at(self.lead_id.clone(), Mood::Gone, GONE_FOR),
            _ => {}
        }
    }
}

fn half(text: &str) -> &str {
    let mut end = text.len() / 2;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// An endless stream of leads: the same for the same seed and the same times.
#[derive(Debug)]
pub struct Scenario {
    random: Arc<SeededRandom>,
    count: usize,
    subscription: String,
    organization: String,
}

impl Scenario {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        let mut new = Self {
            random: SeededRandom::new(seed),
            count: 0,
            subscription: String::new(),
            organization: String::new(),
        };
        new.subscription = new.id("whsub_", 22);
        new.organization = new.id("orga_", 43);
        new
    }

    /// The next lead, created at `now`.
    pub fn next(&mut self, now: Timestamp) -> Sample {
        let misfortune = OPENING.get(self.count).copied().flatten();
        let display_name = name(self.count);
        self.count += 1;
        let (lead, other) = (self.id("lead_", 43), self.id("lead_", 43));
        let (funnel, status_label) = (*self.one_of(&FUNNELS), *self.one_of(&LABELS));
        let domain = domain(&display_name);
        let created = format!("{}+00:00", now.strftime("%Y-%m-%dT%H:%M:%S.%6f"));
        let owner = json!({
            "lead_id": if misfortune == Some(Misfortune::OtherLeadsOwner) { &other } else { &lead },
            "display_name": display_name,
            "lead_email": format!("info@{domain}"),
            "lead_owner": *self.one_of(&DESKS),
            "funnel": funnel,
            "status_label": status_label,
            "date_created": created,
        });
        let event = self.event(&lead, &display_name, status_label, funnel, &domain, now, &created);
        let event = as_close_writes(&event);
        Sample {
            // Made of the prefix and 43 letters and digits.
            lead_id: lead.parse().unwrap_or_else(|_| unreachable!("{lead} is a lead id")),
            display_name,
            event: match misfortune {
                Some(Misfortune::MalformedBody) => half(&event).as_bytes().to_vec(),
                _ => event.into_bytes(),
            },
            misfortune,
            owner: owner.to_string(),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the facts of one event, used here alone")]
    fn event(
        &mut self,
        lead: &str,
        name: &str,
        status_label: &'static str,
        funnel: &'static str,
        domain: &str,
        now: Timestamp,
        created: &str,
    ) -> Body {
        let at = now.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string();
        Body {
            subscription_id: self.subscription.clone(),
            event: Event {
                id: self.id("ev_", 22),
                date_created: at.clone(),
                date_updated: at,
                organization_id: self.organization.clone(),
                user_id: None,
                request_id: self.id("req_", 22),
                api_key_id: Some(self.id("api_", 22)),
                oauth_client_id: None,
                oauth_scope: None,
                object_type: "lead",
                object_id: lead.to_owned(),
                lead_id: lead.to_owned(),
                action: "created",
                changed_fields: [],
                meta: Meta { request_path: "/api/v1/lead/", request_method: "POST" },
                data: Data {
                    id: lead.to_owned(),
                    organization_id: self.organization.clone(),
                    name: name.to_owned(),
                    display_name: name.to_owned(),
                    description: "",
                    url: format!("https://www.{domain}/"),
                    status_id: self.id("stat_", 43),
                    status_label,
                    addresses: [],
                    contact_ids: [self.id("cont_", 43)],
                    date_created: created.to_owned(),
                    date_updated: created.to_owned(),
                    funnel,
                },
                previous_data: json!({}),
            },
        }
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

/// The name of the lead with this number: first each as it is, then with one town after the other.
fn name(number: usize) -> String {
    let name = NAMES[number % NAMES.len()];
    match (number / NAMES.len()).checked_sub(1) {
        None => name.to_owned(),
        Some(round) => format!("{name} {}", TOWNS[round % TOWNS.len()]),
    }
}

/// A domain that nobody has (RFC 2606).
fn domain(name: &str) -> String {
    let folded = text::ascii(name).to_lowercase();
    let words: Vec<&str> =
        folded.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!("{}.example", if words.is_empty() { "company".to_owned() } else { words.join("-") })
}

const NAMES: [&str; 40] = [
    "Harbour Logistics",
    "Northwind GmbH",
    "Zoë & Söhne",
    "Kite & Sons",
    "株式会社みなと",
    "Blue Heron Catering",
    "Ateliers du Fleuve",
    "Copperfield Roofing",
    "Lakeside Dental Group",
    "Panadería La Espiga",
    "Granite Peak Outfitters",
    "Fjordlys Energi AS",
    "Meridian Packaging",
    "Saltmarsh Brewery",
    "Łódź Textile Works",
    "Cedar & Slate Architects",
    "Old Mill Bakery",
    "Tramontana Viaggi",
    "Brightwater Schools Trust",
    "Quarry Lane Motors",
    "Österby Möbler AB",
    "Halcyon Print Co.",
    "Riverbend Veterinary",
    "Foxglove Interiors",
    "Azores Sea Freight",
    "Milestone Freight & Storage",
    "Café Lindenhof",
    "Summit Ridge Solar",
    "Paper Lantern Events",
    "Kestrel Air Charter",
    "Vinícola Serra Alta",
    "Orchard Row Nurseries",
    "Baltic Timber OÜ",
    "Stonebridge Fitness",
    "Marigold Home Care",
    "Delta Grain Cooperative",
    "Θάλασσα Tours",
    "Ironwood Tools",
    "Silverline Elevators",
    "Juniper Street Books",
];

const TOWNS: [&str; 12] = [
    "Rotterdam",
    "Leeds",
    "Graz",
    "Porto",
    "Malmö",
    "Austin",
    "Cork",
    "Lyon",
    "Gdańsk",
    "Turin",
    "Ghent",
    "Osaka",
];

const DESKS: [&str; 8] = [
    "Sales North",
    "Sales South",
    "Partner Desk",
    "Inbound EMEA",
    "Inbound Americas",
    "Key Accounts",
    "Mid-Market Desk",
    "Renewals Desk",
];

const FUNNELS: [&str; 6] =
    ["Website form", "Trade fair", "Partner referral", "Webinar", "Free trial", "Newsletter"];

const LABELS: [&str; 3] = ["Potential", "Qualified", "Interested"];

/// The body of a webhook, in the order of Close's fields.
#[derive(Serialize)]
struct Body {
    subscription_id: String,
    event: Event,
}

#[derive(Serialize)]
struct Event {
    id: String,
    date_created: String,
    date_updated: String,
    organization_id: String,
    user_id: Option<String>,
    request_id: String,
    api_key_id: Option<String>,
    oauth_client_id: Option<String>,
    oauth_scope: Option<String>,
    object_type: &'static str,
    object_id: String,
    lead_id: String,
    action: &'static str,
    changed_fields: [(); 0],
    meta: Meta,
    data: Data,
    previous_data: serde_json::Value,
}

#[derive(Serialize)]
struct Meta {
    request_path: &'static str,
    request_method: &'static str,
}

#[derive(Serialize)]
struct Data {
    id: String,
    organization_id: String,
    name: String,
    display_name: String,
    description: &'static str,
    url: String,
    status_id: String,
    status_label: &'static str,
    addresses: [(); 0],
    contact_ids: [String; 1],
    date_created: String,
    date_updated: String,
    #[serde(rename = "custom.cf_mLGb4kWzZlDB5mpWe7iZ24A6pJmoQkL0pIxCjrABYCN")]
    funnel: &'static str,
}

/// JSON as Python's encoder writes it: a space after each comma and colon, and ASCII alone.
fn as_close_writes(body: &Body) -> String {
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, CloseFormat);
    // Text and numbers into memory: nothing here can fail.
    let _ = body.serialize(&mut serializer);
    String::from_utf8(json).unwrap_or_default()
}

struct CloseFormat;

impl Formatter for CloseFormat {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { to.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, to: &mut W) -> std::io::Result<()> {
        to.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        text: &str,
    ) -> std::io::Result<()> {
        for c in text.chars() {
            if c.is_ascii() {
                write!(to, "{c}")?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(to, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + std::io::Write>(
        &mut self,
        to: &mut W,
        escape: CharEscape,
    ) -> std::io::Result<()> {
        // Those of serde_json, which are Python's too.
        serde_json::ser::CompactFormatter.write_char_escape(to, escape)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lead::{Incoming, Malformed, OwnerDocument};
    use outbound::{HttpOwners, OwnersBase, SlackWebhook};
    use pipeline::ports::{OwnerDirectory, Slack};

    use super::*;

    fn stream(seed: u64, length: usize) -> Vec<Sample> {
        let mut scenario = Scenario::new(seed);
        let now: Timestamp = "2026-09-14T15:02:11.674Z".parse().unwrap();
        (0..length).map(|_| scenario.next(now)).collect()
    }

    #[test]
    fn every_misfortune_comes_once_and_within_the_first_dozen() {
        let samples = stream(1, 500);
        let misfortunes: Vec<_> = samples.iter().filter_map(|sample| sample.misfortune).collect();
        assert_eq!(misfortunes.len(), 9);
        assert_eq!(misfortunes.iter().collect::<BTreeSet<_>>().len(), 9);
        assert!(samples.iter().skip(12).all(|sample| sample.misfortune.is_none()));
        assert_eq!(misfortunes.iter().filter(|misfortune| misfortune.is_refused()).count(), 2);
    }

    #[test]
    fn every_event_is_what_it_says_it_is() {
        for sample in stream(7, 500) {
            let parsed = Incoming::parse(&sample.event);
            if sample.misfortune == Some(Misfortune::MalformedBody) {
                assert!(matches!(parsed, Err(Malformed::NotAnEvent(_))), "{parsed:?}");
                continue;
            }
            let Ok(Incoming::Created(created)) = parsed else { panic!("{parsed:?}") };
            assert_eq!((&created.lead_id, &created.name()), (&sample.lead_id, &sample.display_name));
            assert_eq!(sample.lead_id.as_str().len(), 48);
            assert_eq!(created.created_at(), "2026-09-14T15:02:11.674Z".parse().ok());
            assert_eq!(created.custom.len(), 1);
            let owner = OwnerDocument::parse(sample.owner.as_bytes()).unwrap();
            assert_eq!(
                owner.is_about_another(&created.lead_id),
                sample.misfortune == Some(Misfortune::OtherLeadsOwner)
            );
            assert!(owner.lead_email.unwrap().ends_with(".example") && owner.lead_owner.is_some());
            assert!(OwnerDocument::parse(half(&sample.owner).as_bytes()).is_err());
        }
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

    #[tokio::test]
    async fn the_stage_is_set_for_every_misfortune() {
        let (directory, channel) =
            (OwnerStandIn::start().await.unwrap(), SlackStandIn::start().await.unwrap());
        let owners = HttpOwners::new(OwnersBase::parse(&directory.base()).unwrap()).unwrap();
        let slack = SlackWebhook::parse(&channel.url()).unwrap();
        for sample in stream(1, 12) {
            sample.set_stage(&directory, &channel, Duration::from_secs(600));
            let answer = owners.fetch(&sample.lead_id).await.unwrap();
            let found = (answer.status == 200).then(|| {
                OwnerDocument::parse(&answer.body).map(|owner| owner.is_about_another(&sample.lead_id))
            });
            let expected = match sample.misfortune {
                Some(Misfortune::NoOwner | Misfortune::LateOwner) => None,
                Some(Misfortune::BrokenOwner) => {
                    assert!(matches!(found, Some(Err(_))));
                    continue;
                }
                misfortune => Some(Ok(misfortune == Some(Misfortune::OtherLeadsOwner))),
            };
            assert_eq!(found, expected, "{:?}", sample.misfortune);
            let (status, wait) = match sample.misfortune {
                Some(Misfortune::SlackGone) => (404, None),
                Some(Misfortune::SlackBusy) => (429, Some(BUSY_FOR)),
                _ => continue,
            };
            let about = json!({"type": "plain_text", "text": format!("Lead ID\n{}", sample.lead_id)});
            let message = json!({"text": "x", "blocks": [{"type": "section", "fields": [about]}]});
            let answer = slack.post(&message).await.unwrap();
            assert_eq!((answer.status, answer.retry_after), (status, wait));
        }
    }
}
