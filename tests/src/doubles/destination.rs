use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use lead::LeadId;
use pipeline::{
    CheckOutcome, Code,
    destination::{Destination, Limits, MessageFormat, Outgoing, Verdict},
    ports::Clock,
};

use crate::clock::VirtualClock;

/// A message that a destination received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// When, in [`VirtualClock::elapsed`].
    pub at: Duration,
    /// The leads that it is about.
    pub leads: Vec<LeadId>,
    /// The receipts of their alerts.
    pub receipts: Vec<String>,
    /// How many custom fields of the first lead it has.
    pub custom: usize,
    /// Those whom its first alert is not for any more.
    pub done: Vec<String>,
    /// How it is written.
    pub form: MessageFormat,
}

/// A destination of no kind that the product knows. It takes everything unless scripted otherwise.
pub struct ScriptedDestination {
    clock: Arc<VirtualClock>,
    /// What it can take.
    pub limits: Limits,
    /// How long it takes over a message.
    pub takes: Duration,
    place: Mutex<Option<String>>,
    next: Mutex<VecDeque<Verdict>>,
    received: Mutex<Vec<ReceivedMessage>>,
}

impl ScriptedDestination {
    /// One with these limits that answers at once.
    pub fn new(clock: Arc<VirtualClock>, limits: Limits) -> Self {
        Self {
            clock,
            limits,
            takes: Duration::ZERO,
            place: Mutex::default(),
            next: Mutex::default(),
            received: Mutex::default(),
        }
    }

    /// Limits of a destination that has none to speak of.
    pub fn plain() -> Limits {
        Limits {
            longest_send: Duration::from_secs(10),
            pace: None,
            together: 1,
            at_once: 4,
            has_plain_form: false,
            busy: Code::DestinationBusy,
            shows_all: false,
        }
    }

    /// Answers the next messages like this, in this order.
    pub fn answer(&self, verdicts: impl IntoIterator<Item = Verdict>) {
        self.next.lock().unwrap().extend(verdicts);
    }

    /// Is somewhere else from now on.
    pub fn move_to(&self, place: &str) {
        *self.place.lock().unwrap() = Some(place.to_owned());
    }

    /// All messages that it received.
    pub fn received(&self) -> Vec<ReceivedMessage> {
        self.received.lock().unwrap().clone()
    }
}

#[async_trait]
impl Destination for ScriptedDestination {
    fn limits(&self) -> Limits {
        self.limits
    }

    async fn place(&self) -> Option<String> {
        self.place.lock().unwrap().clone()
    }

    async fn send(&self, alerts: &[Outgoing<'_>], form: MessageFormat) -> Verdict {
        let received = ReceivedMessage {
            at: self.clock.elapsed(),
            leads: alerts.iter().map(|one| one.alert.lead.lead_id.clone()).collect(),
            receipts: alerts.iter().map(|one| one.receipt.clone()).collect(),
            custom: alerts[0].alert.lead.custom.len(),
            done: alerts[0].done.iter().map(|one| (*one).to_owned()).collect(),
            form,
        };
        self.received.lock().unwrap().push(received);
        let verdict = self.next.lock().unwrap().pop_front().unwrap_or(Verdict::Sent);
        self.clock.sleep(self.takes).await;
        verdict
    }

    async fn check(&self, _: bool) -> CheckOutcome {
        CheckOutcome::Ok("scripted".to_owned())
    }
}
