//! The stage that tells the team: once per lead and channel, at the channel's pace.
//!
//! An alert is claimed before it is sent and its receipt completed after. What the channel answers
//! decides what follows: a wait that is asked for is kept in full, trouble on the way is tried again
//! with growing pauses, and a refusal makes a dead letter at once. When more alerts are ready than the
//! pace allows, they are folded into digests.

mod bucket;
mod mail;
mod pace;
mod slack;

use std::{sync::Arc, time::Duration};

use futures_util::{
    TryFutureExt,
    future::{join, join_all},
};
use jiff::SignedDuration;
use lead::{Alert, AlertKind, EnrichedLead, LeadId, Timestamp, keys, text};

use crate::{
    Channel, Code, Fault, Function, Happened, Recorder, Settings,
    job::{AlertJob, lead_in},
    patience::doubled,
    ports::{Delivery, Disposition, Level, MAX_DELAY, Mailer, Objects, Queue, Slack, Why},
    receipt::{Attempt, CLAIM, Claim, Claimed, Found, ReceiptState, Receipts},
    recorder,
};
pub use pace::Pace;

/// The first and the longest pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How long sending an alert and writing that down can take: two posts that Slack lets time out.
const LONGEST_SEND: SignedDuration = SignedDuration::from_secs(25);
/// From how many receives on a message is let rest.
const OFTEN: u32 = 100;
/// How long after a failure of the storage an alert is looked at again.
const STORAGE_PAUSE: Duration = Duration::from_secs(5);

/// The stage.
pub struct Notify {
    /// Figures and names.
    pub settings: Arc<Settings>,
    /// Where enriched leads are.
    pub objects: Arc<dyn Objects>,
    /// The proof of what was sent.
    pub receipts: Receipts,
    /// Journal and log.
    pub recorder: Recorder,
    /// Slack, where it is configured, and the pace of its webhook.
    pub slack: Option<(Arc<dyn Slack>, Pace)>,
    /// E-mail, where it is configured.
    pub mailer: Option<Arc<dyn Mailer>>,
}

/// An alert that is to be sent: its place in the batch, its message, its lead.
struct Ready {
    index: usize,
    job: AlertJob,
    lead: EnrichedLead,
    /// Its receipt.
    found: Found,
}

impl Ready {
    /// Whether it is not to be folded into a digest.
    fn is_alone(&self) -> bool {
        self.found.receipt().is_some_and(|receipt| receipt.alone)
    }
}

/// An alert that is ours to send.
struct Ours {
    ready: Ready,
    claim: Claim,
}

impl Ours {
    fn alert(&self) -> Alert<'_> {
        Alert {
            lead: &self.ready.lead,
            kind: self.ready.job.kind,
            possible_repeat: self.claim.receipt.unsure,
        }
    }
}

/// The dispositions of a batch, by the place of each message in it.
type Outcomes = Vec<(usize, Disposition)>;

