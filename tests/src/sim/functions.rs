//! The wiring of AWS: functions that Lambda starts for webhooks and for batches of messages, on a bucket and
//! queues.
//!
//! What is written when is the real code of `crates/aws` ([`S3Store`] over the simulated bucket), and what a function
//! does with its batch that of `crates/lambdas`, with the template's own figures; what Lambda and SQS do around it is
//! modelled here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws::{Measurement, MetricsSink, S3Store};
use lambdas::{
    arrivals::Arrivals,
    settle::{reserve, work_on},
};
use lead::{LeadId, Timestamp};
use ops::{Access, NoSetUpReport, Ops};
use pipeline::{
    Code, Entry, Fault, LeadMetric, Progress, Recorder, Stage,
    alert_queue::AlertQueue,
    driver::QueueStage,
    ports::{Clock, DeadLetter, History, Minute, OpenCounts, OpenLead, Queue},
    receipt::Receipts,
};
use tokio::sync::oneshot;

use super::{
    Model,
    bucket::SimBucket,
    close::{self, Request},
    deployment::{Deployment, Place, WebhookEndpoint, at_once, stored_body},
    limits::LIMITS,
    messages::{BUCKET, s3_event, s3_test_event},
    process::{Process, ProcessFaults},
    scheduler::{Deadline, Spawner},
    sqs::{SimSqs, SqsOf},
    stages::{AtWork, Instance, Neighbours, Ports},
};
use crate::{faulty::Faulty, memory::Memory};

/// How often the scheduler is called. Where nothing is due it is left out, as it would do nothing.
const LOOK: Duration = Duration::from_secs(60);
/// The wiring.
pub struct Functions {
    model: Arc<Model>,
    spawner: Spawner,
    neighbours: Neighbours,
    bucket: SimBucket,
    sqs: SimSqs,
    counts: Arc<Minutes>,
    /// The rules about leads over the bucket itself, in which nothing fails.
    faultless: S3Store,
    processors: Arc<AtomicUsize>,
    notifiers: Arc<AtomicUsize>,
    /// When the scheduler may be called next.
    next_look: Duration,
}

impl Functions {
    /// A stack that was deployed just now: S3 has sent its test.
    pub fn new(model: Arc<Model>, spawner: Spawner, neighbours: Neighbours) -> Self {
        let bucket = SimBucket::new(model.clone());
        // Some stacks have the few receives that were the default once.
        let (mut delay, notification) = (LIMITS.processor.queue, LIMITS.notification.queue);
        if model.dice.chance(0.25) {
            delay.max_receives = 10;
        }
        let sqs = SimSqs::new(model.clone(), delay, notification);
        sqs.add(Queue::Delay, s3_test_event(), model.settings.delay);
        let counts: Arc<Minutes> = Arc::default();
        let faultless = S3Store::over(Arc::new(bucket.clone()), &model.settings, counts.clone());
        let stored = bucket.clone();
        model.set_store(move |key| stored.stored(key));
        let (processors, notifiers) = (Arc::default(), Arc::default());
        let next_look = Duration::ZERO;
        Self { model, spawner, neighbours, bucket, sqs, counts, faultless, processors, notifiers, next_look }
    }

    /// How long it is until the scheduler finds something; none where nothing waits for it.
    fn until_look(&self) -> Option<Duration> {
        let now = self.model.clock.now();
        let mut soonest: Option<Timestamp> = None;
        self.bucket.for_each_object("scheduled/", &mut |key, _| {
            let due = key.split('/').nth(1).and_then(|due| Timestamp::from_second(due.parse().ok()?).ok());
            soonest = soonest.into_iter().chain(due).min();
        });
        let due = outside::time_left(soonest?, now);
        Some(due.max(self.next_look.saturating_sub(self.model.clock.elapsed())))
    }

    /// Calls the scheduler where it would find something.
    fn look(&mut self) {
        if self.until_look() != Some(Duration::ZERO) {
            return;
        }
        let (model, now) = (self.model.clone(), self.model.clock.elapsed());
        self.next_look = now + LOOK;
        let process = Process::new(model.name("housekeeping"));
        let faults = Arc::new(ProcessFaults { model: model.clone(), process: process.clone() });
        let store = store(&self.bucket, &faults, &self.counts);
        let queues = Arc::new(SqsOf { sqs: self.sqs.clone(), faults });
        let schedule = store.schedule(queues, model.clock.clone());
        let deadline = Deadline { at: now + LIMITS.housekeeping, kind: "function timed out" };
        self.spawner.spawn(&process, Some(deadline), async move {
            let until = reserve(model.clock.now() + LIMITS.housekeeping);
            // What fails is found again in a minute.
            let released = schedule.release(Some(until)).await;
            model.note(|| format!("the schedule is looked at: {released:?}"));
        });
    }

