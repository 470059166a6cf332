//! Receipts: the proof that an alert was sent, claimed before sending and completed after.
//!
//! A receipt is an object, changed only by conditional writes, so that of several workers with the
//! same alert exactly one sends it. Its life: `queued` → `claimed` → `sent`, or back to `queued`
//! for another attempt, or `failed`. A claim that has run out without an outcome means that its worker
//! stopped somewhere between sending and writing it down: the next one sends again, and says so.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lead::{AlertKind, LeadId, Timestamp, keys};
use outside::time_left;
use serde::{Deserialize, Serialize};

use crate::{
    Code, Fault, Function,
    destination::{DestinationId, LeftOut},
    job::{AlertId, AlertJob, OwnerDigest},
    ports::{Clock, Level, Objects, PutError, Version, WriteCondition},
    recorder,
};

/// The longest that any claim lasts. If one has longer to go, the clock has stepped back since.
pub const LONGEST_CLAIM: Duration = Duration::from_secs(300);
/// How much of a claim has to be left when sending begins, beyond the longest that sending takes.
const MARGIN: Duration = Duration::from_secs(10);
/// How much time there is between claiming an alert and beginning to send it.
const HEAD_START: Duration = Duration::from_secs(15);

/// How long a claim lasts at a destination that takes at most `longest_send` for a message: longer than anybody waits.
pub fn claim_for(longest_send: Duration) -> Duration {
    (HEAD_START + longest_send + MARGIN).min(LONGEST_CLAIM)
}

/// The state of one alert at one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The lead.
    pub lead_id: LeadId,
    /// The destination.
    #[serde(rename = "channel")]
    pub destination: DestinationId,
    /// The alert.
    pub alert: AlertId,
    /// Why it is sent.
    pub kind: AlertKind,
    /// Its state.
    #[serde(flatten)]
    pub state: ReceiptState,
    /// When that last changed. Never earlier than before, even if the clock has stepped back: of a lead's
    /// receipts at a destination the latest decides.
    pub at: Timestamp,
    /// How many attempts have come to an outcome or were given up.
    pub attempts: u32,
    /// The last failure.
    pub code: Option<Code>,
    /// The same in words, if an operator asked for the alert and may be waiting for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The owner that the alert names.
    pub owner: Option<String>,
    /// The owner that it will name, where it is claimed and the lead has not been read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<OwnerDigest>,
    /// Whether some attempt may have arrived without an answer.
    pub unsure: bool,
    /// Whether it must not be folded into a digest again, because one that it was in was refused.
    #[serde(default)]
    pub alone: bool,
    /// Whom it has not reached: those who will be retried, and those who will not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Those who received it, if that is not everybody; of an alert for those alone whom an earlier one did not reach, those
    /// whom that has reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reached: Vec<String>,
    /// Whether some of its recipients received it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partly_sent: bool,
}

/// The state of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReceiptState {
    /// Waiting for its turn, or for its next attempt.
    Queued,
    /// Being sent.
    Claimed {
        /// When the claim runs out.
        until: Timestamp,
    },
    /// The destination has accepted it.
    Sent,
    /// Given up.
    Failed,
}

/// A claim on an alert: the right to send it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The receipt as claimed.
    pub receipt: Receipt,
    version: Version,
    /// The longest that sending takes.
    longest_send: Duration,
}

impl Claim {
    /// How long it lasts from its beginning.
    pub fn length(&self) -> Duration {
        claim_for(self.longest_send)
    }
}

/// The receipt of an alert as it was read, for a claim on it.
#[derive(Debug, Clone)]
pub struct ReceiptSnapshot(Option<(Receipt, Version)>);

impl ReceiptSnapshot {
    /// That of an alert which nobody has tried: it was queued without one.
    pub fn none() -> Self {
        Self(None)
    }

    /// The receipt, where there is one.
    pub fn receipt(&self) -> Option<&Receipt> {
        self.0.as_ref().map(|(receipt, _)| receipt)
    }
}

/// The result of asking for a claim.
#[derive(Debug, Clone)]
pub enum ClaimResult {
    /// It is the caller's to send.
    Acquired(Box<Claim>),
    /// It has been sent.
    AlreadySent,
    /// Another worker is sending it, whose claim lasts so much longer.
    HeldByOther(Duration),
    /// Its receipt is another one than was read.
    Changed,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The destination has accepted it.
    Sent(PartialDelivery),
    /// The destination has accepted it for some recipients, and is asked again for those who are to be retried.
    PartlySent(PartialDelivery),
    /// Another alert has said the same meanwhile.
    NotNeeded,
    /// It has no recipient left: those who had not received it are no longer configured.
    NoRecipients,
    /// It was not accepted and will be retried. `counts` is false for a pause that was asked for.
    Retry {
        /// Why.
        code: Code,
        /// Whether it counts against the attempts.
        counts: bool,
        /// Whether it is to be sent alone from now on.
        alone: bool,
        /// Whether it may have arrived anyway.
        unsure: bool,
    },
    /// It is given up.
    Failed {
        /// Why.
        code: Code,
        /// Whether it may have arrived anyway.
        unsure: bool,
    },
}

