//! `housekeeping`: sends the look-ups that wait for longer than SQS can delay them. A rule calls it each minute.

use std::sync::Arc;

use aws::{QueueUrls, Queues, Schedule};
use lambda_runtime::Error;
use lead::Timestamp;
use pipeline::{Fault, Function, Variables, ports::Level, recorder};
use serde::de::IgnoredAny;

use crate::{common::Common, settle, start::Handler};

/// The function.
pub struct Housekeeping {
    schedule: Schedule,
}

impl Handler for Housekeeping {
    const FUNCTION: Function = Function::Housekeeping;
    /// The event has nothing of use.
    type Event = IgnoredAny;
    type Answer = ();

    async fn start(variables: &Variables<'_>) -> Result<Self, Fault> {
        let common = Common::read(variables)?;
        let clock = common.recorder.clock.clone();
        let urls = QueueUrls { delay: Some(variables.needed("DELAY_QUEUE_URL")?), ..QueueUrls::default() };
        let queues = Arc::new(Queues::new(&common.clients, urls, Arc::clone(&clock)));
        common.warm_up(async {}).await;
        Ok(Self { schedule: common.store.schedule(queues, clock) })
    }

    /// Sends what is due. Each message that cannot be sent stays for the next minute and is a line of the log;
    /// then the event has failed, so that there is an alarm.
    async fn handle(&self, _: IgnoredAny, deadline: Timestamp) -> Result<(), Error> {
        let released = self.schedule.release(Some(settle::reserve(deadline))).await?;
        if released.sent > 0 {
            let rest = if released.unfinished { ", and the rest in a minute" } else { "" };
            let message =
                format!("{} look-ups whose time has come are sent to the delay queue{rest}", released.sent);
            recorder::line(Self::FUNCTION, Level::Info, &message, None, None);
        }
        for (lead, fault) in &released.failed {
            let context = "its next look-up stays for the next minute";
            recorder::fault(Self::FUNCTION, Level::Error, context, Some(lead), fault);
        }
        match released.failed.into_iter().next() {
            Some((_, fault)) => Err(fault.into()),
            None => Ok(()),
        }
    }
}
