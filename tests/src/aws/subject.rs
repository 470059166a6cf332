//! The adapters on AWS, put to the ports' contracts.

use std::sync::Arc;

use aws::{CloudWatchLogs, Measurement, MetricsSink, QueueUrls, Queues, S3Store, operator::S3History};
use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, MetricDatum},
};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use conformance::{INTAKE_DELAY, RULES, Subject, clock::VirtualClock};
use lead::Timestamp;
use pipeline::{Code, Function, Settings, ports::LogLine};
use serde_json::{Value, json};
use system::SeededRandom;
use tokio::{runtime::Handle, task::block_in_place};

use super::{Moto, QueueRules};

/// The stack that the counts belong to.
const PROJECT: &str = "conformance";
/// The one log stream of each function.
const STREAM: &str = "instance";

/// A bucket that notifies a delay queue, both queues and the functions' log groups, in an account of their own under a
/// virtual clock.
pub async fn subject() -> Subject {
    let clock = VirtualClock::start();
    let moto = Moto::frozen(&clock).await;
    let rules = |delay| QueueRules { delay, visibility: RULES.visibility, max_receives: RULES.max_receives };
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
    let settings = Settings { delay: INTAKE_DELAY, ..Settings::default() };
    let counts = Arc::new(PutMetrics(cloudwatch.clone()));
    let store = S3Store::new(&clients, &bucket, &settings, clock.clone(), SeededRandom::new(1), counts);
    let history = S3History::new(store.clone(), cloudwatch, PROJECT.to_owned(), clock.clone());
    let store = Arc::new(store);
    let (logs, log) = log_groups(&moto, &clock).await;
    Subject {
        clock,
        rules: RULES,
        objects: store.clone(),
        outbox: queues.clone(),
        inbox: queues.clone(),
        dead_letters: queues,
        intake: store.clone(),
        journal: store,
        history: Arc::new(history),
        logs: Arc::new(logs),
        log,
        keep: Box::new(moto),
    }
}

/// A log group for each function, and what writes to them.
async fn log_groups(
    moto: &Moto,
    clock: &Arc<VirtualClock>,
) -> (CloudWatchLogs, Box<dyn Fn(LogLine) + Send + Sync>) {
    let functions = [Function::WebhookIngestion, Function::LeadProcessor, Function::Notification];
    let groups = functions.map(|function| (function, format!("/aws/lambda/{}", function.as_str()))).to_vec();
    let client = aws_sdk_cloudwatchlogs::Client::new(&moto.config());
    for (_, group) in &groups {
        moto.log_group(group).await;
        client.create_log_stream().log_group_name(group).log_stream_name(STREAM).send().await.unwrap();
    }
    // The clock stands still: whoever had to wait for the next request would wait for ever.
    let logs = moto.session().await.log_groups(groups, clock.clone()).with_requests_a_second(u32::MAX);
    let write = move |line: LogLine| {
        let event = InputLogEvent::builder().timestamp(line.at.as_millisecond()).message(written(&line));
        let put = client
            .put_log_events()
            .log_group_name(format!("/aws/lambda/{}", line.function))
            .log_stream_name(STREAM)
            .log_events(event.build().unwrap());
        block_in_place(|| {
            Handle::current().block_on(put.send()).unwrap();
        });
    };
    (logs, Box::new(write))
}

/// A line as the functions write it, with `timestamp` for the time.
fn written(line: &LogLine) -> String {
    let mut fields = serde_json::to_value(line).unwrap();
    let at = fields.as_object_mut().unwrap().remove("at");
    fields["timestamp"] = json!(at.as_ref().and_then(Value::as_str));
    fields.to_string()
}

/// Counts that go to CloudWatch at once, as it makes them of a function's log lines.
struct PutMetrics(aws_sdk_cloudwatch::Client);

impl MetricsSink for PutMetrics {
    fn count(&self, at: Timestamp, measured: &Measurement) {
        let Some(counted) = measured.counted else { return };
        self.put(at, aws::metrics::metric(counted), &[(aws::metrics::DIMENSION, PROJECT)]);
    }

    fn refused(&self, at: Timestamp, status: u16, webhook: Option<Code>) {
        let status = status.to_string();
        let dimensions = [(aws::metrics::DIMENSION, PROJECT), (aws::metrics::STATUS, &status)];
        self.put(at, aws::metrics::REFUSED, &dimensions);
        if let Some(code) = webhook {
            let dimensions = [(aws::metrics::DIMENSION, PROJECT), (aws::metrics::CODE, code.as_str())];
            self.put(at, aws::metrics::REFUSED_WEBHOOKS, &dimensions);
        }
    }
}

impl PutMetrics {
    fn put(&self, at: Timestamp, name: &str, dimensions: &[(&str, &str)]) {
        let dimensions =
            dimensions.iter().map(|(name, value)| Dimension::builder().name(*name).value(*value));
        let datum = MetricDatum::builder()
            .metric_name(name)
            .set_dimensions(Some(dimensions.map(|dimension| dimension.build()).collect()))
            .timestamp(DateTime::from_millis(at.as_millisecond()))
            .value(1.0)
            .build();
        let put = self.0.put_metric_data().namespace(aws::metrics::NAMESPACE).metric_data(datum);
        block_in_place(|| {
            Handle::current().block_on(put.send()).unwrap();
        });
    }
}