    fn invoke(&self, queue: Queue) {
        let (running, limits, kind) = match queue {
            Queue::Delay => (&self.processors, &LIMITS.processor, "lead-processor"),
            Queue::Notification => (&self.notifiers, &LIMITS.notification, "notification"),
        };
        while running.load(Ordering::SeqCst) < limits.at_once {
            let deliveries = self.sqs.take(queue, limits.batch);
            if deliveries.is_empty() {
                return;
            }
            let process = Process::new(self.model.name(kind));
            let slot = Slot::take(running);
            let until = self.model.clock.elapsed() + limits.timeout;
            let deadline = Deadline { at: until, kind: "function timed out" };
            let (stage, reach) = self.instance(queue, &process);
            let (sqs, model, timeout) = (self.sqs.clone(), self.model.clone(), limits.timeout);
            self.model.note(|| {
                let ids: Vec<&str> = deliveries.iter().map(|delivery| delivery.id.as_str()).collect();
                format!("lambda starts {} with {} {ids:?}", process.name, queue.as_str())
            });
            self.spawner.spawn(&process, Some(deadline), async move {
                let _slot = slot;
                let deadline = model.clock.now() + timeout;
                let report = work_on(stage, reach, model.clock.clone(), &deliveries, deadline).await;
                let again: BTreeSet<&str> = report.again().collect();
                // Lambda itself deletes what was not reported.
                for delivery in deliveries.iter().filter(|delivery| !again.contains(delivery.id.as_str())) {
                    sqs.remove(queue, delivery);
                }
            });
        }
    }

    /// An instance of the function that works on a queue.
    fn instance(&self, queue: Queue, process: &Arc<Process>) -> (Arc<dyn QueueStage>, Arc<SqsOf>) {
        let model = &self.model;
        let faults = Arc::new(ProcessFaults { model: model.clone(), process: process.clone() });
        let store = Arc::new(store(&self.bucket, &faults, &self.counts));
        let queues = Arc::new(SqsOf { sqs: self.sqs.clone(), faults: faults.clone() });
        let outbox = Arc::new(store.schedule(queues.clone(), model.clock.clone()));
        let ports = Ports { objects: store.clone(), intake: store.clone(), journal: store.clone(), outbox };
        let instance = Instance::new(process.name.clone());
        let at_work = AtWork::new(&faults, &self.neighbours, ports, &instance);
        let stage: Arc<dyn QueueStage> = match queue {
            Queue::Notification => Arc::new(at_work.notify),
            Queue::Delay => Arc::new(Arrivals {
                stage: pipeline::process::Process { past: Some(store), ..at_work.process },
                bucket: BUCKET.to_owned(),
                delay: Some(model.settings.delay),
            }),
        };
        let stage = match model.mutation {
            Some(mutation) => mutation.of_stage(stage, queues.clone()),
            None => stage,
        };
        (stage, queues)
    }
}

/// The store of a process, to which a bucket's faults happen.
fn store(bucket: &SimBucket, faults: &Arc<ProcessFaults>, counts: &Arc<Minutes>) -> S3Store {
    let model = &faults.model;
    let bucket = Faulty::new(bucket.clone(), faults.clone(), model.clock.clone());
    S3Store::over(Arc::new(bucket), &model.settings, counts.clone())
}

impl Deployment for Functions {
    fn pump(&mut self) -> bool {
        let before = self.sqs.given_up();
        let arriving = self.bucket.arriving();
        // Mostly one in a message, and not always.
        let most = if self.model.dice.chance(0.2) { 3 } else { 1 };
        for together in arriving.chunks(most) {
            if together.len() > 1 {
                self.model.count_fault("several records in a message");
            }
            let body = s3_event(together.iter().map(|event| (event.key.as_str(), event.at)));
            self.sqs.add(Queue::Delay, body, self.model.settings.delay);
        }
        self.look();
        Queue::ALL.into_iter().for_each(|queue| self.invoke(queue));
        self.sqs.given_up() > before
    }