impl AttemptOutcome {
    /// What the alert's state is after it.
    fn state(&self) -> ReceiptState {
        match self {
            Self::Sent(_) | Self::NotNeeded | Self::NoRecipients => ReceiptState::Sent,
            Self::PartlySent(_) | Self::Retry { .. } => ReceiptState::Queued,
            Self::Failed { .. } => ReceiptState::Failed,
        }
    }

    /// Whether it counts against the attempts.
    fn counts(&self) -> bool {
        !matches!(self, Self::NotNeeded | Self::Retry { counts: false, .. })
    }
}

/// Whom an alert has reached, and whom not. Empty where it has reached everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartialDelivery {
    /// Those whom it has reached now.
    pub reached: Vec<String>,
    /// Those whom it has not reached, now or before.
    pub left_out: Vec<LeftOut>,
}

/// The receipts in an object store.
#[derive(Clone)]
pub struct Receipts {
    /// The store.
    pub objects: Arc<dyn Objects>,
    /// The time of claims.
    pub clock: Arc<dyn Clock>,
}

impl Receipts {
    /// Makes the receipt of an alert that is about to be queued, or gives the one that there is. A new one
    /// is of no earlier time than `not_before`, and for those alone whom an earlier alert did
    /// not reach, where `rest` says who they are.
    ///
    /// # Errors
    /// [`Code::ReceiptUnreadable`] where there is one that cannot be read.
    pub async fn ensure(
        &self,
        job: &AlertJob,
        not_before: Timestamp,
        rest: PartialDelivery,
    ) -> Result<Option<Receipt>, Fault> {
        let mut receipt = self.fresh(job);
        receipt.left_out = rest.left_out.into_iter().map(|one| LeftOut { again: true, ..one }).collect();
        receipt.reached = rest.reached;
        receipt.at = receipt.at.max(not_before);
        match self.objects.put(&receipt.key(), receipt.to_bytes(), WriteCondition::Absent).await {
            Ok(_) => Ok(None),
            Err(PutError::Precondition) => self.get(&job.lead_id, &job.destination, &job.alert).await,
            Err(PutError::Fault(fault)) => Err(fault),
        }
    }

    /// The receipt of one alert.
    pub async fn get(
        &self,
        lead: &LeadId,
        destination: &DestinationId,
        alert: &AlertId,
    ) -> Result<Option<Receipt>, Fault> {
        let found = self.read(&keys::receipt(lead, destination.as_str(), alert.as_str())).await?;
        Ok(found.map(|(receipt, _)| receipt))
    }

    /// All receipts of a lead that can be read, in no particular order. The log says which cannot.
    pub async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Receipt>, Fault> {
        let keys = self.keys(&keys::receipts_of(lead)).await?;
        self.readable(lead, keys, Function::Operator).await
    }

    /// The receipts of a lead at a destination, but for the one of this alert, that can be read, in no particular order.
    /// One that cannot says nothing of what was sent.
    pub async fn others_at(
        &self,
        lead: &LeadId,
        destination: &DestinationId,
        alert: &AlertId,
    ) -> Result<Vec<Receipt>, Fault> {
        let own = keys::receipt(lead, destination.as_str(), alert.as_str());
        let mut keys = self.keys(&keys::receipts_at(lead, destination.as_str())).await?;
        keys.retain(|key| *key != own);
        self.readable(lead, keys, Function::LeadProcessor).await
    }

