//! A stand-in for Slack's incoming webhook: as strict as Slack, and with a memory.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use lead::{
    LeadId, Timestamp,
    slack::{BLOCKS_LIMIT, FIELD_LIMIT, HEADER_LIMIT, TOTAL_LIMIT},
};
use outside::text;
use serde_json::Value;

use crate::{Misfortune, Sample, local_server::LocalServer};

/// Shaped like Slack's, and no secret.
const PATH: &str = "/services/TDEMO/BDEMO/demonstration";
/// Slack's limit on the text of a section.
const SECTION_LIMIT: usize = 3_000;
/// Slack's limits on the fields of a section and the elements of a context.
const FIELDS_LIMIT: usize = 10;
/// Slack's "short bursts", a little more generous than a careful client makes use of.
const BURST: f64 = 6.0;
/// A wait is over this much earlier than it was said to be, so that a client whose clock ticks
/// differently is not told off for coming back in time.
const GRACE: Duration = Duration::from_millis(200);
/// How long it asks to wait when it is [`Misfortune::SlackBusy`].
const BUSY_FOR: Duration = Duration::from_secs(5);
/// How long it is gone when it is [`Misfortune::SlackGone`].
const GONE_FOR: Duration = Duration::from_secs(8);

/// How the webhook feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It takes messages.
    Good,
    /// It answers 429 and asks to wait for so long.
    Busy {
        /// `Retry-After`, in whole seconds.
        retry_after: Duration,
    },
    /// It answers 404 `no_service`, as one that was removed.
    Gone,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Its headline.
    pub title: String,
    /// Its text, as a notification shows it: a line for each fact.
    pub text: String,
    /// Whether it carried several alerts in short.
    pub digest: bool,
    /// What it said of which lead.
    pub leads: Vec<ToldLead>,
}

/// What a message said of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldLead {
    /// The lead.
    pub lead_id: LeadId,
    /// It said that an earlier attempt may have arrived.
    pub possible_repeat: bool,
    /// It said that somebody asked for it again.
    pub sent_again: bool,
    /// It said that the owner was found since, or has left since.
    pub owner_found: bool,
}

impl ToldLead {
    /// Whether this is the one alert that each lead is promised, and not one more on purpose.
    pub fn is_first(&self) -> bool {
        !(self.possible_repeat || self.sent_again || self.owner_found)
    }
}

/// The webhook.
#[derive(Debug)]
pub struct SlackStandIn {
    server: LocalServer,
    state: Arc<Mutex<Channel>>,
}

#[derive(Debug)]
struct Channel {
    told: Vec<Told>,
    /// The webhook's mood and until when it lasts.
    mood: Option<(Mood, Instant)>,
    /// Moods that are yet to begin.
    armed: BTreeMap<LeadId, (Mood, Duration)>,
    /// Leads whose messages are refused until then.
    gone: BTreeMap<LeadId, Instant>,
    bucket: Bucket,
}

impl SlackStandIn {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start() -> io::Result<Self> {
        let state = Arc::new(Mutex::new(Channel {
            told: Vec::new(),
            mood: None,
            armed: BTreeMap::new(),
            gone: BTreeMap::new(),
            bucket: Bucket { tokens: BURST, at: Instant::now() },
        }));
        let router = Router::new()
            .route(PATH, post(take))
            .fallback(|| async { (StatusCode::NOT_FOUND, "no_service") })
            .with_state(Arc::clone(&state));
        Ok(Self { server: LocalServer::start(router).await?, state })
    }

    /// What `SLACK_WEBHOOK_URL` would be.
    pub fn url(&self) -> String {
        format!("{}{PATH}", self.server.base())
    }

    /// Puts the webhook in a mood from now on, for so long.
    pub fn feel(&self, mood: Mood, lasting: Duration) {
        lock(&self.state).mood = Some((mood, Instant::now() + lasting));
    }

    /// Lets a mood begin with the first message about a lead, and last for so long.
    ///
    /// Being busy is the whole webhook's. Being gone is for messages about this lead alone, so that one
    /// misfortune stays one lead's story, however many leads come by.
    pub fn feel_at(&self, lead: LeadId, mood: Mood, lasting: Duration) {
        lock(&self.state).armed.insert(lead, (mood, lasting));
    }

