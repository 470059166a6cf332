//! What becomes of alerts: what their destination says of them, written down and decided.

use std::time::Duration;

use futures_util::{TryFutureExt, future::join_all};
use jiff::SignedDuration;
use lead::{AlertKind, LeadId, Timestamp};
use outside::text;

use super::{FIRST_PAUSE, LONGEST_PAUSE, Notify, Ours, Outcomes, storage_failed};
use crate::{
    Code, Fault, Function, Happened,
    destination::{DestinationId, LeftOut, Verdict},
    job::AlertJob,
    patience::doubled,
    ports::{Disposition, Level, MAX_DELAY, Queue, Why},
    receipt::{Attempt, Claim, Claimed, Part, Receipt},
    recorder,
};

/// How much of a reason is shown, in characters.
const LONGEST_REASON: usize = 300;

impl Notify {
    /// Writes down what came of alerts that were sent together, and says what becomes of each message.
    pub(super) async fn conclude(&self, ours: Vec<Ours>, verdict: &Verdict) -> Outcomes {
        let together = ours.len();
        join_all(ours.into_iter().map(|ours| async move {
            let index = ours.ready.index;
            (index, self.conclude_one(ours, verdict, together).await)
        }))
        .await
    }

    async fn conclude_one(&self, ours: Ours, verdict: &Verdict, together: usize) -> Disposition {
        let Ours { ready, mut claim } = ours;
        let (job, attempts) = (ready.job, claim.receipt.attempts + 1);
        let is_last = attempts >= self.settings.notify_attempts;
        let again = |code, counts, unsure| Attempt::Again { code, counts, alone: false, unsure };
        let (attempt, fault, pause) = match verdict {
            Verdict::Sent => {
                let awaited = claim.receipt.left_out.iter().filter(|one| one.again);
                let reached = awaited.map(|one| one.recipient.clone()).collect();
                let part = Part { reached, left_out: still_left_out(&claim, &[]) };
                return self.sent(&job, claim, together, part).await;
            }
            Verdict::PartlySent { reached, left_out } if reached.is_empty() && left_out.is_empty() => {
                return self.ended(&job, claim, together, Attempt::ForNobody, Vec::new()).await;
            }
            Verdict::PartlySent { reached, left_out } if reached.is_empty() && !claim.receipt.partly_sent => {
                // It is for those alone whom another has not reached, and has reached nobody itself.
                let attempt = if is_last || !left_out.iter().any(|one| one.again) {
                    Attempt::Failed { code: Code::PartlySent, unsure: false }
                } else {
                    again(Code::PartlySent, true, false)
                };
                let what = format!("left out again: {}", LeftOut::line(left_out));
                (attempt, Fault::new(Code::PartlySent, what), self.backoff(attempts))
            }
            Verdict::PartlySent { reached, left_out } => {
                let part = Part { reached: reached.clone(), left_out: still_left_out(&claim, left_out) };
                if is_last || !left_out.iter().any(|one| one.again) {
                    return self.sent(&job, claim, together, part).await;
                }
                return self.partly_sent(job, claim, together, part).await;
            }
            Verdict::Wait { pause, code, reason } => {
                (again(*code, false, false), Fault::new(*code, reason.clone()), *pause)
            }
            Verdict::Again { code, reason, pause, may_have_arrived } => {
                let attempt = if is_last {
                    Attempt::Failed { code: *code, unsure: *may_have_arrived }
                } else {
                    again(*code, true, *may_have_arrived)
                };
                (attempt, Fault::new(*code, reason.clone()), self.backoff(attempts).max(pause.least()))
            }
            Verdict::Refused { code, reason, payload } => {
                // One bad lead must not take the others of its digest with it: each for itself from now on.
                let attempt = if *payload && together > 1 {
                    Attempt::Again { code: *code, counts: false, alone: true, unsure: false }
                } else {
                    Attempt::Failed { code: *code, unsure: false }
                };
                (attempt, Fault::new(*code, reason.clone()), Duration::ZERO)
            }
        };
        let is_given_up = matches!(attempt, Attempt::Failed { .. });
        if is_given_up && claim.receipt.partly_sent {
            // The others have it: no dead letter, which would be sent to everybody.
            let missing = claim.receipt.left_out.iter().filter(|one| one.again);
            let missing: Vec<_> =
                missing.map(|one| LeftOut { reason: fault.what.clone(), ..one.clone() }).collect();
            let part = Part { reached: Vec::new(), left_out: still_left_out(&claim, &missing) };
            return self.sent(&job, claim, together, part).await;
        }
        claim.receipt.reason = job.is_asked_for().then(|| shown(&fault));
        if let Err(fault) = self.receipts.conclude(claim, attempt).await {
            return storage_failed(&job.lead_id, &fault);
        }
        if is_given_up {
            return self.dead_alert(job, fault, attempts).await;
        }
        self.tried_again(&job, fault, attempts, pause).await
    }

