//! The queues on SQS, each with its dead-letter queue.
//!
//! SQS guarantees no order, delivers at least once, cannot show a message without receiving it, and counts
//! approximately. What follows from that is said at each port.

#[cfg(feature = "operator")]
mod attributes;
mod counts;
mod dead_letters;
mod death;
mod in_function;
mod inbox;
mod message;
mod outbox;
mod received;

use std::{sync::Arc, time::Duration};

use pipeline::{
    Code, Fault,
    ports::{Clock, Queue},
};
use tokio::sync::OnceCell;

use crate::Clients;
use received::ReceivedDeadLetters;

#[cfg(feature = "operator")]
pub(crate) use attributes::QueueAttributes;
pub use in_function::SqsActions;
pub use message::SystemAttributes;

/// How many messages SQS hands out, or takes a word about, in one request.
const BATCH: usize = 10;
/// How long a search of the dead letters waits for more.
const WAIT: Duration = Duration::from_secs(1);

/// Where the queues are. What uses only some of them need not know the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueUrls {
    /// The delay queue.
    pub delay: Option<String>,
    /// Its dead-letter queue.
    pub delay_dead: Option<String>,
    /// The notification queue.
    pub notification: Option<String>,
    /// Its dead-letter queue.
    pub notification_dead: Option<String>,
}

/// The queues. Clones are the same queues.
#[derive(Clone)]
pub struct Queues(Arc<Inner>);

struct Inner {
    sqs: aws_sdk_sqs::Client,
    urls: QueueUrls,
    clock: Arc<dyn Clock>,
    wait: Duration,
    received: [ReceivedDeadLetters; 2],
    /// How often a message of each queue is received before SQS moves it, once it has been asked for.
    max_receives: [OnceCell<u32>; 2],
}

impl Queues {
    /// The queues at these URLs.
    pub fn new(clients: &Clients, urls: QueueUrls, clock: Arc<dyn Clock>) -> Self {
        Self::waiting(clients, urls, clock, WAIT)
    }

    /// Queues that wait so long for messages, in whole seconds up to 20, before they are said to be empty,
    /// and for dead letters that another operator holds. Without a wait SQS asks only some of its
    /// servers, so an empty answer proves nothing: zero is for emulators.
    pub fn waiting(clients: &Clients, urls: QueueUrls, clock: Arc<dyn Clock>, wait: Duration) -> Self {
        let sqs = clients.sqs.clone();
        let (received, max_receives) = (Default::default(), Default::default());
        Self(Arc::new(Inner { sqs, urls, clock, wait, received, max_receives }))
    }
}

/// A queue of SQS's.
struct Place<'a> {
    /// What it is called, for people.
    name: String,
    url: &'a str,
}

impl Inner {
    fn live(&self, queue: Queue) -> Result<Place<'_>, Fault> {
        let url = of_queue([&self.urls.delay, &self.urls.notification], queue).as_deref();
        let url = url.ok_or_else(|| unknown(queue, "queue"))?;
        Ok(Place { name: format!("the {} queue", queue.as_str()), url })
    }

    fn dead(&self, queue: Queue) -> Option<Place<'_>> {
        let url = of_queue([&self.urls.delay_dead, &self.urls.notification_dead], queue).as_deref()?;
        Some(Place { name: format!("the dead-letter queue of the {} queue", queue.as_str()), url })
    }

    fn needed_dead(&self, queue: Queue) -> Result<Place<'_>, Fault> {
        self.dead(queue).ok_or_else(|| unknown(queue, "dead-letter queue"))
    }

    fn received(&self, queue: Queue) -> &ReceivedDeadLetters {
        of_queue(self.received.each_ref(), queue)
    }

    fn wait_seconds(&self) -> i32 {
        i32::try_from(self.wait.as_secs().min(20)).unwrap_or(20)
    }
}

/// The one of a pair that belongs to a queue.
fn of_queue<T>([delay, notification]: [T; 2], queue: Queue) -> T {
    match queue {
        Queue::Delay => delay,
        Queue::Notification => notification,
    }
}

fn unknown(queue: Queue, kind: &str) -> Fault {
    Fault::new(Code::SettingBad, format!("the URL of the {} {kind} is not known", queue.as_str()))
}

/// Whole seconds, none of them cut off: nothing is delivered early.
fn whole_seconds(time: Duration, most: Duration) -> i32 {
    let time = time.min(most);
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