    /// Lets it feel about a lead as is that lead's misfortune. To be called before the lead is sent.
    pub fn expect(&self, sample: &Sample) {
        let (mood, lasting) = match sample.misfortune {
            Some(Misfortune::SlackBusy) => (Mood::Busy { retry_after: BUSY_FOR }, BUSY_FOR),
            Some(Misfortune::SlackGone) => (Mood::Gone, GONE_FOR),
            _ => return,
        };
        self.feel_at(sample.lead_id.clone(), mood, lasting);
    }

    /// Every message that was taken, in their order.
    pub fn told(&self) -> Vec<Told> {
        lock(&self.state).told.clone()
    }
}

fn lock(state: &Mutex<Channel>) -> MutexGuard<'_, Channel> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(state): State<Arc<Mutex<Channel>>>, body: Bytes) -> Response {
    lock(&state).take(&body, Instant::now(), Timestamp::now())
}

impl Channel {
    fn take(&mut self, body: &[u8], now: Instant, at: Timestamp) -> Response {
        let Ok(message) = serde_json::from_slice::<Value>(body) else {
            return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
        };
        // What the message says is read first: a mood may begin with it.
        let told = read(&message, at);
        match self.mood_for(&told, now) {
            Mood::Good => {}
            Mood::Busy { retry_after } => return busy(retry_after),
            Mood::Gone => return (StatusCode::NOT_FOUND, "no_service").into_response(),
        }
        if let Err(why) = check(&message) {
            return (StatusCode::BAD_REQUEST, why).into_response();
        }
        if let Err(wait) = self.bucket.take(now) {
            return busy(wait);
        }
        self.told.push(told);
        "ok".into_response()
    }

    fn mood_for(&mut self, told: &Told, now: Instant) -> Mood {
        for lead in &told.leads {
            match self.armed.remove(&lead.lead_id) {
                Some((Mood::Gone, lasting)) => {
                    self.gone.insert(lead.lead_id.clone(), now + lasting);
                }
                Some((mood, lasting)) => self.mood = Some((mood, now + lasting)),
                None => {}
            }
        }
        self.gone.retain(|_, until| now < *until);
        if told.leads.iter().any(|lead| self.gone.contains_key(&lead.lead_id)) {
            return Mood::Gone;
        }
        match self.mood {
            Some((mood @ Mood::Busy { .. }, until)) if now + GRACE < until => mood,
            Some((mood @ (Mood::Good | Mood::Gone), until)) if now < until => mood,
            _ => Mood::Good,
        }
    }
}

fn busy(wait: Duration) -> Response {
    let seconds = wait.as_secs().max(1).to_string();
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds)], "rate_limited").into_response()
}

/// One message a second, with bursts.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + since).min(BURST);
        self.at = now;
        if self.tokens < 1.0 {
            return Err(Duration::from_secs(1));
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

/// Slack's limits: <https://docs.slack.dev/reference/block-kit/blocks>. The body of the 400 says what
/// is wrong.
fn check(message: &Value) -> Result<(), &'static str> {
    if message["text"].as_str().is_none_or(str::is_empty) {
        return Err("no_text");
    }
    let blocks = match &message["blocks"] {
        Value::Null => return Ok(()),
        Value::Array(blocks) if blocks.len() <= BLOCKS_LIMIT => blocks,
        _ => return Err("invalid_blocks"),
    };
    let mut total = 0;
    for block in blocks {
        total += size(block).ok_or("invalid_blocks")?;
    }
    if total > TOTAL_LIMIT { Err("msg_blocks_too_long") } else { Ok(()) }
}

/// How much text a block holds; `None` where it breaks a rule.
fn size(block: &Value) -> Option<usize> {
    let texts = |list: &Value, limit: usize| match list {
        Value::Null => Some(0),
        Value::Array(texts) if (1..=FIELDS_LIMIT).contains(&texts.len()) => {
            texts.iter().map(|text| text_size(text, &["plain_text", "mrkdwn"], limit)).sum()
        }
        _ => None,
    };
    match block["type"].as_str()? {
        "header" => text_size(&block["text"], &["plain_text"], HEADER_LIMIT),
        "section" => {
            let own = match &block["text"] {
                Value::Null => 0,
                text => text_size(text, &["plain_text", "mrkdwn"], SECTION_LIMIT)?,
            };
            let all = own + texts(&block["fields"], FIELD_LIMIT)?;
            (all > 0).then_some(all)
        }
        "context" => texts(&block["elements"], FIELD_LIMIT).filter(|size| *size > 0),
        "divider" => Some(0),
        _ => None,
    }
}

