//! Mistakes that are planted on purpose, to see whether the oracle notices.
//!
//! Each is a wrapper around a port, in this crate, which nothing shipped depends on: the product's code knows
//! nothing of them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use close::CreatedLead;
use lead::{OwnerStatus, Timestamp};
use outbound::{IncomingWebhook, SlackAnswer, SlackError};
use pipeline::{
    CheckOutcome, Code, Entry, Fault, JournalEvent,
    destination::{Destination, Limits, MessageFormat, NotReady, Outgoing, Verdict},
    driver::QueueStage,
    job::ProcessJob,
    ports::{
        Accepted, Body, Clock, DeadLetter, DeadLetterCause, DeadLetters, Delivery, Disposition, Inbox,
        Intake, Journal, LookupOptions, LookupOutcome, NewEvent, NewMessage, NextLookup, Object, Objects,
        Outbox, Owners, PutError, Queue, Version, WriteCondition,
    },
};
use serde_json::Value;

use super::{
    messages::{Meaning, Meanings},
    others::PAGER,
    shown,
    stages::Ports,
};
use crate::destinations::EMAIL;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// A message is acknowledged before its work is done.
    EarlyAcknowledge,
    /// A receipt is written whatever has become of it since it was read.
    MissedClaim,
    /// A redrive deletes the dead letter before the message is sent.
    DeleteBeforeSend,
    /// A lead without an owner is not looked at again.
    LostRecheck,
    /// A digest is posted twice.
    DoubleDigest,
    /// A webhook is answered before its event is stored.
    EarlyAnswer,
    /// Nobody remembers that an alert may have arrived.
    ForgottenLabel,
    /// A lead does not wait for its owner as long as it should.
    ShortDelay,
    /// A new owner is compared with the one of the first alert, whatever was announced since.
    ComparedWithFirst,
    /// A store's fault counts as an attempt of the lead.
    CountedFault,
    /// Each repetition of a webhook is written down.
    EachRepetition,
    /// An owner who has left is announced as if they were there.
    DepartedAsPresent,
    /// A message of a batch gets the outcome of its neighbour.
    OutcomeOfAnother,
    /// What a dead predecessor had claimed is taken over as if nothing had been sent.
    ForgottenClaim,
    /// An alert for a destination that is not Slack goes out by mail.
    OtherAsMail,
    /// Whatever a directory answers that is no document means that nobody is assigned yet.
    TroubleAsNobody,
    /// A trial is taken for the alert of a lead.
    TrialAsLead,
    /// A mail that was taken for some is taken for all.
    ForgottenRecipient,
    /// The alerts for all destinations stand in one line.
    OneLine,
    /// A function works on its alerts as if it had for ever.
    NoDeadline,
    /// What is entered before an alert is left to nobody.
    ForgottenEnrichment,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::EarlyAcknowledge,
        Self::MissedClaim,
        Self::DeleteBeforeSend,
        Self::LostRecheck,
        Self::DoubleDigest,
        Self::EarlyAnswer,
        Self::ForgottenLabel,
        Self::ShortDelay,
        Self::ComparedWithFirst,
        Self::CountedFault,
        Self::EachRepetition,
        Self::DepartedAsPresent,
        Self::OutcomeOfAnother,
        Self::ForgottenClaim,
        Self::OtherAsMail,
        Self::TroubleAsNobody,
        Self::TrialAsLead,
        Self::ForgottenRecipient,
        Self::OneLine,
        Self::NoDeadline,
        Self::ForgottenEnrichment,
    ];

    /// A stage, with the mistake in what the driver makes of it.
    pub fn of_stage(self, stage: Arc<dyn QueueStage>, inbox: Arc<dyn Inbox>) -> Arc<dyn QueueStage> {
        match self {
            Self::EarlyAcknowledge
            | Self::CountedFault
            | Self::OutcomeOfAnother
            | Self::TrialAsLead
            | Self::OneLine
            | Self::NoDeadline => Arc::new(BadStage { mutation: self, stage, inbox }),
            _ => stage,
        }
    }

    /// The ports of a process, with the mistake in them.
    pub fn of_ports(self, ports: Ports) -> Ports {
        Ports {
            objects: Arc::new(BadObjects(self, ports.objects)),
            intake: Arc::new(BadIntake(self, ports.intake, ports.journal.clone())),
            outbox: Arc::new(BadOutbox(self, ports.outbox)),
            journal: if self == Self::ForgottenEnrichment {
                Arc::new(BadJournal(ports.journal))
            } else {
                ports.journal
            },
        }
    }

    /// The dead letters, with the mistake in them.
    pub fn of_dead_letters(
        self,
        dead: Arc<dyn DeadLetters>,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
    ) -> Arc<dyn DeadLetters> {
        if self == Self::DeleteBeforeSend { Arc::new(BadDeadLetters { dead, outbox, clock }) } else { dead }
    }

    /// The source of owners, with the mistake in it.
    pub fn of_owners(self, owners: Arc<dyn Owners>) -> Arc<dyn Owners> {
        match self {
            Self::DepartedAsPresent | Self::TroubleAsNobody => Arc::new(BadOwners(self, owners)),
            _ => owners,
        }
    }

    /// A destination that is not Slack, with the mistake in it.
    pub fn of_destination(self, destination: Arc<dyn Destination>) -> Arc<dyn Destination> {
        if self == Self::ForgottenRecipient { Arc::new(BadDestination(destination)) } else { destination }
    }

    /// Slack, with the mistake in it.
    pub fn of_slack(self, slack: Arc<dyn IncomingWebhook>) -> Arc<dyn IncomingWebhook> {
        if self == Self::DoubleDigest { Arc::new(BadSlack(slack)) } else { slack }
    }
}

