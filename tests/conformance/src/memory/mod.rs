//! Every port in memory, over one state, driven by a clock: the adapter that the stages' tests and the
//! simulator run on.
//!
//! Deterministic: identities are counted, nothing is random, and nothing waits but for messages.

#[cfg(feature = "bucket")]
mod bucket;
mod dead_letters;
mod intake;
mod journal;
mod logs;
mod objects;
mod queues;

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use lead::Timestamp;
use pipeline::ports::{Clock, Queue};
use tokio::sync::oneshot;

/// How a queue treats its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a received message is out of sight.
    pub visibility: Duration,
    /// How often a message is received before it is a dead letter. Retries count, as on SQS.
    pub max_receives: u32,
}

impl Rules {
    /// The delay queue's.
    pub const DELAY: Self = Self { visibility: Duration::from_secs(60), max_receives: 3 };
    /// The notification queue's. The stage counts its attempts itself, in the receipt.
    pub const NOTIFICATION: Self = Self { visibility: Duration::from_secs(120), max_receives: 1_000 };
}

/// The store. Clones share their content.
#[derive(Clone)]
pub struct Memory {
    clock: Arc<dyn Clock>,
    delay: Rules,
    notification: Rules,
    state: Arc<Mutex<State>>,
    /// Whoever waits for a message.
    waiting: Arc<Mutex<Waiting>>,
}

/// Wakes whoever waits for a message of a queue.
type Waiting = Vec<(Queue, oneshot::Sender<()>)>;

#[derive(Default)]
struct State {
    objects: objects::Content,
    queues: queues::Content,
    dead: dead_letters::Content,
    journal: journal::Content,
    logs: logs::Content,
    counted: u64,
}

impl Memory {
    /// An empty store whose queues keep the rules of their names.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_rules(clock, Rules::DELAY, Rules::NOTIFICATION)
    }

    /// An empty store with rules for the delay queue and for the notification queue.
    pub fn with_rules(clock: Arc<dyn Clock>, delay: Rules, notification: Rules) -> Self {
        Self { clock, delay, notification, state: Arc::default(), waiting: Arc::default() }
    }

    /// The rules of a queue.
    pub fn rules(&self, queue: Queue) -> Rules {
        match queue {
            Queue::Delay => self.delay,
            Queue::Notification => self.notification,
        }
    }

    /// Has whoever waits for a message of this queue look again, such as after a step of the wall clock.
    pub fn wake(&self, queue: Queue) {
        for (_, waiting) in self.waiting.lock().unwrap().extract_if(.., |(waits, _)| *waits == queue) {
            let _ = waiting.send(());
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    /// A number that was not given out before.
    fn count(&mut self) -> u64 {
        self.counted += 1;
        self.counted
    }
}
