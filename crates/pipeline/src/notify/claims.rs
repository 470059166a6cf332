//! Claiming alerts before they are sent.

use std::time::Duration;

use futures_util::future::join_all;
use lead::{AlertKind, EnrichedLead, keys};

use super::{ClaimedAlert, LoadedAlert, Notify, Outcomes, ReceivedAlert, storage_failed, successes};
use crate::{
    Code, Fault,
    destination::Limits,
    job::AlertJob,
    ports::Disposition,
    receipt::{AttemptOutcome, Claim, ClaimResult, Receipt, ReceiptSnapshot, ReceiptState},
};

impl Notify {
    /// Leaves out what has been sent.
    pub(super) async fn prepare(&self, alert: ReceivedAlert) -> Result<LoadedAlert, Disposition> {
        let ReceivedAlert { index, job, is_untried } = alert;
        if self.is_stale(&job) {
            return Err(Disposition::Done);
        }
        if is_untried {
            return Ok(LoadedAlert { index, job, snapshot: ReceiptSnapshot::none() });
        }
        match self.receipts.find(&job).await {
            Ok(snapshot) if snapshot.receipt().is_some_and(|one| one.state == ReceiptState::Sent) => {
                Err(self.already_sent(&job).await)
            }
            Ok(snapshot) => Ok(LoadedAlert { index, job, snapshot }),
            Err(fault) => Err(self.without_receipt(job, fault).await),
        }
    }

    /// Reads the lead of an alert that is claimed, until the claim names whom the lead does. A worker that finds another
    /// owner writes the lead first and reads the receipts after that: either the lead says so here, or the claim there.
    async fn read_claimed(
        &self,
        index: usize,
        job: AlertJob,
        mut claim: Claim,
        whole: bool,
    ) -> Result<ClaimedAlert, Disposition> {
        loop {
            let lead = match self.read_lead(&job, whole).await {
                Ok(lead) => lead,
                Err(fault) if fault.code == Code::EnrichedLeadGone => {
                    return Err(self.give_up_claimed(job, claim, fault).await);
                }
                Err(fault) => return Err(self.not_tried(&job, claim, &fault).await),
            };
            let owner = lead.named_owner();
            if claim.receipt.names(&owner) == Some(true) {
                claim.receipt.owner = Some(owner.into_owned());
                return Ok(ClaimedAlert { index, job, lead, claim });
            }
            claim = match self.receipts.rename(&claim, owner.into_owned()).await {
                Ok(Some(renamed)) => renamed,
                Ok(None) => return Err(Disposition::Retry(Duration::ZERO)),
                Err(fault) => return Err(self.not_tried(&job, claim, &fault).await),
            };
        }
    }

    /// Leaves an alert for later because the storage failed once it was claimed.
    async fn not_tried(&self, job: &AlertJob, claim: Claim, fault: &Fault) -> Disposition {
        let attempt = AttemptOutcome::Retry { code: fault.code, counts: false, alone: false, unsure: false };
        // Where this fails as well, the claim runs out.
        if let Err(fault) = self.receipts.conclude(claim, attempt).await {
            storage_failed(&job.lead_id, &fault);
        }
        storage_failed(&job.lead_id, fault)
    }

    /// Releases an alert for later: its claim has nearly run out while this worker was suspended, or the store failed.
    async fn release(&self, claimed: ClaimedAlert) -> Disposition {
        let lead = claimed.job.lead_id;
        match self.receipts.release(claimed.claim).await {
            Ok(()) => Disposition::Retry(Duration::ZERO),
            Err(fault) => storage_failed(&lead, &fault),
        }
    }

    async fn read_lead(&self, job: &AlertJob, whole: bool) -> Result<EnrichedLead, Fault> {
        if job.is_trial() {
            return Ok(EnrichedLead::of_trial(self.recorder.clock.now()));
        }
        let key = keys::enriched(&self.settings.target_prefix, &job.lead_id);
        let object = self.objects.get(&key).await?;
        let object =
            object.ok_or_else(|| Fault::new(Code::EnrichedLeadGone, format!("{key} does not exist")))?;
        let mut lead: EnrichedLead = serde_json::from_slice(&object.body)
            .map_err(|e| Fault::new(Code::EnrichedLeadGone, format!("{key} cannot be read: {e}")))?;
        // Up to a megabyte that few messages show, for each of a batch.
        if !whole {
            lead.custom.clear();
        }
        Ok(lead)
    }

