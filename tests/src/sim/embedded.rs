//! The embedded wiring: `up` is one process on one store, with transactions.
//!
//! The store is the in-memory one, which passes the same conformance suite as the SQLite file; the workers are the
//! product's own.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::join};
use lead::LeadId;
use ops::{Access, NoSetUpReport, Ops};
use pipeline::{
    Progress, Recorder,
    alert_queue::AlertQueue,
    driver::{QueueStage, Spawn, Workers, take_over},
    ingest::Ingest,
    ports::{Clock, DeadLetter, History, NewMessage, Outbox, Queue, WorkQueues},
    receipt::Receipts,
    store_retry::RECEIVES,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    Model,
    close::{self, Request},
    deployment::{Deployment, Place, WebhookEndpoint, at_once, stored_body},
    process::{Process, ProcessFaults},
    scheduler::Spawner,
    stages::{AtWork, Instance, Neighbours, Ports},
};
use crate::{
    faulty::Faulty,
    memory::{Memory, Rules},
};

const SECOND: Duration = Duration::from_secs(1);

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
    ingest: Arc<Ingest>,
    /// When it comes up again, once it is down.
    back_at: Option<Duration>,
}

impl Embedded {
    /// A pipeline that is up.
    pub fn new(model: Arc<Model>, spawner: Spawner, neighbours: Neighbours) -> Self {
        let delay = Rules { max_receives: RECEIVES, ..Rules::DELAY };
        let notification = Rules { max_receives: 100_000, ..Rules::NOTIFICATION };
        let memory = Memory::with_rules(model.clock.clone(), delay, notification);
        let up = Arc::new(Mutex::new(Up::start(&model, &spawner, &neighbours, &memory)));
        let stored = memory.clone();
        model.set_store(move |key| stored.stored(key));
        Self { model, spawner, neighbours, memory, up }
    }
}

impl Up {
    fn start(model: &Arc<Model>, spawner: &Spawner, neighbours: &Neighbours, memory: &Memory) -> Self {
        let process = Process::new(model.name("up"));
        let faults = Arc::new(ProcessFaults { model: model.clone(), process: process.clone() });
        let store = Arc::new(Faulty::new(memory.clone(), faults.clone(), model.clock.clone()));
        let ports = Ports {
            objects: store.clone(),
            intake: store.clone(),
            journal: store.clone(),
            outbox: store.clone(),
        };
        let instance = Instance::new(process.name.clone());
        let AtWork { ingest, process: second, notify, receipts } =
            AtWork::new(&faults, neighbours, ports, &instance);
        let stages: [Arc<dyn QueueStage>; 2] = [Arc::new(second), Arc::new(notify)];
        let [second, third] = stages.map(|stage| match model.mutation {
            Some(mutation) => mutation.of_stage(stage, store.clone()),
            None => stage,
        });
        let (queues, clock): (Arc<dyn WorkQueues>, Arc<dyn Clock>) = (store, model.clock.clone());
        let spawn = spawn(spawner, &process);
        let [processing, notifying] = Workers::of_process(second, third, &queues, &clock, &spawn);
        let (up, stop) = (process.clone(), CancellationToken::new());
        spawner.spawn(&process, None, async move {
            match take_over(queues.as_ref(), &receipts).await {
                Ok(()) => drop(join(processing.run(stop.clone()), notifying.run(stop)).await),
                // It does not start, and whoever watches over it starts it again.
                Err(_) => up.kill(),
            }
        });
        Self { process, ingest: Arc::new(ingest), back_at: None }
    }
}

/// Has the driver's work done by tasks of a process.
fn spawn(spawner: &Spawner, process: &Arc<Process>) -> Spawn {
    let (spawner, process) = (spawner.clone(), process.clone());
    Arc::new(move |work| {
        let (done, ended) = oneshot::channel();
        spawner.spawn(&process, None, async move {
            work.await;
            let _ = done.send(());
        });
        ended.map(drop).boxed()
    })
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
            *up = Up::start(model, &self.spawner, &self.neighbours, &self.memory);
            model.note(|| format!("{} is up", up.process.name));
        }
        // Time has passed, or the wall clock was set.
        for queue in Queue::ALL {
            if self.memory.next_ready(queue).is_some_and(|left| left.is_zero()) {
                self.memory.wake(queue);
            }
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

    fn endpoint(&self) -> Arc<dyn WebhookEndpoint> {
        Arc::new(Listener { model: self.model.clone(), spawner: self.spawner.clone(), up: self.up.clone() })
    }

    fn ops(&self, faults: &Arc<ProcessFaults>) -> Ops {
        let model = &self.model;
        let store = Arc::new(Faulty::new(self.memory.clone(), faults.clone(), model.clock.clone()));
        let faultless = Arc::new(self.memory.clone());
        let dead_letters = match model.mutation {
            Some(mutation) => {
                mutation.of_dead_letters(store.clone(), store.clone(), self.model.clock.clone())
            }
            None => store.clone(),
        };
        let receipts = Receipts { objects: store.clone(), clock: model.clock.clone() };
        Ops {
            settings: model.settings.clone(),
            objects: store.clone(),
            history: faultless.clone(),
            inbox: faultless.clone(),
            dead_letters,
            logs: faultless,
            outbox: store.clone(),
            alerting: AlertQueue { receipts, outbox: store.clone() },
            recorder: Recorder { clock: model.clock.clone(), random: model.dice.random(), journal: store },
            set_up: Arc::new(NoSetUpReport),
            operator: faults.process.name.clone(),
            access: Access::Full,
        }
    }

    fn put_by_hand(&self, body: &str) {
        let message = NewMessage { body: body.to_owned(), lead: None, delay: Duration::ZERO };
        at_once(self.memory.send(Queue::Delay, message)).unwrap();
    }

    fn end_faults(&mut self) {
        let mut up = self.up.lock().unwrap();
        if let Some(back_at) = &mut up.back_at {
            *back_at = self.model.clock.elapsed();
        }
    }

    fn bodies(&self, each: &mut dyn FnMut(Place, &str)) {
        self.memory.for_each_message(&mut |body| each(Place::Queue, body));
        self.memory.for_each_dead(&mut |_, body| each(Place::Dead, body));
        self.memory.for_each_object("deleted/", &mut |_, copy| {
            if let Some(body) = stored_body(copy) {
                each(Place::DeletedCopy, &body);
            }
        });
    }

    fn open_leads(&self) -> BTreeSet<LeadId> {
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

/// The webhook listener.
struct Listener {
    model: Arc<Model>,
    spawner: Spawner,
    up: Arc<Mutex<Up>>,
}

impl WebhookEndpoint for Listener {
    fn post(&self, request: Request) -> oneshot::Receiver<u16> {
        let (answer, answered) = oneshot::channel();
        let up = self.up.lock().unwrap();
        // Nobody listens: the connection is refused.
        if !up.process.is_dead() {
            let (model, ingest) = (self.model.clone(), up.ingest.clone());
            let work = async move { close::answer(&model, &ingest, request, answer).await };
            self.spawner.spawn(&up.process, None, work.boxed());
        }
        answered
    }
}
