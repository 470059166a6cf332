//! Queueing an alert: one way for new leads, follow-ups and operators.

use std::{sync::Arc, time::Duration};

use lead::Timestamp;

use crate::{
    Code, Fault,
    job::AlertJob,
    ports::{NewMessage, Outbox, Queue},
    receipt::{PartialDelivery, Receipt, Receipts},
};

/// Where alerts are queued.
#[derive(Clone)]
pub struct AlertQueue {
    /// Their receipts.
    pub receipts: Receipts,
    /// The notification queue.
    pub outbox: Arc<dyn Outbox>,
}

/// How an alert differs from a usual one.
#[derive(Debug, Clone, Default)]
pub struct AlertOptions {
    /// Its receipt, where that is new, is of no earlier time: it has to come after others.
    pub not_before: Timestamp,
    /// How long its message is out of sight.
    pub wait: Duration,
    /// Whom an earlier alert did not reach, if it is only for them, and whom it did reach.
    pub rest: PartialDelivery,
}

impl AlertQueue {
    /// Makes the alert's receipt, then its message. Interrupted in between and done again, it is still
    /// one alert: the receipt decides. Returns the earlier receipt, if it had been queued already.
    pub async fn queue(&self, job: &AlertJob) -> Result<Option<Receipt>, Fault> {
        self.queue_with(job, AlertOptions::default()).await
    }

    /// Makes the message of an alert that nobody can have been sent before, and no receipt: its claim is the first.
    pub async fn queue_first(&self, job: &AlertJob) -> Result<(), Fault> {
        self.outbox.send(Queue::Notification, job.message()).await
    }

    /// Like [`AlertQueue::queue`], with options.
    pub async fn queue_with(&self, job: &AlertJob, options: AlertOptions) -> Result<Option<Receipt>, Fault> {
        let AlertOptions { not_before, wait, rest } = options;
        let before = match self.receipts.ensure(job, not_before, rest).await {
            // One for the notification to say so, and no reason for the lead to wait.
            Err(fault) if fault.code == Code::ReceiptUnreadable => None,
            before => before?,
        };
        self.outbox.send(Queue::Notification, NewMessage { delay: wait, ..job.message() }).await?;
        Ok(before)
    }
}
