//! `lead-processor`: looks the owner up and writes the enriched lead.

use std::{sync::Arc, time::Duration};

use aws::{QueueUrls, Queues};
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::Error;
use lead::Timestamp;
use outbound::OwnerSource;
use pipeline::{
    Fault, Function, Settings, Variables,
    ports::{Level, Outbox},
    process::{AttemptCounter, Process},
    recorder,
};

use crate::{
    arrivals::Arrivals,
    batch::{self, Report},
    close_keys::SecretKeys,
    common::Common,
    destinations,
    inline_outbox::InlineOutbox,
    settle,
    start::Handler,
};

/// How long a lead waits in the function for a turn to ask its source of owners. Beyond that its message waits.
const OWNER_PATIENCE: Duration = Duration::from_secs(3);

/// The function.
pub struct Processor {
    arrivals: Arc<Arrivals>,
    queues: Arc<Queues>,
}

impl Handler for Processor {
    const FUNCTION: Function = Function::LeadProcessor;
    type Event = SqsEvent;
    type Answer = Report;

    async fn start(variables: &Variables<'_>) -> Result<Self, Fault> {
        let mut common = Common::read(variables)?;
        let urls = QueueUrls {
            delay: variables.get("DELAY_QUEUE_URL"),
            delay_dead: variables.get("DELAY_DEAD_LETTER_QUEUE_URL"),
            notification: variables.get("NOTIFICATION_QUEUE_URL"),
            ..QueueUrls::default()
        };
        let counted = if urls.delay.is_some() {
            AttemptCounter::InJob
        } else {
            // There is no way to come back to a lead later.
            common.settings = Arc::new(Settings { rechecks: 0, ..Settings::clone(&common.settings) });
            AttemptCounter::ByQueue
        };
        let tells_itself = urls.notification.is_none();
        let queues = Arc::new(Queues::new(&common.clients, urls, common.recorder.clock.clone()));
        let mut outbox: Arc<dyn Outbox> = queues.clone();
        if variables.truth("SCHEDULE", false)? {
            outbox = Arc::new(common.store.schedule(outbox, common.recorder.clock.clone()));
        }
        if tells_itself {
            let destinations = destinations::read(variables, &common);
            common.warm_up(destinations::warm_up(&common, &destinations)).await;
            outbox = Arc::new(InlineOutbox::new(common.stages().notify(destinations), outbox));
        }
        let source = OwnerSource::of_variables(variables)?;
        recorder::line(Function::LeadProcessor, Level::Info, &source.place(), None, None);
        let owners = source.open(
            Arc::new(SecretKeys::read(variables, &common)),
            common.store.clone(),
            common.recorder.clock.clone(),
            OWNER_PATIENCE,
        )?;
        common.warm_up(async { futures_util::join!(queues.warm_up(), owners.warm_up()) }).await;
        let arrivals = Arrivals {
            bucket: common.bucket.clone(),
            // Where the function's settings have it.
            delay: variables.get("DELAY_SECONDS").map(|_| common.settings.delay),
            stage: Process {
                past: Some(common.store.clone()),
                ..common.stages().process(outbox, owners, counted)
            },
        };
        Ok(Self { arrivals: Arc::new(arrivals), queues })
    }

    async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> Result<Report, Error> {
        let deliveries = batch::deliveries(event)?;
        let clock = Arc::clone(&self.arrivals.stage.recorder.clock);
        Ok(settle::work_on(self.arrivals.clone(), self.queues.clone(), clock, &deliveries, deadline).await)
    }
}
