//! SQS: two queues and their dead letters, with everything that its documentation warns of.
//!
//! Deliveries are at least once and in no order; a handle is good for the latest delivery alone; what was
//! received too often SQS itself puts among the dead letters, without a word why. Its clock is its own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use aws::SqsActions;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Fault,
    job::{AlertJob, lead_in},
    ports::{
        Body, Clock, DeadLetter, DeadLetterCause, DeadLetters, Delivery, Depth, Disposition, Inbox,
        MAX_DELAY, NewMessage, Outbox, Queue,
    },
};

use super::{
    Model,
    bucket::true_time,
    messages::{Meaning, Meanings},
    process::{ProcessFaults, about},
};
use crate::faulty::{Call, Moment};

/// How long a dead letter that an operator has in hand is out of others' sight.
const HOLD: Duration = Duration::from_secs(30);

/// How a queue treats its messages.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How long a received message is out of sight.
    pub visibility: Duration,
    /// How often a message is received before it is a dead letter.
    pub max_receives: u32,
}

/// The queues. Clones are the same ones.
#[derive(Clone)]
pub struct SimSqs {
    model: Arc<Model>,
    delay: Rules,
    notification: Rules,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<(Queue, u64), Message>,
    dead: BTreeMap<u64, Dead>,
    given_up: u64,
    counted: u64,
    meanings: Meanings,
}

struct Message {
    body: String,
    sent_at: Timestamp,
    visible_at: Duration,
    receives: u32,
    /// The latest delivery, while it is in flight.
    handle: Option<u64>,
    first_received_at: Option<Timestamp>,
}

struct Dead {
    letter: DeadLetter,
    body: String,
    hidden_until: Duration,
}

impl SimSqs {
    /// Empty queues.
    pub fn new(model: Arc<Model>, delay: Rules, notification: Rules) -> Self {
        Self { model, delay, notification, state: Arc::default() }
    }

