//! Carries out queries and operations.
//!
//! Each runs in a task of its own and reports through one channel. A query is given up after
//! [`QUERY_TIMEOUT`]; an operation never is, as its result has to be reported.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use ops::{Actions, Ops, Recipients, Resent, export::Export};
use pipeline::{
    Code, Fault, Stage,
    destination::DestinationId,
    ports::{Body, Watch},
};
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};

use super::{
    format::{clock, count},
    msg::{
        Answer, Event, Operation, PipelineInfo, Progress, QUERY_TIMEOUT, Query, Reply, Step, Target, Verb,
    },
    remote::QueryError,
    rows::FilterTask,
    source::{Environments, Source},
    views,
};

/// How long to wait for the receipt of a resent alert.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long quitting may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long another pipeline may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long redriven leads are watched, and at most how many of them.
const FOLLOW_FOR: Duration = Duration::from_secs(90);
const MOST_FOLLOWED: usize = 200;
/// The first pause between two looks at them, and the longest.
const FIRST_POLL: Duration = Duration::from_millis(300);
const LONGEST_POLL: Duration = Duration::from_secs(5);
/// For how many receipts it waits at once.
const AT_ONCE: usize = 16;

/// What the tasks report.
pub enum Report {
    /// Something for [`super::update`].
    Event(Event),
    /// Another pipeline has been opened, or not; [`Effects::switch_to`] takes it first.
    Opened(u64, Box<Result<Source, Fault>>),
}

/// Carries out the commands of [`super::update`].
pub struct Effects {
    ops: Arc<Ops>,
    watch: Arc<dyn Watch>,
    environments: Arc<dyn Environments>,
    reports: mpsc::UnboundedSender<Report>,
    queries: HashMap<u64, AbortHandle>,
    operations: HashMap<u64, Arc<AtomicBool>>,
}

impl Effects {
    /// Effects on a pipeline, and the channel that they report through.
    ///
    /// The channel needs no bound: there is one query at a time for each panel, and an operation
    /// reports each of its targets once.
    pub fn new(
        ops: Arc<Ops>,
        watch: Arc<dyn Watch>,
        environments: Arc<dyn Environments>,
    ) -> (Self, mpsc::UnboundedReceiver<Report>) {
        let (reports, listener) = mpsc::unbounded_channel();
        let (queries, operations) = (HashMap::new(), HashMap::new());
        (Self { ops, watch, environments, reports, queries, operations }, listener)
    }

    /// Starts a query.
    pub fn ask(&mut self, generation: u64, query: Query) {
        self.queries.retain(|_, task| !task.is_finished());
        let (ops, watch, reports) = (self.ops.clone(), self.watch.clone(), self.reports.clone());
        let task = tokio::spawn(async move {
            let began = Instant::now();
            let answer = match timeout(QUERY_TIMEOUT, answer(&ops, &*watch, &query)).await {
                Ok(answer) => answer.map_err(QueryError::from),
                Err(_) => Err(QueryError::NoAnswer(QUERY_TIMEOUT)),
            };
            let reply = Reply { generation, query, took: began.elapsed(), answer };
            // The channel is closed once the console has ended.
            let _ = reports.send(Report::Event(Event::Reply(Box::new(reply))));
        });
        self.queries.insert(generation, task.abort_handle());
    }

    /// Cancels a query.
    pub fn cancel(&mut self, generation: u64) {
        if let Some(task) = self.queries.remove(&generation) {
            task.abort();
        }
    }

    /// Filters and sorts rows on a thread of its own.
    pub fn filter(&self, generation: u64, task: FilterTask) {
        let reports = self.reports.clone();
        tokio::task::spawn_blocking(move || {
            let _ = reports.send(Report::Event(Event::Filtered(generation, task.run())));
        });
    }

    /// Starts an operation.
    pub fn run(&mut self, job: u64, operation: Operation) {
        let (ops, reports, stop) = (self.ops.clone(), self.reports.clone(), Arc::new(AtomicBool::new(false)));
        self.operations.insert(job, stop.clone());
        tokio::spawn(async move {
            let report = |step| {
                let _ = reports.send(Report::Event(Event::Progress(Progress { job, step })));
            };
            if let Err(fault) = perform(&ops, operation, &stop, &report).await {
                report(Step::Refused(fault));
            }
            report(Step::Finished);
        });
    }

