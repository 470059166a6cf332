//! Ports that fail where a test says so.
//!
//! [`Faulty`] stands before any adapter and asks its [`FaultInjector`] before and after each call. Which
//! faults there are is the test's own affair: a plan of single ones ([`FaultPlan`]), or chance.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws::Bucket;
use bytes::Bytes;
use lead::{LeadId, Timestamp};
use pipeline::{
    Entry, Fault,
    ports::{
        Accepted, Body, Clock, DeadLetter, DeadLetters, Delivery, Depth, Disposition, Inbox, Intake, Journal,
        NewEvent, NewMessage, Object, Objects, Outbox, PutError, Queue, Version, WorkQueues, WriteCondition,
    },
};

/// A call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is a method of a port, or a request that one is made of")]
pub enum Call {
    Get,
    Put,
    ListKeys,
    Send,
    Receive,
    Settle,
    Depth,
    ListDead,
    GetDead,
    Redrive,
    Delete,
    Accept,
    Append,
    Remove,
    Hide,
    Wait,
    Post,
    Mail,
    Fetch,
}

/// A moment of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Nothing has happened yet.
    Before,
    /// It has happened, and the caller does not know.
    After,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InjectedFault {
    /// The caller hears that it failed.
    Fail(Fault),
    /// The caller never hears of it. Dropping the caller's future is its crash at this very place.
    Hang,
    /// It takes so long.
    Slow(Duration),
}

/// Decides which calls go wrong.
pub trait FaultInjector: Send + Sync {
    /// The fault at this moment of the call, about this key, queue or dead letter.
    fn inject(&self, call: Call, moment: Moment, about: &str) -> Option<InjectedFault>;
}

/// Single faults, each at the nth call of its kind from now on, and a rule. No fault otherwise.
#[derive(Default)]
pub struct FaultPlan {
    single: Mutex<BTreeMap<(Call, Moment), PlannedFaults>>,
    rule: Mutex<Option<Rule>>,
}

/// Faults, and how many moments it is to each.
type PlannedFaults = Vec<(u32, InjectedFault)>;

/// The fault at the start of a call, about this key, queue or dead letter.
type Rule = Box<dyn Fn(Call, &str) -> Option<InjectedFault> + Send>;

impl FaultPlan {
    /// No faults.
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    /// Plans a fault at the `nth` such moment from now, 1 being the next.
    pub fn at(&self, nth: u32, call: Call, moment: Moment, fault: InjectedFault) {
        self.single.lock().unwrap().entry((call, moment)).or_default().push((nth, fault));
    }

    /// Injects faults at the start of calls by this rule from now on, where no single one is planned.
    pub fn rule(&self, rule: impl Fn(Call, &str) -> Option<InjectedFault> + Send + 'static) {
        *self.rule.lock().unwrap() = Some(Box::new(rule));
    }

    /// Forgets the rule, and whatever has not been injected yet.
    pub fn clear(&self) {
        self.single.lock().unwrap().clear();
        *self.rule.lock().unwrap() = None;
    }

    fn single(&self, call: Call, moment: Moment) -> Option<InjectedFault> {
        let mut single = self.single.lock().unwrap();
        let planned = single.get_mut(&(call, moment))?;
        let mut injected = None;
        planned.retain_mut(|(left, fault)| {
            *left -= 1;
            if *left == 0 {
                injected = Some(fault.clone());
            }
            *left > 0
        });
        injected
    }
}

impl FaultInjector for FaultPlan {
    fn inject(&self, call: Call, moment: Moment, about: &str) -> Option<InjectedFault> {
        let by_rule = || self.rule.lock().unwrap().as_ref().and_then(|rule| rule(call, about));
        self.single(call, moment).or_else(|| (moment == Moment::Before).then(by_rule).flatten())
    }
}

/// An adapter some of whose calls go wrong.
#[derive(Clone)]
pub struct Faulty<T> {
    inner: T,
    injector: Arc<dyn FaultInjector>,
    clock: Arc<dyn Clock>,
}

impl<T> Faulty<T> {
    /// `inner`, with these faults.
    pub fn new(inner: T, injector: Arc<dyn FaultInjector>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, injector, clock }
    }

    async fn pass(&self, call: Call, moment: Moment, about: &str) -> Result<(), Fault> {
        match self.injector.inject(call, moment, about) {
            None => Ok(()),
            Some(InjectedFault::Fail(fault)) => Err(fault),
            Some(InjectedFault::Hang) => std::future::pending().await,
            Some(InjectedFault::Slow(duration)) => {
                self.clock.sleep(duration).await;
                Ok(())
            }
        }
    }

    async fn through<R, E: From<Fault>>(
        &self,
        call: Call,
        about: &str,
        work: impl Future<Output = Result<R, E>>,
    ) -> Result<R, E> {
        self.pass(call, Moment::Before, about).await?;
        let done = work.await?;
        self.pass(call, Moment::After, about).await?;
        Ok(done)
    }
}