    /// Claims alerts to be sent together, by a destination with these limits. One that is not claimed gets its disposition.
    pub(super) async fn claim(
        &self,
        ready: Vec<LoadedAlert>,
        limits: &Limits,
        outcomes: &mut Outcomes,
    ) -> Vec<ClaimedAlert> {
        let is_digest = ready.len() > 1;
        let claims = join_all(ready.into_iter().map(|ready| async move {
            let index = ready.index;
            self.claim_one(ready, limits, is_digest).await.map_err(|disposition| (index, disposition))
        }));
        let mut claimed = successes(claims.await, outcomes);
        loop {
            // Last, once all are there: the slowest may have used up the claims of the others.
            let (valid, late): (Vec<_>, Vec<_>) =
                claimed.into_iter().partition(|one| self.receipts.is_valid(&one.claim));
            if late.is_empty() {
                return valid;
            }
            let given_back = late.into_iter().map(|one| async { (one.index, self.release(one).await) });
            outcomes.extend(join_all(given_back).await);
            claimed = valid;
        }
    }

    async fn claim_one(
        &self,
        mut ready: LoadedAlert,
        limits: &Limits,
        is_digest: bool,
    ) -> Result<ClaimedAlert, Disposition> {
        loop {
            let replaced =
                self.is_replaced(&ready).await.map_err(|fault| storage_failed(&ready.job.lead_id, &fault))?;
            match self.receipts.claim(&ready.job, limits.longest(), ready.snapshot).await {
                Ok(ClaimResult::Acquired(mut claim)) => {
                    claim.receipt.unsure |= replaced;
                    let claimed = self.read_claimed(ready.index, ready.job, *claim, limits.shows_all).await?;
                    return self.unless_announced(claimed).await;
                }
                Ok(ClaimResult::AlreadySent) => return Err(self.already_sent(&ready.job).await),
                Ok(ClaimResult::HeldByOther(left)) => return Err(Disposition::Retry(left)),
                // Somebody has tried it: another worker, or this one before it became a dead letter.
                Ok(ClaimResult::Changed) => {}
                Err(fault) => return Err(self.without_receipt(ready.job, fault).await),
            }
            ready.snapshot = match self.receipts.find(&ready.job).await {
                Ok(snapshot) => snapshot,
                Err(fault) => return Err(self.without_receipt(ready.job, fault).await),
            };
            if is_digest && ready.is_alone() {
                return Err(Disposition::Retry(Duration::ZERO));
            }
        }
    }

    /// Whether an alert was given up and redriven after another one about the lead, an operator's, had gone to its
    /// destination. Then it is a repeat.
    async fn is_replaced(&self, ready: &LoadedAlert) -> Result<bool, Fault> {
        let job = &ready.job;
        let given_up = ready.snapshot.receipt().filter(|receipt| receipt.state == ReceiptState::Failed);
        let (Some(given_up), AlertKind::New | AlertKind::Resend) = (given_up, job.kind) else {
            return Ok(false);
        };
        let others = self.receipts.others_at(&job.lead_id, &job.destination, &job.alert).await?;
        let is_later = |receipt: &Receipt| {
            receipt.may_have_arrived() && !receipt.has_no_recipients() && receipt.at > given_up.at
        };
        Ok(others.iter().any(is_later))
    }

    /// Drops a follow-up whose owner the last alert to the destination has named: it was on its way when the follow-up
    /// was queued, and read the lead after that.
    async fn unless_announced(&self, claimed: ClaimedAlert) -> Result<ClaimedAlert, Disposition> {
        let job = &claimed.job;
        // One that may have arrived is sent again, with its label, and one that some received goes to the others.
        let receipt = &claimed.claim.receipt;
        if job.kind != AlertKind::FollowUp || receipt.unsure || receipt.partly_sent {
            return Ok(claimed);
        }
        let others = match self.receipts.others_at(&job.lead_id, &job.destination, &job.alert).await {
            Ok(others) => others,
            Err(fault) => {
                storage_failed(&job.lead_id, &fault);
                return Err(self.release(claimed).await);
            }
        };
        let last =
            others.iter().filter(|receipt| receipt.may_have_arrived()).max_by_key(|receipt| receipt.at);
        let is_announced = last.is_some_and(|last| {
            last.state == ReceiptState::Sent && last.owner == claimed.claim.receipt.owner
        });
        if !is_announced {
            return Ok(claimed);
        }
        match self.receipts.conclude(claimed.claim, AttemptOutcome::NotNeeded).await {
            Ok(_) => Err(self.already_sent(&claimed.job).await),
            Err(fault) => Err(storage_failed(&claimed.job.lead_id, &fault)),
        }
    }
}
