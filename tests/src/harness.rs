//! The whole pipeline under virtual time: the real stages over the memory adapter and the scripted
//! neighbours.

use std::{sync::Arc, time::Duration};

use close::{Incoming, signature::SignatureHeaders};
use lead::{EnrichedLead, LeadId, Timestamp, keys};
use ops::{Access, NoSetUpReport, Ops};
use outbound::SlackDestination;
use pipeline::{
    Code, Entry, JournalEvent, Progress, Settings, Stage,
    destination::{Destination, Destinations},
    ingest::{Ingest, LogThrottles, Outcome, Trust, Webhook},
    job::{AlertId, AlertJob},
    notify::Notify,
    owners::Documents,
    ports::{
        Clock, DeadLetter, DeadLetters, Delivery, Disposition, History, Inbox, NewEvent, Objects, Outbox,
        Queue,
    },
    process::{AttemptCounter, Process},
    receipt::Receipt,
    stages::{self, Ports, Stages},
    store_retry::RECEIVES,
    unsigned::Head,
};
use serde_json::json;
use system::SeededRandom;

use crate::{
    clock::VirtualClock,
    destinations::{EMAIL, SLACK},
    doubles::{ScriptedMailer, ScriptedOwners, ScriptedSlack},
    faulty::{FaultPlan, Faulty},
    memory::{Memory, Rules},
};

/// How many alerts a worker takes at once, as a Lambda function's batch.
const BATCH: usize = 10;
/// How many Slack messages may follow each other at once.
pub const BURST: u32 = 3;

/// The stages of the pipeline over ports in memory, and its neighbours.
pub struct Harness {
    /// The time of everything in it.
    pub clock: Arc<VirtualClock>,
    /// Its store, in which nothing fails.
    pub memory: Memory,
    /// What goes wrong with the store.
    pub faults: Arc<FaultPlan>,
    /// The team's channel.
    pub slack: Arc<ScriptedSlack>,
    /// The owner directory.
    pub owners: Arc<ScriptedOwners>,
    /// The mail server.
    pub mailer: Arc<ScriptedMailer>,
    /// The figures and names.
    pub settings: Arc<Settings>,
    /// The first stage.
    pub ingest: Ingest,
    /// The second stage.
    pub process: Process,
    /// The third stage.
    pub notify: Notify,
    /// The operator.
    pub ops: Ops,
}

impl Harness {
    /// With the default settings. Webhooks need no signature.
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// With these settings.
    pub fn with(settings: Settings) -> Self {
        let clock = VirtualClock::start();
        let delay = Rules { max_receives: RECEIVES, ..Rules::DELAY };
        let memory = Memory::with_rules(Arc::clone(&clock) as _, delay, Rules::NOTIFICATION);
        let faults = FaultPlan::none();
        let store = Arc::new(Faulty::new(memory.clone(), Arc::clone(&faults) as _, Arc::clone(&clock) as _));
        let (slack, owners, mailer) =
            (ScriptedSlack::new(Arc::clone(&clock)), ScriptedOwners::new(), ScriptedMailer::new());
        let settings = Arc::new(settings);
        let at = stages::System { clock: clock.clone(), random: SeededRandom::new(1) };
        let ports = Ports { objects: store.clone(), journal: store.clone() };
        let stages = Stages::new(ports, at, settings.clone());
        let faultless = Arc::new(memory.clone());
        let directory = Documents { directory: owners.clone(), clock: Arc::clone(&clock) as _ };
        let ingest = stages.ingest(store.clone(), Trust::Anyone, LogThrottles::default());
        let process = stages.process(store.clone(), Arc::new(directory), AttemptCounter::InJob);
        let notify = stages.notify(destinations(&slack, &mailer));
        let ops = Ops {
            settings: settings.clone(),
            objects: store.clone(),
            history: faultless.clone(),
            inbox: faultless.clone(),
            dead_letters: store.clone(),
            logs: faultless,
            outbox: store.clone(),
            alerting: stages.alerting(store),
            recorder: stages.recorder(),
            set_up: Arc::new(NoSetUpReport),
            operator: "tester@test".to_owned(),
            access: Access::Full,
        };
        Self { clock, memory, faults, slack, owners, mailer, settings, ingest, process, notify, ops }
    }

