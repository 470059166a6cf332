//! Close: it delivers each event until it is answered 2xx, for three days, sometimes once more; and those who
//! pretend to be Close.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use close::signature::{Keys, SignatureHeaders};
use futures_util::future::{Either, select};
use lead::LeadId;
use pipeline::{
    ingest::{Ingest, Outcome, Webhook},
    ports::Clock,
    unsigned::Head,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Model,
    bucket::true_time,
    deployment::WebhookEndpoint,
    oracle,
    organization::{ORGANIZATION, OWNER_FIELD, value},
    process::Process,
    scheduler::Spawner,
    stages::KEY,
    truth::{LeadTruth, Promise},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// How long Close waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest pause between two deliveries of one event, and how long it keeps trying.
const LONGEST_PAUSE: Duration = Duration::from_secs(20 * 60);
const LONGEST: Duration = Duration::from_secs(72 * 60 * 60);

/// A request to the webhook.
#[derive(Debug, Clone)]
pub struct Request {
    /// The lead that it is about.
    pub lead: LeadId,
    /// Whether it is an event of a new lead that Close signed.
    pub genuine: bool,
    /// `close-sig-hash`.
    pub hash: Option<String>,
    /// `close-sig-timestamp`.
    pub timestamp: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Answers a request as the listener and the function do.
pub async fn answer(model: &Model, ingest: &Ingest, request: Request, answer: oneshot::Sender<u16>) {
    if request.genuine {
        let at = model.clock.elapsed();
        let mut truth = model.truth();
        let forward = truth.forward;
        if let Some(known) = truth.leads.get_mut(&request.lead) {
            known.offered.get_or_insert((at, forward));
        }
    }
    let presented =
        SignatureHeaders { hash: request.hash.as_deref(), timestamp: request.timestamp.as_deref() };
    let outcome =
        ingest.handle(Webhook { presented, head: Head::default(), body: request.body.clone() }).await;
    let status = outcome.status();
    model.note(|| format!("webhook about {} is answered {status}: {outcome:?}", request.lead));
    match (&outcome, request.genuine) {
        (Outcome::Accepted(_) | Outcome::Duplicate(_), true) => oracle::accepted(model, &request.lead),
        (Outcome::Accepted(_) | Outcome::Duplicate(_), false) => {
            let at = model.clock.elapsed();
            let what = "a webhook that Close did not send was accepted".to_owned();
            model.truth().broken(Promise::NobodyIn, Some(&request.lead), at, what);
        }
        _ => {}
    }
    // Close may have gone away.
    let _ = answer.send(status);
}

/// Close itself.
pub struct Close {
    /// The run.
    pub model: Arc<Model>,
    /// Where it delivers to.
    pub endpoint: Arc<dyn WebhookEndpoint>,
    /// Its work.
    pub spawner: Spawner,
    /// It never dies.
    pub process: Arc<Process>,
}

impl Close {
    /// A lead is created, with these owners in the webhook, or none.
    pub fn create(&self, lead: &LeadId, carried: Option<&[String]>) {
        let body = Bytes::from(created(lead, carried));
        self.model.truth().leads.insert(lead.clone(), LeadTruth { body: body.clone(), ..Default::default() });
        let delivery = Delivery { model: self.model.clone(), endpoint: self.endpoint.clone() };
        if self.model.dice.chance(self.model.fault_profile.replays) {
            self.replay(signed(&self.model, lead, body.clone(), KEY, true));
        }
        let lead = lead.clone();
        self.spawner.spawn(&self.process, None, async move { delivery.run(lead, body).await });
    }

    /// Somebody has seen the webhook, and repeats it as it is: many times within some minutes.
    fn replay(&self, request: Request) {
        let (model, endpoint) = (self.model.clone(), self.endpoint.clone());
        self.spawner.spawn(&self.process, None, async move {
            let dice = &model.dice;
            for _ in 0..dice.below(4) + 1 {
                model.clock.sleep(dice.between(SECOND, MINUTE * 10)).await;
                for _ in 0..dice.below(20) + 1 {
                    if model.is_fault_free() {
                        return;
                    }
                    model.count_fault("webhook replayed");
                    answered(&model, &*endpoint, request.clone()).await;
                    model.clock.sleep(dice.between(Duration::ZERO, SECOND * 10)).await;
                }
            }
        });
    }

    /// Something else than a new lead happens in Close: it is signed, and none of our business.
    pub fn mention(&self, lead: &LeadId) {
        let (kind, action) = *self.model.dice.pick(&[("lead", "updated"), ("contact", "created")]);
        let body = Bytes::from(event(lead, kind, action));
        self.model.truth().forged.push(lead.clone());
        let request = signed(&self.model, lead, body, KEY, false);
        self.post(request, 200);
    }

    /// Somebody who is not Close sends a webhook.
    pub fn forge(&self, lead: &LeadId) {
        let (model, dice) = (&self.model, &self.model.dice);
        let body = Bytes::from(event(lead, "lead", "created"));
        model.truth().forged.push(lead.clone());
        let mut request = signed(model, lead, body, KEY, false);
        match dice.below(4) {
            0 => (request.hash, request.timestamp) = (None, None),
            1 => request = signed(model, lead, request.body, &"0f".repeat(32), false),
            // Signed once, and changed since.
            2 => request.body = Bytes::from(event(lead, "lead", "created") + " "),
            _ => request.hash = request.hash.map(|hash| hash.replace(['a', 'b', 'c', '1', '2'], "f")),
        }
        model.count_fault("forged webhook");
        self.post(request, 401);
    }

    fn post(&self, request: Request, expected: u16) {
        let (model, endpoint) = (self.model.clone(), self.endpoint.clone());
        self.spawner.spawn(&self.process, None, async move {
            let lead = request.lead.clone();
            if let Some(status) = answered(&model, &*endpoint, request).await
                && status != expected
            {
                let at = model.clock.elapsed();
                let what = format!("answered {status} instead of {expected}");
                model.truth().broken(Promise::NobodyIn, Some(&lead), at, what);
            }
        });
    }
}

/// The delivery of one event.
struct Delivery {
    model: Arc<Model>,
    endpoint: Arc<dyn WebhookEndpoint>,
}

impl Delivery {
    async fn run(self, lead: LeadId, body: Bytes) {
        let (model, dice) = (&self.model, &self.model.dice);
        let began = model.clock.elapsed();
        let mut pause = SECOND * 15;
        while model.clock.elapsed() - began < LONGEST {
            let request = signed(model, &lead, body.clone(), KEY, true);
            let status = answered(model, &*self.endpoint, request).await;
            let lost = !model.is_fault_free() && dice.chance(model.fault_profile.lose_webhook_answer);
            let accepted = status.is_some_and(|status| (200..300).contains(&status));
            if accepted && lost {
                model.count_fault("answer to Close lost");
            } else if accepted {
                break;
            }
            model.clock.sleep(pause.mul_f64(0.5 + dice.below(1_000) as f64 / 1_000.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        while !model.is_fault_free() && dice.chance(model.fault_profile.duplicate_webhook) {
            model.clock.sleep(dice.between(SECOND, MINUTE * 30)).await;
            model.count_fault("webhook delivered again");
            answered(model, &*self.endpoint, signed(model, &lead, body.clone(), KEY, true)).await;
        }
    }
}

/// The status that came back, if one did.
async fn answered(model: &Model, endpoint: &dyn WebhookEndpoint, request: Request) -> Option<u16> {
    let waited = model.clock.sleep(PATIENCE);
    match select(endpoint.post(request), waited).await {
        Either::Left((status, _)) => status.ok(),
        Either::Right(_) => None,
    }
}

fn signed(model: &Model, lead: &LeadId, body: Bytes, key: &str, genuine: bool) -> Request {
    let timestamp = true_time(&model.clock).as_second().to_string();
    let hash = Keys::parse(key).unwrap().sign(&timestamp, &body);
    Request { lead: lead.clone(), genuine, hash, timestamp: Some(timestamp), body }
}

fn created(lead: &LeadId, carried: Option<&[String]>) -> String {
    let mut event: Value = serde_json::from_str(&event(lead, "lead", "created")).unwrap();
    if let Some(owners) = carried {
        event["event"]["data"][format!("custom.{OWNER_FIELD}")] = value(owners);
    }
    event.to_string()
}

fn event(lead: &LeadId, object_type: &str, action: &str) -> String {
    let event = json!({"subscription_id": "whsub_1", "event": {
        "id": format!("ev_{lead}"), "object_type": object_type, "action": action, "organization_id": ORGANIZATION,
        "lead_id": lead, "object_id": lead, "date_created": "2026-09-14T15:02:11.642000",
        "data": {"id": lead, "display_name": format!("Name of {lead}"), "status_label": "Potential"},
    }});
    event.to_string()
}
