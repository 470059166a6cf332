//! Queueing an alert: one way for new leads, follow-ups and operators.

use std::{sync::Arc, time::Duration};

use lead::Timestamp;

use crate::{
    Code, Fault,
    job::AlertJob,
    ports::{NewMessage, Outbox, Queue},
    receipt::{Receipt, Receipts},
};

/// Where alerts are queued.
#[derive(Clone)]
pub struct Alerting {
    /// Their receipts.
    pub receipts: Receipts,
    /// The notification queue.
    pub outbox: Arc<dyn Outbox>,
}

impl Alerting {
    /// Makes the alert's receipt, then its message. Interrupted in between and done again, it is still
    /// one alert: the receipt decides. Gives the receipt of before, where it had been queued already.
    pub async fn queue(&self, job: &AlertJob) -> Result<Option<Receipt>, Fault> {
        self.queue_after(job, Timestamp::MIN, Duration::ZERO).await
    }

    /// Like [`Alerting::queue`], for an alert that has to come after others: a new receipt is of no earlier
    /// time than `not_before`, and the message is out of sight for so long.
    pub async fn queue_after(
        &self,
        job: &AlertJob,
        not_before: Timestamp,
        wait: Duration,
    ) -> Result<Option<Receipt>, Fault> {
        let before = match self.receipts.expect(job, not_before).await {
            // One for the notification to say so, and no reason for the lead to wait.
            Err(fault) if fault.code == Code::ReceiptUnreadable => None,
            before => before?,
        };
        self.outbox.send(Queue::Notification, NewMessage { delay: wait, ..job.message() }).await?;
        Ok(before)
    }
}
