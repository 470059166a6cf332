//! Sending alerts to one destination.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{
    future::{join, join_all},
    lock::Mutex as AsyncMutex,
};
use jiff::SignedDuration;
use lead::Timestamp;
use outside::time_left;

use super::{
    ClaimedAlert, LoadedAlert, Notify, Outcomes, ReceivedAlert, log,
    rate_limiter::{Permit, RateLimiter},
    storage_failed, successes,
};
use crate::{
    Fault,
    destination::{Destination, DestinationId, Limits, MessageFormat, NotReady, RetryDelay, Verdict},
    job::AlertJob,
    lock,
    ports::{Disposition, Level, MAX_DELAY},
    receipt::PartialDelivery,
};

/// From how many waiting alerts a digest is worth losing the details of each.
const DIGEST_FROM: usize = 3;
/// How long a function sends alerts of one batch to a destination, and how long the rest then waits in the queue: alerts
/// for other destinations may be waiting for the end of the batch. In a long-lived process none do.
const BATCH_SHARE: SignedDuration = SignedDuration::from_secs(5);
const AFTER_SHARE: Duration = Duration::from_secs(1);
/// From how long a message that fails holds up the others of its batch, and how long these then wait.
const LONG: SignedDuration = SignedDuration::from_secs(5);
const AFTER_LONG: Duration = Duration::from_secs(15);
/// How long recording the outcome of an alert can take.
const CONCLUDING: Duration = Duration::from_secs(5);

/// What is to be sent to one destination, by as many workers as it has messages at once.
struct Sending<'a> {
    stage: &'a Notify,
    destination: &'a dyn Destination,
    limits: Limits,
    pace: Option<RateLimiter>,
    deadline: Option<Timestamp>,
    /// When the first of them might be sent.
    began: Timestamp,
    /// Taken from the end.
    waiting: Mutex<Vec<LoadedAlert>>,
    /// Held while the next are taken: by one at a time, so that no permit is taken in vain.
    taking: AsyncMutex<()>,
}

impl Notify {
    /// Sends alerts to a destination, in digests where more are ready than its pace allows.
    pub(super) async fn send_all(
        &self,
        id: DestinationId,
        received: Vec<ReceivedAlert>,
        deadline: Option<Timestamp>,
    ) -> Outcomes {
        let Some(destination) = self.destinations.get(&id) else {
            let what = format!("{} is not set up in this pipeline", id.label());
            return self.give_up_all(received, &Fault::new(id.not_configured(), what)).await;
        };
        match destination.ready().await {
            Ok(()) => {}
            Err(NotReady::NotConfigured(fault)) => return self.give_up_all(received, &fault).await,
            Err(NotReady::Later(fault, pause)) => {
                let untried = received.iter().filter(|alert| alert.is_untried);
                self.show_waiting(&untried.map(|alert| alert.job.clone()).collect::<Vec<_>>()).await;
                let context = format!("its alert on {} waits", id.label());
                let wait = |alert: ReceivedAlert| {
                    log(Level::Error, &context, Some(&alert.job.lead_id), &fault);
                    (alert.index, Disposition::Retry(pause))
                };
                return received.into_iter().map(wait).collect();
            }
        }
        let mut outcomes = Outcomes::new();
        let prepared = received.into_iter().map(|alert| async move {
            let index = alert.index;
            self.prepare(alert).await.map_err(|disposition| (index, disposition))
        });
        let mut waiting = successes(join_all(prepared).await, &mut outcomes);
        // First those that must not be in a digest, then the others in their order.
        waiting.sort_by_key(|ready| !ready.is_alone());
        waiting.reverse();
        let limits = destination.limits();
        let pace = match limits.pace {
            None => None,
            Some(pacing) => {
                let (objects, clock) = (self.objects.clone(), self.recorder.clock.clone());
                let (place, written) = (destination.place().await, Arc::clone(&self.limiters));
                Some(RateLimiter::new(objects, clock, &id, place, pacing, written))
            }
        };
        let sending = Sending {
            stage: self,
            destination: destination.as_ref(),
            limits,
            pace,
            deadline,
            began: self.recorder.clock.now(),
            waiting: Mutex::new(waiting),
            taking: AsyncMutex::default(),
        };
        let workers = limits.at_once.clamp(1, lock(&sending.waiting).len().max(1));
        let workers = (0..workers).map(|_| sending.work());
        outcomes.extend(join_all(workers).await.into_iter().flatten());
        outcomes
    }

