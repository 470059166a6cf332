//! Questions and actions, carried out.
//!
//! Each runs in a task of its own and reports through one channel. A question is given up after
//! [`PATIENCE`]; an action never is, as its outcome has to be told.

use std::{
    collections::HashMap,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use ops::{Actions, Ops, Recipients, Resent};
use pipeline::{
    Code, Fault, Stage,
    destination::DestinationId,
    ports::{Body, Watch},
};
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};

use super::{
    msg::{Act, Answer, Event, Facts, PATIENCE, Progress, Query, Reply, Step, Target, Verb},
    remote::Trouble,
    rows::FilterTask,
    source::{Places, Source},
    views,
};

/// How long a resent alert's receipt is waited for.
const RECEIPT: Duration = Duration::from_secs(60);
/// How long quitting may take.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long another pipeline may take to open.
const OPENING: Duration = Duration::from_secs(30);
/// How long, and of how many leads at most, it is looked at what became of them.
const FOLLOWING: Duration = Duration::from_secs(90);
const FOLLOWED: usize = 200;
/// How often, at first and at last.
const LOOK_FIRST: Duration = Duration::from_millis(300);
const LOOK_LAST: Duration = Duration::from_secs(5);
/// How many alerts' receipts are waited for at once.
const AT_ONCE: usize = 16;

/// What effects report.
pub enum Report {
    /// Something for [`super::update`].
    Event(Event),
    /// Another pipeline is open, or is not. First for [`Effects::adopt`].
    Opened(u64, Box<Result<Source, Fault>>),
}

/// Carries out what [`super::update`] asks for.
pub struct Effects {
    ops: Arc<Ops>,
    watch: Arc<dyn Watch>,
    places: Arc<dyn Places>,
    reports: mpsc::UnboundedSender<Report>,
    asking: HashMap<u64, AbortHandle>,
    acting: HashMap<u64, Arc<AtomicBool>>,
}

impl Effects {
    /// Effects on a pipeline, and where they report.
    ///
    /// The channel needs no bound: there is one question at a time for each panel, and an action
    /// reports each of its items once.
    pub fn new(
        ops: Arc<Ops>,
        watch: Arc<dyn Watch>,
        places: Arc<dyn Places>,
    ) -> (Self, mpsc::UnboundedReceiver<Report>) {
        let (reports, listener) = mpsc::unbounded_channel();
        (Self { ops, watch, places, reports, asking: HashMap::new(), acting: HashMap::new() }, listener)
    }

    /// Asks.
    pub fn ask(&mut self, generation: u64, query: Query) {
        self.asking.retain(|_, task| !task.is_finished());
        let (ops, watch, reports) = (self.ops.clone(), self.watch.clone(), self.reports.clone());
        let task = tokio::spawn(async move {
            let began = Instant::now();
            let answer = match timeout(PATIENCE, answer(&ops, &*watch, &query)).await {
                Ok(answer) => answer.map_err(Trouble::from),
                Err(_) => Err(Trouble::NoAnswer(PATIENCE)),
            };
            let reply = Reply { generation, query, took: began.elapsed(), answer };
            // Nobody listens any more once the console is closed.
            let _ = reports.send(Report::Event(Event::Reply(Box::new(reply))));
        });
        self.asking.insert(generation, task.abort_handle());
    }

