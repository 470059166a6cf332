//! A fake of Slack's incoming webhook, as strict as Slack, which remembers its messages.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
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

use crate::{Problem, Sample, local_server::LocalServer};

/// Shaped like Slack's, and no secret.
const PATH: &str = "/services/TDEMO/BDEMO/demonstration";
/// Slack's limit on the text of a section.
const SECTION_LIMIT: usize = 3_000;
/// Slack's limits on the fields of a section and the elements of a context.
const FIELDS_LIMIT: usize = 10;
/// Slack's "short bursts", a little more generous than a careful client needs.
const BURST: f64 = 6.0;
/// A wait ends this much earlier than announced, so that a client with a slightly different clock is not refused for
/// coming back on time.
const GRACE: Duration = Duration::from_millis(200);
/// How long it asks to wait for [`Problem::SlackBusy`].
const BUSY_FOR: Duration = Duration::from_secs(5);
/// How long the webhook is gone for [`Problem::SlackGone`].
const GONE_FOR: Duration = Duration::from_secs(8);

/// How the webhook answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlackMode {
    /// It accepts messages.
    Normal,
    /// It answers 429 and asks to wait.
    RateLimited {
        /// `Retry-After`, in whole seconds.
        retry_after: Duration,
    },
    /// It answers 404 `no_service`, like one that was removed.
    Gone,
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// When.
    pub at: Timestamp,
    /// Its headline.
    pub title: String,
    /// Its text, as a notification shows it: a line for each fact.
    pub text: String,
    /// Whether it is a digest of several alerts.
    pub digest: bool,
    /// The leads that it mentions.
    pub leads: Vec<LeadMention>,
}

/// What a message says about a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadMention {
    /// The lead.
    pub lead_id: LeadId,
    /// Labelled as a possible repeat of an earlier attempt.
    pub possible_repeat: bool,
    /// Labelled as sent again on request.
    pub sent_again: bool,
    /// It says that the owner has been found, or has left, since the last alert.
    pub owner_found: bool,
}

impl LeadMention {
    /// Whether this is the one alert that each lead is promised, not a deliberate further one.
    pub fn is_first(&self) -> bool {
        !(self.possible_repeat || self.sent_again || self.owner_found)
    }
}

/// The webhook.
#[derive(Debug)]
pub struct FakeSlack {
    server: LocalServer,
    state: Arc<Mutex<Channel>>,
}

#[derive(Debug)]
struct Channel {
    messages: Vec<ReceivedMessage>,
    /// The webhook's mode, and until when it lasts.
    mode: Option<(SlackMode, Instant)>,
    /// Modes that begin with the first message about a lead.
    armed: BTreeMap<LeadId, (SlackMode, Duration)>,
    /// Leads whose messages are refused until then.
    gone: BTreeMap<LeadId, Instant>,
    bucket: Bucket,
}

