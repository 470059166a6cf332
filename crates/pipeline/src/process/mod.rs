//! The stage that looks the owner up and writes the enriched lead.
//!
//! An owner who is missing, late, broken or of another lead never stops the alert: it goes out with
//! the defaults and says which case it was, and the owner is looked for again, a bounded number of
//! times.

mod follow_up;
mod past;

use std::{sync::Arc, time::Duration};

use close::{CreatedLead, Incoming};
use futures_util::future::join_all;
use lead::{EnrichedLead, LeadId, OwnerStatus, Timestamp, keys};
use outside::{text, time_left};

pub use self::past::PastLeads;
use crate::{
    Code, Entry, Fault, Function, JournalEvent, Recorder, Settings,
    alert_queue::AlertQueue,
    destination::DestinationId,
    job::{AlertId, AlertJob, Cause, OwnerDigest, ProcessJob, lead_in},
    ports::{
        Delivery, Disposition, Level, LookupOptions, LookupOutcome, NewMessage, NextLookup, Objects, Outbox,
        Owners, PutError, Queue, WriteCondition,
    },
    recorder,
    store_retry::{RETRY_FOR, StoreRetry, doubled},
};

/// How long after a failed look-up the next one is made; each further pause is twice as long.
const LOOKUP_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_LOOKUP_PAUSE: Duration = Duration::from_secs(64);
/// How often the source of owners may ask to wait, each time for longer: some three minutes in all, or two waits
/// that are long. Then the alert goes out, and the owner is looked for again.
const MOST_WAITS: u32 = 8;
const MOST_LONG_WAITS: u32 = 2;
const LONG_WAIT: Duration = Duration::from_secs(45);
const WAIT: Duration = Duration::from_secs(1);
/// How long after a destination refused an alert that is sent without a queue the lead is processed again.
const REFUSAL_PAUSE: Duration = Duration::from_secs(20);

/// How long after its time a job is done as if it were done in time.
const SOON: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// The stage.
pub struct Process {
    /// Figures and names.
    pub settings: Arc<Settings>,
    /// Where raw events and enriched leads are.
    pub objects: Arc<dyn Objects>,
    /// Who owns which lead.
    pub owners: Arc<dyn Owners>,
    /// Where further look-ups go.
    pub outbox: Arc<dyn Outbox>,
    /// Where alerts go.
    pub alerting: AlertQueue,
    /// Journal and log.
    pub recorder: Recorder,
    /// Where failed look-ups are counted.
    pub counted: AttemptCounter,
    /// The leads that were here before, where raw events may arrive again once their leads have ended.
    pub past: Option<Arc<dyn PastLeads>>,
}

/// Where failed look-ups are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptCounter {
    /// In the job, which is sent again: what else brings its message back, a store's fault or a worker that
    /// died, does not count.
    InJob,
    /// By the queue, which counts everything: for a stage that cannot send to it.
    ByQueue,
}

/// Why processing stopped before its end.
enum Interruption {
    /// No retry can help.
    Dead(Fault),
    /// The look-up failed, and its next attempt follows after this pause.
    Retry(Fault, Duration),
    /// A store or a queue failed.
    Fault(Fault),
}

impl From<Fault> for Interruption {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Process {
    /// Handles one message of the delay queue.
    pub async fn handle(&self, delivery: &Delivery) -> Disposition {
        self.handle_until(delivery, None).await
    }

    /// Handles one message of the delay queue, for a worker that is stopped at `deadline`: the look-up ends
    /// early enough for what has to be written after it.
    pub async fn handle_until(&self, delivery: &Delivery, deadline: Option<Timestamp>) -> Disposition {
        let job = match ProcessJob::parse(&delivery.body) {
            Ok(job) => job,
            Err(error) => return self.unreadable(delivery, &format!("the message is no job: {error}")).await,
        };
        self.handle_job_until(&job, delivery, deadline).await
    }

    /// Handles a job that came in a message of another form, such as an event of S3.
    pub async fn handle_job_until(
        &self,
        job: &ProcessJob,
        delivery: &Delivery,
        deadline: Option<Timestamp>,
    ) -> Disposition {
        match self.process(job, delivery, deadline).await {
            Ok(()) => Disposition::Done,
            Err(stop) => self.stopped(stop, Some(job.lead_id.clone()), delivery).await,
        }
    }

