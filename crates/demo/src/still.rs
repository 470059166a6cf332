//! The demo at one moment: the same leads, the same problems, the same time, whenever it is started. For
//! pictures and for tests of the console.
//!
//! The real stages run on the real store; only their clock is set by hand, and Slack and Close are faked here.
//! Nothing moves once the console is open.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use close::signature::SignatureHeaders;
use close::{CloseAnswer, CloseApi};
use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use outbound::{IncomingWebhook, SlackAnswer, SlackDestination, SlackError};
use pipeline::{
    Code, Fault, Recorder, Settings,
    destination::{Destination, NotReady},
    driver::{Driver, QueueStage},
    ingest::{Ingest, LogThrottles, Outcome, Trust, Webhook},
    owners::CloseOwners,
    ports::{Clock, Inbox, NewMessage, Outbox, Owners, Queue, Random, Upkeep},
    process::AttemptCounter,
    stages::{self, Ports, Stages},
    unsigned::Head,
};
use serde_json::Value;
use sqlite::{Options, Store};
use system::SeededRandom;

use crate::{Problem, Sample, Scenario, organization, shown::watched};

/// The moment: 2026-03-02 12:04:31 UTC.
const NOW: i64 = 1_772_453_071;
/// When the first lead arrived, in seconds before it.
const BEGAN: i64 = 75 * 60;
/// When an unreadable message arrived.
const BROKEN: i64 = 3 * 3_600;
/// Between which times, in seconds before it, Slack did not know the webhook.
const SLACK_GONE: std::ops::Range<i64> = 520..800;
/// When it asked to wait.
const SLACK_BUSY: std::ops::Range<i64> = 70..78;
/// The due times of leads that do not finish, in seconds before it: one has hung, two have just been
/// received.
const STUCK: [i64; 3] = [161, 4, 2];
/// The number of the lead whose owner has left, and of the one with two owners: both are among the newest.
const LEFT: usize = 84;
const SHARED: usize = 87;
/// How many alerts are received at once.
const BATCH: usize = 10;

/// A time that is set by hand; sleeping moves it on.
struct StillClock(Mutex<Timestamp>);

impl StillClock {
    fn set(&self, at: Timestamp) {
        let mut now = pipeline::lock(&self.0);
        *now = at.max(*now);
    }

    fn ago(&self) -> i64 {
        NOW - self.now().as_second()
    }
}

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        *pipeline::lock(&self.0)
    }

    async fn sleep(&self, duration: Duration) {
        self.set(self.now() + SignedDuration::try_from(duration).unwrap_or_default());
    }
}

/// The services around the pipeline: their answers depend only on the time.
struct FakeServices {
    clock: Arc<StillClock>,
    random: Arc<SeededRandom>,
    /// The leads in Close.
    leads: Mutex<BTreeMap<LeadId, Sample>>,
}

#[async_trait]
impl IncomingWebhook for FakeServices {
    async fn address(&self) -> Result<String, NotReady> {
        Ok("https://hooks.slack.com/…".to_owned())
    }

    async fn post(&self, _: &Value) -> Result<SlackAnswer, SlackError> {
        let ago = self.clock.ago();
        self.clock.sleep(Duration::from_millis(280 + self.random.bits() % 900)).await;
        let (status, body, retry_after) = match ago {
            ago if SLACK_GONE.contains(&ago) => (404, "no_service", None),
            ago if SLACK_BUSY.contains(&ago) => (429, "rate_limited", Some(Duration::from_secs(9))),
            _ => (200, "ok", None),
        };
        Ok(SlackAnswer { retry_after, ..SlackAnswer::of_slack(status, body) })
    }
}

#[async_trait]
impl CloseApi for FakeServices {
    async fn get(&self, path: &str) -> Result<CloseAnswer, close::Error> {
        let leads = pipeline::lock(&self.leads);
        let (status, body) = organization::answer(path, |lead| {
            leads.get(lead).map(|sample| sample.in_close(sample.problem != Some(Problem::NoOwner)))
        });
        Ok(CloseAnswer { status, body: body.to_string().into(), wait: None, window: None, trace: None })
    }
}

/// Opens the console on this moment.
///
/// # Errors
/// That of the store, or of the terminal.
pub async fn still(console: tui::Options) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("leadops-demo-").tempdir()?;
    let start = at(NOW - BROKEN);
    let clock = Arc::new(StillClock(Mutex::new(start)));
    let store = Store::open(folder.path(), Options { clock: clock.clone(), ..Options::creating() })?;
    let _lock = store.lock_for_up()?;
    embedded::logging::start_quietly(store.log_sink());
    let pipeline = StillPipeline::new(&store, clock.clone());
    pipeline.play().await?;
    store.flush().await?;
    let who = "ada@ops".to_owned();
    let mut ops = embedded::view(Arc::new(store.clone()), pipeline.settings.clone(), who, ops::Access::Full);
    ops.recorder = pipeline.recorder.clone();
    ops.alerting.receipts.clock = clock.clone();
    let console = tui::Options { clock: Some(clock), ..console };
    tui::run(watched(Arc::new(ops), &store), Arc::new(tui::NoEnvironments), console).await
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What goes wrong with the lead of this number: every fifth has no owner yet.
fn problem(number: usize) -> Option<Problem> {
    match number {
        LEFT => Some(Problem::DepartedOwner),
        SHARED => Some(Problem::TwoOwners),
        number => (number % 5 == 3).then_some(Problem::NoOwner),
    }
}

