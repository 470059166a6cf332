//! The workers: they take messages from the queues to the stages, and say what became of them.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use pipeline::{
    Code, Fault, Function,
    notify::Notify,
    ports::{Delivery, Disposition, Inbox, Level, Queue},
    process::Process,
    recorder,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::store::{Retention, Store};

/// How many leads are processed at the same time: enough to get through a burst while the owner
/// directory takes its time over every answer.
const PROCESSING: usize = 64;
/// How many batches of alerts are worked on at the same time: while one waits for its turn on Slack,
/// the other sends mail.
const NOTIFYING: usize = 2;
/// How many alerts a batch has at most.
const BATCH: usize = 100;
/// When a message whose stage panicked is delivered again.
const PANIC_PAUSE: Duration = Duration::from_secs(5);
/// How long a stage may work on what it was given.
const LONGEST_WORK: Duration = Duration::from_secs(15 * 60);
/// How long work that has begun may take once the workers are to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// The pauses after failures of the storage.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often an outcome is written down again that could not be. After that the message is delivered
/// again, and the stage finds its work done.
const SETTLE_ATTEMPTS: u32 = 6;
/// How often what is old is let go of.
const PRUNE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Works until `shutdown`; then takes nothing more, gives what is in hand ten seconds to finish, and
/// puts the rest back into its queue.
pub async fn run(
    store: Store,
    process: Arc<Process>,
    notify: Arc<Notify>,
    retention: Retention,
    shutdown: CancellationToken,
) {
    let processing = Worker {
        store: store.clone(),
        queue: Queue::Delay,
        at_once: PROCESSING,
        batch: 1,
        shutdown: shutdown.clone(),
    };
    let notifying = Worker {
        store: store.clone(),
        queue: Queue::Notification,
        at_once: NOTIFYING,
        batch: BATCH,
        shutdown: shutdown.clone(),
    };
    let process = move |deliveries: Arc<[Delivery]>| {
        let process = Arc::clone(&process);
        async move { join_all(deliveries.iter().map(|delivery| process.handle(delivery))).await }
    };
    let notify = move |deliveries: Arc<[Delivery]>| {
        let notify = Arc::clone(&notify);
        async move { notify.handle(&deliveries).await }
    };
    let pruning = async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = prune(&store, &retention) => {}
        }
    };
    tokio::join!(processing.run(process), notifying.run(notify), pruning);
}

async fn prune(store: &Store, retention: &Retention) {
    loop {
        if let Err(fault) = store.prune(retention).await {
            failed(Function::Operator, "letting go of what is old", &fault);
        }
        tokio::time::sleep(PRUNE_EVERY).await;
    }
}

/// Takes the messages of one queue to its stage.
#[derive(Clone)]
struct Worker {
    store: Store,
    queue: Queue,
    /// How many batches are worked on at the same time.
    at_once: usize,
    /// How many messages a batch has at most.
    batch: usize,
    shutdown: CancellationToken,
}

