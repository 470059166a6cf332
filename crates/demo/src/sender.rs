//! Posts the samples as Close would, and counts the answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::pin,
    sync::Mutex,
    time::Duration,
};

use close::signature::Keys;
use lead::{LeadId, Timestamp};
use outbound::webhook;
use pipeline::webhook::Answer as Said;
use reqwest::Client;
use tokio::time::{MissedTickBehavior, interval};
use url::Url;

use crate::{Problem, Sample, Scenario};

/// How often a webhook is attempted that gets no answer, or a server error.
const ATTEMPTS: u32 = 3;
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many unexpected answers are stored.
const MAX_UNEXPECTED: usize = 100;

/// How a webhook was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200, and new.
    Accepted,
    /// 200, and known already.
    Duplicate,
    /// 200, and nothing to do with it.
    Ignored,
    /// Any other status.
    Refused(u16),
    /// None, after several attempts; or one that could not be understood.
    Failed(String),
}

/// What was sent, and how it was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendStats {
    /// Webhooks sent, including second deliveries, but not repeated attempts.
    pub sent: u64,
    /// The leads that the pipeline answered with 2xx, and so has to announce.
    pub accepted: BTreeSet<LeadId>,
    /// Answers that a lead was known already.
    pub duplicates: u64,
    /// Answers that an event is not about a new lead.
    pub ignored: u64,
    /// Webhooks refused, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Webhooks without an answer.
    pub failed: u64,
    /// Answers that the sample should not have got, the first hundred of them.
    pub unexpected: Vec<String>,
}

/// Close's side of the webhook.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    webhook: Url,
    keys: Keys,
    forged: Keys,
    stats: Mutex<SendStats>,
}

impl Sender {
    /// Sends to `webhook`, signed with the first of `keys`.
    ///
    /// # Errors
    /// A line for the operator if there is no key, or no HTTP client can be created.
    pub fn new(webhook: Url, keys: Keys) -> Result<Self, String> {
        if keys.is_empty() {
            return Err("there is no key to sign sample webhooks with".to_owned());
        }
        let forged = Keys::parse(&"0f".repeat(32)).map_err(|error| error.to_string())?;
        let client = webhook::client(&webhook, TIMEOUT).map_err(web::error_text)?;
        Ok(Self { client, webhook, keys, forged, stats: Mutex::default() })
    }

    /// Sends a lead every `pace`, the first one at once, until `stop` is done. `before` is called with
    /// each lead before it goes out.
    ///
    /// Stops between two leads, never in the middle of one, so that the counts are complete; that can
    /// take as long as a webhook's attempts.
    pub async fn run(
        &self,
        scenario: &mut Scenario,
        pace: Duration,
        mut before: impl FnMut(&Sample),
        stop: impl Future<Output = ()>,
    ) {
        let mut stop = pin!(stop);
        let mut ticks = interval(pace.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                _ = ticks.tick() => {}
            }
            let sample = scenario.next(Timestamp::now());
            before(&sample);
            self.send(&sample).await;
        }
    }

    /// Sends one lead: twice, or with a wrong signature, if that is its problem.
    pub async fn send(&self, sample: &Sample) -> Vec<Answer> {
        let mut answers = vec![self.deliver(sample).await];
        if sample.problem == Some(Problem::DeliveredTwice) {
            answers.push(self.deliver(sample).await);
        }
        let expected: &[Answer] = match sample.problem {
            Some(Problem::ForgedSignature) => &[Answer::Refused(401)],
            Some(Problem::MalformedBody) => &[Answer::Refused(400)],
            Some(Problem::DeliveredTwice) => &[Answer::Accepted, Answer::Duplicate],
            _ => &[Answer::Accepted],
        };
        let mut stats = pipeline::lock(&self.stats);
        for answer in &answers {
            stats.enter(&sample.lead_id, answer);
        }
        if answers != expected && stats.unexpected.len() < MAX_UNEXPECTED {
            let line = format!("{}: {answers:?} instead of {expected:?}", sample.lead_id);
            stats.unexpected.push(line);
        }
        answers
    }

    /// The counts so far.
    pub fn stats(&self) -> SendStats {
        pipeline::lock(&self.stats).clone()
    }

    /// Tries several times, as Close does. An attempt whose answer got lost may have been accepted, and
    /// the next one then is a duplicate; that is an acceptance.
    async fn deliver(&self, sample: &Sample) -> Answer {
        let mut attempt = 1;
        loop {
            let answer = self.attempt(sample).await;
            let again = matches!(answer, Answer::Failed(_) | Answer::Refused(500..));
            match answer {
                Answer::Duplicate if attempt > 1 => return Answer::Accepted,
                answer if !again || attempt == ATTEMPTS => return answer,
                _ => tokio::time::sleep(RETRY_PAUSE).await,
            }
            attempt += 1;
        }
    }

    async fn attempt(&self, sample: &Sample) -> Answer {
        let forged = sample.problem == Some(Problem::ForgedSignature);
        let keys = if forged { &self.forged } else { &self.keys };
        let timestamp = Timestamp::now().as_second().to_string();
        let signature = keys.sign(&timestamp, &sample.event).map(|hash| (hash, timestamp));
        let request = webhook::post(&self.client, &self.webhook, signature, sample.event.clone());
        let response = match request.header("user-agent", "Close Webhooks 2.0").send().await {
            Ok(response) => response,
            Err(error) => return Answer::Failed(web::error_text(error)),
        };
        let status = response.status();
        if !status.is_success() {
            return Answer::Refused(status.as_u16());
        }
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return Answer::Failed(web::error_text(error)),
        };
        match Said::read(status.as_u16(), &body) {
            Some(Said::Accepted(lead)) if lead == sample.lead_id => Answer::Accepted,
            Some(Said::Duplicate(lead)) if lead == sample.lead_id => Answer::Duplicate,
            Some(Said::Ignored) => Answer::Ignored,
            _ => Answer::Failed("the answer is not one of the webhook's".to_owned()),
        }
    }
}