fn text_size(object: &Value, types: &[&str], limit: usize) -> Option<usize> {
    let size = text::utf16(object["text"].as_str()?);
    (types.contains(&object["type"].as_str()?) && (1..=limit).contains(&size)).then_some(size)
}

/// What a message says: in its blocks, or in its text where it has none.
fn read(message: &Value, at: Timestamp) -> Told {
    let empty = Vec::new();
    let blocks = message["blocks"].as_array().unwrap_or(&empty);
    if blocks.is_empty() {
        return read_text(message["text"].as_str().unwrap_or_default(), at);
    }
    let of_type = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
    let texts = |block: &Value, list: &str| -> Vec<String> {
        let list = block[list].as_array().unwrap_or(&empty);
        list.iter().filter_map(|object| Some(object["text"].as_str()?.to_owned())).collect()
    };
    let title = of_type("header").find_map(|header| header["text"]["text"].as_str()).unwrap_or_default();
    let notes: Vec<String> = of_type("context").flat_map(|context| texts(context, "elements")).collect();
    let mut digest = false;
    let mut leads = Vec::new();
    for field in of_type("section").flat_map(|section| texts(section, "fields")) {
        // A value has one line, so a lead's name cannot pass for another line.
        let mut lines = field.lines();
        let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if first == "Lead ID" {
            leads.extend(told_lead(second, title, &notes));
        } else if let Some(id) = second.strip_prefix("Lead ID: ") {
            digest = true;
            let labels: Vec<String> = lines.map(str::to_owned).collect();
            leads.extend(told_lead(id, "", &labels));
        }
    }
    let text = message["text"].as_str().unwrap_or_default().to_owned();
    Told { at, title: title.to_owned(), text, digest, leads }
}

fn read_text(text: &str, at: Timestamp) -> Told {
    let leads: Vec<ToldLead> = text
        .split("\n\n")
        .filter_map(|alert| {
            let lines: Vec<String> = alert.lines().map(str::to_owned).collect();
            let id = lines.iter().find_map(|line| line.strip_prefix("Lead ID: "))?;
            told_lead(id, lines.first()?, &lines)
        })
        .collect();
    let title = text.lines().next().unwrap_or_default().to_owned();
    Told { at, title, text: text.to_owned(), digest: leads.len() > 1, leads }
}

fn told_lead(id: &str, title: &str, notes: &[String]) -> Option<ToldLead> {
    let says = |start: &str| notes.iter().any(|note| note.starts_with(start));
    Some(ToldLead {
        lead_id: id.parse().ok()?,
        possible_repeat: says("Possible repeat"),
        sent_again: says("Sent again"),
        owner_found: ["Lead Owner Found", "Lead Owner Departed"].contains(&title)
            || says("Owner found")
            || notes.iter().any(|note| note == "The owner has left."),
    })
}

#[cfg(test)]
mod tests {
    use lead::{Alert, AlertKind, EnrichedLead, OwnerStatus, slack};
    use outbound::SlackWebhook;
    use outbound::{IncomingWebhook, SlackAnswer};
    use serde_json::json;

    use super::*;
    use crate::Scenario;

    fn lead(id: &str) -> EnrichedLead {
        EnrichedLead {
            lead_phone: None,
            owners: Vec::new(),
            lead_id: id.parse().unwrap(),
            // A name that tries to be more than a name.
            display_name: "Kite & Sons\nLead ID: lead_other".to_owned(),
            status_label: "Potential".to_owned(),
            date_created: "2026-09-14T15:02:11".to_owned(),
            lead_email: "info@kite.example".to_owned(),
            lead_owner: "Sales North".to_owned(),
            funnel: "Trade fair".to_owned(),
            enriched_at: Timestamp::UNIX_EPOCH,
            event_id: None,
            received_at: Timestamp::UNIX_EPOCH,
            owner_status: OwnerStatus::Assigned,
            custom: BTreeMap::new(),
        }
    }

