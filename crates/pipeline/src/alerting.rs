//! Queueing an alert: one way for new leads, follow-ups and operators.

use std::{sync::Arc, time::Duration};

use lead::Timestamp;

use crate::{
    Code, Fault,
    job::AlertJob,
    ports::{NewMessage, Outbox, Queue},
    receipt::{Part, Receipt, Receipts},
};

/// Where alerts are queued.
#[derive(Clone)]
pub struct Alerting {
    /// Their receipts.
    pub receipts: Receipts,
    /// The notification queue.
    pub outbox: Arc<dyn Outbox>,
}

/// What is special about an alert.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Its receipt, where that is new, is of no earlier time: it has to come after others.
    pub not_before: Timestamp,
    /// How long its message is out of sight.
    pub wait: Duration,
    /// Whom an earlier alert did not reach, where it is for them alone, and whom it did.
    pub rest: Part,
}

impl Alerting {
    /// Makes the alert's receipt, then its message. Interrupted in between and done again, it is still
    /// one alert: the receipt decides. Gives the receipt of before, where it had been queued already.
    pub async fn queue(&self, job: &AlertJob) -> Result<Option<Receipt>, Fault> {
        self.queue_on(job, Terms::default()).await
    }

    /// Like [`Alerting::queue`], for an alert that is not quite as all others.
    pub async fn queue_on(&self, job: &AlertJob, terms: Terms) -> Result<Option<Receipt>, Fault> {
        let Terms { not_before, wait, rest } = terms;
        let before = match self.receipts.expect(job, not_before, rest).await {
            // One for the notification to say so, and no reason for the lead to wait.
            Err(fault) if fault.code == Code::ReceiptUnreadable => None,
            before => before?,
        };
        self.outbox.send(Queue::Notification, NewMessage { delay: wait, ..job.message() }).await?;
        Ok(before)
    }
}