    /// Writes down that an attempt of this number failed, and lets the next come after a pause.
    async fn tried_again(&self, job: &AlertJob, fault: Fault, attempt: u32, pause: Duration) -> Disposition {
        // A longer one is looked at in between, and nothing is tried.
        let again_at = self.recorder.clock.now() + SignedDuration::try_from(pause).unwrap_or_default();
        let happened = Happened::Retrying {
            queue: Queue::Notification,
            destination: Some(job.destination.clone()),
            code: fault.code,
            reason: fault.what,
            attempt,
            again_at,
        };
        if let Err(fault) = self.record(job, happened).await {
            storage_failed(&job.lead_id, &fault);
        }
        Disposition::Retry(pause.min(MAX_DELAY))
    }

    /// Writes down that some have an alert, so that its lead has ended, and lets it come back for the others.
    async fn partly_sent(&self, job: AlertJob, claim: Claim, together: usize, part: Part) -> Disposition {
        let is_first = !claim.receipt.partly_sent;
        let reached = newly_reached(&claim, &part.reached);
        let receipt = match self.receipts.conclude(claim, Attempt::PartlySent(part)).await {
            Ok(receipt) => receipt,
            Err(fault) => return storage_failed(&job.lead_id, &fault),
        };
        let pause = self.backoff(receipt.attempts);
        if !is_first {
            let what = format!("left out: {}", LeftOut::line(&receipt.left_out));
            return self.tried_again(&job, Fault::new(Code::PartlySent, what), receipt.attempts, pause).await;
        }
        match self.notified(&job, receipt, together, reached, job.due_at).await {
            Disposition::Done => Disposition::Retry(pause),
            failed => failed,
        }
    }

    /// Completes the receipt of an alert that the destination has taken.
    async fn sent(&self, job: &AlertJob, claim: Claim, together: usize, mut part: Part) -> Disposition {
        part.left_out.iter_mut().for_each(|one| one.again = false);
        let reached = part.reached.clone();
        self.ended(job, claim, together, Attempt::Sent(part), reached).await
    }

    /// Completes the receipt of an alert that has reached these now. Between the one and the other lies the only window in
    /// which an alert can be sent twice, so the storage gets several chances.
    async fn ended(
        &self,
        job: &AlertJob,
        claim: Claim,
        together: usize,
        attempt: Attempt,
        reached: Vec<String>,
    ) -> Disposition {
        // How long it took is measured with the first who get it.
        let due_at = job.due_at.filter(|_| !claim.receipt.partly_sent);
        let reached = newly_reached(&claim, &reached);
        let mut pauses = [200, 1_000, 3_000].into_iter().map(Duration::from_millis);
        let receipt = loop {
            match self.receipts.conclude(claim.clone(), attempt.clone()).await {
                Ok(receipt) => break receipt,
                Err(fault) => {
                    storage_failed(&job.lead_id, &fault);
                    let Some(pause) = pauses.next() else { return Disposition::Retry(claim.length()) };
                    self.recorder.clock.sleep(pause).await;
                }
            }
        };
        self.notified(job, receipt, together, reached, due_at).await
    }

