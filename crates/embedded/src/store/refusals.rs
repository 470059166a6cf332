//! How many requests were refused, minute by minute.
//!
//! Strangers decide how many there are, so they are counted in memory and written once a minute, and at once where
//! one of a kind has come that the minute had none of: with some twenty kinds, that is a bound.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lead::{Timestamp, keys};
use pipeline::{
    Code, Fault, Function,
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
/// How long what is no news waits to be written.
const APART: Duration = Duration::from_secs(60);
/// What comes within this time of the first is written with it.
const TOGETHER: Duration = Duration::from_millis(250);

/// The requests that one `leadops up` has refused, going on from what those before it have counted.
pub struct Refusals {
    store: Store,
    counted: Mutex<Counted>,
    /// There is something that is not written.
    any: Notify,
    /// Among that is a kind which its minute had none of.
    news: Notify,
}

#[derive(Default)]
struct Counted {
    minutes: Minutes,
    /// Whether there is something that is not written.
    unwritten: bool,
}

/// As they are kept, by the minute's start. An earlier version reads `minutes` alone, and writes no other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Minutes {
    /// By the HTTP status.
    #[serde(default)]
    minutes: BTreeMap<Timestamp, BTreeMap<u16, u64>>,
    /// Those of them that were Close's by all that shows, by the code.
    #[serde(default)]
    webhooks: BTreeMap<Timestamp, BTreeMap<Code, u64>>,
}