    /// Handles a message that holds no job, for this reason.
    pub async fn unreadable(&self, delivery: &Delivery, reason: &str) -> Disposition {
        let stop = Interruption::Dead(Fault::new(Code::JobUnreadable, reason));
        self.stopped(stop, lead_in(&delivery.body), delivery).await
    }

    async fn process(
        &self,
        job: &ProcessJob,
        delivery: &Delivery,
        deadline: Option<Timestamp>,
    ) -> Result<(), Interruption> {
        let now = self.recorder.clock.now();
        if !job.wait(now).is_zero() {
            // Waits longer than a queue's longest delay come in several parts, and a clock may have
            // stepped back. A fresh message begins its count of receives anew.
            return Ok(self.outbox.send(Queue::Delay, job.message(now)).await?);
        }
        let event = self.read_event(job).await;
        if self.ended_long_ago(job, event.as_ref().ok().map(|(created, _)| created)).await? {
            return Ok(());
        }
        let (created, received_at) = event?;
        let within = deadline.map(|deadline| self.time_to_look_up(deadline));
        let look = LookupOptions { fresh: job.cause != Cause::Arrival, within };
        let found = self.owners.find(&created, look).await;
        let attempt = match self.counted {
            AttemptCounter::InJob => job.attempts.saturating_add(1),
            AttemptCounter::ByQueue => delivery.receives,
        };
        match (found.then, found.why.clone()) {
            (NextLookup::Retry, Some(why))
                if !matches!(job.cause, Cause::Recheck { .. })
                    && attempt < self.settings.process_attempts =>
            {
                let pause = self.recorder.random.around(doubled(LOOKUP_PAUSE, attempt, LONGEST_LOOKUP_PAUSE));
                let next = ProcessJob { attempts: attempt, ..job.clone() };
                return self.look_up_later(next, why, attempt, pause, true).await;
            }
            (NextLookup::Wait(asked), Some(why)) if self.may_wait(job, asked, delivery) => {
                let pause = doubled(WAIT, job.waits + 1, LONGEST_LOOKUP_PAUSE).max(asked);
                let pause = self.recorder.random.around(pause).max(asked);
                let next = ProcessJob { waits: job.waits + 1, ..job.clone() };
                // Once is enough for its story.
                let is_recorded = job.waits == 0 && !matches!(job.cause, Cause::Recheck { .. });
                return self.look_up_later(next, why, job.attempts + 1, pause, is_recorded).await;
            }
            _ => {}
        }
        let (lead, is_first) = self.enrich(job, &created, received_at, found).await?;
        let queued = self.settings.destinations.iter().map(|to| self.notify(job, &lead, is_first, to));
        // Where one fails the others still complete: the outcome of a cancelled message is unknown.
        join_all(queued).await.into_iter().collect::<Result<(), Fault>>()?;
        if !lead.has_owner() {
            self.look_again(job).await?;
        }
        Ok(())
    }

    /// The raw event, checked again: what lies in the bucket is not necessarily what we put there.
    async fn read_event(&self, job: &ProcessJob) -> Result<(CreatedLead, Timestamp), Interruption> {
        let dead = |code, what: String| Err(Interruption::Dead(Fault::new(code, what)));
        let Some(raw) = self.objects.get(&job.key).await? else {
            return dead(Code::RawEventGone, format!("{} does not exist", job.key));
        };
        let created = match Incoming::parse(&raw.body) {
            Ok(Incoming::Created(created)) => *created,
            Ok(Incoming::Other { kind, .. }) => {
                return dead(Code::RawEventUnreadable, format!("{} is a {kind} event", job.key));
            }
            Err(malformed) => return dead(Code::RawEventUnreadable, format!("{}: {malformed}", job.key)),
        };
        if created.lead_id != job.lead_id {
            return dead(Code::RawEventMismatch, format!("{} is about {}", job.key, created.lead_id));
        }
        Ok((created, raw.stored_at))
    }

