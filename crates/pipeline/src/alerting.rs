//! Queueing an alert: one way for new leads, follow-ups and operators.

use std::sync::Arc;

use crate::{
    Fault,
    job::AlertJob,
    ports::{Outbox, Queue},
    receipt::Receipts,
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
    /// one alert: the receipt decides.
    pub async fn queue(&self, job: &AlertJob) -> Result<(), Fault> {
        self.receipts.expect(job).await?;
        self.outbox.send(Queue::Notification, job.message()).await
    }
}
