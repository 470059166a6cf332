//! The adapters on AWS, put to the ports' contracts.

use std::sync::Arc;

use aws::{Counts, Measured, QueueUrls, Queues, S3Names, S3Store, operator::S3History};
use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, MetricDatum},
};
use lead::Timestamp;
use tokio::{runtime::Handle, task::block_in_place};

use super::{Moto, QueueRules};
use crate::{
    clock::{SeededRandom, VirtualClock},
    conformance::{INTAKE_DELAY, RULES, Subject},
    memory::Memory,
};

/// The stack that the counts belong to.
const PROJECT: &str = "conformance";

impl Subject {
    /// A bucket that tells a delay queue, and both queues, in an account of their own under a virtual
    /// clock. The log is in memory.
    pub async fn aws() -> Self {
        let clock = VirtualClock::start();
        let moto = Moto::frozen(&clock).await;
        let rules =
            |delay| QueueRules { delay, visibility: RULES.visibility, max_receives: RULES.max_receives };
        let (delay, delay_dead) = moto.queue("delay", rules(INTAKE_DELAY)).await;
        let (notification, notification_dead) = moto.queue("notification", rules(Default::default())).await;
        let bucket = moto.named("leads");
        moto.bucket(&bucket).await;
        moto.notify(&bucket, "source/", &delay).await;
        let clients = moto.clients();
        // S3 tests the notification; the functions acknowledge that, and the suites do not expect it.
        clients.sqs.purge_queue().queue_url(&delay).send().await.unwrap();
        let urls = QueueUrls {
            delay: Some(delay),
            delay_dead: Some(delay_dead),
            notification: Some(notification),
            notification_dead: Some(notification_dead),
        };
        let queues = Arc::new(Queues::waiting(&clients, urls, clock.clone(), Default::default()));
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&moto.config());
        let names =
            S3Names { bucket, source_prefix: "source/".to_owned(), target_prefix: "target/".to_owned() };
        let counts = Arc::new(PutMetrics(cloudwatch.clone()));
        let store = S3Store::new(&clients, names, INTAKE_DELAY, clock.clone(), SeededRandom::new(1), counts);
        let history = S3History::new(store.clone(), cloudwatch, PROJECT.to_owned(), clock.clone());
        let store = Arc::new(store);
        let log = Memory::with_rules(clock.clone(), RULES, RULES);
        let logs = Arc::new(log.clone());
        Self {
            clock,
            rules: RULES,
            objects: store.clone(),
            outbox: queues.clone(),
            inbox: queues.clone(),
            dead_letters: queues,
            intake: store.clone(),
            journal: store,
            history: Arc::new(history),
            logs,
            log: Box::new(move |line| log.log(line)),
            keep: Box::new(moto),
        }
    }
}

/// Counts that go to CloudWatch at once, as it makes them of a function's log lines.
struct PutMetrics(aws_sdk_cloudwatch::Client);

impl Counts for PutMetrics {
    fn count(&self, at: Timestamp, measured: &Measured) {
        let Some(counted) = measured.counted else { return };
        let project = Dimension::builder().name(aws::counts::DIMENSION).value(PROJECT).build();
        let datum = MetricDatum::builder()
            .metric_name(aws::counts::metric(counted))
            .dimensions(project)
            .timestamp(DateTime::from_millis(at.as_millisecond()))
            .value(1.0)
            .build();
        let put = self.0.put_metric_data().namespace(aws::counts::NAMESPACE).metric_data(datum);
        block_in_place(|| {
            Handle::current().block_on(put.send()).unwrap();
        });
    }
}
