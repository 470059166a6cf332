//! Sending an alert again, and waiting for its receipt.

use std::time::Duration;

use lead::{AlertKind, LeadId};
use pipeline::{
    Code, Fault, JournalEvent,
    alert_queue::AlertOptions,
    destination::{DestinationId, KINDS, LeftOut},
    job::{AlertId, AlertJob},
    notify::{DestinationPause, destination_pause},
    receipt::{PartialDelivery, Receipt, ReceiptState},
};
use serde::Serialize;

use crate::{Actions, Notification, Ops, leads::not_accepted};

/// How often a receipt is polled.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// A new alert that is queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedAlert {
    job: AlertJob,
}

/// The recipients of a new alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients {
    /// All recipients of the destination.
    All,
    /// Only those whom the last alert did not reach.
    LeftOut,
}

/// The outcome of a new alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resent {
    /// The lead.
    pub lead_id: LeadId,
    /// The alert's receipt.
    #[serde(flatten)]
    pub notification: Notification,
}

impl Resent {
    /// What is wrong with it, though the destination has accepted it: it has not reached all of its recipients.
    pub fn fault(&self) -> Option<Fault> {
        let left_out = &self.notification.left_out;
        let is_trial = self.notification.kind == AlertKind::Trial;
        let code = if is_trial { Code::TrialFailed } else { Code::PartlySent };
        let what = || format!("left out: {}", LeftOut::line(left_out));
        (!left_out.is_empty()).then(|| Fault::new(code, what()))
    }
}

impl Actions<'_> {
    /// Queues a new alert for an enriched lead.
    ///
    /// # Errors
    /// [`Code::NoSuchDestination`], [`Code::NoSuchLead`], [`Code::NotEnriched`] or [`Code::NobodyLeftOut`], or the fault of
    /// a port.
    pub async fn resend(
        &self,
        lead: &LeadId,
        destination: &DestinationId,
        recipients: Recipients,
    ) -> Result<QueuedAlert, Fault> {
        let ops = self.0;
        ops.check_destination(destination)?;
        let rest = match recipients {
            Recipients::All => {
                ops.check_enriched(lead).await?;
                PartialDelivery::default()
            }
            Recipients::LeftOut => ops.left_out(lead, destination).await?,
        };
        let alert = AlertId::resend(ops.recorder.random.bits());
        let (lead_id, destination) = (lead.clone(), destination.clone());
        let resent = JournalEvent::Resent {
            destination: destination.clone(),
            by: ops.operator.clone(),
            only: rest.left_out.iter().map(|one| one.recipient.clone()).collect(),
        };
        let job =
            AlertJob { lead_id, destination, alert, kind: AlertKind::Resend, due_at: None, owner: None };
        ops.recorder.record(Some(lead.clone()), resent).await?;
        ops.alerting.queue_with(&job, AlertOptions { rest, ..AlertOptions::default() }).await?;
        Ok(QueuedAlert { job })
    }

    /// Queues a trial: an alert about no lead, sent the way every alert is. It leaves only a receipt and log lines.
    ///
    /// # Errors
    /// [`Code::NoSuchDestination`], or the fault of a port.
    pub async fn send_trial(&self, destination: &DestinationId) -> Result<QueuedAlert, Fault> {
        let ops = self.0;
        ops.check_destination(destination)?;
        let job = AlertJob {
            lead_id: LeadId::of_trial(),
            destination: destination.clone(),
            alert: AlertId::trial(ops.recorder.random.bits()),
            kind: AlertKind::Trial,
            due_at: Some(ops.recorder.clock.now()),
            owner: None,
        };
        ops.alerting.queue(&job).await?;
        Ok(QueuedAlert { job })
    }
}

impl QueuedAlert {
    /// What it means that it was given up, or has not arrived in this time, and whether its destination has asked for a
    /// pause.
    fn failed(
        &self,
        receipt: Option<&Receipt>,
        pause: Option<&DestinationPause>,
        longest: Duration,
    ) -> Fault {
        let is_trial = self.job.is_trial();
        let place = self.job.destination.label();
        let alert = match is_trial {
            true => format!("the trial on {place}"),
            false => format!("the alert about {} on {place}", self.job.lead_id),
        };
        let last = receipt.and_then(|receipt| {
            let code = receipt.code?;
            let left_out =
                receipt.partly_sent.then(|| format!("left out: {}", LeftOut::line(&receipt.left_out)));
            let reason = receipt.reason.clone().or(left_out).unwrap_or_else(|| code.cause().to_owned());
            Some(format!("{reason} ({code})"))
        });
        if receipt.is_some_and(|receipt| receipt.state == ReceiptState::Failed) {
            let last = last.unwrap_or_else(|| "for an unknown reason".to_owned());
            let code = if is_trial { Code::TrialFailed } else { Code::DeliveryFailed };
            return Fault::new(code, format!("{alert} was given up: {last}"));
        }
        let (code, what) = match last {
            Some(last) => {
                let code = if is_trial { Code::TrialFailed } else { Code::NoReceipt };
                (code, format!("{alert} is still being tried: {last}"))
            }
            None => (Code::NoReceipt, format!("no receipt for {alert} after {} s", longest.as_secs())),
        };
        let pause = pause.map_or_else(String::new, |pause| format!("; {pause}"));
        Fault::new(code, what + &pause)
    }
}

