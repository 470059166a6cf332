//! The outcomes of alerts: what their destinations answer, and what follows.

use std::time::Duration;

use futures_util::{TryFutureExt, future::join_all};
use lead::{AlertKind, Timestamp};

use super::{ClaimedAlert, FIRST_PAUSE, LONGEST_PAUSE, Notify, Outcomes, storage_failed};
use crate::{
    Code, Fault, JournalEvent,
    destination::{LeftOut, Verdict},
    job::AlertJob,
    ports::{Disposition, MAX_DELAY, Queue},
    receipt::{AttemptOutcome, Claim, ClaimResult, PartialDelivery, Receipt},
    store_retry::doubled,
};

impl Notify {
    /// Records the outcome of alerts that were sent together. Returns what becomes of each message.
    pub(super) async fn conclude(&self, claimed: Vec<ClaimedAlert>, verdict: &Verdict) -> Outcomes {
        let together = claimed.len();
        join_all(claimed.into_iter().map(|claimed| async move {
            let index = claimed.index;
            (index, self.conclude_one(claimed, verdict, together).await)
        }))
        .await
    }

    async fn conclude_one(&self, claimed: ClaimedAlert, verdict: &Verdict, together: usize) -> Disposition {
        let ClaimedAlert { job, mut claim, .. } = claimed;
        let attempts = claim.receipt.attempts + 1;
        let is_last = attempts >= self.settings.notify_attempts;
        let retry = |code, counts, unsure| AttemptOutcome::Retry { code, counts, alone: false, unsure };
        let attempted = |goes_on, code, unsure| match goes_on {
            true => retry(code, true, unsure),
            false => AttemptOutcome::Failed { code, unsure },
        };
        let (attempt, fault, pause) = match verdict {
            Verdict::Sent => {
                let awaited = claim.receipt.left_out.iter().filter(|one| one.again);
                let reached = awaited.map(|one| one.recipient.clone()).collect();
                let part = PartialDelivery { reached, left_out: still_left_out(&claim, &[]) };
                return self.sent(&job, claim, together, part).await;
            }
            Verdict::PartlySent { reached, left_out } if reached.is_empty() && left_out.is_empty() => {
                return self.ended(&job, claim, together, AttemptOutcome::NoRecipients, Vec::new()).await;
            }
            Verdict::PartlySent { reached, left_out } if reached.is_empty() && !claim.receipt.partly_sent => {
                // It is only for those whom an earlier one has not reached, and has reached nobody itself.
                let goes_on = !is_last && left_out.iter().any(|one| one.again);
                let attempt = attempted(goes_on, Code::PartlySent, false);
                let what = format!("left out again: {}", LeftOut::line(left_out));
                (attempt, Fault::new(Code::PartlySent, what), self.backoff(attempts))
            }
            Verdict::PartlySent { reached, left_out } => {
                let part =
                    PartialDelivery { reached: reached.clone(), left_out: still_left_out(&claim, left_out) };
                if is_last || !left_out.iter().any(|one| one.again) {
                    return self.sent(&job, claim, together, part).await;
                }
                return self.partly_sent(job, claim, together, part).await;
            }
            Verdict::Wait { pause, code, reason } => {
                (retry(*code, false, false), Fault::new(*code, reason.clone()), *pause)
            }
            Verdict::Retry { code, reason, pause, may_have_arrived } => {
                let attempt = attempted(!is_last, *code, *may_have_arrived);
                (attempt, Fault::new(*code, reason.clone()), self.backoff(attempts).max(pause.least()))
            }
            Verdict::Refused { code, reason, payload } => {
                // One bad lead must not take the others of its digest with it: from now on each is sent alone.
                let attempt = if *payload && together > 1 {
                    AttemptOutcome::Retry { code: *code, counts: false, alone: true, unsure: false }
                } else {
                    AttemptOutcome::Failed { code: *code, unsure: false }
                };
                (attempt, Fault::new(*code, reason.clone()), Duration::ZERO)
            }
        };
        let is_given_up = matches!(attempt, AttemptOutcome::Failed { .. });
        if is_given_up && claim.receipt.partly_sent {
            // The others received it: no dead letter, which would be sent to everybody.
            let missing = claim.receipt.left_out.iter().filter(|one| one.again);
            let missing: Vec<_> =
                missing.map(|one| LeftOut { reason: fault.what.clone(), ..one.clone() }).collect();
            let part = PartialDelivery { reached: Vec::new(), left_out: still_left_out(&claim, &missing) };
            return self.sent(&job, claim, together, part).await;
        }
        claim.receipt.reason = job.is_asked_for().then(|| fault.reason());
        if let Err(fault) = self.receipts.conclude(claim, attempt).await {
            return storage_failed(&job.lead_id, &fault);
        }
        if is_given_up {
            return self.dead_alert(job, fault, attempts).await;
        }
        self.retry_later(&job, fault, attempts, pause).await
    }

    /// Records that an attempt of this number failed, and schedules the next.
    async fn retry_later(&self, job: &AlertJob, fault: Fault, attempt: u32, pause: Duration) -> Disposition {
        // If the pause is longer than a queue can wait, the message comes back in between, and nothing is sent.
        let again_at = self.recorder.clock.now() + pause;
        let event = JournalEvent::Retrying {
            queue: Queue::Notification,
            destination: Some(job.destination.clone()),
            code: fault.code,
            reason: fault.what,
            attempt,
            again_at,
        };
        if let Err(fault) = self.record(job, event).await {
            storage_failed(&job.lead_id, &fault);
        }
        Disposition::Retry(pause.min(MAX_DELAY))
    }