    /// Stops an operation after the current target.
    pub fn stop(&mut self, job: u64) {
        if let Some(stop) = self.operations.remove(&job) {
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Opens another pipeline, and cancels all queries to this one.
    pub fn switch(&mut self, generation: u64, name: String) {
        for (_, task) in self.queries.drain() {
            task.abort();
        }
        let (environments, reports) = (self.environments.clone(), self.reports.clone());
        tokio::spawn(async move {
            let opened = timeout(OPEN_TIMEOUT, environments.open(&name)).await.unwrap_or_else(|_| {
                let what = format!("{name} did not open in {} s", OPEN_TIMEOUT.as_secs());
                Err(Fault::new(Code::AwsUnreachable, outside::text::shorten(&what, 200)))
            });
            let _ = reports.send(Report::Opened(generation, Box::new(opened)));
        });
    }

    /// Uses an opened pipeline from now on.
    pub fn switch_to(&mut self, source: Source) -> PipelineInfo {
        let info = source.info();
        let left = std::mem::replace(&mut self.watch, source.watch);
        self.ops = source.ops;
        tokio::spawn(async move { left.let_go().await });
        info
    }

    /// Releases what the watch holds, before the process ends.
    pub async fn close(self) {
        // Quitting must not take long: what is not released returns by itself.
        let _ = timeout(SHUTDOWN_TIMEOUT, self.watch.let_go()).await;
    }
}

impl Source {
    /// What is known about it as soon as it is open.
    pub fn info(&self) -> PipelineInfo {
        let (banner, refusal) = (self.banner.clone(), self.ops.actions().err());
        PipelineInfo { banner, refusal, settings: self.ops.settings.clone(), min_interval: self.min_interval }
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        for task in self.queries.values() {
            task.abort();
        }
        // An operation stops after its current target; the runtime's end would stop it anywhere.
        for stop in self.operations.values() {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

async fn answer(ops: &Ops, watch: &dyn Watch, query: &Query) -> Result<Answer, Fault> {
    Ok(match query {
        Query::Watch => Answer::Watch(watch.look().await?),
        Query::Status => Answer::Status(ops.status().await?),
        Query::Health => Answer::Health(ops.health().await?),
        Query::Minutes(count) => Answer::Minutes(ops.minutes(*count).await?),
        Query::Rows(panel, limit) => Answer::Rows(views::fetch(ops, *panel, *limit).await?),
        Query::Logs(query) => Answer::Logs(ops.logs(query).await?),
        Query::Story(lead) => Answer::Story(Box::new(ops.lead(lead).await?)),
        Query::Raw(lead) => Answer::Raw(ops.raw(lead).await?),
        Query::Letter(id) => Answer::Letter(Box::new(ops.dead_letter(id).await?)),
        Query::Select(selection) => Answer::Select(ops.select(selection).await?),
    })
}

async fn perform(
    ops: &Ops,
    Operation { verb, targets }: Operation,
    stop: &AtomicBool,
    report: &(dyn Fn(Step) + Sync),
) -> Result<(), Fault> {
    let work = Work { ops, actions: ops.actions()?, targets: &targets, stop, report };
    match verb {
        Verb::Export(path) => work.export(&path).await?,
        Verb::Resend(to, whom) => work.resend(&to, whom).await,
        Verb::Try(to) => work.send_trial(&to).await,
        verb => work.one_by_one(&verb).await,
    }
    Ok(())
}

/// An operation that is being carried out.
struct Work<'a> {
    ops: &'a Ops,
    actions: Actions<'a>,
    targets: &'a [Target],
    stop: &'a AtomicBool,
    report: &'a (dyn Fn(Step) + Sync),
}

impl Work<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The targets with their indices, until it is stopped.
    fn targets(&self) -> impl Iterator<Item = (usize, &Target)> {
        self.targets.iter().enumerate().take_while(|_| !self.stopped())
    }

    /// Acts on each target, and watches how those end that are processed again.
    async fn one_by_one(&self, verb: &Verb) {
        let mut acted = Vec::new();
        for (index, target) in self.targets() {
            let result = self.one(verb, target).await;
            if result.is_ok() && matches!(verb, Verb::Redrive | Verb::RedriveEdited(_) | Verb::Requeue) {
                acted.push(index);
            }
            (self.report)(Step::Done(index, result));
        }
        if !acted.is_empty() {
            (self.report)(Step::Following);
            self.follow(acted).await;
        }
    }

    /// Carries out an operation on one target.
    async fn one(&self, verb: &Verb, target: &Target) -> Result<Option<String>, Fault> {
        let missing = || Fault::new(Code::Internal, format!("{} cannot be {}", target.name, verb.done()));
        let (actions, letter) = (self.actions, target.letter.as_ref().ok_or_else(missing));
        match verb {
            Verb::Redrive => actions.redrive(letter?, Body::AsIs).await?,
            Verb::RedriveEdited(body) => actions.redrive(letter?, Body::Edited(body.clone())).await?,
            Verb::Delete => {
                let copy = actions.delete(&letter?.id).await?;
                return Ok(Some(format!("a copy is in {copy}")));
            }
            Verb::Requeue => actions.requeue(target.lead.as_ref().ok_or_else(missing)?).await?,
            Verb::Resend(..) | Verb::Try(_) | Verb::Export(_) => return Err(missing()),
        }
        Ok(None)
    }

    /// Watches leads that were redriven or requeued, until all of them have finished again.
    async fn follow(&self, acted: Vec<usize>) {
        let lead_of = |index: usize| self.targets[index].lead.as_ref();
        let mut open: Vec<usize> =
            acted.into_iter().filter(|index| lead_of(*index).is_some()).take(MOST_FOLLOWED).collect();
        let (began, mut pause) = (Instant::now(), FIRST_POLL);
        while !open.is_empty() && began.elapsed() < FOLLOW_FOR && !self.stopped() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_POLL);
            let mut still = Vec::new();
            for index in open {
                let Some(lead) = lead_of(index) else { continue };
                match self.ops.outcome_since_action(lead).await {
                    Ok(Some(step)) => {
                        let ended = match step.stage {
                            Stage::Dead => Err(format!("dead again: {}", step.detail)),
                            _ => Ok(format!("sent: {}", step.detail)),
                        };
                        (self.report)(Step::Followed(index, ended));
                    }
                    // The panels show a failing source; here it only means another look.
                    Ok(None) | Err(_) => still.push(index),
                }
            }
            open = still;
        }
    }

    /// Queues new alerts one by one, then waits for their receipts.
    async fn resend(&self, destination: &DestinationId, whom: Recipients) {
        let mut waiting = Vec::new();
        for (index, target) in self.targets() {
            let Some(lead) = &target.lead else { continue };
            match self.actions.resend(lead, destination, whom).await {
                Ok(queued) => waiting.push((index, queued)),
                Err(fault) => (self.report)(Step::Done(index, Err(fault))),
            }
        }
        let mut receipts = stream::iter(waiting)
            .map(|(index, queued)| async move {
                let receipt = self.ops.receipt(&queued, RECEIPT_TIMEOUT);
                (index, unless_stopped(self.stop, receipt).await)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((index, receipt)) = receipts.next().await {
            let taken = receipt.and_then(|receipt| taken(&receipt, "the alert"));
            (self.report)(Step::Done(index, taken));
        }
    }

    /// Queues a trial alert, and waits for its receipt.
    async fn send_trial(&self, to: &DestinationId) {
        let receipt = async { self.ops.receipt(&self.actions.send_trial(to).await?, RECEIPT_TIMEOUT).await };
        let receipt = unless_stopped(self.stop, receipt).await;
        (self.report)(Step::Done(0, receipt.and_then(|receipt| taken(&receipt, "the trial alert"))));
    }

    /// Writes dead letters with their bodies into a new file, one per line.
    async fn export(&self, path: &Path) -> Result<(), Fault> {
        let mut file = Export::create(path)?;
        let mut written = 0;
        for (index, target) in self.targets() {
            let Some(letter) = &target.letter else { continue };
            let result = async {
                let (letter, body) = (self.ops.dead_letters.get(&letter.id).await?)
                    .ok_or_else(|| Fault::new(Code::NoSuchDeadLetter, "it no longer exists"))?;
                file.write(&letter, &body)
            };
            let result = result.await;
            written += usize::from(result.is_ok());
            (self.report)(Step::Done(index, result.map(|()| None)));
        }
        file.finish()?;
        self.actions.exported(written).await
    }
}

/// Waits for an alert's receipt, or until the user stops waiting; the alert is sent anyway.
async fn unless_stopped(
    stop: &AtomicBool,
    receipt: impl Future<Output = Result<Resent, Fault>>,
) -> Result<Resent, Fault> {
    let stopped = async {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(FIRST_POLL).await;
        }
    };
    tokio::select! {
        receipt = receipt => receipt,
        () = stopped => Err(Fault::new(Code::NoReceipt, "stopped waiting for the receipt")),
    }
}

/// What a destination has accepted, if it has for all recipients.
fn taken(receipt: &Resent, what: &str) -> Result<Option<String>, Fault> {
    if let Some(fault) = receipt.fault() {
        return Err(fault);
    }
    let notification = &receipt.notification;
    let (label, at) = (notification.destination.label(), clock(notification.at));
    let tries = count(notification.attempts as usize, "attempt", "attempts");
    Ok(Some(format!("{label} accepted {what} at {at}, {tries}")))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_wait_for_a_receipt_can_be_stopped() {
        let fault = unless_stopped(&AtomicBool::new(true), pending()).await.unwrap_err();
        assert_eq!(fault.code, Code::NoReceipt);
    }
}