impl SendStats {
    fn enter(&mut self, lead: &LeadId, answer: &Answer) {
        self.sent += 1;
        match answer {
            Answer::Accepted => {
                self.accepted.insert(lead.clone());
            }
            // A duplicate is stored already.
            Answer::Duplicate => {
                self.accepted.insert(lead.clone());
                self.duplicates += 1;
            }
            Answer::Ignored => self.ignored += 1,
            Answer::Refused(status) => *self.refused.entry(*status).or_default() += 1,
            Answer::Failed(_) => self.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{
        Json, Router,
        body::Bytes,
        extract::State,
        http::{HeaderMap, StatusCode},
        routing::post,
    };
    use close::Incoming;
    use close::signature::SignatureHeaders;
    use serde_json::{Value, json};

    use super::*;
    use crate::local_server::LocalServer;

    const KEY: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";

    fn keys() -> Keys {
        Keys::parse(KEY).unwrap()
    }

    #[derive(Default)]
    struct Listener {
        known: BTreeSet<LeadId>,
        /// How many of the next requests are accepted and then not answered properly.
        stutters: u32,
    }

    /// What the real listener does, without storing anything.
    async fn listen(
        State(state): State<Arc<Mutex<Listener>>>,
        headers: HeaderMap,
        body: Bytes,
    ) -> (StatusCode, Json<Value>) {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let presented =
            SignatureHeaders { hash: header("close-sig-hash"), timestamp: header("close-sig-timestamp") };
        match keys().verify(presented, &body, Timestamp::now(), Duration::from_secs(60)) {
            Ok(_) => {}
            Err(code) => {
                assert_eq!(code, close::signature::Refusal::Wrong);
                return (StatusCode::UNAUTHORIZED, Json(json!({})));
            }
        }
        let Ok(Incoming::Created(lead)) = Incoming::parse(&body) else {
            return (StatusCode::BAD_REQUEST, Json(json!({})));
        };
        let mut state = state.lock().unwrap();
        let status = if state.known.insert(lead.lead_id.clone()) { "accepted" } else { "duplicate" };
        if state.stutters > 0 {
            state.stutters -= 1;
            return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
        }
        (StatusCode::OK, Json(json!({"status": status, "lead_id": lead.lead_id})))
    }

    async fn start(stutters: u32) -> (LocalServer, Sender) {
        let state = Arc::new(Mutex::new(Listener { stutters, ..Listener::default() }));
        let server = LocalServer::start(Router::new().route("/crm/webhook", post(listen)).with_state(state))
            .await
            .unwrap();
        let url = format!("{}/crm/webhook", server.base()).parse().unwrap();
        let sender = Sender::new(url, keys()).unwrap();
        (server, sender)
    }

    #[tokio::test]
    async fn the_stream_is_answered_as_expected() {
        let (_server, sender) = start(0).await;
        let mut scenario = Scenario::new(1);
        let mut leads = Vec::new();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut stop = Some(stop);
        let before = |sample: &Sample| {
            leads.push(sample.clone());
            if leads.len() == 20 {
                stop.take();
            }
        };
        sender.run(&mut scenario, Duration::ZERO, before, async { drop(stopped.await) }).await;
        let stats = sender.stats();
        let accepted: BTreeSet<_> = leads
            .iter()
            .filter(|sample| !sample.problem.is_some_and(Problem::is_refused))
            .map(|sample| sample.lead_id.clone())
            .collect();
        assert_eq!(stats.unexpected, Vec::<String>::new());
        assert_eq!((leads.len(), stats.sent, stats.accepted == accepted), (20, 21, true));
        assert_eq!((stats.duplicates, stats.ignored, stats.failed), (1, 0, 0));
        assert_eq!(stats.refused, BTreeMap::from([(400, 1), (401, 1)]));
    }

    #[tokio::test]
    async fn an_acceptance_whose_answer_got_lost_is_counted() {
        let (_server, sender) = start(1).await;
        let sample = Scenario::new(1).next(Timestamp::now());
        assert_eq!(sender.send(&sample).await, [Answer::Accepted]);
        let stats = sender.stats();
        assert_eq!((stats.accepted.len(), stats.duplicates, stats.unexpected.len()), (1, 0, 0));
    }

    #[tokio::test]
    async fn a_missing_listener_is_a_failure_and_unexpected() {
        let (server, sender) = start(0).await;
        drop(server);
        let sample = Scenario::new(1).next(Timestamp::now());
        assert!(matches!(&sender.send(&sample).await[..], [Answer::Failed(_)]));
        let stats = sender.stats();
        assert_eq!((stats.failed, stats.accepted.len(), stats.unexpected.len()), (1, 0, 1));
    }
}
