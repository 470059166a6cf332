//! How many requests were refused, minute by minute.
//!
//! Strangers decide how many there are, so they are counted in memory and written at most once a minute, the
//! first after a quiet minute at once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lead::{Timestamp, keys};
use pipeline::{
    Fault, Function,
    ports::{Level, Objects as _, PutError, When},
    recorder,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{Store, units};

/// Where they are kept: an object, so that an earlier version opens the file as well.
const KEY: &str = keys::REFUSED;
/// For how long.
const KEPT: Duration = Duration::from_secs(61 * 60);
/// The shortest time between two writes.
const APART: Duration = Duration::from_secs(60);
/// What comes within this time of the first is written with it.
const TOGETHER: Duration = Duration::from_millis(250);

/// The requests that one `leadops up` has refused, going on from what those before it have counted.
pub struct Refusals {
    store: Store,
    counted: Mutex<Counted>,
    any: Notify,
}

#[derive(Default)]
struct Counted {
    minutes: Minutes,
    /// Whether there is something that is not written.
    unwritten: bool,
}

/// As they are kept: by the minute's start and the HTTP status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Minutes {
    #[serde(default)]
    minutes: BTreeMap<Timestamp, BTreeMap<u16, u64>>,
}

impl Refusals {
    /// The counts of the `leadops up` that works on `store`.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn of(store: &Store) -> Result<Self, Fault> {
        let counted = Counted { minutes: Minutes::read(store).await?, unwritten: false };
        Ok(Self { store: store.clone(), counted: Mutex::new(counted), any: Notify::new() })
    }

    /// A request has been answered with this HTTP status.
    pub(crate) fn count(&self, status: u16) {
        let minute = units::from_micros(units::minute(self.store.clock().now()));
        let mut counted = self.lock();
        *counted.minutes.minutes.entry(minute).or_default().entry(status).or_default() += 1;
        if !std::mem::replace(&mut counted.unwritten, true) {
            drop(counted);
            self.any.notify_one();
        }
    }

    /// Writes them as they come, for ever.
    pub(crate) async fn write_as_they_come(&self) {
        loop {
            self.any.notified().await;
            tokio::time::sleep(TOGETHER).await;
            self.write().await;
            tokio::time::sleep(APART).await;
        }
    }

    /// Writes what is not written yet.
    pub(crate) async fn write(&self) {
        let json = {
            let mut counted = self.lock();
            if !std::mem::take(&mut counted.unwritten) {
                return;
            }
            let oldest = units::from_micros(units::micros_before(self.store.clock().now(), KEPT));
            counted.minutes.minutes.retain(|minute, _| *minute >= oldest);
            super::journal::to_json(&counted.minutes)
        };
        let written = match json {
            Ok(json) => self.store.put(KEY, json.into(), When::Always).await.map(drop),
            Err(fault) => Err(PutError::Fault(fault)),
        };
        if let Err(PutError::Fault(fault)) = written {
            let what = "the count of refused requests was not written";
            recorder::fault(Function::WebhookIngestion, Level::Warn, what, None, &fault);
            // With the next ones, or in a minute.
            self.lock().unwritten = true;
            self.any.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minutes {
    async fn read(store: &Store) -> Result<Self, Fault> {
        let Some(object) = store.get(KEY).await? else { return Ok(Self::default()) };
        // A count that cannot be read is no reason to refuse leads or to show nothing else.
        Ok(serde_json::from_slice(&object.body).unwrap_or_default())
    }
}

impl Store {
    /// How many requests were refused since the minute of `since`, as far as that has been written.
    pub(super) async fn refused_since(&self, since: Timestamp) -> Result<BTreeMap<String, u64>, Fault> {
        let first = units::from_micros(units::minute(since));
        let mut by_status = BTreeMap::new();
        for (_, counts) in Minutes::read(self).await?.minutes.range(first..) {
            for (status, count) in counts {
                *by_status.entry(status.to_string()).or_default() += count;
            }
        }
        Ok(by_status)
    }
}

#[cfg(test)]
mod tests {
    use pipeline::ports::History as _;

    use super::*;
    use crate::store::testing::Bench;

    async fn refused(store: &Store) -> Vec<(String, u64)> {
        let hour_ago = store.clock().now() - jiff::SignedDuration::from_mins(59);
        store.refused(hour_ago).await.unwrap().into_iter().collect()
    }

    fn counts(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn they_are_written_at_once_then_once_a_minute_and_a_restart_goes_on() {
        let bench = Bench::new();
        let store = bench.store();
        let refusals = Refusals::of(&store).await.unwrap();
        assert_eq!(refused(&store).await, []);
        let writing = async {
            let version = || async { store.get(KEY).await.unwrap().map(|object| object.version) };
            for status in [401, 401, 431] {
                refusals.count(status);
            }
            // No time passes but here, as somebody always reads.
            while version().await.is_none() {
                tokio::time::advance(TOGETHER / 10).await;
            }
            assert_eq!(refused(&store).await, counts(&[("401", 2), ("431", 1)]));
            let written = version().await;
            for _ in 0..1_000 {
                refusals.count(401);
            }
            for _ in 0..10 {
                tokio::time::advance(APART / 11).await;
                assert_eq!(version().await, written);
            }
            while version().await == written {
                tokio::time::advance(APART / 11).await;
            }
            assert_eq!(refused(&store).await, counts(&[("401", 1_002), ("431", 1)]));
        };
        tokio::select! {
            () = refusals.write_as_they_come() => {}
            () = writing => {}
        }
        refusals.count(413);
        refusals.write().await;
        let refusals = Refusals::of(&store).await.unwrap();
        refusals.count(413);
        refusals.write().await;
        assert_eq!(refused(&store).await, counts(&[("401", 1_002), ("413", 2), ("431", 1)]));
        bench.clock.advance(Duration::from_secs(59 * 60));
        refusals.count(404);
        refusals.write().await;
        assert_eq!(refused(&store).await, counts(&[("401", 1_002), ("404", 1), ("413", 2), ("431", 1)]));
        bench.clock.advance(Duration::from_secs(60));
        assert_eq!(refused(&store).await, counts(&[("404", 1)]));
        bench.clock.advance(Duration::from_secs(62 * 60));
        refusals.count(404);
        refusals.write().await;
        assert_eq!(Minutes::read(&store).await.unwrap().minutes.len(), 1);
    }

    #[tokio::test]
    async fn counts_that_cannot_be_read_are_none() {
        let bench = Bench::new();
        let store = bench.store();
        store.put(KEY, bytes::Bytes::from_static(b"[1]"), When::Always).await.unwrap();
        assert_eq!(refused(&store).await, []);
        let refusals = Refusals::of(&store).await.unwrap();
        refusals.count(401);
        refusals.write().await;
        assert_eq!(refused(&store).await, counts(&[("401", 1)]));
    }
}
