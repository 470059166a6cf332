//! `notification`: alerts the team.

use std::sync::Arc;

use aws::{QueueUrls, Queues};
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::Error;
use lead::Timestamp;
use pipeline::{Fault, Function, Variables, notify::Notify};

use crate::{
    batch::{self, Report},
    common::Common,
    destinations, settle,
    start::Handler,
};

/// The function.
pub struct Notification {
    stage: Arc<Notify>,
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
        Ok(Self { stage: Arc::new(common.stages().notify(destinations)), queues })
    }

    async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> Result<Report, Error> {
        let deliveries = batch::deliveries(event)?;
        let clock = Arc::clone(&self.stage.recorder.clock);
        Ok(settle::work_on(self.stage.clone(), self.queues.clone(), clock, &deliveries, deadline).await)
    }
}
