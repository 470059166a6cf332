//! What becomes of alerts: what their destination says of them, written down and decided.

use std::time::Duration;

use futures_util::{TryFutureExt, future::join_all};
use jiff::SignedDuration;
use lead::{AlertKind, LeadId, text};

use super::{FIRST_PAUSE, LONGEST_PAUSE, Notify, Ours, Outcomes, storage_failed};
use crate::{
    Code, Fault, Function, Happened,
    destination::{DestinationId, Verdict},
    job::AlertJob,
    patience::doubled,
    ports::{Disposition, Level, MAX_DELAY, Queue, Why},
    receipt::{Attempt, Claim, Claimed},
    recorder,
};

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
        let Ours { ready, claim } = ours;
        let (job, attempts) = (ready.job, claim.receipt.attempts + 1);
        let again = |code, counts, unsure| Attempt::Again { code, counts, alone: false, unsure };
        let (attempt, fault, pause) = match verdict {
            Verdict::Sent => return self.sent(&job, claim, together).await,
            Verdict::Wait { pause, code, reason } => {
                (again(*code, false, false), Fault::new(*code, reason.clone()), *pause)
            }
            Verdict::Again { code, reason, pause, may_have_arrived } => {
                let attempt = if attempts < self.settings.notify_attempts {
                    again(*code, true, *may_have_arrived)
                } else {
                    Attempt::Failed { code: *code, unsure: *may_have_arrived }
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
        if let Err(fault) = self.receipts.conclude(claim, attempt).await {
            return storage_failed(&job.lead_id, &fault);
        }
        if matches!(attempt, Attempt::Failed { .. }) {
            return self.dead(Some(job.lead_id), Some((job.destination, job.kind)), fault, attempts).await;
        }
        let pause = pause.min(MAX_DELAY);
        let again_at = self.recorder.clock.now() + SignedDuration::try_from(pause).unwrap_or_default();
        let happened = Happened::Retrying {
            queue: Queue::Notification,
            destination: Some(job.destination),
            code: fault.code,
            reason: fault.what,
            attempt: attempts,
            again_at,
        };
        if let Err(fault) = self.recorder.record(Some(job.lead_id.clone()), happened).await {
            storage_failed(&job.lead_id, &fault);
        }
        Disposition::Retry(pause)
    }

    /// Completes the receipt of an alert that the destination has taken. Between the one and the other lies
    /// the only window in which an alert can be sent twice, so the storage gets several chances.
    async fn sent(&self, job: &AlertJob, claim: Claim, together: usize) -> Disposition {
        let repeat = claim.receipt.unsure;
        let mut pauses = [200, 1_000, 3_000].into_iter().map(Duration::from_millis);
        let receipt = loop {
            match self.receipts.conclude(claim.clone(), Attempt::Sent).await {
                Ok(receipt) => break receipt,
                Err(fault) => {
                    storage_failed(&job.lead_id, &fault);
                    let Some(pause) = pauses.next() else { return Disposition::Retry(claim.length()) };
                    self.recorder.clock.sleep(pause).await;
                }
            }
        };
        let late = job.due_at.map(|due_at| receipt.at.duration_since(due_at));
        let happened = Happened::Notified {
            destination: job.destination.clone(),
            kind: job.kind,
            after_ms: late
                .and_then(|late| u64::try_from(late.as_millis()).ok())
                .filter(|_| job.kind == AlertKind::New),
            together,
            repeat,
            attempts: receipt.attempts,
        };
        match self.recorder.record(Some(job.lead_id.clone()), happened).await {
            Ok(()) => Disposition::Done,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    /// What becomes of an alert whose receipt could not be read or written. Where the storage failed it may go well
    /// later; a receipt that cannot be understood stays so, and an alert that may have been sent is not sent again.
    pub(super) async fn no_receipt(&self, job: AlertJob, fault: Fault) -> Disposition {
        match fault.code {
            Code::ReceiptUnreadable => {
                self.dead(Some(job.lead_id), Some((job.destination, job.kind)), fault, 1).await
            }
            _ => storage_failed(&job.lead_id, &fault),
        }
    }

    /// Makes a dead letter of an alert that cannot even be tried.
    pub(super) async fn give_up(&self, job: AlertJob, fault: Fault) -> Disposition {
        let claim = |found| self.receipts.claim(&job, None, Duration::ZERO, found);
        let given_up = match self.receipts.find(&job).and_then(claim).await {
            Ok(Claimed::Ours(claim)) => {
                self.receipts.conclude(claim, Attempt::Failed { code: fault.code, unsure: false }).await
            }
            Ok(Claimed::Sent) => return self.sent_before(&job).await,
            Ok(Claimed::Busy(left)) => return Disposition::Retry(left),
            Err(unreadable) if unreadable.code == Code::ReceiptUnreadable => {
                return self.no_receipt(job, unreadable).await;
            }
            Err(fault) => Err(fault),
        };
        match given_up {
            Ok(receipt) => {
                self.dead(Some(job.lead_id), Some((job.destination, job.kind)), fault, receipt.attempts).await
            }
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    pub(super) async fn sent_before(&self, job: &AlertJob) -> Disposition {
        let happened = Happened::AlreadyNotified { destination: job.destination.clone() };
        match self.recorder.record(Some(job.lead_id.clone()), happened).await {
            Ok(()) => Disposition::Done,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    pub(super) async fn dead(
        &self,
        lead: Option<LeadId>,
        alert: Option<(DestinationId, AlertKind)>,
        fault: Fault,
        attempts: u32,
    ) -> Disposition {
        let (code, reason) = (fault.code, text::shorten(&fault.what, 300));
        let (queue, (destination, alert)) = (Queue::Notification, alert.unzip());
        let happened = Happened::Dead { queue, destination, alert, code, reason: reason.clone(), attempts };
        if let Err(fault) = self.recorder.record(lead.clone(), happened).await {
            recorder::fault(Function::Notification, Level::Error, "", lead.as_ref(), &fault);
        }
        Disposition::Dead(Why { code, reason, attempts, lead })
    }

    /// 1 s, 2 s, 4 s and so on, up to ten minutes.
    fn backoff(&self, attempts: u32) -> Duration {
        let base = doubled(FIRST_PAUSE, attempts, LONGEST_PAUSE);
        base.mul_f64(0.75 + 0.5 * self.recorder.random.fraction())
    }
}