#[async_trait]
impl<T: Objects> Objects for Faulty<T> {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        self.through(Call::Get, key, self.inner.get(key)).await
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        self.through(Call::Put, key, self.inner.put(key, body, when)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        self.through(Call::ListKeys, prefix, self.inner.list(prefix, after, limit)).await
    }
}

#[async_trait]
impl<T: Bucket> Bucket for Faulty<T> {
    async fn put_as_of(
        &self,
        key: &str,
        body: Bytes,
        when: WriteCondition,
        stored_at: Timestamp,
    ) -> Result<Version, PutError> {
        self.through(Call::Put, key, self.inner.put_as_of(key, body, when, stored_at)).await
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.through(Call::Remove, key, self.inner.delete(key)).await
    }

    fn place(&self, key: &str) -> String {
        self.inner.place(key)
    }
}

#[async_trait]
impl<T: Outbox> Outbox for Faulty<T> {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        self.through(Call::Send, queue.as_str(), self.inner.send(queue, message)).await
    }
}

#[async_trait]
impl<T: Inbox> Inbox for Faulty<T> {
    async fn receive(&self, queue: Queue, most: usize) -> Result<Vec<Delivery>, Fault> {
        self.through(Call::Receive, queue.as_str(), self.inner.receive(queue, most)).await
    }

    async fn settle(&self, queue: Queue, delivery: &Delivery, disposition: Disposition) -> Result<(), Fault> {
        self.through(Call::Settle, queue.as_str(), self.inner.settle(queue, delivery, disposition)).await
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, Fault> {
        self.through(Call::Depth, queue.as_str(), self.inner.depth(queue)).await
    }
}

#[async_trait]
impl<T: WorkQueues> WorkQueues for Faulty<T> {
    async fn wait_ready(&self, queue: Queue) -> Result<(), Fault> {
        self.through(Call::Wait, queue.as_str(), self.inner.wait_ready(queue)).await
    }

    fn visibility(&self, queue: Queue) -> Duration {
        self.inner.visibility(queue)
    }

    async fn keep_hidden(&self, queue: Queue, deliveries: &[Delivery]) -> Result<(), Fault> {
        self.through(Call::Hide, queue.as_str(), self.inner.keep_hidden(queue, deliveries)).await
    }

    async fn give_back(&self, queue: Queue, delivery: &Delivery, rest: Duration) -> Result<(), Fault> {
        self.through(Call::Settle, queue.as_str(), self.inner.give_back(queue, delivery, rest)).await
    }

    async fn in_flight(&self, queue: Queue) -> Result<Vec<String>, Fault> {
        self.through(Call::Wait, queue.as_str(), self.inner.in_flight(queue)).await
    }

    async fn release_in_flight(&self) -> Result<u64, Fault> {
        self.through(Call::Settle, "all", self.inner.release_in_flight()).await
    }
}

#[async_trait]
impl<T: DeadLetters> DeadLetters for Faulty<T> {
    async fn list(&self, queue: Option<Queue>, limit: usize) -> Result<(Vec<DeadLetter>, u64), Fault> {
        self.through(Call::ListDead, "", self.inner.list(queue, limit)).await
    }

    async fn oldest(&self) -> Result<Option<Timestamp>, Fault> {
        self.through(Call::ListDead, "", self.inner.oldest()).await
    }

    async fn get(&self, id: &str) -> Result<Option<(DeadLetter, String)>, Fault> {
        self.through(Call::GetDead, id, self.inner.get(id)).await
    }

    async fn redrive(&self, id: &str, body: Body) -> Result<bool, Fault> {
        self.through(Call::Redrive, id, self.inner.redrive(id, body)).await
    }

    async fn delete(&self, id: &str) -> Result<bool, Fault> {
        self.through(Call::Delete, id, self.inner.delete(id)).await
    }
}

#[async_trait]
impl<T: Intake> Intake for Faulty<T> {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, Fault> {
        let about = event.key.clone();
        self.through(Call::Accept, &about, self.inner.accept(event)).await
    }
}

#[async_trait]
impl<T: Journal> Journal for Faulty<T> {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        let about = entry.lead_id.as_ref().map_or("", LeadId::as_str).to_owned();
        self.through(Call::Append, &about, self.inner.append(entry)).await
    }
}
