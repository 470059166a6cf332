//! The embedded wiring: `up` is one process on one store, with transactions.
//!
//! The store is the in-memory one, which passes the same conformance suite as the SQLite file; the workers
//! around the stages do what those of `crates/embedded` do.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{Either, join_all, select},
};
use lead::LeadId;
use ops::{Access, Ops, SaysNothing};
use pipeline::{
    Progress, Recorder,
    alerting::Alerting,
    patience::RECEIVES,
    ports::{Clock, DeadLetter, Delivery, Disposition, History, Inbox, NewMessage, Outbox, Queue},
    receipt::Receipts,
};
use tokio::sync::oneshot;

use super::{
    Model,
    close::{self, Request},
    deployment::{Deployment, Door, Place, at_once, kept_body},
    process::{Process, ProcessWeather},
    scheduler::Spawner,
    stages::{Instance, Neighbours, Ports, Stages},
};
use crate::{
    faulty::Faulty,
    memory::{Memory, Rules},
};

const SECOND: Duration = Duration::from_secs(1);
/// How many leads are processed at the same time.
const PROCESSING: usize = 6;
/// How many batches of alerts are worked on at the same time, and how many alerts are in one.
const NOTIFYING: usize = 2;
const BATCH: usize = 100;
/// How often an outcome is written down again that could not be.
const SETTLE_ATTEMPTS: u32 = 6;

/// The wiring.
pub struct Embedded {
    model: Arc<Model>,
    spawner: Spawner,
    neighbours: Neighbours,
    memory: Memory,
    up: Arc<Mutex<Up>>,
}

/// One life of `up`.
struct Up {
    process: Arc<Process>,
    stages: Arc<Stages>,
    store: Arc<Faulty<Memory>>,
    delay: Arc<Worker>,
    notification: Arc<Worker>,
    /// When it comes up again, once it is down.
    back_at: Option<Duration>,
}

/// The worker of one queue.
#[derive(Default)]
struct Worker {
    receiving: AtomicBool,
    busy: AtomicUsize,
}

impl Embedded {
    /// A pipeline that is up.
    pub fn new(model: Arc<Model>, spawner: Spawner, neighbours: Neighbours) -> Self {
        let delay = Rules { max_receives: RECEIVES, ..Rules::DELAY };
        let notification = Rules { max_receives: 100_000, ..Rules::NOTIFICATION };
        let memory = Memory::with_rules(model.clock.clone(), delay, notification);
        let up = Arc::new(Mutex::new(Up::start(&model, &neighbours, &memory)));
        let stored = memory.clone();
        model.keeps(move |key| stored.stored(key));
        Self { model, spawner, neighbours, memory, up }
    }
}

impl Up {
    fn start(model: &Arc<Model>, neighbours: &Neighbours, memory: &Memory) -> Self {
        let process = Process::new(model.name("up"));
        let weather = Arc::new(ProcessWeather { model: model.clone(), process: process.clone() });
        let store = Arc::new(Faulty::new(memory.clone(), weather.clone(), model.clock.clone()));
        let ports = Ports {
            objects: store.clone(),
            intake: store.clone(),
            journal: store.clone(),
            outbox: store.clone(),
        };
        let instance = Instance::new(process.name.clone());
        let stages = Arc::new(Stages::new(&weather, neighbours, ports, &instance));
        memory.release_in_flight();
        let (delay, notification) = (Arc::default(), Arc::default());
        Self { process, stages, store, delay, notification, back_at: None }
    }

    fn worker(&self, queue: Queue) -> Arc<Worker> {
        match queue {
            Queue::Delay => self.delay.clone(),
            Queue::Notification => self.notification.clone(),
        }
    }
}