    fn next_change(&self) -> Option<Duration> {
        // What is visible and not taken waits for a free slot.
        let visible = Queue::ALL.into_iter().filter_map(|queue| self.sqs.next_visible(queue));
        let visible = visible.filter(|left| !left.is_zero());
        visible.chain(self.bucket.next_event()).chain(self.until_look()).min()
    }

    fn endpoint(&self) -> Arc<dyn WebhookEndpoint> {
        Arc::new(Gateway {
            model: self.model.clone(),
            spawner: self.spawner.clone(),
            neighbours: self.neighbours.clone(),
            bucket: self.bucket.clone(),
            sqs: self.sqs.clone(),
            counts: self.counts.clone(),
            instances: Mutex::default(),
        })
    }

    fn ops(&self, faults: &Arc<ProcessFaults>) -> Ops {
        let model = &self.model;
        let store = store(&self.bucket, faults, &self.counts);
        let history = Arc::new(BucketHistory {
            store: store.clone(),
            counts: self.counts.clone(),
            clock: model.clock.clone(),
        });
        let (store, queues) =
            (Arc::new(store), Arc::new(SqsOf { sqs: self.sqs.clone(), faults: faults.clone() }));
        let dead_letters = match model.mutation {
            Some(mutation) => {
                mutation.of_dead_letters(queues.clone(), queues.clone(), self.model.clock.clone())
            }
            None => queues.clone(),
        };
        let receipts = Receipts { objects: store.clone(), clock: model.clock.clone() };
        Ops {
            settings: model.settings.clone(),
            objects: store.clone(),
            history,
            inbox: queues.clone(),
            dead_letters,
            logs: Arc::new(Memory::new(model.clock.clone())),
            outbox: queues.clone(),
            alerting: AlertQueue { receipts, outbox: queues },
            recorder: Recorder { clock: model.clock.clone(), random: model.dice.random(), journal: store },
            set_up: Arc::new(NoSetUpReport),
            operator: faults.process.name.clone(),
            access: Access::Full,
        }
    }

    fn put_by_hand(&self, body: &str) {
        self.sqs.add(Queue::Delay, body.to_owned(), Duration::ZERO);
    }

    fn end_faults(&mut self) {}

    fn bodies(&self, each: &mut dyn FnMut(Place, &str)) {
        self.bucket
            .for_each_event(&mut |event| each(Place::Queue, &s3_event([(event.key.as_str(), event.at)])));
        self.sqs.for_each_message(&mut |body| each(Place::Queue, body));
        self.bucket
            .for_each_object("scheduled/", &mut |_, body| each(Place::Queue, &String::from_utf8_lossy(body)));
        self.sqs.for_each_dead(&mut |_, body| each(Place::Dead, body));
        self.bucket.for_each_object("deleted/", &mut |_, copy| {
            if let Some(body) = stored_body(copy) {
                each(Place::DeletedCopy, &body);
            }
        });
    }

    fn open_leads(&self) -> BTreeSet<LeadId> {
        let now = self.model.clock.now();
        at_once(self.faultless.open_leads(now, usize::MAX))
            .unwrap()
            .into_iter()
            .map(|open| open.lead)
            .collect()
    }

    fn progress(&self, lead: &LeadId) -> Option<Progress> {
        at_once(self.faultless.progress(lead)).unwrap()
    }

    fn dead_letters(&self) -> Vec<DeadLetter> {
        let mut letters = Vec::new();
        self.sqs.for_each_dead(&mut |letter, _| letters.push(letter.clone()));
        letters
    }

    fn mentions(&self, text: &str) -> bool {
        let mut found = false;
        self.bodies(&mut |_, body| found |= body.contains(text));
        self.bucket.for_each_object("", &mut |key, body| {
            found |= key.contains(text) || body.windows(text.len()).any(|part| part == text.as_bytes());
        });
        found
    }
}

/// One of the invocations that a function may have at a time.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(running: &Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(running))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// API Gateway: each request starts a function.
struct Gateway {
    model: Arc<Model>,
    spawner: Spawner,
    neighbours: Neighbours,
    bucket: SimBucket,
    sqs: SimSqs,
    counts: Arc<Minutes>,
    /// The function's instances, each with its last invocation.
    instances: Mutex<Vec<(Instance, Arc<Process>)>>,
}