struct StillPipeline {
    store: Store,
    services: Arc<FakeServices>,
    settings: Arc<Settings>,
    recorder: Recorder,
    ingest: Ingest,
    process: Driver,
    notify: Driver,
    owners: Arc<dyn Owners>,
}

impl StillPipeline {
    fn new(store: &Store, clock: Arc<StillClock>) -> Self {
        let settings = Arc::new(Settings { destinations: vec![SlackDestination::ID], ..Settings::default() });
        let random = SeededRandom::new(7);
        let ports = Arc::new(store.clone());
        let system = stages::System { clock: clock.clone(), random: random.clone() };
        let stages = Stages::new(
            Ports { objects: ports.clone(), journal: ports.clone() },
            system,
            Arc::clone(&settings),
        );
        let services = Arc::new(FakeServices { clock: clock.clone(), random, leads: Mutex::default() });
        let slack: Arc<dyn Destination> =
            Arc::new(SlackDestination::new(services.clone(), SlackDestination::BURST));
        let owners: Arc<dyn Owners> = Arc::new(CloseOwners::new(
            services.clone(),
            ports.clone(),
            clock.clone(),
            organization::owner_fields(),
            Duration::ZERO,
        ));
        let driver = |stage: Arc<dyn QueueStage>| Driver {
            stage,
            inbox: ports.clone(),
            clock: clock.clone(),
            settle_attempts: 1,
            after_panic: None,
        };
        let notify = stages.notify([(SlackDestination::ID, slack)].into_iter().collect());
        let process = stages.process(ports.clone(), owners.clone(), AttemptCounter::InJob);
        Self {
            ingest: stages.ingest(ports.clone(), Trust::Anyone, LogThrottles::default()),
            process: driver(Arc::new(process)),
            notify: driver(Arc::new(notify)),
            owners,
            recorder: stages.recorder(),
            store: store.clone(),
            services,
            settings,
        }
    }

    /// Plays everything up to now.
    async fn play(&self) -> Result<(), Fault> {
        let broken = NewMessage { body: "{\"lead\": ".to_owned(), lead: None, delay: Duration::ZERO };
        self.store.send(Queue::Delay, broken).await?;
        self.owners.warm_up().await;
        self.work(&BTreeSet::new()).await?;
        let mut scenario = Scenario::new(1);
        let mut arrivals: BTreeMap<i64, Sample> = BTreeMap::new();
        let mut second = NOW - BEGAN;
        while second < NOW - 4 {
            let sample = scenario.next_with(at(second), problem(arrivals.len()));
            // Only letters that every terminal's font has.
            if sample.display_name.chars().all(|c| u32::from(c) < 0x250) {
                arrivals.insert(second, sample);
                second += i64::try_from(12 + self.services.random.bits() % 64).unwrap_or(60);
            }
        }
        let delay = i64::try_from(self.settings.delay.as_secs()).unwrap_or(0);
        let mut stuck = BTreeSet::new();
        for due in STUCK {
            let near = arrivals.range(..=NOW - delay - due).next_back().map(|(arrival, _)| *arrival);
            if let Some(sample) = near.and_then(|arrival| arrivals.remove(&arrival)) {
                stuck.insert(sample.lead_id.clone());
                arrivals.insert(NOW - delay - due, sample);
            }
        }
        // Workers run whenever a lead arrives or is due, and soon after, for retries.
        let mut times: BTreeSet<i64> = BTreeSet::new();
        for arrival in arrivals.keys() {
            times.extend([0, delay, delay + 3, delay + 12].map(|later| arrival + later));
        }
        for time in times.into_iter().filter(|time| *time <= NOW) {
            self.services.clock.set(at(time));
            if let Some(sample) = arrivals.get(&time) {
                self.arrive(sample).await?;
            }
            self.work(&stuck).await?;
        }
        self.services.clock.set(at(NOW));
        Ok(())
    }

    /// A lead is created in Close, and its webhook arrives.
    async fn arrive(&self, sample: &Sample) -> Result<(), Fault> {
        pipeline::lock(&self.services.leads).insert(sample.lead_id.clone(), sample.clone());
        let webhook = Webhook {
            presented: SignatureHeaders::default(),
            head: Head::of_this_process(),
            body: sample.event.clone().into(),
        };
        match self.ingest.handle(webhook).await {
            Outcome::Accepted(_) => Ok(()),
            other => Err(Fault::new(Code::Internal, format!("the sample was not accepted: {other:?}"))),
        }
    }

    /// Has everything that is ready processed.
    async fn work(&self, stuck: &BTreeSet<LeadId>) -> Result<(), Fault> {
        loop {
            let deliveries = self.store.receive(Queue::Delay, 1).await?;
            let Some(delivery) = deliveries.first() else { break };
            // These never finish.
            if stuck.iter().any(|lead| delivery.body.contains(lead.as_str())) {
                continue;
            }
            settled(&self.process.work_on(&deliveries, None).await)?;
        }
        let deliveries = self.store.receive(Queue::Notification, BATCH).await?;
        settled(&self.notify.work_on(&deliveries, None).await)
    }
}

/// Fails if messages were not settled: nothing goes wrong with a store that nobody else uses.
fn settled(unsettled: &[String]) -> Result<(), Fault> {
    match unsettled {
        [] => Ok(()),
        _ => Err(Fault::new(Code::Internal, format!("{} messages were not settled", unsettled.len()))),
    }
}
