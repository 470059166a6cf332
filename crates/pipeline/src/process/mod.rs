//! The stage that looks the owner up and writes the enriched lead.
//!
//! An owner who is missing, late, broken or of another lead never stops the alert: it goes out with
//! the defaults and says which case it was, and the owner is looked for again, a bounded number of
//! times.

mod follow_up;
mod lookup;

use std::{sync::Arc, time::Duration};

use lead::{CreatedLead, EnrichedLead, Incoming, LeadId, OwnerDocument, Timestamp, keys, text};

use crate::{
    Channel, Code, Fault, Function, Happened, Recorder, Settings,
    alerting::Alerting,
    job::{AlertId, AlertJob, Cause, ProcessJob, lead_in},
    ports::{Delivery, Disposition, Level, Objects, Outbox, OwnerDirectory, PutError, Queue, When, Why},
    receipt::Receipt,
    recorder,
};
pub use lookup::is_no_directory;
use lookup::{NoOwner, look_up};

/// How long after a failure of the storage a lead is processed again.
const STORAGE_PAUSE: Duration = Duration::from_secs(20);

/// The stage.
pub struct Process {
    /// Figures and names.
    pub settings: Arc<Settings>,
    /// Where raw events and enriched leads are.
    pub objects: Arc<dyn Objects>,
    /// Who owns which lead.
    pub owners: Arc<dyn OwnerDirectory>,
    /// Where further look-ups go.
    pub outbox: Arc<dyn Outbox>,
    /// Where alerts go.
    pub alerting: Alerting,
    /// Journal and log.
    pub recorder: Recorder,
}

/// Why processing stopped before its end.
enum Stop {
    /// No retry can help.
    Dead(Code, String),
    /// It may go well later.
    Again(Fault, Duration),
    /// The storage failed.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Process {
    /// Handles one message of the delay queue.
    pub async fn handle(&self, delivery: &Delivery) -> Disposition {
        let job = match ProcessJob::parse(&delivery.body) {
            Ok(job) => job,
            Err(error) => return self.unreadable(delivery, &format!("the message is no job: {error}")).await,
        };
        self.handle_job(&job, delivery).await
    }

    /// Handles a job that came in a message of another form, such as an event of S3.
    pub async fn handle_job(&self, job: &ProcessJob, delivery: &Delivery) -> Disposition {
        match self.process(job, delivery).await {
            Ok(()) => Disposition::Done,
            Err(stop) => self.stopped(stop, Some(job.lead_id.clone()), delivery).await,
        }
    }

    /// Handles a message that holds no job, for this reason.
    pub async fn unreadable(&self, delivery: &Delivery, reason: &str) -> Disposition {
        let stop = Stop::Dead(Code::JobUnreadable, reason.to_owned());
        self.stopped(stop, lead_in(&delivery.body), delivery).await
    }

    /// Leaves a job for later because the storage failed.
    pub async fn failed(&self, fault: Fault, lead: &LeadId, delivery: &Delivery) -> Disposition {
        self.stopped(Stop::Fault(fault), Some(lead.clone()), delivery).await
    }

    async fn process(&self, job: &ProcessJob, delivery: &Delivery) -> Result<(), Stop> {
        let now = self.recorder.clock.now();
        if !job.wait(now).is_zero() {
            // Waits longer than a queue's longest delay come in several parts, and a clock may have
            // stepped back. A fresh message keeps the count of receives for real failures.
            return Ok(self.outbox.send(Queue::Delay, job.message(now)).await?);
        }
        let (created, received_at) = self.read_event(job).await?;
        let found = look_up(self.owners.as_ref(), &job.lead_id).await;
        if let Err(no_owner) = &found
            && no_owner.worth_another_try
            && !matches!(job.cause, Cause::Recheck { .. })
            && delivery.receives < self.settings.process_attempts
        {
            let pause = self.backoff(delivery.receives);
            return Err(Stop::Again(Fault::new(no_owner.code, no_owner.reason.clone()), pause));
        }
        let lead = self.enrich(job, &created, received_at, found).await?;
        for channel in &self.settings.channels {
            self.notify(job, &lead, *channel).await?;
        }
        if !lead.has_owner() {
            self.look_again(job).await?;
        }
        Ok(())
    }