    /// Writes the enriched lead, and says whether there was none: then nobody can have been sent an alert. One that has an
    /// owner never loses it to a look-up that finds none; who has left is found.
    async fn enrich(
        &self,
        job: &ProcessJob,
        created: &CreatedLead,
        received_at: Timestamp,
        found: LookupOutcome,
    ) -> Result<(EnrichedLead, bool), Interruption> {
        let key = keys::enriched(&self.settings.target_prefix, &job.lead_id);
        let code = found.why.as_ref().map(|why| why.code);
        let recheck = matches!(job.cause, Cause::Recheck { .. });
        // What the code says by itself needs no words.
        let is_plain = |code| matches!(code, Code::OwnerMissing | Code::OwnerMismatch | Code::OwnerDeparted);
        let reason = found.why.as_ref().filter(|why| !is_plain(why.code));
        let reason = reason.map(Fault::reason);
        let (of_event, lead_is_known) = (found.of_event, found.lead_is_known);
        let found = EnrichedLead::new(created, found.facts, received_at, self.recorder.clock.now());
        let mut before = match job.cause {
            // The first time, most likely. The put says where it is not.
            Cause::Arrival => None,
            Cause::Requeue | Cause::Recheck { .. } => self.objects.get(&key).await?,
        };
        let (lead, code, is_first) = loop {
            let is_first = before.is_none();
            let when = match &before {
                Some(object) => WriteCondition::Unchanged(object.version.clone()),
                None => WriteCondition::Absent,
            };
            let known = before.and_then(|object| serde_json::from_slice::<EnrichedLead>(&object.body).ok());
            let (lead, code) = match known {
                Some(known) if recheck && !is_news(&found, &known) => {
                    let message =
                        format!("still without an owner: {}", found.owner_status.as_str().replace('_', " "));
                    let (lead_id, code) = (Some(job.lead_id.as_str()), code.map(Code::as_str));
                    recorder::line(Function::LeadProcessor, Level::Info, &message, lead_id, code);
                    return Ok((known, false));
                }
                // What an event says is older than whatever was looked up before.
                Some(known) if names_somebody(&known) && of_event => (known, None),
                Some(known) if names_somebody(&known) && !names_somebody(&found) => (known, code),
                _ => (found.clone(), code),
            };
            let body = serde_json::to_vec_pretty(&lead).map_err(|e| {
                Fault::new(Code::Internal, format!("{} cannot be written as JSON: {e}", job.lead_id))
            })?;
            match self.objects.put(&key, body.into(), when).await {
                Ok(_) => break (lead, code, is_first),
                // Another worker has written it, and may have found an owner: look again.
                Err(PutError::Precondition) => before = self.objects.get(&key).await?,
                Err(PutError::Fault(fault)) => return Err(fault.into()),
            }
        };
        let has_alert = job.cause == Cause::Arrival && is_first && !self.settings.destinations.is_empty();
        if has_alert && code.is_none() && !lead_is_known {
            self.recorder.write_before_alert(Entry::enriched(&lead)).await?;
            return Ok((lead, is_first));
        }
        let event = if recheck && lead.has_owner() {
            let (name, owner) = (&lead.display_name, &lead.owner_label());
            JournalEvent::OwnerFound { name: text::shorten(name, 200), owner: text::shorten(owner, 200) }
        } else {
            JournalEvent::enriched(&lead, code, reason.filter(|_| code.is_some()), lead_is_known)
        };
        self.recorder.record(Some(job.lead_id.clone()), event).await?;
        Ok((lead, is_first))
    }

    /// Queues the first alert, and a follow-up where that went out and the last alert named another owner. Of a lead that
    /// `is_first` written now there is nothing to look for.
    async fn notify(
        &self,
        job: &ProcessJob,
        lead: &EnrichedLead,
        is_first: bool,
        destination: &DestinationId,
    ) -> Result<(), Fault> {
        let first = AlertJob {
            lead_id: lead.lead_id.clone(),
            destination: destination.clone(),
            alert: AlertId::new_lead(),
            kind: lead::AlertKind::New,
            due_at: (job.cause == Cause::Arrival).then_some(job.not_before),
            owner: Some(OwnerDigest::of(&lead.named_owner())),
        };
        if is_first && job.cause == Cause::Arrival {
            return self.alerting.queue_first(&first).await;
        }
        let before = match job.cause {
            Cause::Arrival | Cause::Requeue => self.alerting.queue(&first).await?,
            Cause::Recheck { .. } => {
                match self.alerting.receipts.get(&lead.lead_id, destination, &first.alert).await {
                    Err(fault) if fault.code == Code::ReceiptUnreadable => None,
                    found => found?,
                }
            }
        };
        // Of a lead that has just arrived nobody has read anything, unless its job comes once more.
        if names_somebody(lead) && (before.is_some() || job.cause != Cause::Arrival) {
            self.follow_up(lead, destination, before).await?;
        }
        Ok(())
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
        let wait = self.settings.recheck_wait(number);
        // Of a job that comes more than once within some minutes, all have the same next one.
        let is_soon = (jiff::SignedDuration::ZERO..=SOON).contains(&now.duration_since(job.not_before));
        let next = if is_soon { job.not_before } else { now } + wait;
        let again = ProcessJob::new(job.lead_id.clone(), job.key.clone(), next, Cause::Recheck { number });
        self.outbox.send(Queue::Delay, again.message(now)).await
    }