    /// Replaces the notifying worker by one that remembers nothing.
    pub fn restart_notify(&mut self) {
        self.notify.destinations = destinations(&self.slack, &self.mailer);
    }

    /// The bytes of a `lead.created` event.
    pub fn event(lead: &LeadId) -> Vec<u8> {
        let name = format!("Name of {lead}");
        let event = json!({"subscription_id": "whsub_1", "event": {
            "id": format!("ev_{lead}"), "object_type": "lead", "action": "created",
            "lead_id": lead, "object_id": lead, "date_created": "2026-09-14T15:02:11.642000",
            "data": {"id": lead, "display_name": name, "status_label": "Potential"},
        }});
        event.to_string().into_bytes()
    }

    /// The acceptance of such an event at `now`, for a store whose raw events begin with `prefix` and queue their job
    /// by themselves.
    pub fn arrival(lead: &LeadId, prefix: &str, now: Timestamp, delay: Duration) -> NewEvent {
        let body = Self::event(lead);
        let Ok(Incoming::Created(created)) = Incoming::parse(&body) else { panic!("it is a new lead") };
        NewEvent {
            lead: lead.clone(),
            key: keys::raw(prefix, lead),
            body: body.into(),
            delay,
            job: String::new(),
            entry: Entry::received(&created, now, now + delay, 0),
            repeated: false,
        }
    }

    /// Hands a webhook in, unsigned.
    pub async fn deliver(&self, body: impl Into<Vec<u8>>) -> Outcome {
        let webhook = Webhook {
            presented: SignatureHeaders::default(),
            head: Head::of_this_process(),
            body: body.into().into(),
        };
        self.clock.run(self.ingest.handle(webhook)).await
    }

    /// Hands a new lead's webhook in; it is accepted. The lead.
    pub async fn accept(&self, name: &str) -> LeadId {
        let lead: LeadId = format!("lead_{name}").parse().unwrap();
        assert_eq!(self.deliver(Self::event(&lead)).await, Outcome::Accepted(lead.clone()));
        lead
    }

    /// Accepts a lead and works until it is due and processed, but not notified.
    pub async fn enrich(&self, name: &str) -> LeadId {
        let lead = self.accept(name).await;
        self.clock.advance(self.settings.delay);
        while self.process_ready().await {}
        lead
    }

    /// Accepts leads whose owners are known, and processes them; their alerts wait.
    pub async fn enrich_many(&self, count: usize) -> Vec<LeadId> {
        let mut leads = Vec::new();
        for number in 0..count {
            let lead = self.accept(&format!("n{number:03}")).await;
            self.owners.assign(&lead, "Sales North");
            leads.push(lead);
        }
        self.clock.advance(self.settings.delay);
        while self.process_ready().await {}
        leads
    }

    /// Processes the lead that waits longest. Whether there was one.
    pub async fn process_ready(&self) -> bool {
        let deliveries = self.memory.receive(Queue::Delay, 1).await.unwrap();
        for delivery in &deliveries {
            let disposition = self.clock.run(self.process.handle(delivery)).await;
            self.memory.settle(Queue::Delay, delivery, disposition).await.unwrap();
        }
        !deliveries.is_empty()
    }

    /// Sends a batch of alerts. Whether there was one.
    pub async fn notify_ready(&self) -> bool {
        let deliveries = self.take_alerts().await;
        self.notify_these(&deliveries).await;
        !deliveries.is_empty()
    }

    /// Receives a batch of alerts.
    pub async fn take_alerts(&self) -> Vec<Delivery> {
        self.memory.receive(Queue::Notification, BATCH).await.unwrap()
    }

    /// Sends alerts that were received, and settles them. What became of them.
    pub async fn notify_these(&self, deliveries: &[Delivery]) -> Vec<Disposition> {
        let dispositions = self.clock.run(self.notify.handle(deliveries)).await;
        assert_eq!(dispositions.len(), deliveries.len(), "each message has its own outcome");
        for (delivery, disposition) in deliveries.iter().zip(&dispositions) {
            self.memory.settle(Queue::Notification, delivery, disposition.clone()).await.unwrap();
        }
        dispositions
    }