    /// Records that some recipients received an alert, which ends its lead, and schedules it for the others.
    async fn partly_sent(
        &self,
        job: AlertJob,
        claim: Claim,
        together: usize,
        part: PartialDelivery,
    ) -> Disposition {
        let is_first = !claim.receipt.partly_sent;
        let reached = newly_reached(&claim, &part.reached);
        let receipt = match self.receipts.conclude(claim, AttemptOutcome::PartlySent(part)).await {
            Ok(receipt) => receipt,
            Err(fault) => return storage_failed(&job.lead_id, &fault),
        };
        let pause = self.backoff(receipt.attempts);
        if !is_first {
            let what = format!("left out: {}", LeftOut::line(&receipt.left_out));
            return self.retry_later(&job, Fault::new(Code::PartlySent, what), receipt.attempts, pause).await;
        }
        match self.notified(&job, receipt, together, reached, job.due_at).await {
            Disposition::Done => Disposition::Retry(pause),
            failed => failed,
        }
    }

    /// Completes the receipt of an alert that the destination has accepted.
    async fn sent(
        &self,
        job: &AlertJob,
        claim: Claim,
        together: usize,
        mut part: PartialDelivery,
    ) -> Disposition {
        part.left_out.iter_mut().for_each(|one| one.again = false);
        let reached = part.reached.clone();
        self.ended(job, claim, together, AttemptOutcome::Sent(part), reached).await
    }

    /// Completes the receipt of an alert that has now reached these recipients. Between sending and completing lies the only
    /// window in which an alert can be sent twice, so the write is tried several times.
    async fn ended(
        &self,
        job: &AlertJob,
        claim: Claim,
        together: usize,
        attempt: AttemptOutcome,
        reached: Vec<String>,
    ) -> Disposition {
        // How long it took is measured when the first recipients receive it.
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

    /// Records that a destination has accepted an alert, and how long after it was due.
    async fn notified(
        &self,
        job: &AlertJob,
        receipt: Receipt,
        together: usize,
        reached: Option<Vec<String>>,
        due_at: Option<Timestamp>,
    ) -> Disposition {
        let late = due_at.map(|due_at| receipt.at.duration_since(due_at));
        let event = JournalEvent::Notified {
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
        match self.record(job, event).await {
            Ok(()) => Disposition::Done,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    /// Handles an alert whose receipt could not be read or written. If the storage failed, it is retried; a receipt that
    /// is not readable stays so, and an alert that may have been sent is not sent again.
    pub(super) async fn without_receipt(&self, job: AlertJob, fault: Fault) -> Disposition {
        match fault.code {
            Code::ReceiptUnreadable => self.dead_alert(job, fault, 1).await,
            _ => storage_failed(&job.lead_id, &fault),
        }
    }

    /// Makes a dead letter of an alert that cannot even be tried.
    pub(super) async fn give_up(&self, job: AlertJob, fault: Fault) -> Disposition {
        let claim = |found| self.receipts.claim(&job, Duration::ZERO, found);
        match self.receipts.find(&job).and_then(claim).await {
            Ok(ClaimResult::Acquired(claim)) => self.give_up_claimed(job, *claim, fault).await,
            Ok(ClaimResult::AlreadySent) => self.already_sent(&job).await,
            Ok(ClaimResult::HeldByOther(left)) => Disposition::Retry(left),
            Ok(ClaimResult::Changed) => Disposition::Retry(Duration::ZERO),
            Err(fault) => self.without_receipt(job, fault).await,
        }
    }

    /// Makes a dead letter of a claimed alert that cannot even be tried.
    pub(super) async fn give_up_claimed(&self, job: AlertJob, mut claim: Claim, fault: Fault) -> Disposition {
        claim.receipt.reason = job.is_asked_for().then(|| fault.reason());
        let failed = AttemptOutcome::Failed { code: fault.code, unsure: false };
        match self.receipts.conclude(claim, failed).await {
            Ok(receipt) => self.dead_alert(job, fault, receipt.attempts).await,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    pub(super) async fn already_sent(&self, job: &AlertJob) -> Disposition {
        let event = JournalEvent::AlreadyNotified { destination: job.destination.clone() };
        match self.record(job, event).await {
            Ok(()) => Disposition::Done,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    /// 1 s, 2 s, 4 s and so on, up to ten minutes.
    fn backoff(&self, attempts: u32) -> Duration {
        self.recorder.random.around(doubled(FIRST_PAUSE, attempts, LONGEST_PAUSE))
    }
}

/// Whom an attempt has reached, if the alert was not for everybody.
fn newly_reached(claim: &Claim, reached: &[String]) -> Option<Vec<String>> {
    (!claim.receipt.done().is_empty()).then(|| reached.to_vec())
}

/// Whom an alert has not reached after an attempt that left these out: they, and those who are not retried.
fn still_left_out(claim: &Claim, now: &[LeftOut]) -> Vec<LeftOut> {
    claim.receipt.left_out.iter().filter(|one| !one.again).chain(now).cloned().collect()
}