    /// How long a look-up may take of the time that is left: half of it. The other half is for what is
    /// written afterwards, and a lead whose owner was not asked for in time goes on without.
    fn time_to_look_up(&self, deadline: Timestamp) -> Duration {
        time_left(deadline, self.recorder.clock.now()) / 2
    }

    /// Leaves the lead for this job after a pause. Its story says so, with the number of the attempt, where that is to be
    /// recorded. The time at which the lead was due stays what it was.
    async fn look_up_later(
        &self,
        next: ProcessJob,
        fault: Fault,
        attempt: u32,
        pause: Duration,
        is_recorded: bool,
    ) -> Result<(), Interruption> {
        if self.counted == AttemptCounter::ByQueue {
            return Err(Interruption::Retry(fault, pause));
        }
        let message = NewMessage { delay: pause, ..next.message(self.recorder.clock.now()) };
        self.outbox.send(Queue::Delay, message).await?;
        if is_recorded {
            self.tried_again(Some(next.lead_id), fault, attempt, pause).await;
        }
        Ok(())
    }

    /// Whether the lead may be left for later because the source of owners asks to wait.
    fn may_wait(&self, job: &ProcessJob, asked: Duration, delivery: &Delivery) -> bool {
        let most = if asked > LONG_WAIT { MOST_LONG_WAITS } else { MOST_WAITS };
        match self.counted {
            AttemptCounter::InJob => job.waits < most,
            AttemptCounter::ByQueue => delivery.receives < self.settings.process_attempts,
        }
    }

    async fn stopped(&self, stop: Interruption, lead: Option<LeadId>, delivery: &Delivery) -> Disposition {
        let attempt = delivery.receives;
        let (fault, pause) = match stop {
            Interruption::Retry(fault, pause) => (fault, Some(pause)),
            Interruption::Fault(fault) if fault.code.is_of_a_destination() => {
                let again = attempt < self.settings.process_attempts;
                (fault, again.then_some(REFUSAL_PAUSE))
            }
            Interruption::Fault(fault) => match StoreRetry::with(delivery, self.recorder.clock.now()) {
                StoreRetry::After(pause, until) => {
                    let until = until.strftime("%Y-%m-%d %H:%M UTC");
                    let what = format!("{}; tried again until {until}", text::shorten(&fault.what, 250));
                    (Fault::new(fault.code, what), Some(pause))
                }
                StoreRetry::GiveUp => {
                    let hours = RETRY_FOR.as_secs() / 3_600;
                    let what = format!("{}; tried for {hours} hours", text::shorten(&fault.what, 250));
                    (Fault::new(fault.code, what), None)
                }
            },
            Interruption::Dead(fault) => (fault, None),
        };
        match pause {
            Some(pause) => {
                self.tried_again(lead, fault, attempt, pause).await;
                Disposition::Retry(pause)
            }
            None => self.recorder.dead(Queue::Delay, lead, None, fault, attempt).await,
        }
    }

    async fn tried_again(&self, lead: Option<LeadId>, fault: Fault, attempt: u32, pause: Duration) {
        let event = JournalEvent::Retrying {
            queue: Queue::Delay,
            destination: None,
            code: fault.code,
            reason: fault.reason(),
            attempt,
            again_at: self.recorder.clock.now() + pause,
        };
        self.recorder.record_or_log(lead, event).await;
    }
}

/// Whether a later look-up has found something that the lead should be known by from now on.
fn is_news(found: &EnrichedLead, known: &EnrichedLead) -> bool {
    found.has_owner() || names_somebody(found) && found.named_owner() != known.named_owner()
}

/// Whether a source of owners names somebody, still there or not.
fn names_somebody(lead: &EnrichedLead) -> bool {
    matches!(lead.owner_status, OwnerStatus::Assigned | OwnerStatus::Departed)
}
