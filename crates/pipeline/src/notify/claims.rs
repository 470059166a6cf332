//! Claiming alerts before they are sent.

use std::time::Duration;

use futures_util::future::{join, join_all};
use lead::{AlertKind, EnrichedLead, keys};

use super::{ClaimedAlert, LoadedAlert, Notify, Outcomes, storage_failed, successes};
use crate::{
    Code, Fault,
    destination::Limits,
    job::AlertJob,
    ports::Disposition,
    receipt::{AttemptOutcome, ClaimResult, Receipt, ReceiptState},
};

impl Notify {
    /// Reads the lead, and leaves out what has been sent or is being sent.
    pub(super) async fn prepare(&self, index: usize, job: AlertJob) -> Result<LoadedAlert, Disposition> {
        if self.is_stale(&job) {
            return Err(Disposition::Done);
        }
        let (snapshot, lead) = join(self.receipts.find(&job), self.read_lead(&job, false)).await;
        let snapshot = match snapshot {
            Ok(snapshot) => snapshot,
            Err(fault) => return Err(self.without_receipt(job, fault).await),
        };
        match (snapshot.receipt().map(|receipt| receipt.state), lead) {
            (_, Err(fault)) if fault.code == Code::EnrichedLeadGone => Err(self.give_up(job, fault).await),
            (_, Err(fault)) => Err(storage_failed(&job.lead_id, &fault)),
            (Some(ReceiptState::Sent), Ok(_)) => Err(self.already_sent(&job).await),
            (_, Ok(lead)) => Ok(LoadedAlert { index, job, lead, snapshot }),
        }
    }

    /// Reads the lead again, now that its alert is claimed: since the first time its owner may have been
    /// found. A worker that finds one after this sees the claim, and queues a follow-up.
    async fn read_again(&self, mut claimed: ClaimedAlert, whole: bool) -> Result<ClaimedAlert, Disposition> {
        match self.read_lead(&claimed.ready.job, whole).await {
            Ok(lead) => {
                claimed.claim.receipt.owner = Some(lead.named_owner().into_owned());
                claimed.ready.lead = lead;
                Ok(claimed)
            }
            Err(fault) => {
                let lead = claimed.ready.job.lead_id;
                let attempt =
                    AttemptOutcome::Retry { code: fault.code, counts: false, alone: false, unsure: false };
                // Where this fails as well, the claim runs out.
                if let Err(fault) = self.receipts.conclude(claimed.claim, attempt).await {
                    storage_failed(&lead, &fault);
                }
                Err(storage_failed(&lead, &fault))
            }
        }
    }

    /// Releases an alert for later: its claim has nearly run out while this worker was suspended, or the store failed.
    async fn release(&self, claimed: ClaimedAlert) -> Disposition {
        let lead = claimed.ready.job.lead_id;
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
        let claims = join_all(ready.into_iter().map(|ready| async move {
            let index = ready.index;
            self.claim_one(ready, limits).await.map_err(|disposition| (index, disposition))
        }));
        let mut claimed = successes(claims.await, outcomes);
        loop {
            // Last, once all are there: the slowest may have used up the claims of the others.
            let (valid, late): (Vec<_>, Vec<_>) =
                claimed.into_iter().partition(|one| self.receipts.is_valid(&one.claim));
            if late.is_empty() {
                return valid;
            }
            let given_back = late.into_iter().map(|one| async { (one.ready.index, self.release(one).await) });
            outcomes.extend(join_all(given_back).await);
            claimed = valid;
        }
    }

    async fn claim_one(&self, ready: LoadedAlert, limits: &Limits) -> Result<ClaimedAlert, Disposition> {
        let owner = ready.lead.named_owner();
        let replaced =
            self.is_replaced(&ready).await.map_err(|fault| storage_failed(&ready.job.lead_id, &fault))?;
        match self.receipts.claim(&ready.job, Some(&owner), limits.longest(), ready.snapshot.clone()).await {
            Ok(ClaimResult::Acquired(mut claim)) => {
                claim.receipt.unsure |= replaced;
                self.unless_announced(
                    self.read_again(ClaimedAlert { ready, claim: *claim }, limits.shows_all).await?,
                )
                .await
            }
            Ok(ClaimResult::AlreadySent) => Err(self.already_sent(&ready.job).await),
            Ok(ClaimResult::HeldByOther(left)) => Err(Disposition::Retry(left)),
            Err(fault) => Err(self.without_receipt(ready.job, fault).await),
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
        let job = &claimed.ready.job;
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
            Ok(_) => Err(self.already_sent(&claimed.ready.job).await),
            Err(fault) => Err(storage_failed(&claimed.ready.job.lead_id, &fault)),
        }
    }
}