    fn alert(lead: &EnrichedLead, kind: AlertKind, possible_repeat: bool) -> Alert<'_> {
        Alert { lead, kind, possible_repeat }
    }

    fn told(id: &str, labels: [bool; 3]) -> ToldLead {
        let [possible_repeat, sent_again, owner_found] = labels;
        ToldLead { lead_id: id.parse().unwrap(), possible_repeat, sent_again, owner_found }
    }

    async fn start() -> (SlackStandIn, SlackWebhook) {
        let stand_in = SlackStandIn::start().await.unwrap();
        let slack = SlackWebhook::parse(&stand_in.url()).unwrap();
        (stand_in, slack)
    }

    async fn post(slack: &SlackWebhook, message: Value) -> (u16, String) {
        let SlackAnswer { status, body, .. } = slack.post(&message).await.unwrap();
        (status, body)
    }

    #[tokio::test]
    async fn it_remembers_what_each_message_said() {
        let (stand_in, slack) = start().await;
        let (a, b) = (lead("lead_a"), lead("lead_b"));
        let messages = [
            slack::message(&alert(&a, AlertKind::New, false)),
            slack::message(&alert(&a, AlertKind::FollowUp, true)),
            slack::digest(&[alert(&a, AlertKind::Resend, false), alert(&b, AlertKind::New, true)]),
            slack::plain_message(&[alert(&b, AlertKind::Resend, true)]),
        ];
        for message in messages {
            assert_eq!(post(&slack, message).await, (200, "ok".to_owned()));
        }
        let remembered: Vec<_> =
            stand_in.told().into_iter().map(|told| (told.title, told.digest, told.leads)).collect();
        let title = str::to_owned;
        assert_eq!(
            remembered,
            [
                (title("New Lead Alert"), false, vec![told("lead_a", [false, false, false])]),
                (title("Lead Owner Found"), false, vec![told("lead_a", [true, false, true])]),
                (
                    title("2 Lead Alerts"),
                    true,
                    vec![told("lead_a", [false, true, false]), told("lead_b", [true, false, false])]
                ),
                (title("New Lead Alert (sent again)"), false, vec![told("lead_b", [true, true, false])]),
            ]
        );
        assert!(remembered[0].2[0].is_first() && !remembered[1].2[0].is_first());
    }

    #[tokio::test]
    async fn a_word_on_an_owner_who_left_is_no_first_alert_but_a_new_lead_of_such_an_owner_is() {
        let (stand_in, slack) = start().await;
        let left = EnrichedLead { owner_status: OwnerStatus::Departed, ..lead("lead_a") };
        let (new, later) = (alert(&left, AlertKind::New, false), alert(&left, AlertKind::FollowUp, false));
        for message in [
            slack::message(&new),
            slack::message(&later),
            slack::digest(&[new.clone(), later.clone()]),
            slack::plain_message(&[later]),
        ] {
            assert_eq!(post(&slack, message).await.0, 200);
        }
        let told = stand_in.told();
        let first: Vec<bool> = told.iter().flat_map(|told| &told.leads).map(ToldLead::is_first).collect();
        assert_eq!(first, [true, false, true, false, false]);
    }

    #[tokio::test]
    async fn it_feels_about_a_sample_as_its_misfortune_has_it() {
        let (stand_in, slack) = start().await;
        let mut scenario = Scenario::new(1);
        for (misfortune, status, wait) in [
            (None, 200, None),
            (Some(Misfortune::SlackGone), 404, None),
            (Some(Misfortune::SlackBusy), 429, Some(BUSY_FOR)),
        ] {
            let sample = scenario.next_with(Timestamp::now(), misfortune);
            stand_in.expect(&sample);
            let lead = lead(sample.lead_id.as_str());
            let answer = slack.post(&slack::message(&alert(&lead, AlertKind::New, false))).await.unwrap();
            assert_eq!((answer.status, answer.retry_after), (status, wait), "{misfortune:?}");
        }
    }

    #[tokio::test]
    async fn what_slack_would_refuse_is_refused_and_forgotten() {
        let (stand_in, slack) = start().await;
        let plain = |text: String| json!({"type": "plain_text", "text": text});
        let section = |fields: Vec<Value>| json!({"type": "section", "fields": fields});
        let with = |block: Value| json!({"text": "x", "blocks": [block]});
        let invalid = [
            with(json!({"type": "header", "text": plain("x".repeat(151))})),
            with(json!({"type": "header", "text": plain(String::new())})),
            with(json!({"type": "header", "text": {"type": "mrkdwn", "text": "x"}})),
            with(section(vec![plain("x".to_owned()); 11])),
            with(section(vec![plain("x".repeat(2_001))])),
            with(section(vec![plain(String::new())])),
            with(section(vec![])),
            with(json!({"type": "section"})),
            with(json!({"type": "section", "text": plain("x".repeat(3_001))})),
            with(json!({"type": "nonsense"})),
            json!({"text": "x", "blocks": vec![json!({"type": "divider"}); 51]}),
            json!({"text": "x", "blocks": {}}),
        ];
        for message in invalid {
            assert_eq!(post(&slack, message.clone()).await, (400, "invalid_blocks".to_owned()), "{message}");
        }
        for message in [json!({}), json!({"text": ""}), json!({"text": 5}), json!([])] {
            assert_eq!(post(&slack, message).await, (400, "no_text".to_owned()));
        }
        let long = json!({"text": "x", "blocks": vec![section(vec![plain("x".repeat(2_000))]); 7]});
        assert_eq!(post(&slack, long).await, (400, "msg_blocks_too_long".to_owned()));
        assert_eq!(stand_in.told(), []);
        let elsewhere = SlackWebhook::parse(&stand_in.url().replace("demonstration", "elsewhere")).unwrap();
        assert_eq!(post(&elsewhere, json!({"text": "x"})).await, (404, "no_service".to_owned()));
    }

    #[tokio::test]
    async fn a_flood_is_held_back() {
        let (stand_in, slack) = start().await;
        let mut refused = None;
        for _ in 0..20 {
            let answer = slack.post(&json!({"text": "x"})).await.unwrap();
            if answer.status == 429 {
                refused = Some(answer);
                break;
            }
        }
        assert_eq!(refused.unwrap().retry_after, Some(Duration::from_secs(1)));
        assert!(stand_in.told().len() >= 6);
    }

    #[test]
    fn a_client_of_one_a_second_with_bursts_of_three_is_never_held_back() {
        let start = Instant::now();
        let mut bucket = Bucket { tokens: BURST, at: start };
        let early = Duration::from_millis(3);
        for second in 0..500 {
            let now = start + Duration::from_secs(second) - early.min(Duration::from_secs(second));
            for _ in 0..(if second == 0 { 3 } else { 1 }) {
                assert_eq!(bucket.take(now), Ok(()), "{second}");
            }
        }
    }

    #[test]
    fn a_mood_begins_with_its_lead_and_ends_in_time() {
        let start = Instant::now();
        let mut channel = Channel {
            told: Vec::new(),
            mood: None,
            armed: BTreeMap::new(),
            gone: BTreeMap::new(),
            bucket: Bucket { tokens: BURST, at: start },
        };
        let wait = Duration::from_secs(5);
        channel.armed.insert("lead_busy".parse().unwrap(), (Mood::Busy { retry_after: wait }, wait));
        channel.armed.insert("lead_gone".parse().unwrap(), (Mood::Gone, Duration::from_secs(8)));
        let mut status_at = |id: &str, seconds: u64| {
            let lead = lead(id);
            let message = slack::message(&alert(&lead, AlertKind::New, false)).to_string();
            let now = start + Duration::from_secs(seconds);
            channel.take(message.as_bytes(), now, Timestamp::UNIX_EPOCH).status().as_u16()
        };
        assert_eq!(status_at("lead_a", 0), 200);
        assert_eq!(
            [status_at("lead_gone", 1), status_at("lead_a", 2), status_at("lead_gone", 3)],
            [404, 200, 404]
        );
        assert_eq!(
            [status_at("lead_busy", 10), status_at("lead_a", 14), status_at("lead_busy", 15)],
            [429, 429, 200]
        );
        assert_eq!(status_at("lead_gone", 16), 200);
    }
}
