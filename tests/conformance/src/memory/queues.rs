use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures_util::future::select;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Entry, Fault, JournalEvent,
    job::{self, AlertJob},
    ports::{
        DeadLetterCause, Delivery, Depth, Disposition, Inbox, MAX_DELAY, NewMessage, Outbox, Queue,
        WorkQueues,
    },
};
use tokio::sync::oneshot;

use super::{Memory, State};

/// Messages by queue and number.
pub(super) type Content = BTreeMap<(Queue, u64), Message>;

pub(super) struct Message {
    body: String,
    lead: Option<LeadId>,
    sent_at: Timestamp,
    /// When it can be received, or received again.
    ready_at: Timestamp,
    receives: u32,
    in_flight: bool,
    first_failed_at: Option<Timestamp>,
}

/// A message on its way to the dead letters.
pub(super) struct Dying {
    pub(super) queue: Queue,
    pub(super) body: String,
    pub(super) first_failed_at: Option<Timestamp>,
}

impl State {
    pub(super) fn send(&mut self, queue: Queue, message: NewMessage, now: Timestamp) {
        let number = self.count();
        let message = Message {
            body: message.body,
            lead: message.lead,
            sent_at: now,
            ready_at: now + message.delay.min(MAX_DELAY),
            receives: 0,
            in_flight: false,
            first_failed_at: None,
        };
        self.queues.insert((queue, number), message);
    }

    /// The message of a delivery, where nobody else has received it since.
    fn in_hand(&mut self, queue: Queue, delivery: &Delivery) -> Option<&mut Message> {
        let number = delivery.id.parse().ok()?;
        let message = self.queues.get_mut(&(queue, number))?;
        (message.in_flight && message.receives == delivery.receives).then_some(message)
    }

    /// Makes dead letters of messages that are ready and were received as often as allowed.
    fn bury_abandoned(&mut self, queue: Queue, max_receives: u32, now: Timestamp) {
        let in_queue = self.queues.range((queue, 0)..=(queue, u64::MAX));
        let abandoned: Vec<_> = in_queue
            .filter(|(_, message)| message.ready_at <= now && message.receives >= max_receives)
            .map(|(place, _)| *place)
            .collect();
        for place in abandoned {
            let Some(message) = self.queues.remove(&place) else { continue };
            let attempts = message.receives;
            let what = format!("received {attempts} times without an outcome");
            let fault = Fault::new(Code::Abandoned, what);
            let lead = message.lead.or_else(|| job::lead_in(&message.body));
            let alert = AlertJob::parse(&message.body).ok().map(|job| (job.destination, job.kind));
            let event = JournalEvent::dead(queue, alert, &fault, attempts);
            let nonce = u32::try_from(self.count() & u64::from(u32::MAX)).unwrap();
            self.append(Entry { at: now, lead_id: lead.clone(), nonce, event });
            let why = DeadLetterCause { code: fault.code, reason: fault.what, attempts, lead };
            let first_failed_at = message.first_failed_at;
            self.bury(Dying { queue, body: message.body, first_failed_at }, why, now);
        }
    }
}

#[async_trait]
impl Outbox for Memory {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        let now = self.now();
        self.state().send(queue, message, now);
        self.wake(queue);
        Ok(())
    }
}

