//! `notification`: tells the team.

use std::{sync::Arc, time::Duration};

use aws::{QueueUrls, Queues};
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::Error;
use lead::Timestamp;
use pipeline::{
    Channel, Fault, Function, Variables,
    job::{AlertJob, lead_in},
    notify::Notify,
    ports::{Delivery, Disposition, Level, Queue},
    recorder,
};

use crate::{
    batch::{self, Report},
    channels::Channels,
    common::Common,
    settle,
    start::Handler,
};

/// How long alerts for Slack wait where its secret could not be read.
const SECRET_PAUSE: Duration = Duration::from_secs(60);

/// The function.
pub struct Notification {
    common: Common,
    channels: Channels,
    queues: Arc<Queues>,
}

impl Handler for Notification {
    const FUNCTION: Function = Function::Notification;
    type Event = SqsEvent;
    type Answer = Report;

    async fn start(variables: &Variables<'_>) -> Result<Self, Fault> {
        let common = Common::read(variables)?;
        let channels = Channels::read(variables, &common);
        let urls = QueueUrls {
            notification: variables.get("NOTIFICATION_QUEUE_URL"),
            notification_dead: variables.get("NOTIFICATION_DEAD_LETTER_QUEUE_URL"),
            ..QueueUrls::default()
        };
        let queues = Arc::new(Queues::new(&common.clients, urls, common.recorder.clock.clone()));
        common.warm_up(channels.warm_up()).await;
        Ok(Self { common, channels, queues })
    }

    async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> Result<Report, Error> {
        let deliveries = batch::deliveries(event)?;
        let deadline = settle::reserve(deadline);
        let (on_slack, mut others): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(is_on_slack);
        let slack = match on_slack.is_empty() {
            true => Ok(None),
            false => self.channels.slack().await,
        };
        let mut waiting = Vec::new();
        let slack = match slack {
            Ok(slack) => {
                others.extend(on_slack);
                slack
            }
            // Those for others do not wait for it.
            Err(fault) => {
                waiting = on_slack;
                for delivery in &waiting {
                    let (lead, context) = (lead_in(&delivery.body), "its alert on Slack waits");
                    recorder::fault(Self::FUNCTION, Level::Error, context, lead.as_ref(), &fault);
                }
                None
            }
        };
        let stage = self.channels.stage(&self.common, slack);
        let mut dispositions = self.tell(&stage, &others, deadline).await;
        dispositions.extend(waiting.iter().map(|_| Some(Disposition::Retry(SECRET_PAUSE))));
        others.extend(waiting);
        Ok(settle::all(&self.queues, Queue::Notification, others, dispositions).await)
    }
}

/// Whether a message is an alert for Slack.
fn is_on_slack(delivery: &Delivery) -> bool {
    AlertJob::parse(&delivery.body).is_ok_and(|job| job.channel == Channel::Slack)
}

impl Notification {
    /// What becomes of each message; `None` for one that made the function panic.
    async fn tell(
        &self,
        stage: &Notify,
        deliveries: &[Delivery],
        deadline: Timestamp,
    ) -> Vec<Option<Disposition>> {
        let all = stage.handle_until(deliveries, Some(deadline));
        if let Some(dispositions) = batch::caught(Self::FUNCTION, deliveries, all).await {
            return dispositions.into_iter().map(Some).collect();
        }
        // Which of them it was shows when each is handled alone. Those that were under way when it
        // happened are claimed, and delivered again when their claims have run out.
        let mut dispositions = Vec::new();
        for delivery in deliveries {
            let one = std::slice::from_ref(delivery);
            let alone = stage.handle_until(one, Some(deadline));
            dispositions.push(batch::caught(Self::FUNCTION, one, alone).await.and_then(|mut one| one.pop()));
        }
        dispositions
    }
}
