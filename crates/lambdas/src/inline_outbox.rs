//! Sending alerts from the processor itself, as the original does, where there is no notification queue.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use pipeline::{
    Code, Fault,
    notify::Notify,
    ports::{Delivery, Disposition, NewMessage, Outbox, Queue},
};

/// An outbox that sends alerts at once. Their receipts make that as safe as a queue: what was announced
/// is not announced again when the lead is processed again.
pub struct InlineOutbox {
    stage: Notify,
    delay: Arc<dyn Outbox>,
}

impl InlineOutbox {
    /// Alerts go to `stage`, everything else to `delay`.
    pub fn new(stage: Notify, delay: Arc<dyn Outbox>) -> Self {
        Self { stage, delay }
    }
}

#[async_trait]
impl Outbox for InlineOutbox {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        if queue == Queue::Delay {
            return self.delay.send(queue, message).await;
        }
        let delivery = Delivery {
            id: "direct".to_owned(),
            handle: String::new(),
            body: message.body,
            receives: 1,
            sent_at: self.stage.recorder.clock.now(),
            first_received_at: None,
            attributes: BTreeMap::new(),
        };
        match self.stage.handle(&[delivery]).await.pop() {
            None | Some(Disposition::Done) => Ok(()),
            Some(Disposition::Retry(_)) => {
                Err(Fault::new(Code::DeliveryFailed, "the alert was not accepted; it is retried"))
            }
            Some(Disposition::Dead(why)) => Err(Fault::new(why.code, why.reason)),
        }
    }
}