    /// Sends alerts and is killed where Slack hangs: nothing is concluded or settled.
    pub async fn notify_and_crash(&self) {
        let deliveries = self.take_alerts().await;
        assert!(!deliveries.is_empty(), "no alert is ready");
        let died = self.clock.run_for(Duration::ZERO, self.notify.handle(&deliveries)).await;
        assert_eq!(died, None, "the worker should have been under way");
    }

    /// Lets the workers work for so long.
    pub async fn work_for(&self, time: Duration) {
        let until = self.clock.elapsed() + time;
        loop {
            while self.process_ready().await | self.notify_ready().await {}
            let left = until.saturating_sub(self.clock.elapsed());
            let next = Queue::ALL.into_iter().filter_map(|queue| self.memory.next_ready(queue)).min();
            match next {
                Some(next) if next <= left => self.clock.advance(next),
                _ => return self.clock.advance(left),
            }
        }
    }

    /// The enriched lead.
    pub async fn enriched(&self, lead: &LeadId) -> Option<EnrichedLead> {
        let key = keys::enriched(&self.settings.target_prefix, lead);
        let object = Objects::get(&self.memory, &key).await.unwrap()?;
        Some(serde_json::from_slice(&object.body).unwrap())
    }

    /// The receipt of a lead's first alert on Slack.
    pub async fn receipt(&self, lead: &LeadId) -> Option<Receipt> {
        let receipts = &self.notify.receipts;
        receipts.get(lead, &SLACK, &AlertId::new_lead()).await.unwrap()
    }

    /// All dead letters, the latest first.
    pub async fn dead(&self) -> Vec<DeadLetter> {
        DeadLetters::list(&self.memory, None, usize::MAX).await.unwrap().0
    }

    /// The codes of all dead letters, the latest first.
    pub async fn dead_codes(&self) -> Vec<Code> {
        self.dead().await.into_iter().map(|letter| letter.code).collect()
    }

    /// Puts all dead letters back.
    pub async fn redrive_all(&self) {
        let letters = self.dead().await;
        let actions = self.ops.actions().unwrap();
        for letter in letters {
            actions.redrive(&letter, pipeline::ports::Body::AsIs).await.unwrap();
        }
    }

    /// What happened to a lead.
    pub async fn story(&self, lead: &LeadId) -> Vec<Entry> {
        self.memory.of_lead(lead).await.unwrap()
    }

    /// The stages that a lead went through.
    pub async fn stages(&self, lead: &LeadId) -> Vec<Stage> {
        self.story(lead).await.iter().map(|entry| entry.event.stage()).collect()
    }

    /// How far a lead is.
    pub async fn progress(&self, lead: &LeadId) -> Option<Progress> {
        self.memory.progress(lead).await.unwrap()
    }

    /// The failed attempts of a lead: code, number of the attempt, and how long until the next.
    pub async fn retries(&self, lead: &LeadId) -> Vec<(Code, u32, Duration)> {
        let story = self.story(lead).await;
        let retries = story.iter().filter_map(|entry| match &entry.event {
            JournalEvent::Retrying { code, attempt, again_at, .. } => {
                let wait = Duration::try_from(again_at.duration_since(entry.at)).unwrap();
                Some((*code, *attempt, wait))
            }
            _ => None,
        });
        retries.collect()
    }

    /// How many Slack messages that were taken speak of a lead.
    pub fn shown(&self, lead: &LeadId) -> usize {
        self.slack.shown().iter().filter(|posted| posted.mentions(lead.as_str())).count()
    }

    /// Queues an alert.
    pub async fn queue_alert(&self, job: &AlertJob) {
        self.ops.alerting.queue(job).await.unwrap();
    }

    /// Puts a message into a queue, whatever it says.
    pub async fn send(&self, queue: Queue, body: &str) {
        let message =
            pipeline::ports::NewMessage { body: body.to_owned(), lead: None, delay: Duration::ZERO };
        self.memory.send(queue, message).await.unwrap();
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The team's channel, and the mail server.
fn destinations(slack: &Arc<ScriptedSlack>, mailer: &Arc<ScriptedMailer>) -> Destinations {
    let slack: Arc<dyn Destination> = Arc::new(SlackDestination::new(slack.clone(), BURST));
    [(SLACK, slack), (EMAIL, mailer.clone() as _)].into_iter().collect()
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}