    /// The receipts under these keys. The log of a function says which of them cannot be read.
    async fn readable(
        &self,
        lead: &LeadId,
        keys: Vec<String>,
        function: Function,
    ) -> Result<Vec<Receipt>, Fault> {
        let mut receipts = Vec::new();
        for key in keys {
            match self.read(&key).await {
                Ok(receipt) => receipts.extend(receipt.map(|(receipt, _)| receipt)),
                Err(fault) if fault.code == Code::ReceiptUnreadable => {
                    recorder::fault(function, Level::Warn, "ignored", Some(lead), &fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(receipts)
    }

    /// The receipt of an alert, to be claimed later.
    pub async fn find(&self, job: &AlertJob) -> Result<ReceiptSnapshot, Fault> {
        self.read(&job.receipt_key()).await.map(ReceiptSnapshot)
    }

    /// Claims an alert whose receipt was read as `snapshot`. `longest_send` is the destination's. The claim names the
    /// owner that an attempt has named already, or else the one that the lead had when the alert was queued.
    pub async fn claim(
        &self,
        job: &AlertJob,
        longest_send: Duration,
        snapshot: ReceiptSnapshot,
    ) -> Result<ClaimResult, Fault> {
        let now = self.clock.now();
        let (mut receipt, when) = match snapshot.0 {
            None => (self.fresh(job), WriteCondition::Absent),
            Some((receipt, version)) => (receipt, WriteCondition::Unchanged(version)),
        };
        match receipt.state {
            ReceiptState::Sent => return Ok(ClaimResult::AlreadySent),
            ReceiptState::Claimed { until } => {
                let left = time_left(until, now);
                if !left.is_zero() && left <= LONGEST_CLAIM {
                    return Ok(ClaimResult::HeldByOther(left));
                }
                receipt.unsure = true;
                receipt.attempts += 1;
            }
            ReceiptState::Queued => {}
            // A dead letter that was redriven starts afresh.
            ReceiptState::Failed => receipt.attempts = 0,
        }
        receipt.state = ReceiptState::Claimed { until: now + claim_for(longest_send) };
        receipt.at = now.max(receipt.at);
        if receipt.owner.is_none() && receipt.names.is_none() {
            receipt.names.clone_from(&job.owner);
        }
        match self.objects.put(&receipt.key(), receipt.to_bytes(), when).await {
            Ok(version) => Ok(ClaimResult::Acquired(Box::new(Claim { receipt, version, longest_send }))),
            Err(PutError::Precondition) => Ok(ClaimResult::Changed),
            Err(PutError::Fault(fault)) => Err(fault),
        }
    }

    /// Has a claim name another owner. `None` where another worker has claimed the alert since.
    pub async fn rename(&self, claim: &Claim, owner: String) -> Result<Option<Claim>, Fault> {
        let receipt = Receipt { owner: Some(owner), names: None, ..claim.receipt.clone() };
        let when = WriteCondition::Unchanged(claim.version.clone());
        match self.objects.put(&receipt.key(), receipt.to_bytes(), when).await {
            Ok(version) => Ok(Some(Claim { receipt, version, ..claim.clone() })),
            Err(PutError::Precondition) => Ok(None),
            Err(PutError::Fault(fault)) => Err(fault),
        }
    }

    /// Whether a claim still lasts long enough to send under it. To a worker that was suspended, or whose clock was set,
    /// this says that others may have claimed the alert since.
    pub fn is_valid(&self, claim: &Claim) -> bool {
        let ReceiptState::Claimed { until } = claim.receipt.state else { return false };
        let left = time_left(until, self.clock.now());
        (claim.longest_send + MARGIN..=claim_for(claim.longest_send)).contains(&left)
    }

    /// Releases a claim under which nothing was sent. Another worker may have the alert by now.
    pub async fn release(&self, claim: Claim) -> Result<(), Fault> {
        let mut receipt = claim.receipt;
        receipt.at = self.clock.now().max(receipt.at);
        receipt.state = ReceiptState::Queued;
        receipt.names = None;
        if !receipt.may_have_arrived() {
            receipt.owner = None;
        }
        self.put_back(&receipt, claim.version).await
    }

    /// Records the outcome of a claim. Returns the receipt as written; in the store it is unchanged if another worker
    /// has claimed it since.
    pub async fn conclude(&self, claim: Claim, attempt: AttemptOutcome) -> Result<Receipt, Fault> {
        let mut receipt = claim.receipt;
        receipt.at = self.clock.now().max(receipt.at);
        receipt.state = attempt.state();
        receipt.attempts += u32::from(attempt.counts());
        match attempt {
            AttemptOutcome::Sent(part) | AttemptOutcome::PartlySent(part) => receipt.take(part),
            AttemptOutcome::NotNeeded => {}
            AttemptOutcome::NoRecipients => {
                let has_reached_some = receipt.partly_sent;
                let left_out = receipt.left_out.iter().filter(|one| !one.again).cloned().collect();
                receipt.take(PartialDelivery { reached: Vec::new(), left_out });
                if !has_reached_some {
                    receipt.code = Some(Code::NobodyLeftOut);
                }
            }
            AttemptOutcome::Retry { code, alone, unsure, .. } => {
                receipt.code = Some(code);
                receipt.unsure |= unsure;
                receipt.alone |= alone;
                if !receipt.may_have_arrived() {
                    receipt.owner = None;
                }
            }
            AttemptOutcome::Failed { code, unsure } => {
                receipt.unsure |= unsure;
                receipt.code = Some(code);
            }
        }
        // Of one whose worker died before it read the lead, or whose lead cannot be read, it is all that is known.
        if receipt.owner.is_some() || !receipt.may_have_arrived() {
            receipt.names = None;
        }
        self.put_back(&receipt, claim.version).await?;
        Ok(receipt)
    }

    /// Expires the claim of a worker that is known to have ended, which would otherwise have to run out first. Whether
    /// it had sent the alert is not known, so the next one is labelled as a possible repeat.
    ///
    /// Only for a caller that knows that no other worker sends alerts.
    pub async fn expire_claim(&self, job: &AlertJob) -> Result<(), Fault> {
        let Some((mut receipt, version)) = self.find(job).await?.0 else { return Ok(()) };
        let ReceiptState::Claimed { until } = &mut receipt.state else { return Ok(()) };
        // Over, whatever the clock does.
        *until = Timestamp::UNIX_EPOCH;
        self.put_back(&receipt, version).await
    }

    /// Writes a receipt that was read in this version. One that somebody else has changed since stays.
    async fn put_back(&self, receipt: &Receipt, version: Version) -> Result<(), Fault> {
        match self.objects.put(&receipt.key(), receipt.to_bytes(), WriteCondition::Unchanged(version)).await {
            Ok(_) | Err(PutError::Precondition) => Ok(()),
            Err(PutError::Fault(fault)) => Err(fault),
        }
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let found = self.objects.list(prefix, keys.last().map(String::as_str), 100).await?;
            let last = found.len() < 100;
            keys.extend(found);
            if last {
                return Ok(keys);
            }
        }
    }

    async fn read(&self, key: &str) -> Result<Option<(Receipt, Version)>, Fault> {
        let Some(object) = self.objects.get(key).await? else { return Ok(None) };
        let damaged = |why| Fault::new(Code::ReceiptUnreadable, format!("the receipt {key} {why}"));
        let receipt: Receipt =
            serde_json::from_slice(&object.body).map_err(|e| damaged(format!("cannot be read: {e}")))?;
        if receipt.key() != key {
            return Err(damaged(format!("is that of {}", receipt.key())));
        }
        Ok(Some((receipt, object.version)))
    }

    fn fresh(&self, job: &AlertJob) -> Receipt {
        Receipt {
            lead_id: job.lead_id.clone(),
            destination: job.destination.clone(),
            alert: job.alert.clone(),
            kind: job.kind,
            state: ReceiptState::Queued,
            at: self.clock.now(),
            attempts: 0,
            code: None,
            reason: None,
            owner: None,
            names: None,
            unsure: false,
            alone: false,
            left_out: Vec::new(),
            reached: Vec::new(),
            partly_sent: false,
        }
    }
}

impl Receipt {
    /// The receipt's key.
    pub fn key(&self) -> String {
        keys::receipt(&self.lead_id, self.destination.as_str(), self.alert.as_str())
    }

    /// Whether people may have seen the alert.
    pub fn may_have_arrived(&self) -> bool {
        self.unsure
            || self.partly_sent
            || matches!(self.state, ReceiptState::Sent | ReceiptState::Claimed { .. })
    }

    /// Whether it names this owner, as far as that is known.
    pub fn names(&self, owner: &str) -> Option<bool> {
        let by_name = self.owner.as_deref().map(|named| named == owner);
        by_name.or_else(|| self.names.as_ref().map(|named| *named == OwnerDigest::of(owner)))
    }

    /// Whether it ended without a message, as no recipient was left.
    pub fn has_no_recipients(&self) -> bool {
        self.state == ReceiptState::Sent && self.code == Some(Code::NobodyLeftOut)
    }

    /// Those whom it is no longer for: they received it, or are not retried.
    pub fn done(&self) -> Vec<&str> {
        let settled = self.left_out.iter().filter(|one| !one.again).map(|one| one.recipient.as_str());
        self.reached.iter().map(String::as_str).chain(settled).collect()
    }

    /// Records whom it has reached now.
    fn take(&mut self, part: PartialDelivery) {
        self.partly_sent = !part.left_out.is_empty();
        (self.code, self.reason) = (self.partly_sent.then_some(Code::PartlySent), None);
        self.left_out = part.left_out;
        if self.partly_sent {
            self.reached.extend(part.reached);
        } else {
            self.reached.clear();
        }
    }

    fn to_bytes(&self) -> Bytes {
        // A struct of strings, numbers and times always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}