/// A claim that is over, whatever the time.
const OVER: &[u8] = b"\"until\":\"1970-01-01T00:00:00Z\"";

struct BadJournal(Arc<dyn Journal>);

#[async_trait]
impl Journal for BadJournal {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        self.0.append(entry).await
    }

    async fn append_before_alert(&self, _: Entry) -> Result<(), Fault> {
        Ok(())
    }
}

struct BadStage {
    mutation: Mutation,
    stage: Arc<dyn QueueStage>,
    inbox: Arc<dyn Inbox>,
}

#[async_trait]
impl QueueStage for BadStage {
    fn queue(&self) -> Queue {
        self.stage.queue()
    }

    fn is_together(&self) -> bool {
        self.stage.is_together()
    }

    fn lanes(&self) -> usize {
        if self.mutation == Mutation::OneLine { 1 } else { self.stage.lanes() }
    }

    fn lane(&self, delivery: &Delivery) -> String {
        if self.mutation == Mutation::OneLine { String::new() } else { self.stage.lane(delivery) }
    }

    async fn leave_off(&self, deliveries: &[Delivery]) {
        self.stage.leave_off(deliveries).await;
    }

    async fn work(&self, deliveries: &[Delivery], deadline: Option<Timestamp>) -> Vec<Disposition> {
        let queue = self.stage.queue();
        if self.mutation == Mutation::EarlyAcknowledge {
            for delivery in deliveries {
                let _ = self.inbox.settle(queue, delivery, Disposition::Done).await;
            }
        }
        let is_endless = self.mutation == Mutation::NoDeadline && queue == Queue::Notification;
        let deadline = deadline.filter(|_| !is_endless);
        let mut deliveries = deliveries.to_vec();
        if self.mutation == Mutation::TrialAsLead {
            for delivery in &mut deliveries {
                delivery.body = delivery.body.replace("\"kind\":\"trial\"", "\"kind\":\"new\"");
            }
        }
        let deliveries = deliveries.as_slice();
        let mut outcomes = self.stage.work(deliveries, deadline).await;
        match self.mutation {
            Mutation::OutcomeOfAnother if !outcomes.is_empty() => outcomes.rotate_right(1),
            Mutation::CountedFault if queue == Queue::Delay => {
                for (delivery, outcome) in deliveries.iter().zip(&mut outcomes) {
                    if matches!(outcome, Disposition::Retry(_)) && delivery.receives >= 3 {
                        let (code, reason) = (Code::StorageFailed, "planted".to_owned());
                        let attempts = delivery.receives;
                        *outcome = Disposition::Dead(DeadLetterCause { code, reason, attempts, lead: None });
                    }
                }
            }
            _ => {}
        }
        outcomes
    }
}

struct BadObjects(Mutation, Arc<dyn Objects>);

#[async_trait]
impl Objects for BadObjects {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        self.1.get(key).await
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        let receipt = key.starts_with("receipts/");
        match self.0 {
            Mutation::MissedClaim if receipt && matches!(when, WriteCondition::Unchanged(_)) => {
                self.1.put(key, body, WriteCondition::Always).await
            }
            Mutation::ForgottenLabel if receipt => {
                let body = String::from_utf8_lossy(&body).replace("\"unsure\":true", "\"unsure\":false");
                self.1.put(key, body.into(), when).await
            }
            // As the receipt is written whose worker is known to be gone.
            Mutation::ForgottenClaim if receipt && body.windows(OVER.len()).any(|part| part == OVER) => {
                let mut fresh: Value = serde_json::from_slice(&body).unwrap();
                fresh["state"] = "queued".into();
                self.1.put(key, fresh.to_string().into(), when).await
            }
            _ => self.1.put(key, body, when).await,
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        if self.0 == Mutation::ComparedWithFirst && prefix.starts_with("receipts/") {
            return Ok(Vec::new());
        }
        self.1.list(prefix, after, limit).await
    }
}

struct BadIntake(Mutation, Arc<dyn Intake>, Arc<dyn Journal>);

