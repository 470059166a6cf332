//! `lead-processor`: looks the owner up and writes the enriched lead.

use std::{sync::Arc, time::Duration};

use aws::{
    QueueUrls, Queues, S3Store,
    s3event::{self, Body},
};
use aws_lambda_events::sqs::SqsEvent;
use futures_util::future::join_all;
use lambda_runtime::Error;
use lead::Timestamp;
use outbound::OwnerSource;
use pipeline::{
    Fault, Function, Settings, Variables,
    alerting::Alerting,
    job::ProcessJob,
    ports::{Delivery, Disposition, Level, Outbox, Queue},
    process::{Counted, Process},
    recorder,
};

use crate::{
    batch::{self, Report},
    close_keys::SecretKeys,
    common::Common,
    destinations,
    direct::Direct,
    settle,
    start::Handler,
};

/// How long a lead waits in the function for a turn to ask its source of owners. Beyond that its message waits.
const OWNER_PATIENCE: Duration = Duration::from_secs(3);

/// The function.
pub struct Processor {
    stage: Process,
    bucket: String,
    /// How long after its arrival a lead may be processed, where the function has been told.
    delay: Option<Duration>,
    queues: Arc<Queues>,
    store: Arc<S3Store>,
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
            Counted::InTheJob
        } else {
            // There is no way to come back to a lead later.
            common.settings = Arc::new(Settings { rechecks: 0, ..Settings::clone(&common.settings) });
            Counted::ByTheQueue
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
            outbox = Arc::new(Direct::new(destinations::stage(&common, destinations), outbox));
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
        Ok(Self {
            bucket: common.bucket.clone(),
            delay: variables.get("DELAY_SECONDS").map(|_| common.settings.delay),
            queues,
            store: Arc::clone(&common.store),
            stage: Process {
                settings: Arc::clone(&common.settings),
                objects: common.store.clone(),
                owners,
                outbox: outbox.clone(),
                alerting: Alerting { receipts: common.receipts(), outbox },
                recorder: common.recorder,
                counted,
            },
        })
    }

    async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> Result<Report, Error> {
        let deliveries = batch::deliveries(event)?;
        let deadline = settle::reserve(deadline);
        let left = deadline.duration_since(self.stage.recorder.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        let handled = deliveries.iter().map(|delivery| async move {
            let work = self.handle_one(delivery, deadline);
            let caught = batch::caught(Self::FUNCTION, std::slice::from_ref(delivery), work);
            tokio::time::timeout(left, caught).await.unwrap_or_else(|_| {
                batch::out_of_time(Self::FUNCTION, delivery);
                None
            })
        });
        let dispositions = join_all(handled).await;
        Ok(settle::all(&self.queues, Queue::Delay, deliveries, dispositions).await)
    }
}

impl Processor {
    async fn handle_one(&self, delivery: &Delivery, deadline: Timestamp) -> Disposition {
        let (prefix, now) = (&self.stage.settings.source_prefix, self.stage.recorder.clock.now());
        match s3event::read(&delivery.body, &self.bucket, prefix, self.delay, now) {
            Body::Test => Disposition::Done,
            // A job of our own, or nobody's.
            Body::NotS3 => self.stage.handle_until(delivery, Some(deadline)).await,
            Body::Jobs(jobs) => {
                let handled = jobs.iter().map(|job| async move {
                    match job {
                        Ok(job) => self.handle_arrival(job, delivery, deadline).await,
                        Err(reason) => self.stage.unreadable(delivery, reason).await,
                    }
                });
                together(join_all(handled).await)
            }
        }
    }
}

impl Processor {
    /// Handles the job of a raw event that was written, unless that was a copy of what had ended long ago.
    async fn handle_arrival(
        &self,
        job: &ProcessJob,
        delivery: &Delivery,
        deadline: Timestamp,
    ) -> Disposition {
        let now = self.stage.recorder.clock.now();
        match self.store.ended_long_ago(&job.lead_id, now).await {
            Ok(false) => self.stage.handle_job_until(job, delivery, Some(deadline)).await,
            Ok(true) => {
                let message = "its raw event was written again and nothing is done: the lead ended long ago; `leadops \
                               requeue` processes it again, and announces it anew";
                recorder::line(Self::FUNCTION, Level::Info, message, Some(job.lead_id.as_str()), None);
                Disposition::Done
            }
            Err(fault) => self.stage.failed(fault, &job.lead_id, delivery).await,
        }
    }
}

/// What becomes of a message with several leads in it. Handling a lead once more than needed changes
/// nothing, so whatever needs another try decides.
fn together(dispositions: Vec<Disposition>) -> Disposition {
    let rank = |disposition: &Disposition| match disposition {
        Disposition::Done => 0,
        Disposition::Dead(_) => 1,
        Disposition::Retry(_) => 2,
    };
    dispositions.into_iter().max_by_key(rank).unwrap_or(Disposition::Done)
}

#[cfg(test)]
mod tests {
    use pipeline::{Code, ports::Why};

    use super::*;

    #[test]
    fn one_lead_that_needs_another_try_decides_for_its_message() {
        let retry = Disposition::Retry(Duration::from_secs(4));
        let why = Why { code: Code::RawEventGone, reason: String::new(), attempts: 1, lead: None };
        let dead = Disposition::Dead(why);
        assert_eq!(together(vec![Disposition::Done, dead.clone(), retry.clone()]), retry);
        assert_eq!(together(vec![dead.clone(), Disposition::Done]), dead);
        assert_eq!(together(vec![Disposition::Done]), Disposition::Done);
        assert_eq!(together(vec![]), Disposition::Done);
    }
}
