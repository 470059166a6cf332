use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use lead::{LeadId, Timestamp};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::{Code, Fault};

/// The longest delay of one message in a queue, SQS's own limit. Where nothing else makes a message wait longer,
/// it comes early, and goes back with the rest of its time.
pub const MAX_DELAY: Duration = Duration::from_secs(900);

/// The two queues.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    IntoStaticStr,
    EnumString,
    VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Queue {
    /// Accepted leads that wait for their owner.
    Delay,
    /// Alerts to send.
    Notification,
}

impl Queue {
    /// Both queues.
    pub const ALL: [Self; 2] = [Self::Delay, Self::Notification];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The sending end of a queue.
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// # use std::time::Duration;
/// use pipeline::ports::{Inbox, NewMessage, Outbox, Queue};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// let message = NewMessage { body: "x".to_owned(), lead: None, delay: Duration::from_secs(600) };
/// store.send(Queue::Delay, message).await?;
/// assert!(store.receive(Queue::Delay, 10).await?.is_empty());
/// clock.advance(Duration::from_secs(600));
/// assert_eq!(store.receive(Queue::Delay, 10).await?[0].body, "x");
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Makes the message durable; it can be received after `delay`, or after [`MAX_DELAY`] where that is less
    /// and nothing makes it wait longer.
    ///
    /// Delivery is at least once and in no particular order.
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault>;
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The body.
    pub body: String,
    /// The lead it is about, for listings.
    pub lead: Option<LeadId>,
    /// How long it stays out of sight.
    pub delay: Duration,
}

/// The receiving end of a queue.
///
/// A received message is out of sight for the queue's visibility timeout; if nothing is said of it by
/// then, it is delivered again. Receiving a message as often as the queue allows without an outcome
/// makes it a dead letter ([`Code::Abandoned`]).
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// # use std::time::Duration;
/// use pipeline::ports::{Disposition, Inbox, NewMessage, Outbox, Queue};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// # let message = NewMessage { body: "x".to_owned(), lead: None, delay: Duration::ZERO };
/// # store.send(Queue::Notification, message).await?;
/// let delivery = store.receive(Queue::Notification, 1).await?.remove(0);
/// let later = Disposition::Retry(Duration::from_secs(5));
/// store.settle(Queue::Notification, &delivery, later).await?;
/// clock.advance(Duration::from_secs(5));
/// let again = store.receive(Queue::Notification, 1).await?.remove(0);
/// assert_eq!((again.id == delivery.id, again.receives), (true, 2));
/// store.settle(Queue::Notification, &again, Disposition::Done).await?;
/// assert_eq!(store.depth(Queue::Notification).await?, Default::default());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Up to `most` messages that are ready, in no particular order; none where none is.
    async fn receive(&self, queue: Queue, most: usize) -> Result<Vec<Delivery>, Fault>;

    /// Says what became of a delivery, once. A delivery whose visibility has run out, and that somebody
    /// else has received since, is left alone, as is one that is gone.
    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) -> Result<(), Fault>;

    /// How many messages there are.
    async fn depth(&self, queue: Queue) -> Result<Depth, Fault>;
}

/// The receiving end of the queues, for the one long-lived worker on them.
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// # use std::time::Duration;
/// use pipeline::ports::{Inbox, NewMessage, Outbox, Queue, WorkQueues};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// # let message = NewMessage { body: "x".to_owned(), lead: None, delay: Duration::ZERO };
/// # store.send(Queue::Delay, message).await?;
/// let delivery = store.receive(Queue::Delay, 1).await?.remove(0);
/// assert_eq!(store.in_flight(Queue::Delay).await?, ["x"]);
/// store.give_back(Queue::Delay, &delivery, Duration::ZERO).await?;
/// assert_eq!(store.receive(Queue::Delay, 1).await?[0].receives, 1);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait WorkQueues: Inbox {
    /// Returns when a message of this queue may be ready. It may return once too often, never once too seldom.
    async fn wait_ready(&self, queue: Queue) -> Result<(), Fault>;

    /// How long a received message of this queue stays out of sight.
    fn visibility(&self, queue: Queue) -> Duration;

    /// Keeps deliveries that are still being worked on out of sight for another visibility timeout.
    async fn keep_hidden(&self, queue: Queue, deliveries: &[Delivery]) -> Result<(), Fault>;

    /// Gives a delivery back that nothing was done with: it is ready again after `rest`, and this time does not count as
    /// one that it was received.
    async fn give_back(&self, queue: Queue, delivery: &Delivery, rest: Duration) -> Result<(), Fault>;

    /// The bodies of a queue's messages that are in flight.
    async fn in_flight(&self, queue: Queue) -> Result<Vec<String>, Fault>;

    /// Makes every message that is in flight ready again, and returns how many there were: their worker has ended.
    async fn release_in_flight(&self) -> Result<u64, Fault>;
}

/// A message as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The message's identity in its queue, the same at each delivery.
    pub id: String,
    /// Identifies this one delivery.
    pub handle: String,
    /// The body.
    pub body: String,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was received first, where the queue leaves it to the receiver to know: SQS tells with each
    /// delivery and has no other memory of failures. A queue that remembers them itself says nothing.
    pub first_received_at: Option<Timestamp>,
    /// Texts that were sent beside the body, by name. They follow a message through its death and back.
    pub attributes: BTreeMap<String, String>,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Its work is done: delete it.
    Done,
    /// Deliver it again after this time, at most [`MAX_DELAY`].
    Retry(Duration),
    /// No retry can help: move it to the dead letters now.
    Dead(DeadLetterCause),
}

/// Why a message died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterCause {
    /// The kind of failure.
    pub code: Code,
    /// What happened, one clean line.
    pub reason: String,
    /// How often its work was tried.
    pub attempts: u32,
    /// The lead, where the message could be read that far.
    pub lead: Option<LeadId>,
}

/// How many messages a queue holds. Approximate on AWS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// Not due yet. On SQS a message that waits to be tried again counts as in flight instead.
    pub waiting: u64,
    /// Due, and not received.
    pub ready: u64,
    /// Received, without an outcome yet.
    pub in_flight: u64,
    /// Dead letters.
    pub dead: u64,
}
