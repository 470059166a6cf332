//! The stage that notifies the team: once per lead and destination, within the destination's rate limit.
//!
//! An alert is claimed before it is sent and its receipt completed after. What the destination answers
//! decides what follows: a pause that is asked for is honoured in full, a failure on the way is retried
//! with growing pauses, and a refusal makes a dead letter at once. When more alerts are ready than the
//! rate limit allows, they are folded into digests where the destination has such.

mod claims;
mod outcomes;
mod rate_limiter;
mod sending;
mod token_bucket;
mod trials;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use lead::{Alert, AlertKind, EnrichedLead, LeadId, Timestamp};

pub use rate_limiter::{DestinationPause, WrittenLimiters, destination_pause};

use crate::{
    Code, Fault, Function, Recorder, Settings,
    destination::{DestinationId, Destinations, Outgoing},
    job::{AlertJob, lead_in},
    ports::{Delivery, Disposition, Level, Objects, Queue},
    receipt::{Claim, ReceiptSnapshot, Receipts},
    recorder,
};

/// The first and the longest pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// From how many receives a message comes back more slowly.
const OFTEN: u32 = 100;
/// How long after a failure of the storage an alert is retried.
const STORAGE_PAUSE: Duration = Duration::from_secs(5);

/// The stage.
pub struct Notify {
    /// Figures and names.
    pub settings: Arc<Settings>,
    /// Where enriched leads are.
    pub objects: Arc<dyn Objects>,
    /// The proofs of what was sent.
    pub receipts: Receipts,
    /// Journal and log.
    pub recorder: Recorder,
    /// Where alerts go: those that are in use, and whatever else is set up, such as for what an operator sends again.
    pub destinations: Destinations,
    /// How the rate limiters of this process stand.
    pub limiters: Arc<WrittenLimiters>,
}

/// An alert as it was received: its place in the batch, its message, and whether most likely nobody has tried it, so
/// that there is no receipt.
struct ReceivedAlert {
    index: usize,
    job: AlertJob,
    is_untried: bool,
}

/// An alert that is to be sent: its place in the batch, its message, its receipt.
struct LoadedAlert {
    index: usize,
    job: AlertJob,
    snapshot: ReceiptSnapshot,
}

impl LoadedAlert {
    /// Whether it is not to be folded into a digest.
    fn is_alone(&self) -> bool {
        self.job.is_trial() || self.snapshot.receipt().is_some_and(|receipt| receipt.alone)
    }
}

/// An alert on which this worker has a claim, and its lead, read after that.
struct ClaimedAlert {
    index: usize,
    job: AlertJob,
    lead: EnrichedLead,
    claim: Claim,
}

impl ClaimedAlert {
    fn outgoing(&self) -> Outgoing<'_> {
        let possible_repeat = self.claim.receipt.unsure;
        let alert = Alert { lead: &self.lead, kind: self.job.kind, possible_repeat };
        Outgoing { alert, receipt: self.claim.receipt.key(), done: self.claim.receipt.done() }
    }
}

/// The dispositions of some messages of a batch, each with its place in it.
type Outcomes = Vec<(usize, Disposition)>;

impl Notify {
    /// Handles messages of the notification queue. The dispositions are in the order of `deliveries`.
    pub async fn handle(&self, deliveries: &[Delivery]) -> Vec<Disposition> {
        self.handle_until(deliveries, None).await
    }

    /// Handles messages of the notification queue, starting nothing that might not be over at `deadline`.
    pub async fn handle_until(
        &self,
        deliveries: &[Delivery],
        deadline: Option<Timestamp>,
    ) -> Vec<Disposition> {
        let mut slots: Vec<Option<Disposition>> = vec![None; deliveries.len()];
        let mut due: BTreeMap<DestinationId, Vec<ReceivedAlert>> = BTreeMap::new();
        for ((index, delivery), slot) in deliveries.iter().enumerate().zip(&mut slots) {
            match AlertJob::parse(&delivery.body) {
                Ok(job) => {
                    let is_untried = delivery.receives <= 1 && job.kind == AlertKind::New;
                    let alerts = due.entry(job.destination.clone()).or_default();
                    alerts.push(ReceivedAlert { index, job, is_untried });
                }
                Err(error) => {
                    let fault =
                        Fault::new(Code::AlertUnreadable, format!("the message is no alert: {error}"));
                    let lead = lead_in(&delivery.body);
                    let queue = Queue::Notification;
                    *slot = Some(self.recorder.dead(queue, lead, None, fault, delivery.receives).await);
                }
            }
        }
        let sent = due.into_iter().map(|(id, jobs)| self.send_all(id, jobs, deadline));
        for (index, disposition) in join_all(sent).await.into_iter().flatten() {
            if let Some(slot) = slots.get_mut(index) {
                *slot = Some(disposition);
            }
        }
        // For one without an outcome, the receipt says how far it is.
        let outcomes = slots.into_iter().map(|slot| slot.unwrap_or(Disposition::Retry(Duration::ZERO)));
        outcomes
            .zip(deliveries)
            .map(|(disposition, delivery)| slowed(disposition, delivery.receives))
            .collect()
    }
}

/// Lets a message that has been received very often come back more slowly. SQS makes a dead letter of one
/// that was received a thousand times, whatever the reason; this way that takes half a day.
fn slowed(disposition: Disposition, receives: u32) -> Disposition {
    match disposition {
        Disposition::Retry(wait) if receives > OFTEN => {
            let rest = Duration::from_secs(u64::from(receives / 10)).min(LONGEST_PAUSE);
            Disposition::Retry(wait.max(rest))
        }
        other => other,
    }
}

/// Logs that the storage failed. The message is retried, and its receipt decides.
fn storage_failed(lead: &LeadId, fault: &Fault) -> Disposition {
    log(Level::Error, "", Some(lead), fault);
    Disposition::Retry(STORAGE_PAUSE)
}

fn log(level: Level, context: &str, lead: Option<&LeadId>, fault: &Fault) {
    recorder::fault(Function::Notification, level, context, lead, fault);
}

/// What has succeeded. What has not has an outcome by that.
fn successes<T>(results: Vec<Result<T, (usize, Disposition)>>, outcomes: &mut Outcomes) -> Vec<T> {
    results.into_iter().filter_map(|result| result.map_err(|outcome| outcomes.push(outcome)).ok()).collect()
}
