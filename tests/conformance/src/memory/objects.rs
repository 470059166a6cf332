use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

use async_trait::async_trait;
use bytes::Bytes;
use lead::Timestamp;
use pipeline::{
    Fault,
    ports::{Object, Objects, PutError, Version, WriteCondition},
};

use super::{Memory, State};

/// Rust compares strings by their bytes, as the port does keys.
pub(super) type Content = BTreeMap<String, Object>;

impl State {
    pub(super) fn put(
        &mut self,
        key: &str,
        body: Bytes,
        when: &WriteCondition,
        stored_at: Timestamp,
    ) -> Result<Version, PutError> {
        let current = self.objects.get(key).map(|object| &object.version);
        let holds = match when {
            WriteCondition::Always => true,
            WriteCondition::Absent => current.is_none(),
            WriteCondition::Unchanged(version) => current == Some(version),
        };
        if !holds {
            return Err(PutError::Precondition);
        }
        let version = Version(self.count().to_string());
        self.objects.insert(key.to_owned(), Object { body, version: version.clone(), stored_at });
        Ok(version)
    }
}

impl Memory {
    /// The content of an object.
    pub fn stored(&self, key: &str) -> Option<Bytes> {
        self.state().objects.get(key).map(|object| object.body.clone())
    }

    /// Every object whose key starts with `prefix`.
    pub fn for_each_object(&self, prefix: &str, each: &mut dyn FnMut(&str, &Bytes)) {
        let state = self.state();
        let objects = state.objects.range::<str, _>((Included(prefix), Unbounded));
        let objects = objects.take_while(|(key, _)| key.starts_with(prefix));
        objects.for_each(|(key, object)| each(key, &object.body));
    }
}

#[async_trait]
impl Objects for Memory {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        Ok(self.state().objects.get(key).cloned())
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        let now = self.now();
        self.state().put(key, body, &when, now)
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        let from = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        let state = self.state();
        let keys = state.objects.range::<str, _>((from, Unbounded)).map(|(key, _)| key);
        Ok(keys.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect())
    }
}
