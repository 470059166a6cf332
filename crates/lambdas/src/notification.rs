//! `notification`: alerts the team.

use std::sync::Arc;

use aws::{QueueUrls, Queues};
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::Error;
use lead::Timestamp;
use pipeline::{
    Fault, Function, Variables,
    notify::Notify,
    ports::{Delivery, Disposition, Queue},
};

use crate::{
    batch::{self, Report},
    common::Common,
    destinations, settle,
    start::Handler,
};

/// The function.
pub struct Notification {
    stage: Notify,
    queues: Arc<Queues>,
}

impl Handler for Notification {
    const FUNCTION: Function = Function::Notification;
    type Event = SqsEvent;
    type Answer = Report;

    async fn start(variables: &Variables<'_>) -> Result<Self, Fault> {
        let common = Common::read(variables)?;
        let destinations = destinations::read(variables, &common);
        let urls = QueueUrls {
            notification: variables.get("NOTIFICATION_QUEUE_URL"),
            notification_dead: variables.get("NOTIFICATION_DEAD_LETTER_QUEUE_URL"),
            ..QueueUrls::default()
        };
        let queues = Arc::new(Queues::new(&common.clients, urls, common.recorder.clock.clone()));
        common.warm_up(destinations::warm_up(&common, &destinations)).await;
        Ok(Self { stage: destinations::stage(&common, destinations), queues })
    }

    async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> Result<Report, Error> {
        let deliveries = batch::deliveries(event)?;
        let dispositions = self.notify(&deliveries, settle::reserve(deadline)).await;
        Ok(settle::all(&self.queues, Queue::Notification, deliveries, dispositions).await)
    }
}

impl Notification {
    /// What becomes of each message; `None` for one that made the function panic.
    async fn notify(&self, deliveries: &[Delivery], deadline: Timestamp) -> Vec<Option<Disposition>> {
        let all = self.stage.handle_until(deliveries, Some(deadline));
        if let Some(dispositions) = batch::caught(Self::FUNCTION, deliveries, all).await {
            return dispositions.into_iter().map(Some).collect();
        }
        // Which of them it was shows when each is handled alone. Those that were under way when it
        // happened are claimed, and delivered again when their claims have run out.
        let mut dispositions = Vec::new();
        for delivery in deliveries {
            let one = std::slice::from_ref(delivery);
            let alone = self.stage.handle_until(one, Some(deadline));
            dispositions.push(batch::caught(Self::FUNCTION, one, alone).await.and_then(|mut one| one.pop()));
        }
        dispositions
    }
}
