//! Working on a queue for as long as the process lives.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, Either, join_all, select};
use tokio_util::sync::CancellationToken;

use super::{Driver, FIRST_PAUSE, QueueStage, in_flight::InFlight};
use crate::{
    Code, Fault,
    ports::{Clock, Delivery, Disposition, Inbox, Level, Queue, WorkQueues, within},
    recorder,
};

/// How many leads are processed at the same time: enough to get through a burst while the source of owners takes its
/// time over every answer.
const PROCESSING: usize = 64;
/// How many batches of alerts to one destination are worked on at the same time: while one is being written down, the
/// other is sent.
const NOTIFYING: usize = 2;
/// How many alerts a batch has at most.
const BATCH: usize = 100;
/// How long alerts wait at most for others that are about to come, and how often it is looked whether they have.
const COMPANY: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(25);
/// When a message whose stage panicked is delivered again.
const PANIC_PAUSE: Duration = Duration::from_secs(5);
/// How often an outcome is written down again that could not be.
const SETTLE_ATTEMPTS: u32 = 6;
/// How long a stage may work on what it was given.
const LONGEST_WORK: Duration = Duration::from_secs(15 * 60);
/// How long work that has begun may take once the workers are to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// The longest pause after a failure of the queues.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Has a piece of work done beside others, on another thread where there are several; ends when that has.
pub type Spawn = Arc<dyn Fn(BoxFuture<'static, ()>) -> BoxFuture<'static, ()> + Send + Sync>;

/// Those who work on one queue.
pub struct Workers {
    /// What they do with a batch.
    pub driver: Driver,
    /// Where they take it from.
    pub queues: Arc<dyn WorkQueues>,
    /// How many batches of a lane are worked on at the same time.
    pub at_once: usize,
    /// How many messages a batch has at most.
    pub batch: usize,
    /// How they work side by side.
    pub spawn: Spawn,
}

impl Workers {
    /// Those of a process that works on both queues.
    pub fn of_process(
        process: Arc<dyn QueueStage>,
        notify: Arc<dyn QueueStage>,
        queues: &Arc<dyn WorkQueues>,
        clock: &Arc<dyn Clock>,
        spawn: &Spawn,
    ) -> [Self; 2] {
        let workers = |stage: Arc<dyn QueueStage>, at_once, batch| {
            let (inbox, clock): (Arc<dyn Inbox>, _) = (Arc::clone(queues) as _, Arc::clone(clock));
            let (settle_attempts, after_panic) = (SETTLE_ATTEMPTS, Some(PANIC_PAUSE));
            let driver = Driver { stage, inbox, clock, settle_attempts, after_panic };
            Self { driver, queues: Arc::clone(queues), at_once, batch, spawn: Arc::clone(spawn) }
        };
        [workers(process, PROCESSING, 1), workers(notify, NOTIFYING, BATCH)]
    }

    /// Works until `stop`; then takes nothing more, gives what is in hand ten seconds to finish, and puts the rest back
    /// into its queue.
    pub async fn run(self, stop: CancellationToken) {
        let workers = Arc::new(self);
        let lanes = workers.driver.stage.lanes().max(1);
        let give_up = CancellationToken::new();
        let mut in_flight = InFlight::default();
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            if in_flight.full_lanes(workers.at_once) >= lanes {
                either(stop.cancelled(), in_flight.next()).await;
                continue;
            }
            if unless(&stop, in_flight.beside(workers.await_company())).await.is_none() {
                break;
            }
            let free = (workers.at_once * lanes).saturating_sub(in_flight.len());
            // Not to be cancelled: what it takes must not be lost sight of.
            let received = workers.queues.receive(workers.driver.stage.queue(), workers.batch.max(free));
            let waited = match in_flight.beside(received).await {
                Ok(deliveries) if deliveries.is_empty() => {
                    let ready = workers.queues.wait_ready(workers.driver.stage.queue());
                    unless(&stop, in_flight.beside(ready)).await.unwrap_or(Ok(()))
                }
                Ok(deliveries) => {
                    let resting = workers.begin(deliveries, &mut in_flight, &give_up);
                    let given_back = resting.iter().map(|(one, rest)| workers.give_back(one, *rest));
                    in_flight.beside(join_all(given_back)).await;
                    Ok(())
                }
                Err(fault) => Err(fault),
            };
            match waited {
                Ok(()) => pause = FIRST_PAUSE,
                Err(fault) => {
                    workers.failed("receiving", &fault);
                    let rest = workers.driver.clock.sleep(pause);
                    unless(&stop, in_flight.beside(rest)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        let ended = async { while in_flight.next().await {} };
        if within(&*workers.driver.clock, Some(FAREWELL), ended).await.is_none() {
            give_up.cancel();
            while in_flight.next().await {}
        }
    }

    /// Where many leads are being processed, lets their alerts come first: the first few would use up what their
    /// destination takes at once, one by one, and leave the others to wait for their turn.
    async fn await_company(&self) {
        let Some(from) = self.driver.stage.gathers_from() else { return };
        let mut waited = Duration::ZERO;
        while waited < COMPANY {
            // Whether the queues can be asked at all shows in what is received next.
            let Ok(here) = self.queues.depth(self.driver.stage.queue()).await else { return };
            if here.ready == 0 || here.ready >= self.batch as u64 {
                return;
            }
            let Ok(before) = self.queues.depth(Queue::Delay).await else { return };
            let coming = before.ready + before.in_flight;
            if coming == 0 || here.ready + coming < from {
                return;
            }
            self.driver.clock.sleep(LOOK).await;
            waited += LOOK;
        }
    }

    /// Begins to work on messages, lane by lane. Those of a lane that is full are to rest for so long, that others can be
    /// received before them.
    fn begin(
        self: &Arc<Self>,
        deliveries: Vec<Delivery>,
        in_flight: &mut InFlight,
        give_up: &CancellationToken,
    ) -> Vec<(Delivery, Duration)> {
        let mut lanes: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
        for delivery in deliveries {
            lanes.entry(self.driver.stage.lane(&delivery)).or_default().push(delivery);
        }
        let mut resting = Vec::new();
        for (lane, deliveries) in lanes {
            for batch in deliveries.chunks(self.batch) {
                if in_flight.is_full(&lane, self.at_once) {
                    resting.extend(batch.iter().map(|one| (one.clone(), in_flight.rest(&lane, self.batch))));
                    continue;
                }
                let work = Arc::clone(self).work(batch.into(), give_up.clone());
                in_flight.push(&lane, (self.spawn)(Box::pin(work)));
            }
        }
        resting
    }

    /// Has a batch worked on, keeping it out of others' sight meanwhile, and says what came of it.
    async fn work(self: Arc<Self>, batch: Arc<[Delivery]>, give_up: CancellationToken) {
        let outcomes = unless(&give_up, async {
            match select(pin!(self.driver.outcomes(&batch, None)), pin!(self.keep_hidden(&batch))).await {
                Either::Left((outcomes, _)) => outcomes,
                Either::Right(_) => vec![self.driver.after_panic.map(Disposition::Retry); batch.len()],
            }
        });
        match outcomes.await {
            Some(outcomes) => {
                either(self.driver.settle_all(&batch, outcomes), give_up.cancelled()).await;
            }
            None => {
                self.driver.stage.leave_off(&batch).await;
                join_all(batch.iter().map(|delivery| self.give_back(delivery, Duration::ZERO))).await;
            }
        }
    }

    /// Keeps a batch out of others' sight, and returns when any work has taken too long.
    async fn keep_hidden(&self, batch: &[Delivery]) {
        let queue = self.driver.stage.queue();
        let every = self.queues.visibility(queue) / 3;
        let mut passed = Duration::ZERO;
        while passed < LONGEST_WORK {
            self.driver.clock.sleep(every).await;
            passed += every;
            if let Err(fault) = self.queues.keep_hidden(queue, batch).await {
                self.failed("keeping messages in hand", &fault);
            }
        }
        let what = format!("the work took longer than {} min", LONGEST_WORK.as_secs() / 60);
        self.failed("a stage", &Fault::new(Code::Internal, what));
    }

    async fn give_back(&self, delivery: &Delivery, rest: Duration) {
        if let Err(fault) = self.queues.give_back(self.driver.stage.queue(), delivery, rest).await {
            self.failed("giving a message back", &fault);
        }
    }

    /// Writes to the log what failed. That the files are gone, the store has said itself.
    fn failed(&self, doing: &str, fault: &Fault) {
        if fault.code == Code::StorageGone {
            return;
        }
        recorder::fault(self.driver.function(), Level::Error, &format!("{doing} failed"), None, fault);
    }
}

/// What a future comes to, unless it is time to stop before.
async fn unless<T>(stop: &CancellationToken, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(stop.cancelled()), pin!(future)).await {
        Either::Left(_) => None,
        Either::Right((done, _)) => Some(done),
    }
}

/// Waits for one of two futures.
async fn either(one: impl Future, other: impl Future) {
    select(pin!(one), pin!(other)).await;
}