    /// Makes alerts that have to wait, and that nobody has tried, visible to an operator: by a receipt, and by what is
    /// entered of their leads.
    async fn show_waiting(&self, untried: &[AlertJob]) {
        let shown = untried.iter().map(|job| async move {
            let receipt = self.receipts.ensure(job, Timestamp::MIN, PartialDelivery::default());
            let (receipt, entered) = join(receipt, self.recorder.journal.catch_up(&job.lead_id)).await;
            if let Err(fault) = receipt.and(entered) {
                log(
                    Level::Warn,
                    "its alert waits without a receipt, or a line in its history",
                    Some(&job.lead_id),
                    &fault,
                );
            }
        });
        join_all(shown).await;
    }

    async fn give_up_all(&self, received: Vec<ReceivedAlert>, fault: &Fault) -> Outcomes {
        let given_up = received
            .into_iter()
            .map(|alert| async move { (alert.index, self.give_up(alert.job, fault.clone()).await) });
        join_all(given_up).await
    }
}

impl Sending<'_> {
    /// Sends one group of alerts after the other, until none waits.
    async fn work(&self) -> Outcomes {
        let mut outcomes = Outcomes::new();
        loop {
            let (group, has_waited) = match self.next().await {
                Ok(next) => next,
                Err(left) => {
                    outcomes.extend(left);
                    return outcomes;
                }
            };
            let claimed = self.stage.claim(group, &self.limits, &mut outcomes).await;
            if claimed.is_empty() {
                if let Some(pace) = &self.pace {
                    log_if_failed(pace.return_permit().await);
                }
                continue;
            }
            let began = self.now();
            let verdict = self.send(&claimed).await;
            let is_stuck =
                matches!(verdict, Verdict::Retry { .. }) && self.now().duration_since(began) >= LONG;
            let verdict = self.note_outcome(verdict, has_waited).await;
            outcomes.extend(self.stage.conclude(claimed, &verdict).await);
            if is_stuck {
                outcomes.extend(self.return_rest(|_| Disposition::Retry(AFTER_LONG)));
            }
        }
    }

    /// Has the rate limiter learn from the outcome of a message.
    async fn note_outcome(&self, verdict: Verdict, has_waited: bool) -> Verdict {
        let Some(pace) = &self.pace else { return verdict };
        match verdict {
            Verdict::Sent | Verdict::PartlySent { .. } if has_waited => log_if_failed(pace.accepted().await),
            Verdict::Retry { code, pause: RetryDelay::Destination(pause), .. } => {
                log_if_failed(pace.pause(pause, code).await);
            }
            Verdict::Wait { pause: asked, code, reason } => {
                let pause = pace.asked_to_wait(asked, code).await.unwrap_or_else(|fault| {
                    log_if_failed(Err(fault));
                    asked
                });
                return Verdict::Wait { pause, code, reason };
            }
            _ => {}
        }
        verdict
    }

    /// The alerts to send together next, once the rate limit allows, and whether pauses were asked for since the last
    /// message that was accepted.
    ///
    /// # Errors
    /// The outcomes of all that waited, where nothing more is sent now.
    async fn next(&self) -> Result<(Vec<LoadedAlert>, bool), Outcomes> {
        let _taking = self.taking.lock().await;
        if lock(&self.waiting).is_empty() {
            return Err(Outcomes::new());
        }
        if self.is_too_late() {
            return Err(self.return_rest(|_| Disposition::Retry(Duration::ZERO)));
        }
        if self.deadline.is_some() && self.now().duration_since(self.began) >= BATCH_SHARE {
            return Err(self.return_rest(|_| Disposition::Retry(AFTER_SHARE)));
        }
        let Permit { more, has_waited } = match self.permit().await {
            Ok(Ok(permit)) => permit,
            Ok(Err(closed)) => {
                let untried: Vec<AlertJob> = {
                    let waiting = lock(&self.waiting);
                    let untried = waiting.iter().filter(|ready| ready.snapshot.receipt().is_none());
                    untried.map(|ready| ready.job.clone()).collect()
                };
                self.stage.show_waiting(&untried).await;
                return Err(self.return_rest(|_| Disposition::Retry(closed.min(MAX_DELAY))));
            }
            Err(fault) => return Err(self.return_rest(|ready| storage_failed(&ready.job.lead_id, &fault))),
        };
        Ok((next_group(&mut lock(&self.waiting), more.saturating_add(1), self.limits.together), has_waited))
    }

    /// The permission to send a message, and any number of them where there is no rate limit; else how long the
    /// destination has asked to wait.
    async fn permit(&self) -> Result<Result<Permit, Duration>, Fault> {
        match &self.pace {
            None => Ok(Ok(Permit { more: usize::MAX, has_waited: false })),
            Some(pace) => pace.acquire().await,
        }
    }

    /// Sends one message. A single alert whose content is refused is sent once more, in the plainest format.
    async fn send(&self, claimed: &[ClaimedAlert]) -> Verdict {
        let alerts: Vec<_> = claimed.iter().map(ClaimedAlert::outgoing).collect();
        let verdict = self.destination.send(&alerts, MessageFormat::Rich).await;
        let Verdict::Refused { code, payload: true, .. } = verdict else { return verdict };
        if alerts.len() > 1 || !self.limits.has_plain_form {
            return verdict;
        }
        let again = |code, reason| Verdict::Retry {
            code,
            reason,
            pause: RetryDelay::Backoff,
            may_have_arrived: false,
        };
        match self.permit().await {
            Ok(Ok(_)) => {}
            Ok(Err(pause)) => {
                let reason = format!("no message for {} s, as was asked for", pause.as_secs());
                return Verdict::Wait { pause, code: self.limits.busy, reason };
            }
            Err(fault) => return again(fault.code, fault.what),
        }
        if !claimed.iter().all(|claimed| self.stage.receipts.is_valid(&claimed.claim)) {
            return again(code, "the claim ran out meanwhile".to_owned());
        }
        match self.destination.send(&alerts, MessageFormat::Plain).await {
            Verdict::Refused { payload: true, .. } => verdict,
            second => second,
        }
    }

    /// Whether sending might not be over at the deadline.
    fn is_too_late(&self) -> bool {
        let Some(deadline) = self.deadline else { return false };
        time_left(deadline, self.now()) < self.limits.longest() + CONCLUDING
    }

    /// Returns all that still waits to the queue.
    fn return_rest(&self, disposition: impl Fn(&LoadedAlert) -> Disposition) -> Outcomes {
        lock(&self.waiting).drain(..).map(|ready| (ready.index, disposition(&ready))).collect()
    }

    fn now(&self) -> Timestamp {
        self.stage.recorder.clock.now()
    }
}

/// The next alerts to send together: one, unless more wait than may be sent now.
fn next_group(waiting: &mut Vec<LoadedAlert>, available: usize, together: usize) -> Vec<LoadedAlert> {
    let foldable = waiting.iter().filter(|ready| !ready.is_alone()).count();
    let alone = waiting.last().is_some_and(LoadedAlert::is_alone);
    let fold = !alone && foldable >= DIGEST_FROM && foldable > available;
    let size = if fold { together.max(1) } else { 1 };
    let mut group = waiting.split_off(waiting.len().saturating_sub(size));
    group.reverse();
    group
}

/// Logs that the rate limiter could not be stored. Whether an alert is sent does not depend on it.
fn log_if_failed(result: Result<(), Fault>) {
    if let Err(fault) = result {
        log(Level::Warn, "the rate limit could not be stored", None, &fault);
    }
}