#[async_trait]
impl Intake for BadIntake {
    async fn accept(&self, mut event: NewEvent) -> Result<Accepted, Fault> {
        match self.0 {
            // Whether the store fails nobody waits to see.
            Mutation::EarlyAnswer => Ok(self.1.accept(event).await.unwrap_or(Accepted::New)),
            // In the message and in the job: either alone would be made up for by the other.
            Mutation::ShortDelay => {
                event.delay /= 2;
                let mut job = ProcessJob::parse(&event.job).unwrap();
                job.not_before = event.entry.at + event.delay;
                event.job = job.message(event.entry.at).body;
                self.1.accept(event).await
            }
            Mutation::EachRepetition => {
                let mut entry = event.entry.clone();
                let accepted = self.1.accept(event).await?;
                if accepted == Accepted::Duplicate {
                    entry.event = JournalEvent::Duplicate { event_id: None, more: 0 };
                    self.2.append(entry).await?;
                }
                Ok(accepted)
            }
            _ => self.1.accept(event).await,
        }
    }
}

struct BadDestination(Arc<dyn Destination>);

#[async_trait]
impl Destination for BadDestination {
    fn limits(&self) -> Limits {
        self.0.limits()
    }

    async fn place(&self) -> Option<String> {
        self.0.place().await
    }

    async fn send(&self, alerts: &[Outgoing<'_>], form: MessageFormat) -> Verdict {
        match self.0.send(alerts, form).await {
            Verdict::PartlySent { .. } => Verdict::Sent,
            verdict => verdict,
        }
    }

    async fn check(&self, in_use: bool) -> CheckOutcome {
        self.0.check(in_use).await
    }
}

struct BadOutbox(Mutation, Arc<dyn Outbox>);

#[async_trait]
impl Outbox for BadOutbox {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        if self.0 == Mutation::OtherAsMail {
            let body = message.body.replace(&format!("\"{PAGER}\""), &format!("\"{EMAIL}\""));
            return self.1.send(queue, NewMessage { body, ..message }).await;
        }
        let recheck = matches!(Meanings::default().of(&message.body), [Meaning::Recheck(_)]);
        if self.0 == Mutation::LostRecheck && recheck {
            return Ok(());
        }
        self.1.send(queue, message).await
    }
}

struct BadOwners(Mutation, Arc<dyn Owners>);

#[async_trait]
impl Owners for BadOwners {
    async fn find(&self, lead: &CreatedLead, look: LookupOptions) -> LookupOutcome {
        let mut found = self.1.find(lead, look).await;
        match (self.0, found.facts.status, &found.why) {
            (Mutation::DepartedAsPresent, OwnerStatus::Departed, _) => {
                found.facts.status = OwnerStatus::Assigned;
                found.facts.owners.iter_mut().for_each(|owner| owner.active = true);
            }
            (Mutation::TroubleAsNobody, OwnerStatus::LookupFailed, Some(why))
                if matches!(
                    why.code,
                    Code::OwnersIntercepted | Code::OwnersRedirected | Code::OwnerBroken
                ) =>
            {
                found.facts.status = OwnerStatus::Missing;
                found.then = NextLookup::Done;
            }
            _ => {}
        }
        found
    }
}

struct BadSlack(Arc<dyn IncomingWebhook>);

#[async_trait]
impl IncomingWebhook for BadSlack {
    async fn address(&self) -> Result<String, NotReady> {
        self.0.address().await
    }

    async fn post(&self, message: &Value) -> Result<SlackAnswer, SlackError> {
        if shown::on_slack(message).len() > 1 {
            self.0.post(message).await?;
        }
        self.0.post(message).await
    }
}

struct BadDeadLetters {
    dead: Arc<dyn DeadLetters>,
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl DeadLetters for BadDeadLetters {
    async fn list(&self, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadLetter>, u64), Fault> {
        self.dead.list(queue, limit).await
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, Fault> {
        self.dead.oldest().await
    }

    async fn get(&self, id: &str) -> Result<Option<(DeadLetter, String)>, Fault> {
        self.dead.get(id).await
    }

    async fn redrive(&self, id: &str, body: Body) -> Result<bool, Fault> {
        let Some((letter, own)) = self.dead.get(id).await? else { return Ok(false) };
        if !self.dead.delete(id).await? {
            return Ok(false);
        }
        // Time for the operator to be stopped in: else one seed in hundreds shows the mistake.
        self.clock.sleep(std::time::Duration::from_secs(10)).await;
        let body = match body {
            Body::AsIs => own,
            Body::Edited(body) => body,
        };
        let message = NewMessage { body, lead: letter.lead_id, delay: std::time::Duration::ZERO };
        self.outbox.send(letter.queue, message).await?;
        Ok(true)
    }

    async fn delete(&self, id: &str) -> Result<bool, Fault> {
        self.dead.delete(id).await
    }

    fn lead_in(&self, queue: Queue, body: &str) -> Result<lead::LeadId, String> {
        self.dead.lead_in(queue, body)
    }
}