/// What the channel's answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// Taken.
    Sent,
    /// Not taken: wait this long, because it asked for it.
    Wait(Duration),
    /// Not taken, or perhaps: try again, not before this pause.
    Again { code: Code, reason: String, pause: Duration },
    /// Refused, and will be again. `payload` where it is the message itself that is refused.
    Refused { code: Code, reason: String, payload: bool },
}

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
        let mut outcomes = Outcomes::new();
        let (mut on_slack, mut by_mail) = (Vec::new(), Vec::new());
        for (index, delivery) in deliveries.iter().enumerate() {
            match AlertJob::parse(&delivery.body) {
                Ok(job) if job.channel == Channel::Slack => on_slack.push((index, job)),
                Ok(job) => by_mail.push((index, job)),
                Err(error) => {
                    let fault =
                        Fault::new(Code::AlertUnreadable, format!("the message is no alert: {error}"));
                    let lead = lead_in(&delivery.body);
                    outcomes.push((index, self.dead(lead, None, fault, delivery.receives).await));
                }
            }
        }
        let (slack, mail) =
            join(self.tell_slack(on_slack, deadline), self.tell_by_mail(by_mail, deadline)).await;
        outcomes.extend(slack);
        outcomes.extend(mail);
        outcomes.sort_by_key(|(index, _)| *index);
        let outcomes = outcomes.into_iter().map(|(_, disposition)| disposition);
        outcomes
            .zip(deliveries)
            .map(|(disposition, delivery)| rested(disposition, delivery.receives))
            .collect()
    }

    /// Whether sending might not be over at the deadline.
    fn is_too_late(&self, deadline: Option<Timestamp>) -> bool {
        let left = |deadline: Timestamp| deadline.duration_since(self.recorder.clock.now());
        deadline.is_some_and(|deadline| left(deadline) < LONGEST_SEND)
    }

    /// Reads the lead, and leaves out what has been sent or is being sent.
    async fn prepare(&self, index: usize, job: AlertJob) -> Result<Ready, Disposition> {
        let (found, lead) = join(self.receipts.find(&job), self.read_lead(&job.lead_id)).await;
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
    async fn read_again(&self, mut ours: Ours) -> Result<Ours, Disposition> {
        match self.read_lead(&ours.ready.job.lead_id).await {
            Ok(lead) => {
                ours.claim.receipt.owner = Some(lead.named_owner().into_owned());
                ours.ready.lead = lead;
                Ok(ours)
            }
            Err(fault) => {
                let lead = ours.ready.job.lead_id;
                let attempt = Attempt::Again { code: fault.code, counts: false, alone: false };
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

    async fn read_lead(&self, lead: &LeadId) -> Result<EnrichedLead, Fault> {
        let key = keys::enriched(&self.settings.target_prefix, lead);
        let object = self.objects.get(&key).await?;
        let object =
            object.ok_or_else(|| Fault::new(Code::EnrichedLeadGone, format!("{key} does not exist")))?;
        let mut lead: EnrichedLead = serde_json::from_slice(&object.body)
            .map_err(|e| Fault::new(Code::EnrichedLeadGone, format!("{key} cannot be read: {e}")))?;
        // Up to a megabyte that no message shows, for each of a batch.
        lead.custom.clear();
        Ok(lead)
    }

    /// Claims alerts to be sent together. What is not ours to send gets its disposition.
    async fn claim(&self, ready: Vec<Ready>, outcomes: &mut Outcomes) -> Vec<Ours> {
        let claims = join_all(ready.into_iter().map(|ready| async move {
            let index = ready.index;
            self.claim_one(ready).await.map_err(|disposition| (index, disposition))
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

    async fn claim_one(&self, ready: Ready) -> Result<Ours, Disposition> {
        match self.receipts.claim(&ready.job, Some(&ready.lead.named_owner()), ready.found.clone()).await {
            Ok(Claimed::Ours(claim)) => self.unless_said(self.read_again(Ours { ready, claim }).await?).await,
            Ok(Claimed::Sent) => Err(self.sent_before(&ready.job).await),
            Ok(Claimed::Busy(left)) => Err(Disposition::Retry(left)),
            Err(fault) => Err(self.no_receipt(ready.job, fault).await),
        }
    }

    /// Leaves out a follow-up whose owner the channel was notified of last: an alert that was on its way when it was
    /// queued has read the lead after that, and named them.
    async fn unless_said(&self, ours: Ours) -> Result<Ours, Disposition> {
        let job = &ours.ready.job;
        // One that may have arrived is sent again, with its label.
        if job.kind != AlertKind::FollowUp || ours.claim.receipt.unsure {
            return Ok(ours);
        }
        let beside = match self.receipts.beside(&job.lead_id, job.channel, &job.alert).await {
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

    /// What becomes of an alert whose receipt could not be read or written. Where the storage failed it may go well
    /// later; a receipt that cannot be understood stays so, and an alert that may have been sent is not sent again.
    async fn no_receipt(&self, job: AlertJob, fault: Fault) -> Disposition {
        match fault.code {
            Code::ReceiptUnreadable => {
                self.dead(Some(job.lead_id), Some((job.channel, job.kind)), fault, 1).await
            }
            _ => storage_failed(&job.lead_id, &fault),
        }
    }

    /// Writes down what came of alerts that were sent together, and says what becomes of each message.
    async fn conclude(&self, ours: Vec<Ours>, verdict: &Verdict) -> Outcomes {
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
        let attempt = match verdict {
            Verdict::Sent => return self.sent(&job, claim, together).await,
            Verdict::Wait(_) => Attempt::Again { code: Code::SlackRateLimited, counts: false, alone: false },
            // One bad lead must not take the others of its digest with it: each for itself from now on.
            Verdict::Refused { code, payload: true, .. } if together > 1 => {
                Attempt::Again { code: *code, counts: false, alone: true }
            }
            Verdict::Again { code, .. } if attempts < self.settings.notify_attempts => {
                Attempt::Again { code: *code, counts: true, alone: false }
            }
            Verdict::Again { code, .. } | Verdict::Refused { code, .. } => Attempt::Failed(*code),
        };
        let (fault, pause) = match verdict {
            Verdict::Sent => return Disposition::Done,
            Verdict::Wait(wait) => (
                Fault::new(Code::SlackRateLimited, format!("Slack asks to wait {} s", wait.as_secs())),
                *wait,
            ),
            Verdict::Again { code, reason, pause } => {
                (Fault::new(*code, reason.clone()), self.backoff(attempts).max(*pause))
            }
            Verdict::Refused { code, reason, .. } => (Fault::new(*code, reason.clone()), Duration::ZERO),
        };
        if let Err(fault) = self.receipts.conclude(claim, attempt).await {
            return storage_failed(&job.lead_id, &fault);
        }
        if attempt == Attempt::Failed(fault.code) {
            return self.dead(Some(job.lead_id), Some((job.channel, job.kind)), fault, attempts).await;
        }
        let pause = pause.min(MAX_DELAY);
        let again_at = self.recorder.clock.now() + SignedDuration::try_from(pause).unwrap_or_default();
        let happened = Happened::Retrying {
            queue: Queue::Notification,
            channel: Some(job.channel),
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

    /// Completes the receipt of an alert that the channel has taken. Between the one and the other lies
    /// the only window in which an alert can be sent twice, so the storage gets several chances.
    async fn sent(&self, job: &AlertJob, claim: Claim, together: usize) -> Disposition {
        let repeat = claim.receipt.unsure;
        let mut pauses = [200, 1_000, 3_000].into_iter().map(Duration::from_millis);
        let receipt = loop {
            match self.receipts.conclude(claim.clone(), Attempt::Sent).await {
                Ok(receipt) => break receipt,
                Err(fault) => {
                    storage_failed(&job.lead_id, &fault);
                    let Some(pause) = pauses.next() else { return Disposition::Retry(CLAIM) };
                    self.recorder.clock.sleep(pause).await;
                }
            }
        };
        let late = job.due_at.map(|due_at| receipt.at.duration_since(due_at));
        let happened = Happened::Notified {
            channel: job.channel,
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

    /// Makes a dead letter of an alert that cannot even be tried.
    async fn give_up(&self, job: AlertJob, fault: Fault) -> Disposition {
        let claim = |found| self.receipts.claim(&job, None, found);
        let given_up = match self.receipts.find(&job).and_then(claim).await {
            Ok(Claimed::Ours(claim)) => self.receipts.conclude(claim, Attempt::Failed(fault.code)).await,
            Ok(Claimed::Sent) => return self.sent_before(&job).await,
            Ok(Claimed::Busy(left)) => return Disposition::Retry(left),
            Err(unreadable) if unreadable.code == Code::ReceiptUnreadable => {
                return self.no_receipt(job, unreadable).await;
            }
            Err(fault) => Err(fault),
        };
        match given_up {
            Ok(receipt) => {
                self.dead(Some(job.lead_id), Some((job.channel, job.kind)), fault, receipt.attempts).await
            }
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    async fn sent_before(&self, job: &AlertJob) -> Disposition {
        let happened = Happened::AlreadyNotified { channel: job.channel };
        match self.recorder.record(Some(job.lead_id.clone()), happened).await {
            Ok(()) => Disposition::Done,
            Err(fault) => storage_failed(&job.lead_id, &fault),
        }
    }

    async fn dead(
        &self,
        lead: Option<LeadId>,
        alert: Option<(Channel, AlertKind)>,
        fault: Fault,
        attempts: u32,
    ) -> Disposition {
        let (code, reason) = (fault.code, text::shorten(&fault.what, 300));
        let (queue, (channel, alert)) = (Queue::Notification, alert.unzip());
        let happened = Happened::Dead { queue, channel, alert, code, reason: reason.clone(), attempts };
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

/// Lets a message that has been received very often come back more slowly. SQS makes a dead letter of one
/// that was received a thousand times, whatever the reason; this way that takes half a day.
fn rested(disposition: Disposition, receives: u32) -> Disposition {
    match disposition {
        Disposition::Retry(wait) if receives > OFTEN => {
            let rest = Duration::from_secs(u64::from(receives / 10)).min(LONGEST_PAUSE);
            Disposition::Retry(wait.max(rest))
        }
        other => other,
    }
}

/// Says in the log that the storage failed; the message is looked at again, and its receipt decides.
fn storage_failed(lead: &LeadId, fault: &Fault) -> Disposition {
    recorder::fault(Function::Notification, Level::Error, "", Some(lead), fault);
    Disposition::Retry(STORAGE_PAUSE)
}