impl Deployment for Embedded {
    fn pump(&mut self) -> bool {
        let now = self.model.clock.elapsed();
        let mut up = self.up.lock().unwrap();
        if up.process.is_dead() {
            let model = &self.model;
            let back_at = *up.back_at.get_or_insert_with(|| now + model.dice.between(SECOND, SECOND * 90));
            if back_at > now {
                return false;
            }
            *up = Up::start(model, &self.neighbours, &self.memory);
            model.note(|| format!("{} is up", up.process.name));
        }
        for queue in Queue::ALL {
            let worker = up.worker(queue);
            let (most, batch) = match queue {
                Queue::Delay => (PROCESSING, 1),
                Queue::Notification => (NOTIFYING, BATCH),
            };
            let ready = self.memory.next_ready(queue).is_some_and(|left| left.is_zero());
            let free = worker.busy.load(Ordering::SeqCst) < most;
            if !ready || !free || worker.receiving.swap(true, Ordering::SeqCst) {
                continue;
            }
            let shift = Shift {
                model: self.model.clone(),
                memory: self.memory.clone(),
                store: up.store.clone(),
                stages: up.stages.clone(),
                worker,
                queue,
                batch,
            };
            self.spawner.spawn(&up.process, None, shift.work());
        }
        false
    }

    fn next_change(&self) -> Option<Duration> {
        let now = self.model.clock.elapsed();
        let up = self.up.lock().unwrap();
        if let Some(back_at) = up.back_at {
            return Some(back_at.saturating_sub(now));
        }
        // What is ready and not taken waits for somebody else to change.
        Queue::ALL
            .into_iter()
            .filter_map(|queue| self.memory.next_ready(queue))
            .filter(|left| !left.is_zero())
            .min()
    }

    fn door(&self) -> Arc<dyn Door> {
        Arc::new(Listener { model: self.model.clone(), spawner: self.spawner.clone(), up: self.up.clone() })
    }

    fn ops(&self, weather: &Arc<ProcessWeather>) -> Ops {
        let model = &self.model;
        let store = Arc::new(Faulty::new(self.memory.clone(), weather.clone(), model.clock.clone()));
        let calm = Arc::new(self.memory.clone());
        let dead_letters = match model.mutation {
            Some(mutation) => mutation.of_dead_letters(store.clone(), store.clone()),
            None => store.clone(),
        };
        let receipts = Receipts { objects: store.clone(), clock: model.clock.clone() };
        Ops {
            settings: model.settings.clone(),
            objects: store.clone(),
            history: calm.clone(),
            inbox: calm.clone(),
            dead_letters,
            logs: calm,
            outbox: store.clone(),
            alerting: Alerting { receipts, outbox: store.clone() },
            recorder: Recorder { clock: model.clock.clone(), random: model.dice.random(), journal: store },
            set_up: Arc::new(SaysNothing),
            who: weather.process.name.clone(),
            access: Access::Full,
        }
    }

    fn put_by_hand(&self, body: &str) {
        let message = NewMessage { body: body.to_owned(), lead: None, delay: Duration::ZERO };
        at_once(self.memory.send(Queue::Delay, message)).unwrap();
    }

    fn calm_down(&mut self) {
        let mut up = self.up.lock().unwrap();
        if let Some(back_at) = &mut up.back_at {
            *back_at = self.model.clock.elapsed();
        }
    }

    fn bodies(&self, each: &mut dyn FnMut(Place, &str)) {
        self.memory.for_each_message(&mut |body| each(Place::Queue, body));
        self.memory.for_each_dead(&mut |_, body| each(Place::Dead, body));
        self.memory.for_each_object("deleted/", &mut |_, copy| {
            if let Some(body) = kept_body(copy) {
                each(Place::Kept, &body);
            }
        });
    }

    fn waiting_room(&self) -> BTreeSet<LeadId> {
        at_once(self.memory.open_leads(usize::MAX)).unwrap().into_iter().map(|open| open.lead).collect()
    }

    fn progress(&self, lead: &LeadId) -> Option<Progress> {
        at_once(History::progress(&self.memory, lead)).unwrap()
    }

