//! Claiming alerts before they are sent.

use std::time::Duration;

use futures_util::future::{join, join_all};
use lead::{AlertKind, EnrichedLead, keys};

use super::{Notify, Ours, Outcomes, Ready, storage_failed};
use crate::{
    Code, Fault,
    destination::Limits,
    job::AlertJob,
    ports::Disposition,
    receipt::{Attempt, Claimed, Receipt, ReceiptState},
};

impl Notify {
    /// Reads the lead, and leaves out what has been sent or is being sent.
    pub(super) async fn prepare(&self, index: usize, job: AlertJob) -> Result<Ready, Disposition> {
        if self.is_stale(&job) {
            return Err(Disposition::Done);
        }
        let (found, lead) = join(self.receipts.find(&job), self.read_lead(&job, false)).await;
        let found = match found {
            Ok(found) => found,
            Err(fault) => return Err(self.no_receipt(job, fault).await),
        };
        match (found.receipt().map(|receipt| receipt.state), lead) {
            (_, Err(fault)) if fault.code == Code::EnrichedLeadGone => Err(self.give_up(job, fault).await),
            (_, Err(fault)) => Err(storage_failed(&job.lead_id, &fault)),
            (Some(ReceiptState::Sent), Ok(_)) => Err(self.sent_before(&job).await),
            (_, Ok(lead)) => Ok(Ready { index, job, lead, found }),
        }
    }

    /// Reads the lead again, now that its alert is claimed: since the first time its owner may have been
    /// found. Whoever finds one after this sees the claim, and queues a follow-up.
    async fn read_again(&self, mut ours: Ours, whole: bool) -> Result<Ours, Disposition> {
        match self.read_lead(&ours.ready.job, whole).await {
            Ok(lead) => {
                ours.claim.receipt.owner = Some(lead.named_owner().into_owned());
                ours.ready.lead = lead;
                Ok(ours)
            }
            Err(fault) => {
                let lead = ours.ready.job.lead_id;
                let attempt = Attempt::Again { code: fault.code, counts: false, alone: false, unsure: false };
                // Where this fails as well, the claim runs out.
                if let Err(fault) = self.receipts.conclude(ours.claim, attempt).await {
                    storage_failed(&lead, &fault);
                }
                Err(storage_failed(&lead, &fault))
            }
        }
    }

    /// Leaves an alert for later: its claim has all but run out while this worker stood still, or the store failed.
    async fn give_back(&self, ours: Ours) -> Disposition {
        let lead = ours.ready.job.lead_id;
        match self.receipts.give_back(ours.claim).await {
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

    /// Claims alerts to be sent together, by a destination with these limits. What is not ours to send gets its disposition.
    pub(super) async fn claim(
        &self,
        ready: Vec<Ready>,
        limits: &Limits,
        outcomes: &mut Outcomes,
    ) -> Vec<Ours> {
        let claims = join_all(ready.into_iter().map(|ready| async move {
            let index = ready.index;
            self.claim_one(ready, limits).await.map_err(|disposition| (index, disposition))
        }));
        let mut ours = Vec::new();
        for claimed in claims.await {
            match claimed {
                Ok(one) => ours.push(one),
                Err(outcome) => outcomes.push(outcome),
            }
        }
        loop {
            // Once all are there, and last: the slowest may have used up the claims of the others.
            let (standing, late): (Vec<_>, Vec<_>) =
                ours.into_iter().partition(|one| self.receipts.stands(&one.claim));
            if late.is_empty() {
                return standing;
            }
            let given_back =
                late.into_iter().map(|one| async { (one.ready.index, self.give_back(one).await) });
            outcomes.extend(join_all(given_back).await);
            ours = standing;
        }
    }

    async fn claim_one(&self, ready: Ready, limits: &Limits) -> Result<Ours, Disposition> {
        let owner = ready.lead.named_owner();
        let replaced =
            self.is_replaced(&ready).await.map_err(|fault| storage_failed(&ready.job.lead_id, &fault))?;
        match self.receipts.claim(&ready.job, Some(&owner), limits.longest(), ready.found.clone()).await {
            Ok(Claimed::Ours(mut claim)) => {
                claim.receipt.unsure |= replaced;
                self.unless_said(self.read_again(Ours { ready, claim: *claim }, limits.shows_all).await?)
                    .await
            }
            Ok(Claimed::Sent) => Err(self.sent_before(&ready.job).await),
            Ok(Claimed::Busy(left)) => Err(Disposition::Retry(left)),
            Err(fault) => Err(self.no_receipt(ready.job, fault).await),
        }
    }

    /// Whether an alert was given up and put back into its queue, and another about the lead has gone to its destination
    /// meanwhile, in its place: an operator's. Then it is a repeat.
    async fn is_replaced(&self, ready: &Ready) -> Result<bool, Fault> {
        let job = &ready.job;
        let given_up = ready.found.receipt().filter(|receipt| receipt.state == ReceiptState::Failed);
        let (Some(given_up), AlertKind::New | AlertKind::Resend) = (given_up, job.kind) else {
            return Ok(false);
        };
        let beside = self.receipts.beside(&job.lead_id, &job.destination, &job.alert).await?;
        let is_later = |receipt: &Receipt| {
            receipt.may_have_been_read() && !receipt.is_for_nobody() && receipt.at > given_up.at
        };
        Ok(beside.iter().any(is_later))
    }

    /// Leaves out a follow-up whose owner the destination was notified of last: an alert that was on its way when it was
    /// queued has read the lead after that, and named them.
    async fn unless_said(&self, ours: Ours) -> Result<Ours, Disposition> {
        let job = &ours.ready.job;
        // One that may have arrived is sent again, with its label, and one that some have to the others.
        let receipt = &ours.claim.receipt;
        if job.kind != AlertKind::FollowUp || receipt.unsure || receipt.partly_sent {
            return Ok(ours);
        }
        let beside = match self.receipts.beside(&job.lead_id, &job.destination, &job.alert).await {
            Ok(beside) => beside,
            Err(fault) => {
                storage_failed(&job.lead_id, &fault);
                return Err(self.give_back(ours).await);
            }
        };
        let last =
            beside.iter().filter(|receipt| receipt.may_have_been_read()).max_by_key(|receipt| receipt.at);
        let said = last
            .is_some_and(|last| last.state == ReceiptState::Sent && last.owner == ours.claim.receipt.owner);
        if !said {
            return Ok(ours);
        }
        match self.receipts.conclude(ours.claim, Attempt::Needless).await {
            Ok(_) => Err(self.sent_before(&ours.ready.job).await),
            Err(fault) => Err(storage_failed(&ours.ready.job.lead_id, &fault)),
        }
    }
}