    /// The raw event, checked again: what lies in the bucket is not necessarily what we put there.
    async fn read_event(&self, job: &ProcessJob) -> Result<(CreatedLead, Timestamp), Stop> {
        let Some(raw) = self.objects.get(&job.key).await? else {
            return Err(Stop::Dead(Code::RawEventGone, format!("{} does not exist", job.key)));
        };
        let created = match Incoming::parse(&raw.body) {
            Ok(Incoming::Created(created)) => *created,
            Ok(Incoming::Other { kind, .. }) => {
                return Err(Stop::Dead(Code::RawEventUnreadable, format!("{} is a {kind} event", job.key)));
            }
            Err(malformed) => {
                return Err(Stop::Dead(Code::RawEventUnreadable, format!("{}: {malformed}", job.key)));
            }
        };
        if created.lead_id != job.lead_id {
            let what = format!("{} is about {}", job.key, created.lead_id);
            return Err(Stop::Dead(Code::RawEventMismatch, what));
        }
        Ok((created, raw.stored_at))
    }

    /// Writes the enriched lead. One that has an owner never loses it to a failed look-up.
    async fn enrich(
        &self,
        job: &ProcessJob,
        created: &CreatedLead,
        received_at: Timestamp,
        found: Result<OwnerDocument, NoOwner>,
    ) -> Result<EnrichedLead, Stop> {
        let key = keys::enriched(&self.settings.target_prefix, &job.lead_id);
        let (owner, code) = match found {
            Ok(document) => (Ok(document), None),
            Err(no_owner) => (Err(no_owner.status), Some(no_owner.code)),
        };
        let found = EnrichedLead::new(created, owner, received_at, self.recorder.clock.now());
        let code = code.or(match found.owner_status {
            lead::OwnerStatus::Mismatch => Some(Code::OwnerMismatch),
            lead::OwnerStatus::Missing => Some(Code::OwnerMissing),
            _ => None,
        });
        let recheck = matches!(job.cause, Cause::Recheck { .. });
        let mut before = match job.cause {
            // The first time, most likely. The put says where it is not.
            Cause::Arrival => None,
            Cause::Requeue | Cause::Recheck { .. } => self.objects.get(&key).await?,
        };
        let (lead, code) = loop {
            let when = match &before {
                Some(object) => When::Unchanged(object.version.clone()),
                None => When::Absent,
            };
            let known = before.and_then(|object| serde_json::from_slice::<EnrichedLead>(&object.body).ok());
            let (lead, code) = match known {
                Some(known) if recheck && !found.has_owner() => {
                    let message =
                        format!("still without an owner: {}", found.owner_status.as_str().replace('_', " "));
                    recorder::line(
                        Function::LeadProcessor,
                        Level::Info,
                        &message,
                        Some(job.lead_id.as_str()),
                        code.map(Code::as_str),
                    );
                    return Ok(known);
                }
                Some(known) if known.has_owner() && !found.has_owner() => (known, None),
                _ => (found.clone(), code),
            };
            let body = serde_json::to_vec_pretty(&lead).map_err(|e| {
                Fault::new(Code::Internal, format!("{} cannot be written as JSON: {e}", job.lead_id))
            })?;
            match self.objects.put(&key, body.into(), when).await {
                Ok(_) => break (lead, code),
                // Another worker has written it, and may have found an owner: look again.
                Err(PutError::Precondition) => before = self.objects.get(&key).await?,
                Err(PutError::Fault(fault)) => return Err(fault.into()),
            }
        };
        let (name, owner) = (text::shorten(&lead.display_name, 200), text::shorten(&lead.lead_owner, 200));
        let happened = if recheck && lead.has_owner() {
            Happened::OwnerFound { name, owner }
        } else {
            Happened::Enriched { name, owner, owner_status: lead.owner_status, code }
        };
        self.recorder.record(Some(job.lead_id.clone()), happened).await?;
        Ok(lead)
    }