impl FakeSlack {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start() -> io::Result<Self> {
        let state = Arc::new(Mutex::new(Channel {
            messages: Vec::new(),
            mode: None,
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

    /// Puts the webhook into a mode from now on, for a time.
    pub fn set_mode(&self, mode: SlackMode, lasting: Duration) {
        pipeline::lock(&self.state).mode = Some((mode, Instant::now() + lasting));
    }

    /// Begins a mode with the first message about a lead, for a time.
    ///
    /// Rate limiting applies to the whole webhook. Being gone applies only to messages about this lead, so that one
    /// problem affects one lead, however many others arrive.
    pub fn set_mode_at(&self, lead: LeadId, mode: SlackMode, lasting: Duration) {
        pipeline::lock(&self.state).armed.insert(lead, (mode, lasting));
    }

    /// Prepares the problem of a sample. Call it before the lead is sent.
    pub fn prepare(&self, sample: &Sample) {
        let (mode, lasting) = match sample.problem {
            Some(Problem::SlackBusy) => (SlackMode::RateLimited { retry_after: BUSY_FOR }, BUSY_FOR),
            Some(Problem::SlackGone) => (SlackMode::Gone, GONE_FOR),
            _ => return,
        };
        self.set_mode_at(sample.lead_id.clone(), mode, lasting);
    }

    /// All accepted messages, in order.
    pub fn messages(&self) -> Vec<ReceivedMessage> {
        pipeline::lock(&self.state).messages.clone()
    }
}

async fn take(State(state): State<Arc<Mutex<Channel>>>, body: Bytes) -> Response {
    pipeline::lock(&state).take(&body, Instant::now(), Timestamp::now())
}

impl Channel {
    fn take(&mut self, body: &[u8], now: Instant, at: Timestamp) -> Response {
        let Ok(message) = serde_json::from_slice::<Value>(body) else {
            return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
        };
        // The message is read first: a mode may begin with it.
        let received = read(&message, at);
        match self.mode_for(&received, now) {
            SlackMode::Normal => {}
            SlackMode::RateLimited { retry_after } => return busy(retry_after),
            SlackMode::Gone => return (StatusCode::NOT_FOUND, "no_service").into_response(),
        }
        if let Err(why) = check(&message) {
            return (StatusCode::BAD_REQUEST, why).into_response();
        }
        if let Err(wait) = self.bucket.take(now) {
            return busy(wait);
        }
        self.messages.push(received);
        "ok".into_response()
    }

    fn mode_for(&mut self, message: &ReceivedMessage, now: Instant) -> SlackMode {
        for lead in &message.leads {
            match self.armed.remove(&lead.lead_id) {
                Some((SlackMode::Gone, lasting)) => {
                    self.gone.insert(lead.lead_id.clone(), now + lasting);
                }
                Some((mode, lasting)) => self.mode = Some((mode, now + lasting)),
                None => {}
            }
        }
        self.gone.retain(|_, until| now < *until);
        if message.leads.iter().any(|lead| self.gone.contains_key(&lead.lead_id)) {
            return SlackMode::Gone;
        }
        match self.mode {
            Some((mode @ SlackMode::RateLimited { .. }, until)) if now + GRACE < until => mode,
            Some((mode @ (SlackMode::Normal | SlackMode::Gone), until)) if now < until => mode,
            _ => SlackMode::Normal,
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

/// Slack's limits: <https://docs.slack.dev/reference/block-kit/blocks>. The error is the body of the 400.
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

/// The length of a block's text; `None` if it breaks a rule.
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

/// Reads a message's blocks, or its text if it has none.
fn read(message: &Value, at: Timestamp) -> ReceivedMessage {
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
            leads.extend(lead_mention(second, title, &notes));
        } else if let Some(id) = second.strip_prefix("Lead ID: ") {
            digest = true;
            let labels: Vec<String> = lines.map(str::to_owned).collect();
            leads.extend(lead_mention(id, "", &labels));
        }
    }
    let text = message["text"].as_str().unwrap_or_default().to_owned();
    ReceivedMessage { at, title: title.to_owned(), text, digest, leads }
}

fn read_text(text: &str, at: Timestamp) -> ReceivedMessage {
    let leads: Vec<LeadMention> = text
        .split("\n\n")
        .filter_map(|alert| {
            let lines: Vec<String> = alert.lines().map(str::to_owned).collect();
            let id = lines.iter().find_map(|line| line.strip_prefix("Lead ID: "))?;
            lead_mention(id, lines.first()?, &lines)
        })
        .collect();
    let title = text.lines().next().unwrap_or_default().to_owned();
    ReceivedMessage { at, title, text: text.to_owned(), digest: leads.len() > 1, leads }
}

fn lead_mention(id: &str, title: &str, notes: &[String]) -> Option<LeadMention> {
    let says = |start: &str| notes.iter().any(|note| note.starts_with(start));
    Some(LeadMention {
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
            // A name that tries to inject another line.
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

    fn mention(id: &str, labels: [bool; 3]) -> LeadMention {
        let [possible_repeat, sent_again, owner_found] = labels;
        LeadMention { lead_id: id.parse().unwrap(), possible_repeat, sent_again, owner_found }
    }

    async fn start() -> (FakeSlack, SlackWebhook) {
        let fake = FakeSlack::start().await.unwrap();
        let slack = SlackWebhook::parse(&fake.url()).unwrap();
        (fake, slack)
    }

    async fn post(slack: &SlackWebhook, message: Value) -> (u16, String) {
        let SlackAnswer { status, body, .. } = slack.post(&message).await.unwrap();
        (status, body)
    }

    #[tokio::test]
    async fn it_remembers_what_each_message_said() {
        let (fake, slack) = start().await;
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
        let remembered: Vec<_> = fake
            .messages()
            .into_iter()
            .map(|message| (message.title, message.digest, message.leads))
            .collect();
        let title = str::to_owned;
        assert_eq!(
            remembered,
            [
                (title("New Lead Alert"), false, vec![mention("lead_a", [false, false, false])]),
                (title("Lead Owner Found"), false, vec![mention("lead_a", [true, false, true])]),
                (
                    title("2 Lead Alerts"),
                    true,
                    vec![mention("lead_a", [false, true, false]), mention("lead_b", [true, false, false])]
                ),
                (title("New Lead Alert (sent again)"), false, vec![mention("lead_b", [true, true, false])]),
            ]
        );
        assert!(remembered[0].2[0].is_first() && !remembered[1].2[0].is_first());
    }

    #[tokio::test]
    async fn a_follow_up_about_a_departed_owner_is_not_a_first_alert_but_a_new_lead_of_one_is() {
        let (fake, slack) = start().await;
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
        let messages = fake.messages();
        let first: Vec<bool> =
            messages.iter().flat_map(|message| &message.leads).map(LeadMention::is_first).collect();
        assert_eq!(first, [true, false, true, false, false]);
    }

    #[tokio::test]
    async fn it_plays_the_problem_of_a_sample() {
        let (fake, slack) = start().await;
        let mut scenario = Scenario::new(1);
        for (problem, status, wait) in [
            (None, 200, None),
            (Some(Problem::SlackGone), 404, None),
            (Some(Problem::SlackBusy), 429, Some(BUSY_FOR)),
        ] {
            let sample = scenario.next_with(Timestamp::now(), problem);
            fake.prepare(&sample);
            let lead = lead(sample.lead_id.as_str());
            let answer = slack.post(&slack::message(&alert(&lead, AlertKind::New, false))).await.unwrap();
            assert_eq!((answer.status, answer.retry_after), (status, wait), "{problem:?}");
        }
    }

    #[tokio::test]
    async fn what_slack_would_refuse_is_refused_and_forgotten() {
        let (fake, slack) = start().await;
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
        assert_eq!(fake.messages(), []);
        let elsewhere = SlackWebhook::parse(&fake.url().replace("demonstration", "elsewhere")).unwrap();
        assert_eq!(post(&elsewhere, json!({"text": "x"})).await, (404, "no_service".to_owned()));
    }

    #[tokio::test]
    async fn a_flood_is_rate_limited() {
        let (fake, slack) = start().await;
        let mut refused = None;
        for _ in 0..20 {
            let answer = slack.post(&json!({"text": "x"})).await.unwrap();
            if answer.status == 429 {
                refused = Some(answer);
                break;
            }
        }
        assert_eq!(refused.unwrap().retry_after, Some(Duration::from_secs(1)));
        assert!(fake.messages().len() >= 6);
    }

    #[test]
    fn a_client_of_one_a_second_with_bursts_of_three_is_never_rate_limited() {
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
    fn a_mode_begins_with_its_lead_and_ends_in_time() {
        let start = Instant::now();
        let mut channel = Channel {
            messages: Vec::new(),
            mode: None,
            armed: BTreeMap::new(),
            gone: BTreeMap::new(),
            bucket: Bucket { tokens: BURST, at: start },
        };
        let wait = Duration::from_secs(5);
        channel
            .armed
            .insert("lead_busy".parse().unwrap(), (SlackMode::RateLimited { retry_after: wait }, wait));
        channel.armed.insert("lead_gone".parse().unwrap(), (SlackMode::Gone, Duration::from_secs(8)));
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
