//! S3: a bucket whose writes under `source/` are announced to the delay queue, some time later, sometimes twice.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws::Bucket;
use bytes::Bytes;
use lead::Timestamp;
use pipeline::{
    Fault,
    ports::{Clock, Object, Objects, PutError, Version, WriteCondition},
};

use super::Model;
use crate::clock::VirtualClock;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The bucket. Clones are the same one.
#[derive(Clone)]
pub struct SimBucket {
    model: Arc<Model>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    written: u64,
    events: Vec<Event>,
}

/// Word of a write that is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it arrives.
    pub arrives: Duration,
    /// What was written.
    pub key: String,
    /// When, by S3's clock.
    pub at: Timestamp,
}

/// The time of AWS's own clocks, which nobody sets.
pub fn true_time(clock: &VirtualClock) -> Timestamp {
    Timestamp::from_second(VirtualClock::START).unwrap() + clock.elapsed()
}

impl SimBucket {
    /// An empty one.
    pub fn new(model: Arc<Model>) -> Self {
        Self { model, state: Arc::default() }
    }

    /// The events that arrive now.
    pub fn arriving(&self) -> Vec<Event> {
        let now = self.model.clock.elapsed();
        self.state.lock().unwrap().events.extract_if(.., |event| event.arrives <= now).collect()
    }

    /// How long it is until the next event arrives.
    pub fn next_event(&self) -> Option<Duration> {
        let now = self.model.clock.elapsed();
        self.state.lock().unwrap().events.iter().map(|event| event.arrives.saturating_sub(now)).min()
    }

    /// Every event that is on its way.
    pub fn for_each_event(&self, each: &mut dyn FnMut(&Event)) {
        self.state.lock().unwrap().events.iter().for_each(each);
    }

    /// The content of an object.
    pub fn stored(&self, key: &str) -> Option<Bytes> {
        self.state.lock().unwrap().objects.get(key).map(|object| object.body.clone())
    }

    /// Every object whose key starts with `prefix`.
    pub fn for_each_object(&self, prefix: &str, each: &mut dyn FnMut(&str, &Bytes)) {
        let state = self.state.lock().unwrap();
        let objects = state.objects.range::<str, _>((Included(prefix), Unbounded));
        let objects = objects.take_while(|(key, _)| key.starts_with(prefix));
        objects.for_each(|(key, object)| each(key, &object.body));
    }

    fn notify_queue(&self, state: &mut State, key: &str) {
        let (model, now) = (&self.model, self.model.clock.elapsed());
        let (dice, at) = (&model.dice, true_time(&model.clock));
        let rough = !model.is_fault_free();
        let late = rough && dice.chance(model.fault_profile.late_event);
        let twice = rough && dice.chance(model.fault_profile.duplicate_event);
        for _ in 0..=u32::from(twice) {
            let wait =
                if late { dice.between(SECOND, SECOND * 600) } else { dice.between(MILLI * 200, SECOND * 3) };
            state.events.push(Event { arrives: now + wait, key: key.to_owned(), at });
        }
        if late {
            model.count_fault("S3 event late");
        }
        if twice {
            model.count_fault("S3 event twice");
        }
    }
}

#[async_trait]
impl Objects for SimBucket {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        Ok(self.state.lock().unwrap().objects.get(key).cloned())
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        self.put_as_of(key, body, when, self.model.clock.now()).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        let from = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        let state = self.state.lock().unwrap();
        let keys = state.objects.range::<str, _>((from, Unbounded)).map(|(key, _)| key);
        Ok(keys.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect())
    }
}

#[async_trait]
impl Bucket for SimBucket {
    async fn put_as_of(
        &self,
        key: &str,
        body: Bytes,
        when: WriteCondition,
        stored_at: Timestamp,
    ) -> Result<Version, PutError> {
        let mut state = self.state.lock().unwrap();
        let current = state.objects.get(key).map(|object| &object.version);
        let holds = match &when {
            WriteCondition::Always => true,
            WriteCondition::Absent => current.is_none(),
            WriteCondition::Unchanged(version) => current == Some(version),
        };
        if !holds {
            return Err(PutError::Precondition);
        }
        state.written += 1;
        let version = Version(state.written.to_string());
        state.objects.insert(key.to_owned(), Object { body, version: version.clone(), stored_at });
        if key.starts_with(&self.model.settings.source_prefix) {
            self.notify_queue(&mut state, key);
        }
        Ok(version)
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.state.lock().unwrap().objects.remove(key);
        Ok(())
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", super::messages::BUCKET)
    }
}