    /// Writes down that a destination has taken an alert, as its receipt says, and how long after it was due.
    async fn notified(
        &self,
        job: &AlertJob,
        receipt: Receipt,
        together: usize,
        reached: Option<Vec<String>>,
        due_at: Option<Timestamp>,
    ) -> Disposition {
        let late = due_at.map(|due_at| receipt.at.duration_since(due_at));
        let happened = Happened::Notified {
            destination: job.destination.clone(),
            kind: job.kind,
            after_ms: late
                .and_then(|late| u64::try_from(late.as_millis()).ok())
                .filter(|_| job.kind == AlertKind::New),
            together,
            repeat: receipt.unsure,
            attempts: receipt.attempts,
            left_out: receipt.left_out,
            reached,
        };
        match self.record(job, happened).await {
            Ok(()) => Disposition::Done,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    /// What becomes of an alert whose receipt could not be read or written. Where the storage failed it may go well
    /// later; a receipt that cannot be understood stays so, and an alert that may have been sent is not sent again.
    pub(super) async fn no_receipt(&self, job: AlertJob, fault: Fault) -> Disposition {
        match fault.code {
            Code::ReceiptUnreadable => self.dead_alert(job, fault, 1).await,
            _ => storage_failed(&job.lead_id, &fault),
        }
    }

    /// Makes a dead letter of an alert that cannot even be tried.
    pub(super) async fn give_up(&self, job: AlertJob, fault: Fault) -> Disposition {
        let reason = job.is_asked_for().then(|| shown(&fault));
        let claim = |found| self.receipts.claim(&job, None, Duration::ZERO, found);
        let given_up = match self.receipts.find(&job).and_then(claim).await {
            Ok(Claimed::Ours(mut claim)) => {
                claim.receipt.reason = reason;
                self.receipts.conclude(*claim, Attempt::Failed { code: fault.code, unsure: false }).await
            }
            Ok(Claimed::Sent) => return self.sent_before(&job).await,
            Ok(Claimed::Busy(left)) => return Disposition::Retry(left),
            Err(unreadable) if unreadable.code == Code::ReceiptUnreadable => {
                return self.no_receipt(job, unreadable).await;
            }
            Err(fault) => Err(fault),
        };
        match given_up {
            Ok(receipt) => self.dead_alert(job, fault, receipt.attempts).await,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    pub(super) async fn sent_before(&self, job: &AlertJob) -> Disposition {
        let happened = Happened::AlreadyNotified { destination: job.destination.clone() };
        match self.record(job, happened).await {
            Ok(()) => Disposition::Done,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    /// Makes a dead letter of a message.
    pub(super) async fn dead(
        &self,
        lead: Option<LeadId>,
        alert: Option<(DestinationId, AlertKind)>,
        fault: Fault,
        attempts: u32,
    ) -> Disposition {
        let happened = died(alert, &fault, attempts);
        if let Err(fault) = self.recorder.record(lead.clone(), happened).await {
            recorder::fault(Function::Notification, Level::Error, "", lead.as_ref(), &fault);
        }
        Disposition::Dead(Why { code: fault.code, reason: shown(&fault), attempts, lead })
    }

    /// 1 s, 2 s, 4 s and so on, up to ten minutes.
    fn backoff(&self, attempts: u32) -> Duration {
        let base = doubled(FIRST_PAUSE, attempts, LONGEST_PAUSE);
        base.mul_f64(0.75 + 0.5 * self.recorder.random.fraction())
    }
}

/// That a message, or the alert in it, is given up.
pub(super) fn died(alert: Option<(DestinationId, AlertKind)>, fault: &Fault, attempts: u32) -> Happened {
    let (destination, alert) = alert.unzip();
    let (queue, code, reason) = (Queue::Notification, fault.code, shown(fault));
    Happened::Dead { queue, destination, alert, code, reason, attempts }
}

/// What happened, as it is shown.
fn shown(fault: &Fault) -> String {
    text::shorten(&fault.what, LONGEST_REASON)
}

/// Whom an attempt has reached, of an alert that was not for everybody.
fn newly_reached(claim: &Claim, reached: &[String]) -> Option<Vec<String>> {
    (!claim.receipt.done().is_empty()).then(|| reached.to_vec())
}

/// Whom an alert has not reached after an attempt that has left these out: they, and those whom it was not for any more.
fn still_left_out(claim: &Claim, now: &[LeftOut]) -> Vec<LeftOut> {
    claim.receipt.left_out.iter().filter(|one| !one.again).chain(now).cloned().collect()
}