impl Ops {
    /// Whether there is an enriched lead to send an alert about.
    ///
    /// # Errors
    /// [`Code::NoSuchLead`] or [`Code::NotEnriched`] where there is none, or the fault of the store.
    async fn check_enriched(&self, lead: &LeadId) -> Result<(), Fault> {
        if self.enriched(lead).await?.is_some() {
            return Ok(());
        }
        Err(match self.history.progress(lead).await? {
            Some(_) => Fault::new(Code::NotEnriched, format!("{lead} is not enriched yet")),
            None => not_accepted(lead),
        })
    }

    /// The recipients that the last alert about a lead at a destination did not reach, at least one, and those that it did.
    ///
    /// # Errors
    /// [`Code::NoSuchLead`] or [`Code::NotEnriched`] where there is nothing to send; [`Code::NobodyLeftOut`], with how it
    /// is instead; or the fault of the store.
    pub async fn left_out(
        &self,
        lead: &LeadId,
        destination: &DestinationId,
    ) -> Result<PartialDelivery, Fault> {
        self.check_enriched(lead).await?;
        let receipts = self.alerting.receipts.of_lead(lead).await?.into_iter();
        let there: Vec<_> = receipts.filter(|one| one.destination == *destination).collect();
        let place = destination.label();
        let fault = |what| Err(Fault::new(Code::NobodyLeftOut, what));
        let is_open = |state| matches!(state, ReceiptState::Queued | ReceiptState::Claimed { .. });
        let open = there.iter().filter(|one| is_open(one.state)).flat_map(|one| &one.left_out);
        let awaited: Vec<LeftOut> = open.filter(|one| one.again).cloned().collect();
        if !awaited.is_empty() {
            let line = LeftOut::line(&awaited);
            return fault(format!("the alert about {lead} on {place} is still being sent to {line}"));
        }
        let sent = there.into_iter().filter(|one| one.state == ReceiptState::Sent);
        match sent.max_by_key(|one| one.at) {
            Some(last) if last.left_out.is_empty() => {
                fault(format!("the last alert about {lead} on {place} reached all recipients"))
            }
            Some(last) => Ok(PartialDelivery { reached: last.reached, left_out: last.left_out }),
            None => fault(format!("no alert about {lead} has reached any recipient on {place}")),
        }
    }

    /// Whether alerts may be queued for this destination: one that new leads are sent to, or the default one of a kind,
    /// which may be set up in addition. For any other, an alert could only become a dead letter.
    ///
    /// # Errors
    /// [`Code::NoSuchDestination`], with the existing ones.
    pub fn check_destination(&self, destination: &DestinationId) -> Result<(), Fault> {
        let in_use = self.settings.destinations.iter().cloned();
        let mut all: Vec<DestinationId> = in_use.chain(KINDS.iter().map(DestinationId::of_kind)).collect();
        if all.contains(destination) {
            return Ok(());
        }
        all.sort();
        all.dedup();
        let all: Vec<&str> = all.iter().map(DestinationId::as_str).collect();
        let what = format!("there is no destination {destination}; available are {}", all.join(", "));
        Err(Fault::new(Code::NoSuchDestination, what))
    }

    /// Waits for the outcome of a new alert, at most `longest`.
    ///
    /// # Errors
    /// [`Code::DeliveryFailed`] if it was given up, for a trial [`Code::TrialFailed`]; [`Code::NobodyLeftOut`] if it had no
    /// recipients any more; [`Code::NoReceipt`] if it is still queued; or the fault of a port.
    pub async fn receipt(&self, queued: &QueuedAlert, longest: Duration) -> Result<Resent, Fault> {
        let AlertJob { lead_id, destination, alert, .. } = &queued.job;
        let mut waited = Duration::ZERO;
        loop {
            let receipt = self.alerting.receipts.get(lead_id, destination, alert).await?;
            let state = receipt.as_ref().map(|receipt| receipt.state);
            match receipt.as_ref() {
                Some(receipt) if receipt.has_no_recipients() => {
                    let (place, lead) = (destination.label(), lead_id);
                    let what = format!(
                        "none of the recipients is left out of the alert about {lead} on {place}: nothing was sent"
                    );
                    return Err(Fault::new(Code::NobodyLeftOut, what));
                }
                Some(receipt) if state == Some(ReceiptState::Sent) => {
                    let notification = Notification::of(receipt);
                    return Ok(Resent { lead_id: lead_id.clone(), notification });
                }
                _ if state == Some(ReceiptState::Failed) || waited >= longest => {
                    // What is known already matters more than whether this can be read.
                    let now = self.recorder.clock.now();
                    let pause =
                        destination_pause(self.objects.as_ref(), destination, now).await.unwrap_or_default();
                    return Err(queued.failed(receipt.as_ref(), pause.as_ref(), longest));
                }
                _ => {}
            }
            self.recorder.clock.sleep(POLL_EVERY).await;
            waited += POLL_EVERY;
        }
    }
}