impl Worker {
    /// Works until the shutdown and the farewell after it. `stage` gives a disposition for each
    /// delivery, in their order.
    async fn run<S, W>(self, stage: S)
    where
        S: Fn(Arc<[Delivery]>) -> W + Clone + Send + Sync + 'static,
        W: Future<Output = Vec<Disposition>> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(self.at_once));
        let give_up = CancellationToken::new();
        let mut work = JoinSet::new();
        let mut pause = FIRST_PAUSE;
        while let Some(first) = self.slot(&slots).await {
            // Those that have ended are of no further interest.
            while work.try_join_next().is_some() {}
            let most = self.batch.max(1 + slots.available_permits());
            // Not to be cancelled: what it takes must not be lost sight of.
            let received = self.store.receive(self.queue, most);
            let waited = match received.await {
                Ok(deliveries) if deliveries.is_empty() => self.wait().await,
                Ok(deliveries) => {
                    let mut slot = Some(first);
                    for batch in deliveries.chunks(self.batch) {
                        // As many as were free a moment ago, and nobody else takes any.
                        let slot = slot.take().or_else(|| Arc::clone(&slots).try_acquire_owned().ok());
                        work.spawn(self.clone().work(stage.clone(), batch.into(), give_up.clone(), slot));
                    }
                    Ok(())
                }
                Err(fault) => Err(fault),
            };
            match waited {
                Ok(()) => pause = FIRST_PAUSE,
                Err(fault) => {
                    failed(Function::of_queue(self.queue), "receiving", &fault);
                    self.unless_shut_down(tokio::time::sleep(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        let ended = async { while work.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, ended).await.is_err() {
            give_up.cancel();
            while work.join_next().await.is_some() {}
        }
    }

    /// The right to work on one more batch. None when it is time to stop.
    async fn slot(&self, slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        if self.shutdown.is_cancelled() {
            return None;
        }
        self.unless_shut_down(Arc::clone(slots).acquire_owned()).await?.ok()
    }

    async fn wait(&self) -> Result<(), Fault> {
        self.unless_shut_down(self.store.wait_ready(self.queue)).await.unwrap_or(Ok(()))
    }

    async fn unless_shut_down<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            () = self.shutdown.cancelled() => None,
            done = wait => Some(done),
        }
    }

    /// Has a batch worked on, keeping it out of others' sight meanwhile, and writes down what came of it.
    async fn work<S, W>(
        self,
        stage: S,
        batch: Arc<[Delivery]>,
        give_up: CancellationToken,
        _slot: Option<OwnedSemaphorePermit>,
    ) where
        S: Fn(Arc<[Delivery]>) -> W,
        W: Future<Output = Vec<Disposition>>,
    {
        let outcomes = tokio::select! {
            outcomes = self.outcomes(&stage, &batch) => outcomes,
            () = self.keep_hidden(&batch) => {
                let what = format!("the work took longer than {} min", LONGEST_WORK.as_secs() / 60);
                failed(Function::of_queue(self.queue), "a stage", &Fault::new(Code::Internal, what));
                vec![Disposition::Retry(PANIC_PAUSE); batch.len()]
            }
            () = give_up.cancelled() => {
                for delivery in batch.iter() {
                    if let Err(fault) = self.store.give_back(self.queue, delivery).await {
                        failed(Function::of_queue(self.queue), "giving a message back", &fault);
                    }
                }
                return;
            }
        };
        join_all(batch.iter().zip(outcomes).map(|(delivery, outcome)| self.settle(delivery, outcome))).await;
    }

    /// What the stage says of each delivery. Where it panics over several, each is tried for itself, so
    /// that only those that cause it fail.
    async fn outcomes<S, W>(&self, stage: &S, batch: &Arc<[Delivery]>) -> Vec<Disposition>
    where
        S: Fn(Arc<[Delivery]>) -> W,
        W: Future<Output = Vec<Disposition>>,
    {
        let attempt = async |batch: Arc<[Delivery]>| {
            let length = batch.len();
            // The stage may panic before it returns its future, too.
            let caught = AssertUnwindSafe(async { stage(batch).await }).catch_unwind().await;
            caught.ok().filter(|outcomes| outcomes.len() == length)
        };
        if let Some(outcomes) = attempt(Arc::clone(batch)).await {
            return outcomes;
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        for delivery in batch.iter() {
            let alone = if batch.len() == 1 { None } else { attempt(Arc::from([delivery.clone()])).await };
            outcomes.extend(alone.unwrap_or_else(|| {
                let lead = pipeline::job::lead_in(&delivery.body);
                let what =
                    format!("the stage panicked over message {}, attempt {}", delivery.id, delivery.receives);
                recorder::line(
                    Function::of_queue(self.queue),
                    Level::Error,
                    &what,
                    lead.as_ref().map(lead::LeadId::as_str),
                    Some(Code::Internal.as_str()),
                );
                vec![Disposition::Retry(PANIC_PAUSE)]
            }));
        }
        outcomes
    }

    /// Keeps a batch out of others' sight, for as long as any work may take.
    async fn keep_hidden(&self, batch: &[Delivery]) {
        let every = self.store.visibility(self.queue) / 3;
        let mut passed = Duration::ZERO;
        while passed < LONGEST_WORK {
            tokio::time::sleep(every).await;
            passed += every;
            if let Err(fault) = self.store.keep_hidden(self.queue, batch).await {
                failed(Function::of_queue(self.queue), "keeping messages in hand", &fault);
            }
        }
    }

    async fn settle(&self, delivery: &Delivery, outcome: Disposition) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=SETTLE_ATTEMPTS {
            let Err(fault) = self.store.settle(self.queue, delivery, outcome.clone()).await else { return };
            let (doing, lead) =
                ("writing down what became of a message", pipeline::job::lead_in(&delivery.body));
            recorder::fault(Function::of_queue(self.queue), Level::Error, doing, lead.as_ref(), &fault);
            if attempt < SETTLE_ATTEMPTS && self.unless_shut_down(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Writes to the log what failed. That the files are gone, the store has said itself.
fn failed(function: Function, doing: &str, fault: &Fault) {
    if fault.code == Code::StorageGone {
        return;
    }
    let what = format!("{doing} failed: {}", fault.what);
    recorder::line(function, Level::Error, &what, None, Some(fault.code.as_str()));
}

#[cfg(test)]
mod tests;