    /// Queues the first alert, and a follow-up where that went out and the last alert named another owner.
    async fn notify(&self, job: &ProcessJob, lead: &EnrichedLead, channel: Channel) -> Result<(), Fault> {
        let first = AlertJob {
            lead_id: lead.lead_id.clone(),
            channel,
            alert: AlertId::new_lead(),
            kind: lead::AlertKind::New,
            due_at: (job.cause == Cause::Arrival).then_some(job.not_before),
        };
        let before = match job.cause {
            Cause::Arrival | Cause::Requeue => self.alerting.queue(&first).await?,
            Cause::Recheck { .. } => {
                match self.alerting.receipts.get(&lead.lead_id, channel, &first.alert).await {
                    Err(fault) if fault.code == Code::ReceiptUnreadable => None,
                    found => found?,
                }
            }
        };
        match before.filter(Receipt::may_have_been_read) {
            Some(first) if lead.has_owner() => self.follow_up(lead, first).await,
            _ => Ok(()),
        }
    }

    async fn look_again(&self, job: &ProcessJob) -> Result<(), Fault> {
        let number = match job.cause {
            Cause::Recheck { number } => number + 1,
            Cause::Arrival | Cause::Requeue => 1,
        };
        if number > self.settings.rechecks {
            return Ok(());
        }
        let now = self.recorder.clock.now();
        let wait = jiff::SignedDuration::try_from(self.settings.recheck_wait(number)).unwrap_or_default();
        let again = ProcessJob { not_before: now + wait, cause: Cause::Recheck { number }, ..job.clone() };
        self.outbox.send(Queue::Delay, again.message(now)).await
    }

    /// About 2 s, then 4 s, then 8 s.
    fn backoff(&self, receives: u32) -> Duration {
        let base = Duration::from_secs(1 << receives.clamp(1, 6));
        base.mul_f64(0.75 + 0.5 * self.recorder.random.fraction())
    }

    async fn stopped(&self, stop: Stop, lead: Option<lead::LeadId>, delivery: &Delivery) -> Disposition {
        let attempt = delivery.receives;
        let (fault, pause) = match stop {
            Stop::Again(fault, pause) => (fault, Some(pause)),
            Stop::Fault(fault) if attempt < self.settings.process_attempts => (fault, Some(STORAGE_PAUSE)),
            Stop::Fault(fault) => (fault, None),
            Stop::Dead(code, reason) => (Fault::new(code, reason), None),
        };
        let (queue, channel, code) = (Queue::Delay, None, fault.code);
        let reason = lead::text::shorten(&fault.what, 300);
        let (happened, disposition) = match pause {
            Some(pause) => {
                let wait = jiff::SignedDuration::try_from(pause).unwrap_or_default();
                let again_at = self.recorder.clock.now() + wait;
                (
                    Happened::Retrying { queue, channel, code, reason, attempt, again_at },
                    Disposition::Retry(pause),
                )
            }
            None => {
                let why = Why { code, reason: reason.clone(), attempts: attempt, lead: lead.clone() };
                (
                    Happened::Dead { queue, channel, alert: None, code, reason, attempts: attempt },
                    Disposition::Dead(why),
                )
            }
        };
        // Where the journal fails as well, the log still says so, and the message speaks for itself.
        if let Err(fault) = self.recorder.record(lead.clone(), happened).await {
            recorder::fault(Function::LeadProcessor, Level::Error, "", lead.as_ref(), &fault);
        }
        disposition
    }
}