    fn rules(&self, queue: Queue) -> Rules {
        match queue {
            Queue::Delay => self.delay,
            Queue::Notification => self.notification,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn now(&self) -> Duration {
        self.model.clock.elapsed()
    }

    /// Adds a message.
    pub fn add(&self, queue: Queue, body: String, delay: Duration) {
        let (now, sent_at) = (self.now(), true_time(&self.model.clock));
        let mut state = self.state();
        state.counted += 1;
        let place = (queue, state.counted);
        let visible_at = now + delay.min(MAX_DELAY);
        let message =
            Message { body, sent_at, visible_at, receives: 0, handle: None, first_received_at: None };
        state.messages.insert(place, message);
    }

    /// Hands out up to `most` messages that are visible.
    pub fn take(&self, queue: Queue, most: usize) -> Vec<Delivery> {
        let (now, at, rules, dice) =
            (self.now(), true_time(&self.model.clock), self.rules(queue), &self.model.dice);
        let mut twice = 0;
        let mut state = self.state();
        let mut visible: Vec<u64> = state.visible(queue, now).collect();
        let mut deliveries = Vec::new();
        while deliveries.len() < most && !visible.is_empty() {
            // In no order.
            let number = visible.swap_remove(usize::try_from(dice.below(visible.len() as u64)).unwrap());
            let handle = state.count();
            let Some(message) = state.messages.get_mut(&(queue, number)) else { continue };
            if message.receives >= rules.max_receives {
                state.abandon(queue, number, rules, now);
                state.given_up += 1;
                self.model.count_fault("dead-lettered by SQS");
                self.model.note(|| format!("sqs puts message {number} among the dead letters"));
                continue;
            }
            message.receives += 1;
            message.handle = Some(handle);
            message.first_received_at.get_or_insert(at);
            // Some other of SQS's servers still shows it.
            let shown =
                !self.model.is_fault_free() && dice.chance(self.model.fault_profile.duplicate_message);
            if !shown {
                message.visible_at = now + rules.visibility;
            }
            twice += u64::from(shown);
            deliveries.push(Delivery {
                id: number.to_string(),
                handle: handle.to_string(),
                body: message.body.clone(),
                receives: message.receives,
                sent_at: message.sent_at,
                first_received_at: message.first_received_at,
                attributes: BTreeMap::new(),
            });
        }
        drop(state);
        for _ in 0..twice {
            self.model.count_fault("SQS message twice");
        }
        deliveries
    }

    /// Deletes a message, if the handle is of its latest delivery. One of SQS's servers may not hear of it, and
    /// deliver the message again.
    pub fn remove(&self, queue: Queue, delivery: &Delivery) {
        let (dice, fault_profile) = (&self.model.dice, &self.model.fault_profile);
        if !self.model.is_fault_free() && dice.chance(fault_profile.duplicate_message / 4.0) {
            self.model.count_fault("SQS message after its deletion");
            return;
        }
        self.state().with(queue, delivery, |messages, place| drop(messages.remove(&place)));
    }

    /// Keeps a message out of sight from now, if the handle is of its latest delivery.
    pub fn hide(&self, queue: Queue, delivery: &Delivery, wait: Duration) {
        let until = self.now() + wait;
        self.state().with(queue, delivery, |messages, place| {
            if let Some(message) = messages.get_mut(&place) {
                message.visible_at = until;
            }
        });
    }

    /// Puts a copy of a message among the dead letters.
    pub fn bury(&self, queue: Queue, delivery: &Delivery, why: DeadLetterCause) {
        // Of the function's clock, as its attributes say it.
        let now = self.model.clock.now();
        let mut state = self.state();
        let number = state.count();
        let letter = DeadLetter {
            id: number.to_string(),
            queue,
            lead_id: why.lead.or_else(|| state.lead_of(&delivery.body)),
            code: why.code,
            reason: why.reason,
            attempts: why.attempts,
            first_failed_at: delivery.first_received_at.unwrap_or(now).min(now),
            dead_at: now,
        };
        let dead = Dead { letter, body: delivery.body.clone(), hidden_until: Duration::ZERO };
        state.dead.insert(number, dead);
    }

    /// How long it is until a message of the queue is visible.
    pub fn next_visible(&self, queue: Queue) -> Option<Duration> {
        let now = self.now();
        let state = self.state();
        let messages = state.messages.range((queue, 0)..=(queue, u64::MAX));
        messages.map(|(_, message)| message.visible_at.saturating_sub(now)).min()
    }

    /// How many messages were put among the dead letters because they had been received too often.
    pub fn given_up(&self) -> u64 {
        self.state().given_up
    }

    /// The body of every message in the queues.
    pub fn for_each_message(&self, each: &mut dyn FnMut(&str)) {
        self.state().messages.values().for_each(|message| each(&message.body));
    }

    /// Every dead letter with its body.
    pub fn for_each_dead(&self, each: &mut dyn FnMut(&DeadLetter, &str)) {
        self.state().dead.values().for_each(|dead| each(&dead.letter, &dead.body));
    }
}

impl State {
    fn count(&mut self) -> u64 {
        self.counted += 1;
        self.counted
    }

    fn visible(&self, queue: Queue, now: Duration) -> impl Iterator<Item = u64> {
        let messages = self.messages.range((queue, 0)..=(queue, u64::MAX));
        messages.filter(move |(_, message)| message.visible_at <= now).map(|((_, number), _)| *number)
    }

    fn with(
        &mut self,
        queue: Queue,
        delivery: &Delivery,
        act: impl FnOnce(&mut BTreeMap<(Queue, u64), Message>, (Queue, u64)),
    ) {
        let (Ok(number), Ok(handle)) = (delivery.id.parse(), delivery.handle.parse()) else { return };
        let place = (queue, number);
        if self.messages.get(&place).is_some_and(|message| message.handle == Some(handle)) {
            act(&mut self.messages, place);
        }
    }

    fn lead_of(&mut self, body: &str) -> Option<LeadId> {
        match self.meanings.of(body).first() {
            Some(
                Meaning::Process(lead)
                | Meaning::Recheck(lead)
                | Meaning::Notify(lead, _)
                | Meaning::Further(lead),
            ) => Some(lead.clone()),
            None => lead_in(body),
        }
    }

    /// What SQS does itself. It says neither when nor why; both times are those of the first receive.
    fn abandon(&mut self, queue: Queue, number: u64, rules: Rules, now: Duration) {
        let Some(message) = self.messages.remove(&(queue, number)) else { return };
        let at = message.first_received_at.unwrap_or(message.sent_at);
        let letter = DeadLetter {
            id: number.to_string(),
            queue,
            lead_id: self.lead_of(&message.body),
            code: Code::Abandoned,
            reason: format!("received {} times without an outcome", rules.max_receives),
            attempts: rules.max_receives,
            first_failed_at: at,
            dead_at: at,
        };
        self.dead.insert(number, Dead { letter, body: message.body, hidden_until: now });
    }
}

/// The queues as one process reaches them. Every request can be its last.
pub struct SqsOf {
    /// The queues.
    pub sqs: SimSqs,
    /// The faults of the process.
    pub faults: Arc<ProcessFaults>,
}

impl SqsOf {
    async fn request<T>(&self, call: Call, about: &str, act: impl FnOnce() -> T) -> Result<T, Fault> {
        let failed = |what: &str| Fault::new(Code::AwsFailed, format!("{what} ({call:?} {about})"));
        if self.faults.pass(call, Moment::Before, about).await {
            return Err(failed("SQS refused it"));
        }
        let done = act();
        if self.faults.pass(call, Moment::After, about).await {
            return Err(failed("SQS gave no answer"));
        }
        Ok(done)
    }

    /// Takes a letter in hand: nobody else sees it for some time. None where somebody else has it.
    fn hold(&self, id: &str) -> Option<(u64, DeadLetter, String)> {
        let (number, now) = (id.parse().ok()?, self.sqs.now());
        let mut state = self.sqs.state();
        let dead = state.dead.get_mut(&number).filter(|dead| dead.hidden_until <= now)?;
        dead.hidden_until = now + HOLD;
        Some((number, dead.letter.clone(), dead.body.clone()))
    }

    fn let_go(&self, number: u64) {
        if let Some(dead) = self.sqs.state().dead.get_mut(&number) {
            dead.hidden_until = Duration::ZERO;
        }
    }

    async fn remove_dead(&self, number: u64) -> Result<(), Fault> {
        self.request(Call::Delete, "dead letter", || drop(self.sqs.state().dead.remove(&number))).await
    }
}

#[async_trait]
impl Outbox for SqsOf {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        let lead = format!("{} {}", queue.as_str(), about(message.lead.as_ref()));
        self.request(Call::Send, &lead, || self.sqs.add(queue, message.body, message.delay)).await
    }
}

#[async_trait]
impl Inbox for SqsOf {
    async fn receive(&self, queue: Queue, most: usize) -> Result<Vec<Delivery>, Fault> {
        self.request(Call::Receive, queue.as_str(), || self.sqs.take(queue, most)).await
    }

    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) -> Result<(), Fault> {
        match disposition {
            Disposition::Done => {}
            Disposition::Retry(wait) => return SqsActions::hide(self, queue, delivery, wait).await,
            Disposition::Dead(why) => SqsActions::bury(self, queue, delivery, &why).await?,
        }
        self.request(Call::Settle, queue.as_str(), || self.sqs.remove(queue, delivery)).await
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, Fault> {
        self.request(Call::Depth, queue.as_str(), || {
            let (now, state) = (self.sqs.now(), self.sqs.state());
            let mut depth = Depth::default();
            for (_, message) in state.messages.range((queue, 0)..=(queue, u64::MAX)) {
                *match (message.visible_at <= now, message.handle) {
                    (true, _) => &mut depth.ready,
                    (false, Some(_)) => &mut depth.in_flight,
                    (false, None) => &mut depth.waiting,
                } += 1;
            }
            depth.dead = state.dead.values().map(|dead| u64::from(dead.letter.queue == queue)).sum();
            depth
        })
        .await
    }
}

#[async_trait]
impl DeadLetters for SqsOf {
    async fn list(&self, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadLetter>, u64), Fault> {
        self.request(Call::ListDead, "", || {
            let state = self.sqs.state();
            let wanted = state.dead.values().rev().map(|dead| &dead.letter);
            let wanted = wanted.filter(|letter| queue.is_none_or(|queue| letter.queue == queue));
            let mut letters: Vec<DeadLetter> = wanted.cloned().collect();
            let total = letters.len() as u64;
            letters.sort_by_key(|letter| std::cmp::Reverse(letter.dead_at));
            letters.truncate(limit);
            (letters, total)
        })
        .await
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, Fault> {
        self.request(Call::ListDead, "", || {
            self.sqs.state().dead.values().map(|dead| dead.letter.dead_at).min()
        })
        .await
    }

    async fn get(&self, id: &str) -> Result<Option<(DeadLetter, String)>, Fault> {
        self.request(Call::GetDead, id, || {
            let state = self.sqs.state();
            let dead = id.parse().ok().and_then(|number: u64| state.dead.get(&number));
            dead.map(|dead| (dead.letter.clone(), dead.body.clone()))
        })
        .await
    }

    async fn redrive(&self, id: &str, body: Body) -> Result<bool, Fault> {
        let held = self.request(Call::Receive, "dead letters", || self.hold(id)).await?;
        let Some((number, letter, own)) = held else { return Ok(false) };
        let body = match body {
            Body::AsIs => own,
            Body::Edited(body) => body,
        };
        let message = NewMessage { body, lead: letter.lead_id, delay: Duration::ZERO };
        let sent = self.send(letter.queue, message).await;
        let done = match sent {
            Ok(()) => self.remove_dead(number).await,
            Err(fault) => Err(fault),
        };
        if done.is_err() {
            self.let_go(number);
        }
        done.map(|()| true)
    }

    async fn delete(&self, id: &str) -> Result<bool, Fault> {
        let held = self.request(Call::Receive, "dead letters", || self.hold(id)).await?;
        let Some((number, ..)) = held else { return Ok(false) };
        self.remove_dead(number).await.map(|()| true)
    }

    /// A message of the delay queue is a job of ours or S3's word that a raw event was written.
    fn lead_in(&self, queue: Queue, body: &str) -> Result<LeadId, String> {
        match queue {
            Queue::Delay => match self.sqs.state().meanings.of(body) {
                [Meaning::Process(lead) | Meaning::Recheck(lead), ..] => Ok(lead.clone()),
                _ => Err("no job".to_owned()),
            },
            Queue::Notification => AlertJob::parse(body).map(|job| job.lead_id),
        }
    }
}

#[async_trait]
impl SqsActions for SqsOf {
    fn knows_dead_letters(&self, _: Queue) -> bool {
        true
    }

    /// Copies a message of ours to the dead letters.
    async fn bury(&self, queue: Queue, delivery: &Delivery, why: &DeadLetterCause) -> Result<(), Fault> {
        self.request(Call::Send, "dead letters", || self.sqs.bury(queue, delivery, why.clone())).await
    }

    /// Keeps a message of ours out of sight.
    async fn hide(&self, queue: Queue, delivery: &Delivery, wait: Duration) -> Result<(), Fault> {
        // SQS counts whole seconds; less than asked for would be too early.
        let wait = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        self.request(Call::Hide, queue.as_str(), || self.sqs.hide(queue, delivery, wait)).await
    }
}
