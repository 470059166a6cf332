//! Questions and actions, carried out.
//!
//! Each runs in a task of its own and reports through one channel. A question is given up after
//! [`PATIENCE`]; an action never is, as its outcome has to be told.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use ops::{LeadQuery, Ops, Selection};
use pipeline::{Fault, ports::LogQuery};
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};

use super::{
    msg::{Act, Answer, Event, Progress, Query, Reply, Step},
    remote::Trouble,
    update::{LOG_PAGE, PATIENCE},
};

/// How many rows a panel asks for.
const ROWS: usize = 200;
/// How long a resent alert's receipt is waited for.
const RECEIPT: Duration = Duration::from_secs(60);

/// Carries out what [`super::update`] asks for.
pub struct Effects {
    ops: Arc<Ops>,
    events: mpsc::UnboundedSender<Event>,
    asking: HashMap<u64, AbortHandle>,
    acting: HashMap<u64, Arc<AtomicBool>>,
}

impl Effects {
    /// Effects on a pipeline, and where they report.
    ///
    /// The channel needs no bound: there is one question at a time for each panel, and an action
    /// reports each of its items once.
    pub fn new(ops: Arc<Ops>) -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (events, reports) = mpsc::unbounded_channel();
        (Self { ops, events, asking: HashMap::new(), acting: HashMap::new() }, reports)
    }

    /// Asks.
    pub fn ask(&mut self, generation: u64, query: Query) {
        self.asking.retain(|_, task| !task.is_finished());
        let (ops, events) = (self.ops.clone(), self.events.clone());
        let task = tokio::spawn(async move {
            let began = Instant::now();
            let answer = match timeout(PATIENCE, answer(&ops, &query)).await {
                Ok(answer) => answer.map_err(Trouble::from),
                Err(_) => Err(Trouble::NoAnswer(PATIENCE)),
            };
            let reply = Reply { generation, query, took: began.elapsed(), answer };
            // Nobody listens any more once the console is closed.
            let _ = events.send(Event::Reply(Box::new(reply)));
        });
        self.asking.insert(generation, task.abort_handle());
    }

    /// Does not wait for an answer any more.
    pub fn forget(&mut self, generation: u64) {
        if let Some(task) = self.asking.remove(&generation) {
            task.abort();
        }
    }

    /// Acts.
    pub fn act(&mut self, job: u64, act: Act) {
        let (ops, events, stop) = (self.ops.clone(), self.events.clone(), Arc::new(AtomicBool::new(false)));
        self.acting.insert(job, stop.clone());
        tokio::spawn(async move {
            let report = |step| {
                let _ = events.send(Event::Progress(Progress { job, step }));
            };
            if let Err(fault) = perform(&ops, act, &stop, report).await {
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

async fn answer(ops: &Ops, query: &Query) -> Result<Answer, Fault> {
    Ok(match query {
        Query::Status => Answer::Status(ops.status().await?),
        Query::Minutes(count) => Answer::Minutes(ops.minutes(*count).await?),
        Query::Pending => Answer::Pending(ops.pending(ROWS).await?),
        Query::Dead => {
            let (rows, count) = ops.dead(None, ROWS).await?;
            Answer::Dead(rows, count)
        }
        Query::Leads => {
            Answer::Leads(ops.leads(&LeadQuery { limit: ROWS / 2, ..LeadQuery::default() }).await?)
        }
        Query::Logs(after) => {
            let query = LogQuery { after: after.clone(), limit: LOG_PAGE, ..LogQuery::default() };
            Answer::Logs(ops.logs(&query).await?)
        }
        Query::Story(lead) => Answer::Story(Box::new(ops.lead(lead).await?)),
        Query::Letter(id) => Answer::Letter(Box::new(ops.dead_letter(id).await?)),
    })
}

async fn perform(ops: &Ops, act: Act, stop: &AtomicBool, report: impl Fn(Step)) -> Result<(), Fault> {
    let actions = ops.actions()?;
    let letters = match act {
        Act::Redrive(rows) => rows.into_iter().map(|row| row.letter).collect(),
        Act::RedriveAll => ops.select(&Selection::All).await?,
        Act::Resend { lead, channel, .. } => {
            let waiting = actions.resend(&lead, channel).await?;
            report(Step::Queued);
            report(Step::Receipt(ops.receipt(&waiting, RECEIPT).await));
            return Ok(());
        }
    };
    report(Step::Counted(letters.len()));
    let go_on = |redriven: ops::Redriven| {
        report(Step::Redriven(redriven.letter, redriven.result));
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    actions.redrive_all(letters, None, go_on).await;
    Ok(())
}