impl Gateway {
    /// The instance that an invocation lands on: one that is there, or a new one. Whatever remembered something
    /// dies with its invocation.
    fn instance(&self, invocation: &Arc<Process>) -> Instance {
        let mut instances = self.instances.lock().unwrap();
        instances.retain(|(_, last)| !last.is_dead());
        let dice = &self.model.dice;
        if instances.is_empty() || dice.chance(0.05) {
            instances.push((Instance::new(invocation.name.clone()), invocation.clone()));
        }
        let chosen = usize::try_from(dice.below(instances.len() as u64)).unwrap();
        instances[chosen].1 = invocation.clone();
        instances[chosen].0.clone()
    }
}

impl WebhookEndpoint for Gateway {
    fn post(&self, request: Request) -> oneshot::Receiver<u16> {
        let (answer, answered) = oneshot::channel();
        let model = self.model.clone();
        let process = Process::new(model.name("webhook-ingestion"));
        let faults = Arc::new(ProcessFaults { model: model.clone(), process: process.clone() });
        let store = Arc::new(store(&self.bucket, &faults, &self.counts));
        let outbox = Arc::new(SqsOf { sqs: self.sqs.clone(), faults: faults.clone() });
        let ports = Ports { objects: store.clone(), intake: store.clone(), journal: store, outbox };
        let stages = AtWork::new(&faults, &self.neighbours, ports, &self.instance(&process));
        let deadline = Deadline { at: model.clock.elapsed() + LIMITS.ingestion, kind: "function timed out" };
        self.spawner.spawn(&process, Some(deadline), async move {
            close::answer(&model, &stages.ingest, request, answer).await;
        });
        answered
    }
}

/// The counts per minute, which CloudWatch keeps.
#[derive(Default)]
struct Minutes(Mutex<Vec<(Timestamp, LeadMetric)>>);

impl MetricsSink for Minutes {
    fn count(&self, at: Timestamp, measured: &Measurement) {
        if let Some(counted) = measured.counted {
            self.0.lock().unwrap().push((at, counted));
        }
    }

    fn refused(&self, _: Timestamp, _: u16, _: Option<Code>) {}
}

/// The journal in the bucket, with those counts.
struct BucketHistory {
    store: S3Store,
    counts: Arc<Minutes>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl History for BucketHistory {
    async fn recent(
        &self,
        stages: &[Stage],
        since: Option<Timestamp>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        self.store.recent(stages, since, before, limit).await
    }

    async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Entry>, Fault> {
        self.store.of_lead(lead).await
    }

    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault> {
        self.store.progress(lead).await
    }

    async fn open_leads(&self, limit: usize) -> Result<Vec<OpenLead>, Fault> {
        self.store.open_leads(self.clock.now(), limit).await
    }

    async fn count_open(&self, now: Timestamp, overdue_before: Timestamp) -> Result<OpenCounts, Fault> {
        self.store.count_open(now, overdue_before).await
    }

    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, Fault> {
        let counts = self.counts.0.lock().unwrap();
        let counted = counts.iter().filter(|(at, _)| *at >= since);
        let mut minutes: Vec<Minute> = Vec::new();
        for (at, counted) in counted {
            let at = Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap();
            let index = match minutes.binary_search_by_key(&at, |minute| minute.at) {
                Ok(index) => index,
                Err(index) => {
                    minutes.insert(index, Minute { at, ..Minute::default() });
                    index
                }
            };
            let minute = &mut minutes[index];
            *match counted {
                LeadMetric::Accepted => &mut minute.accepted,
                LeadMetric::Enriched => &mut minute.enriched,
                LeadMetric::Notified => &mut minute.notified,
                LeadMetric::Failed => &mut minute.failed,
            } += 1;
        }
        Ok(minutes)
    }

    async fn refused(&self, _: Timestamp) -> Result<BTreeMap<String, u64>, Fault> {
        // Nobody counts them in the simulator.
        Ok(BTreeMap::new())
    }

    async fn refused_webhooks(&self, _: Timestamp) -> Result<BTreeMap<Code, u64>, Fault> {
        Ok(BTreeMap::new())
    }
}