impl Refusals {
    /// The counts of the `leadops up` that works on `store`.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn of(store: &Store) -> Result<Self, Fault> {
        let counted = Counted { minutes: Minutes::read(store).await?, unwritten: false };
        let (any, news) = (Notify::new(), Notify::new());
        Ok(Self { store: store.clone(), counted: Mutex::new(counted), any, news })
    }

    /// A request has been answered with this HTTP status; where it was Close's by all that shows, for this code.
    pub(crate) fn count(&self, status: u16, webhook: Option<Code>) {
        let minute = units::from_micros(units::minute(self.store.clock().now()));
        let mut counted = self.lock();
        let minutes = &mut counted.minutes;
        let mut is_news = is_first(minutes.minutes.entry(minute).or_default().entry(status).or_default());
        if let Some(code) = webhook {
            is_news |= is_first(minutes.webhooks.entry(minute).or_default().entry(code).or_default());
        }
        let is_any = !std::mem::replace(&mut counted.unwritten, true);
        drop(counted);
        if is_any {
            self.any.notify_one();
        }
        if is_news {
            self.news.notify_one();
        }
    }

    /// Writes them as they come, for ever.
    pub(crate) async fn write_as_they_come(&self) {
        loop {
            self.any.notified().await;
            let _ = tokio::time::timeout(APART, self.news.notified()).await;
            tokio::time::sleep(TOGETHER).await;
            self.write().await;
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
            counted.minutes.webhooks.retain(|minute, _| *minute >= oldest);
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

/// Counts one more. Whether it is the first.
fn is_first(count: &mut u64) -> bool {
    *count += 1;
    *count == 1
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

    /// How many of them were Close's by all that shows.
    pub(super) async fn refused_webhooks_since(
        &self,
        since: Timestamp,
    ) -> Result<BTreeMap<Code, u64>, Fault> {
        let first = units::from_micros(units::minute(since));
        let mut by_code = BTreeMap::new();
        for (_, counts) in Minutes::read(self).await?.webhooks.range(first..) {
            for (code, count) in counts {
                *by_code.entry(*code).or_default() += count;
            }
        }
        Ok(by_code)
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
                refusals.count(status, None);
            }
            // No time passes but here, as somebody always reads.
            while version().await.is_none() {
                tokio::time::advance(TOGETHER / 10).await;
            }
            assert_eq!(refused(&store).await, counts(&[("401", 2), ("431", 1)]));
            let written = version().await;
            for _ in 0..1_000 {
                refusals.count(401, None);
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
        refusals.count(413, None);
        refusals.write().await;
        let refusals = Refusals::of(&store).await.unwrap();
        refusals.count(413, None);
        refusals.write().await;
        assert_eq!(refused(&store).await, counts(&[("401", 1_002), ("413", 2), ("431", 1)]));
        bench.clock.advance(Duration::from_secs(59 * 60));
        refusals.count(404, None);
        refusals.write().await;
        assert_eq!(refused(&store).await, counts(&[("401", 1_002), ("404", 1), ("413", 2), ("431", 1)]));
        bench.clock.advance(Duration::from_secs(60));
        assert_eq!(refused(&store).await, counts(&[("404", 1)]));
        bench.clock.advance(Duration::from_secs(62 * 60));
        refusals.count(404, None);
        refusals.write().await;
        assert_eq!(Minutes::read(&store).await.unwrap().minutes.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_a_kind_that_the_minute_had_none_of_does_not_wait() {
        let bench = Bench::new();
        let store = bench.store();
        let refusals = Refusals::of(&store).await.unwrap();
        let version = || async { store.get(KEY).await.unwrap().map(|object| object.version) };
        let writing = async {
            for (status, webhook, is_news) in [
                (404, None, true),
                (404, Some(Code::NotTheWebhook), true),
                (401, Some(Code::SignatureWrong), true),
                (401, None, false),
            ] {
                let known = version().await;
                refusals.count(status, webhook);
                // No time passes but here, as somebody always reads.
                for _ in 0..12 {
                    tokio::time::advance(TOGETHER / 10).await;
                    version().await;
                }
                if !is_news {
                    assert_eq!(version().await, known);
                    tokio::time::advance(APART).await;
                    version().await;
                    tokio::time::advance(TOGETHER).await;
                }
                // A timer may be set a turn later than expected; after a second, it is on its way to the disk.
                let mut turns = 0..40;
                while version().await == known {
                    if turns.next().is_some() {
                        tokio::time::advance(TOGETHER / 10).await;
                    }
                }
            }
        };
        tokio::select! {
            () = refusals.write_as_they_come() => {}
            () = writing => {}
        }
    }

    #[tokio::test]
    async fn webhooks_are_counted_by_their_code_and_an_earlier_version_reads_the_rest() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Earlier {
            minutes: BTreeMap<Timestamp, BTreeMap<u16, u64>>,
        }
        let bench = Bench::new();
        let store = bench.store();
        let hour_ago = store.clock().now() - jiff::SignedDuration::from_mins(59);
        let webhooks = || async { store.refused_webhooks(hour_ago).await.unwrap() };
        let refusals = Refusals::of(&store).await.unwrap();
        for webhook in
            [Some(Code::SignatureWrong), None, Some(Code::NotTheWebhook), Some(Code::SignatureWrong)]
        {
            refusals.count(if webhook == Some(Code::NotTheWebhook) { 404 } else { 401 }, webhook);
        }
        refusals.write().await;
        let expected = BTreeMap::from([(Code::SignatureWrong, 2), (Code::NotTheWebhook, 1)]);
        assert_eq!(webhooks().await, expected);
        assert_eq!(refused(&store).await, counts(&[("401", 3), ("404", 1)]));
        // It reads what it knows, and writes no more than that.
        let body = store.get(KEY).await.unwrap().unwrap().body;
        let earlier: Earlier = serde_json::from_slice(&body).unwrap();
        assert_eq!(earlier.minutes.len(), 1);
        let body = serde_json::to_vec(&earlier).unwrap();
        store.put(KEY, body.into(), When::Always).await.unwrap();
        assert_eq!(webhooks().await, BTreeMap::new());
        let refusals = Refusals::of(&store).await.unwrap();
        refusals.count(404, Some(Code::NotTheWebhook));
        refusals.write().await;
        assert_eq!(webhooks().await, BTreeMap::from([(Code::NotTheWebhook, 1)]));
        assert_eq!(refused(&store).await, counts(&[("401", 3), ("404", 2)]));
        // A code of a later version takes no count with it.
        let later = String::from_utf8(store.get(KEY).await.unwrap().unwrap().body.to_vec()).unwrap();
        let later = later.replace("LO109", "LO199");
        store.put(KEY, later.into_bytes().into(), When::Always).await.unwrap();
        assert_eq!(webhooks().await, BTreeMap::from([(Code::OfLaterVersion, 1)]));
        bench.clock.advance(Duration::from_secs(62 * 60));
        refusals.count(401, Some(Code::SignatureWrong));
        refusals.write().await;
        assert_eq!(Minutes::read(&store).await.unwrap().webhooks.len(), 1);
    }

    #[tokio::test]
    async fn counts_that_cannot_be_read_are_none() {
        let bench = Bench::new();
        let store = bench.store();
        store.put(KEY, bytes::Bytes::from_static(b"[1]"), When::Always).await.unwrap();
        assert_eq!(refused(&store).await, []);
        let refusals = Refusals::of(&store).await.unwrap();
        refusals.count(401, None);
        refusals.write().await;
        assert_eq!(refused(&store).await, counts(&[("401", 1)]));
    }
}