    /// Does not wait for an answer any more.
    pub fn forget(&mut self, generation: u64) {
        if let Some(task) = self.asking.remove(&generation) {
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

    /// Acts.
    pub fn act(&mut self, job: u64, act: Act) {
        let (ops, reports, stop) = (self.ops.clone(), self.reports.clone(), Arc::new(AtomicBool::new(false)));
        self.acting.insert(job, stop.clone());
        tokio::spawn(async move {
            let report = |step| {
                let _ = reports.send(Report::Event(Event::Progress(Progress { job, step })));
            };
            if let Err(fault) = perform(&ops, act, &stop, &report).await {
                report(Step::Refused(fault));
            }
            report(Step::Over);
        });
    }

    /// Stops an action between two items.
    pub fn stop(&mut self, job: u64) {
        if let Some(stop) = self.acting.remove(&job) {
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Opens another pipeline. Whatever was asked of this one is of no interest any more.
    pub fn switch(&mut self, generation: u64, name: String) {
        for (_, task) in self.asking.drain() {
            task.abort();
        }
        let (places, reports) = (self.places.clone(), self.reports.clone());
        tokio::spawn(async move {
            let opened = timeout(OPENING, places.open(&name)).await.unwrap_or_else(|_| {
                let what = format!("{name} did not open in {} s", OPENING.as_secs());
                Err(Fault::new(Code::AwsUnreachable, outside::text::shorten(&what, 200)))
            });
            let _ = reports.send(Report::Opened(generation, Box::new(opened)));
        });
    }

    /// Works on an opened pipeline from now on.
    pub fn adopt(&mut self, source: Source) -> Facts {
        let facts = source.facts();
        let left = std::mem::replace(&mut self.watch, source.watch);
        self.ops = source.ops;
        tokio::spawn(async move { left.let_go().await });
        facts
    }

    /// Gives back what was taken for a look, before the process ends.
    pub async fn close(self) {
        // Whoever quits does not wait long: what is not given back comes back by itself.
        let _ = timeout(FAREWELL, self.watch.let_go()).await;
    }
}

impl Source {
    /// What is known of it from the start.
    pub fn facts(&self) -> Facts {
        let (banner, refusal) = (self.banner.clone(), self.ops.actions().err());
        Facts { banner, refusal, settings: self.ops.settings.clone(), every: self.every }
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        for task in self.asking.values() {
            task.abort();
        }
        // What is between two items stops there; the runtime's end would stop it anywhere.
        for stop in self.acting.values() {
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
    act: Act,
    stop: &AtomicBool,
    report: &(impl Fn(Step) + Sync),
) -> Result<(), Fault> {
    let actions = ops.actions()?;
    let Act { verb, targets } = act;
    let stopped = || stop.load(Ordering::Relaxed);
    match verb {
        Verb::Export(path) => return export(ops, actions, &path, &targets, &stopped, report).await,
        Verb::Resend(to, whom) => {
            return resend(ops, actions, (&to, whom), &targets, &stopped, report).await;
        }
        Verb::Try(to) => {
            let tried = async { ops.receipt(&actions.send_trial(&to).await?, RECEIPT).await };
            let tried =
                unless_stopped(&stopped, tried).await.and_then(|receipt| taken(&receipt, "the trial"));
            report(Step::Done(0, tried));
            return Ok(());
        }
        _ => {}
    }
    let mut acted = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        if stopped() {
            break;
        }
        let result = one(actions, &verb, target).await;
        if result.is_ok() && matches!(verb, Verb::Redrive | Verb::RedriveEdited(_) | Verb::Requeue) {
            acted.push(index);
        }
        report(Step::Done(index, result));
    }
    if !acted.is_empty() {
        report(Step::Following);
        follow(ops, &targets, acted, &stopped, report).await;
    }
    Ok(())
}

/// Acts on one target.
async fn one(actions: Actions<'_>, verb: &Verb, target: &Target) -> Result<Option<String>, Fault> {
    let missing =
        || Fault::new(Code::Internal, format!("{} is nothing that can be {}", target.name, verb.done()));
    match verb {
        Verb::Redrive => actions.redrive(target.letter.as_ref().ok_or_else(missing)?, Body::AsIs).await?,
        Verb::RedriveEdited(body) => {
            let letter = target.letter.as_ref().ok_or_else(missing)?;
            actions.redrive(letter, Body::Edited(body.clone())).await?;
        }
        Verb::Delete => {
            let kept = actions.delete(&target.letter.as_ref().ok_or_else(missing)?.id).await?;
            return Ok(Some(format!("a copy is in {kept}")));
        }
        Verb::Requeue => actions.requeue(target.lead.as_ref().ok_or_else(missing)?).await?,
        Verb::Resend(..) | Verb::Try(_) | Verb::Export(_) => return Err(missing()),
    }
    Ok(None)
}

/// Looks at what becomes of leads that were redriven or requeued, until all have ended again.
async fn follow(
    ops: &Ops,
    targets: &[Target],
    acted: Vec<usize>,
    stopped: &impl Fn() -> bool,
    report: &impl Fn(Step),
) {
    let mut open: Vec<usize> =
        acted.into_iter().filter(|index| targets[*index].lead.is_some()).take(FOLLOWED).collect();
    let (began, mut pause) = (Instant::now(), LOOK_FIRST);
    while !open.is_empty() && began.elapsed() < FOLLOWING && !stopped() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_LAST);
        let mut still = Vec::new();
        for index in open {
            let Some(lead) = &targets[index].lead else { continue };
            match ops.outcome_since_action(lead).await {
                Ok(Some(step)) if step.stage == Stage::Dead => {
                    report(Step::Became(index, Err(format!("dead again: {}", step.detail))));
                }
                Ok(Some(step)) => report(Step::Became(index, Ok(format!("told: {}", step.detail)))),
                // A failing source is shown by the panels; here it only means to look once more.
                Ok(None) | Err(_) => still.push(index),
            }
        }
        open = still;
    }
}

/// Queues new alerts one by one, then waits for their receipts.
async fn resend(
    ops: &Ops,
    actions: Actions<'_>,
    (destination, whom): (&DestinationId, Recipients),
    targets: &[Target],
    stopped: &impl Fn() -> bool,
    report: &impl Fn(Step),
) -> Result<(), Fault> {
    let mut waiting = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        if stopped() {
            break;
        }
        let Some(lead) = &target.lead else { continue };
        match actions.resend(lead, destination, whom).await {
            Ok(queued) => waiting.push((index, queued)),
            Err(fault) => report(Step::Done(index, Err(fault))),
        }
    }
    let mut receipts = stream::iter(waiting)
        .map(|(index, queued)| async move {
            (index, unless_stopped(stopped, ops.receipt(&queued, RECEIPT)).await)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((index, receipt)) = receipts.next().await {
        report(Step::Done(index, receipt.and_then(|receipt| taken(&receipt, "the alert"))));
    }
    Ok(())
}

/// Waits for an alert's receipt, until nobody wants to wait any more: the alert goes its way all the same.
async fn unless_stopped(
    stopped: &impl Fn() -> bool,
    receipt: impl Future<Output = Result<Resent, Fault>>,
) -> Result<Resent, Fault> {
    let stop = async {
        while !stopped() {
            tokio::time::sleep(LOOK_FIRST).await;
        }
    };
    tokio::select! {
        receipt = receipt => receipt,
        () = stop => Err(Fault::new(Code::NoReceipt, "it is not waited for any longer")),
    }
}

/// What a destination has taken, where it has for everybody.
fn taken(receipt: &Resent, what: &str) -> Result<Option<String>, Fault> {
    if let Some(fault) = receipt.fault() {
        return Err(fault);
    }
    let notification = &receipt.notification;
    let (label, at) = (notification.destination.label(), super::format::clock(notification.at));
    let tries = super::format::count(notification.attempts as usize, "attempt", "attempts");
    Ok(Some(format!("{label} took {what} at {at}, {tries}")))
}

/// Writes dead letters with their bodies into a new file, one a line.
async fn export(
    ops: &Ops,
    actions: Actions<'_>,
    path: &Path,
    targets: &[Target],
    stopped: &impl Fn() -> bool,
    report: &impl Fn(Step),
) -> Result<(), Fault> {
    let unusable =
        |error: std::io::Error| Fault::new(Code::FileUnusable, format!("{}: {error}", path.display()));
    let mut file = ops::export::create(path)?;
    let mut written = 0;
    for (index, target) in targets.iter().enumerate() {
        if stopped() {
            break;
        }
        let Some(letter) = &target.letter else { continue };
        let result = async {
            let (letter, body) = ops
                .dead_letters
                .get(&letter.id)
                .await?
                .ok_or_else(|| Fault::new(Code::NoSuchDeadLetter, "it is gone"))?;
            writeln!(file, "{}", ops::export::row(&letter, &body)?).map_err(unusable)
        };
        let result = result.await;
        written += usize::from(result.is_ok());
        report(Step::Done(index, result.map(|()| None)));
    }
    file.sync_all().map_err(unusable)?;
    actions.exported(written).await
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_wait_for_a_receipt_can_be_stopped() {
        let fault = unless_stopped(&|| true, pending()).await.unwrap_err();
        assert_eq!(fault.code, Code::NoReceipt);
    }
}
