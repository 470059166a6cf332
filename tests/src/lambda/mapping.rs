//! Polling a queue for a function.

use std::sync::Arc;

use aws_sdk_sqs::{
    error::DisplayErrorContext,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName},
};
use tokio::{
    sync::Semaphore,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

use serde_json::Value;

use super::{
    Mapping, events,
    host::Problems,
    lineage::{Lineage, MOST as MOST_INVOCATIONS},
    pool::Pool,
};

/// The most messages of one request to SQS.
const MOST: usize = 10;
/// How long a request waits for a message.
const WAIT: Duration = Duration::from_secs(20);

/// Whoever polls for a mapping, with the role of its function.
pub(super) struct Poller {
    sqs: aws_sdk_sqs::Client,
    url: String,
    mapping: Mapping,
    pool: Arc<Pool>,
    problems: Problems,
    stop: CancellationToken,
}

impl Poller {
    /// A poller that takes nothing more once `stop` is cancelled.
    pub(super) fn new(
        mapping: Mapping,
        pool: Arc<Pool>,
        problems: Problems,
        stop: CancellationToken,
    ) -> Self {
        let sqs = aws_sdk_sqs::Client::new(&pool.config());
        let url = queue_url(&mapping.queue);
        Self { sqs, url, mapping, pool, problems, stop }
    }

    /// Polls until it is stopped, and until then's poll has come to its end. What keeps it from that is a problem.
    pub(super) async fn run(self) {
        let this = Arc::new(self);
        if let Err(error) = this.run_until_error().await {
            this.problems.add(format!("polling {}: {error}", this.mapping.queue));
        }
    }

    async fn run_until_error(self: &Arc<Self>) -> Result<(), String> {
        // Lambda looks at the queue's rules before it takes anything from it.
        let attributes = self.sqs.get_queue_attributes().queue_url(&self.url);
        let attributes = attributes.attribute_names(QueueAttributeName::All).send().await.map_err(text)?;
        let visibility =
            attributes.attributes.unwrap_or_default().remove(&QueueAttributeName::VisibilityTimeout);
        let visibility = visibility.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        if visibility.is_none_or(|visibility| visibility < self.pool.configuration.timeout) {
            return Err("its visibility timeout is shorter than the function's".to_owned());
        }
        let places = Arc::new(Semaphore::new(self.mapping.concurrency));
        loop {
            // With all places taken nothing is received, so that no message is out of sight for nothing.
            let place = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                place = Arc::clone(&places).acquire_owned() => place.map_err(|error| error.to_string())?,
            };
            let batch = self.batch().await?;
            if batch.is_empty() {
                return Ok(());
            }
            let this = Arc::clone(self);
            tokio::spawn(async move {
                this.handle(batch).await;
                drop(place);
            });
        }
    }

    /// The next messages: once the first is there, as many as come within the window. None once it is stopped.
    async fn batch(&self) -> Result<Vec<Message>, String> {
        let mut batch = Vec::new();
        while batch.is_empty() && !self.stop.is_cancelled() {
            batch = self.receive(self.mapping.batch, WAIT).await?;
        }
        let end = Instant::now() + self.mapping.window;
        while batch.len() < self.mapping.batch && Instant::now() < end && !self.stop.is_cancelled() {
            let left = (end - Instant::now()).min(WAIT);
            batch.extend(self.receive(self.mapping.batch - batch.len(), left).await?);
        }
        Ok(batch)
    }

    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Message>, String> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.min(MOST)).unwrap())
            .wait_time_seconds(i32::try_from(wait.as_secs()).unwrap())
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send();
        Ok(received.await.map_err(text)?.messages.unwrap_or_default())
    }

    /// Invokes the function and deletes what it is done with. The rest comes back by itself.
    async fn handle(&self, batch: Vec<Message>) {
        let arn = &self.pool.configuration.arn;
        let lineage = batch.iter().map(lineage).max_by_key(|lineage| lineage.count(arn)).unwrap_or_default();
        if lineage.count(arn) >= MOST_INVOCATIONS && !self.pool.configuration.may_loop {
            return self.drop_loop(batch).await;
        }
        let event = events::of_messages(&batch, &self.mapping.queue).to_string();
        let Ok(answer) = self.pool.invoke_in(lineage, event.into()).await else { return };
        let done = events::done(&answer, &batch, self.mapping.reports_failures).unwrap_or_default();
        self.delete(&done).await;
    }

    /// Has messages that would have gone round once too often end among the dead letters.
    async fn drop_loop(&self, batch: Vec<Message>) {
        let sqs = self.pool.sqs();
        let policy = sqs
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::RedrivePolicy);
        let policy = policy.send().await.unwrap().attributes.unwrap_or_default();
        let policy: Value = serde_json::from_str(&policy[&QueueAttributeName::RedrivePolicy]).unwrap();
        let dead = queue_url(policy["deadLetterTargetArn"].as_str().unwrap());
        for message in &batch {
            let send = sqs.send_message().queue_url(&dead).message_body(message.body.clone().unwrap());
            send.set_message_attributes(message.message_attributes.clone()).send().await.unwrap();
        }
        self.delete(&batch.iter().collect::<Vec<_>>()).await;
    }

    async fn delete(&self, done: &[&Message]) {
        for some in done.chunks(MOST) {
            let entries = some.iter().enumerate().map(|(number, message)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(message.receipt_handle.as_deref().unwrap_or_default())
                    .build()
                    .unwrap()
            });
            let delete = self.sqs.delete_message_batch().queue_url(&self.url);
            if let Err(error) = delete.set_entries(Some(entries.collect())).send().await {
                self.problems.add(format!("deleting from {}: {}", self.url, text(error)));
            }
        }
    }
}

fn text(error: impl std::error::Error) -> String {
    DisplayErrorContext(error).to_string()
}

/// The chain of invocations that a message comes from.
fn lineage(message: &Message) -> Lineage {
    let attributes = message.attributes.as_ref();
    let header = attributes.and_then(|it| it.get(&MessageSystemAttributeName::AwsTraceHeader));
    header.map(|header| Lineage::read(header)).unwrap_or_default()
}

/// The URL of a queue, as far as moto looks at it: the account and the name.
fn queue_url(arn: &str) -> String {
    let mut parts = arn.rsplit(':');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("http://localhost/{account}/{name}")
}