#[async_trait]
impl Inbox for Memory {
    async fn receive(&self, queue: Queue, most: usize) -> Result<Vec<Delivery>, Fault> {
        let now = self.now();
        let rules = self.rules(queue);
        let mut state = self.state();
        state.bury_abandoned(queue, rules.max_receives, now);
        let in_queue = state.queues.range((queue, 0)..=(queue, u64::MAX));
        let mut ready: Vec<_> =
            in_queue.filter(|(_, m)| m.ready_at <= now).map(|(place, m)| (m.ready_at, *place)).collect();
        ready.sort_unstable();
        let mut deliveries = Vec::new();
        for (_, place) in ready.into_iter().take(most) {
            let Some(message) = state.queues.get_mut(&place) else { continue };
            if message.in_flight {
                message.first_failed_at.get_or_insert(message.ready_at);
            }
            message.receives += 1;
            message.in_flight = true;
            message.ready_at = now + rules.visibility;
            deliveries.push(Delivery {
                id: place.1.to_string(),
                handle: format!("{}/{}", place.1, message.receives),
                body: message.body.clone(),
                receives: message.receives,
                sent_at: message.sent_at,
                first_received_at: None,
                attributes: BTreeMap::new(),
            });
        }
        Ok(deliveries)
    }

    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) -> Result<(), Fault> {
        let now = self.now();
        let mut state = self.state();
        let Some(place) = delivery.id.parse().ok().map(|number| (queue, number)) else { return Ok(()) };
        let Some(message) = state.queues.get_mut(&place) else { return Ok(()) };
        if !message.in_flight || message.receives != delivery.receives {
            return Ok(());
        }
        match disposition {
            Disposition::Done => {
                state.queues.remove(&place);
            }
            Disposition::Retry(wait) => {
                message.first_failed_at.get_or_insert(now);
                message.in_flight = false;
                message.ready_at = now + wait.min(MAX_DELAY);
            }
            Disposition::Dead(why) => {
                let Some(message) = state.queues.remove(&place) else { return Ok(()) };
                let why = DeadLetterCause { lead: why.lead.or(message.lead), ..why };
                let first_failed_at = message.first_failed_at;
                state.bury(Dying { queue, body: message.body, first_failed_at }, why, now);
            }
        }
        drop(state);
        self.wake(queue);
        Ok(())
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, Fault> {
        let now = self.now();
        let state = self.state();
        let mut depth = Depth { dead: state.dead_in(Some(queue)), ..Depth::default() };
        for message in state.queues.range((queue, 0)..=(queue, u64::MAX)).map(|(_, m)| m) {
            let count = match (message.ready_at <= now, message.in_flight) {
                (true, _) => &mut depth.ready,
                (false, true) => &mut depth.in_flight,
                (false, false) => &mut depth.waiting,
            };
            *count += 1;
        }
        Ok(depth)
    }
}

impl Memory {
    /// How long it is until a message of the queue can be received; `None` where it holds none.
    pub fn next_ready(&self, queue: Queue) -> Option<Duration> {
        let now = self.now();
        let state = self.state();
        let soonest = state.queues.range((queue, 0)..=(queue, u64::MAX)).map(|(_, m)| m.ready_at).min()?;
        Some(Duration::try_from(soonest.duration_since(now)).unwrap_or_default())
    }

    /// The body of every message in the queues.
    pub fn for_each_message(&self, each: &mut dyn FnMut(&str)) {
        self.state().queues.values().for_each(|message| each(&message.body));
    }
}

#[async_trait]
impl WorkQueues for Memory {
    async fn wait_ready(&self, queue: Queue) -> Result<(), Fault> {
        loop {
            let (wake, woken) = oneshot::channel();
            self.waiting.lock().unwrap().push((queue, wake));
            match self.next_ready(queue) {
                Some(left) if left.is_zero() => return Ok(()),
                Some(left) => drop(select(woken, self.clock.sleep(left)).await),
                None => drop(woken.await),
            }
        }
    }

    fn visibility(&self, queue: Queue) -> Duration {
        self.rules(queue).visibility
    }

    async fn keep_hidden(&self, queue: Queue, deliveries: &[Delivery]) -> Result<(), Fault> {
        let until = self.now() + self.rules(queue).visibility;
        let mut state = self.state();
        for delivery in deliveries {
            if let Some(message) = state.in_hand(queue, delivery) {
                message.ready_at = until;
            }
        }
        Ok(())
    }

    async fn give_back(&self, queue: Queue, delivery: &Delivery, rest: Duration) -> Result<(), Fault> {
        let ready_at = self.now() + jiff::SignedDuration::try_from(rest).unwrap();
        if let Some(message) = self.state().in_hand(queue, delivery) {
            message.in_flight = false;
            message.ready_at = ready_at;
            message.receives -= 1;
        }
        self.wake(queue);
        Ok(())
    }

    async fn in_flight(&self, queue: Queue) -> Result<Vec<String>, Fault> {
        let state = self.state();
        let in_queue = state.queues.range((queue, 0)..=(queue, u64::MAX)).map(|(_, message)| message);
        Ok(in_queue.filter(|message| message.in_flight).map(|message| message.body.clone()).collect())
    }

    async fn release_in_flight(&self) -> Result<u64, Fault> {
        let now = self.now();
        let mut released = 0;
        for message in self.state().queues.values_mut().filter(|message| message.in_flight) {
            message.first_failed_at.get_or_insert(now);
            message.in_flight = false;
            message.ready_at = message.ready_at.min(now);
            released += 1;
        }
        Queue::ALL.into_iter().for_each(|queue| self.wake(queue));
        Ok(released)
    }
}
