//! Telling the team from the processor itself, as the original does, where there is no queue for it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use pipeline::{
    Channel, Code, Fault,
    job::AlertJob,
    ports::{Delivery, Disposition, NewMessage, Outbox, Queue},
};

use crate::{channels::Channels, common::Common};

/// An outbox that delivers alerts at once. Their receipts make that as safe as a queue: what was told
/// is not told again when the lead is processed again.
pub struct Direct {
    common: Common,
    channels: Channels,
    delay: Arc<dyn Outbox>,
}

impl Direct {
    /// Alerts go to `channels`, everything else to `delay`.
    pub fn new(common: Common, channels: Channels, delay: Arc<dyn Outbox>) -> Self {
        Self { common, channels, delay }
    }
}

#[async_trait]
impl Outbox for Direct {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        if queue == Queue::Delay {
            return self.delay.send(queue, message).await;
        }
        let job = AlertJob::parse(&message.body).map_err(|error| Fault::new(Code::AlertUnreadable, error))?;
        let slack = match job.channel {
            Channel::Slack => self.channels.slack().await?,
            Channel::Email => None,
        };
        let stage = self.channels.stage(&self.common, slack);
        let delivery = Delivery {
            id: "direct".to_owned(),
            handle: String::new(),
            body: message.body,
            receives: 1,
            sent_at: self.common.recorder.clock.now(),
            first_received_at: None,
            attributes: BTreeMap::new(),
        };
        match stage.handle(&[delivery]).await.pop() {
            None | Some(Disposition::Done) => Ok(()),
            Some(Disposition::Retry(_)) => {
                Err(Fault::new(Code::DeliveryFailed, "the alert was not taken; it is tried again"))
            }
            Some(Disposition::Dead(why)) => Err(Fault::new(why.code, why.reason)),
        }
    }
}