    fn dead_letters(&self) -> Vec<DeadLetter> {
        let mut letters = Vec::new();
        self.memory.for_each_dead(&mut |letter, _| letters.push(letter.clone()));
        letters
    }

    fn mentions(&self, text: &str) -> bool {
        let mut found = false;
        self.bodies(&mut |_, body| found |= body.contains(text));
        let mentioned = |key: &str, body: &Bytes| {
            key.contains(text) || body.windows(text.len()).any(|part| part == text.as_bytes())
        };
        self.memory.for_each_object("", &mut |key, body| found |= mentioned(key, body));
        found
    }
}

/// One turn of a worker: what it receives it works on and settles.
struct Shift {
    model: Arc<Model>,
    memory: Memory,
    store: Arc<Faulty<Memory>>,
    stages: Arc<Stages>,
    worker: Arc<Worker>,
    queue: Queue,
    batch: usize,
}

impl Shift {
    async fn work(self) {
        let received = self.store.receive(self.queue, self.batch).await;
        let Ok(deliveries) = received else {
            self.model.clock.sleep(SECOND).await;
            self.worker.receiving.store(false, Ordering::SeqCst);
            return;
        };
        self.worker.receiving.store(false, Ordering::SeqCst);
        if deliveries.is_empty() {
            return;
        }
        self.worker.busy.fetch_add(1, Ordering::SeqCst);
        if let Some(mutation) = self.model.mutation {
            mutation.before_work(self.store.as_ref(), self.queue, &deliveries).await;
        }
        let outcomes = {
            let stage = pin!(self.outcomes(&deliveries));
            let hidden = pin!(self.keep_hidden(&deliveries));
            match select(stage, hidden).await {
                Either::Left((outcomes, _)) => outcomes,
                Either::Right(((), _)) => vec![Disposition::Retry(SECOND * 5); deliveries.len()],
            }
        };
        let settled = deliveries.iter().zip(outcomes).map(|(delivery, outcome)| {
            let outcome = match self.model.mutation {
                Some(mutation) => mutation.after_work(self.queue, delivery, outcome),
                None => outcome,
            };
            self.settle(delivery, outcome)
        });
        join_all(settled).await;
        self.worker.busy.fetch_sub(1, Ordering::SeqCst);
    }

    async fn outcomes(&self, deliveries: &[Delivery]) -> Vec<Disposition> {
        match self.queue {
            Queue::Delay => {
                join_all(deliveries.iter().map(|delivery| self.stages.process.handle(delivery))).await
            }
            Queue::Notification => self.stages.notify.handle(deliveries).await,
        }
    }

    /// Keeps a batch out of others' sight, for as long as any work may take.
    async fn keep_hidden(&self, deliveries: &[Delivery]) {
        let every = self.memory.rules(self.queue).visibility / 3;
        for _ in 0..(900 / every.as_secs().max(1)) {
            self.model.clock.sleep(every).await;
            self.memory.keep_hidden(self.queue, deliveries);
        }
    }

    async fn settle(&self, delivery: &Delivery, outcome: Disposition) {
        let mut pause = Duration::from_millis(200);
        for _ in 0..SETTLE_ATTEMPTS {
            if self.store.settle(self.queue, delivery, outcome.clone()).await.is_ok() {
                return;
            }
            self.model.clock.sleep(pause).await;
            pause *= 2;
        }
    }
}

/// The webhook listener.
struct Listener {
    model: Arc<Model>,
    spawner: Spawner,
    up: Arc<Mutex<Up>>,
}

impl Door for Listener {
    fn knock(&self, request: Request) -> oneshot::Receiver<u16> {
        let (answer, answered) = oneshot::channel();
        let up = self.up.lock().unwrap();
        // Nobody listens: the connection is refused.
        if !up.process.is_dead() {
            let (model, stages) = (self.model.clone(), up.stages.clone());
            let work = async move { close::answer(&model, &stages.ingest, request, answer).await };
            self.spawner.spawn(&up.process, None, work.boxed());
        }
        answered
    }
}
