//! How many requests were refused, counted in memory and written to the store.
//!
//! Strangers decide how many there are, so they are written once a minute, and at once where one of a kind has come
//! that the minute had none of: with some twenty kinds, that is a bound.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::SignedDuration;
use lead::{Timestamp, keys};
use pipeline::{
    Code, Fault, Function, Refused, lock,
    ports::{Clock, Level, Objects, WriteCondition},
    recorder,
};
use tokio::sync::Notify;

/// Where they are stored: an object, so that an earlier version opens the file as well.
const KEY: &str = keys::REFUSED;
/// For how long.
const STORED: SignedDuration = SignedDuration::from_mins(61);
/// How long what is no news waits to be written.
const APART: Duration = Duration::from_secs(60);
/// What comes within this time of the first is written with it.
const TOGETHER: Duration = Duration::from_millis(250);

/// The requests that one `leadops up` has refused, going on from what those before it have counted.
pub struct Refusals {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    counted: Mutex<Counters>,
    /// There is something that is not written.
    any: Notify,
    /// Among that is a kind which its minute had none of.
    news: Notify,
}

#[derive(Default)]
struct Counters {
    refused: Refused,
    /// Whether there is something that is not written.
    unwritten: bool,
}

impl Refusals {
    /// The counts of the `leadops up` that works on a store.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn of(objects: Arc<dyn Objects>, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let counted = Counters { refused: Refused::read(&*objects).await?, unwritten: false };
        let (any, news) = (Notify::new(), Notify::new());
        Ok(Self { objects, clock, counted: Mutex::new(counted), any, news })
    }

    /// A request has been answered with this HTTP status; where it was Close's by all that shows, for this code.
    pub(crate) fn count(&self, status: u16, webhook: Option<Code>) {
        let mut counted = lock(&self.counted);
        let is_news = counted.refused.count(self.clock.now(), status, webhook);
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
            let mut counted = lock(&self.counted);
            if !std::mem::take(&mut counted.unwritten) {
                return;
            }
            counted.refused.drop_before(self.clock.now().checked_sub(STORED).unwrap_or(Timestamp::MIN));
            serde_json::to_vec(&counted.refused)
        };
        let written = match json {
            Ok(json) => {
                let put = self.objects.put(KEY, json.into(), WriteCondition::Always).await;
                put.map(drop).map_err(Fault::from)
            }
            Err(error) => Err(Fault::new(Code::Internal, format!("no JSON form: {error}"))),
        };
        if let Err(fault) = written {
            let what = "the count of refused requests was not written";
            recorder::fault(Function::WebhookIngestion, Level::Warn, what, None, &fault);
            // With the next ones, or in a minute.
            lock(&self.counted).unwritten = true;
            self.any.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use async_trait::async_trait;
    use pipeline::ports::History as _;
    use serde::{Deserialize, Serialize};
    use sqlite::{Options, Store};
    use tempfile::TempDir;

    use super::*;

    /// A time that is set by hand.
    struct ManualClock(Mutex<Timestamp>);

    #[async_trait]
    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }

        async fn sleep(&self, _: Duration) {}
    }

    struct Bench {
        dir: TempDir,
        clock: Arc<ManualClock>,
    }

    impl Bench {
        fn new() -> Self {
            let noon = Timestamp::from_second(1_800_000_000).unwrap();
            Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock(Mutex::new(noon))) }
        }

        fn store(&self) -> Store {
            Store::open(self.dir.path(), Options { clock: self.clock.clone(), ..Options::creating() })
                .unwrap()
        }

        async fn refusals(&self, store: &Store) -> Refusals {
            Refusals::of(Arc::new(store.clone()), self.clock.clone()).await.unwrap()
        }

        fn hour_ago(&self) -> Timestamp {
            self.clock.now() - SignedDuration::from_mins(59)
        }

        async fn refused(&self, store: &Store) -> Vec<(String, u64)> {
            store.refused(self.hour_ago()).await.unwrap().into_iter().collect()
        }

        fn advance(&self, seconds: i64) {
            *self.clock.0.lock().unwrap() += SignedDuration::from_secs(seconds);
        }
    }

    fn counts(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn they_are_written_at_once_then_once_a_minute_and_a_restart_goes_on() {
        let bench = Bench::new();
        let store = bench.store();
        let refusals = bench.refusals(&store).await;
        assert_eq!(bench.refused(&store).await, []);
        let writing = async {
            let version = || async { store.get(KEY).await.unwrap().map(|object| object.version) };
            for status in [401, 401, 431] {
                refusals.count(status, None);
            }
            // No time passes but here, as somebody always reads.
            while version().await.is_none() {
                tokio::time::advance(TOGETHER / 10).await;
            }
            assert_eq!(bench.refused(&store).await, counts(&[("401", 2), ("431", 1)]));
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
            assert_eq!(bench.refused(&store).await, counts(&[("401", 1_002), ("431", 1)]));
        };
        tokio::select! {
            () = refusals.write_as_they_come() => {}
            () = writing => {}
        }
        refusals.count(413, None);
        refusals.write().await;
        let refusals = bench.refusals(&store).await;
        refusals.count(413, None);
        refusals.write().await;
        assert_eq!(bench.refused(&store).await, counts(&[("401", 1_002), ("413", 2), ("431", 1)]));
        bench.advance(59 * 60);
        refusals.count(404, None);
        refusals.write().await;
        assert_eq!(
            bench.refused(&store).await,
            counts(&[("401", 1_002), ("404", 1), ("413", 2), ("431", 1)])
        );
        bench.advance(60);
        assert_eq!(bench.refused(&store).await, counts(&[("404", 1)]));
        bench.advance(62 * 60);
        refusals.count(404, None);
        refusals.write().await;
        assert_eq!(bench.refused(&store).await, counts(&[("404", 1)]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_a_kind_that_the_minute_had_none_of_does_not_wait() {
        let bench = Bench::new();
        let store = bench.store();
        let refusals = bench.refusals(&store).await;
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
        let webhooks = || async { store.refused_webhooks(bench.hour_ago()).await.unwrap() };
        let refusals = bench.refusals(&store).await;
        for webhook in
            [Some(Code::SignatureWrong), None, Some(Code::NotTheWebhook), Some(Code::SignatureWrong)]
        {
            refusals.count(if webhook == Some(Code::NotTheWebhook) { 404 } else { 401 }, webhook);
        }
        refusals.write().await;
        let expected = BTreeMap::from([(Code::SignatureWrong, 2), (Code::NotTheWebhook, 1)]);
        assert_eq!(webhooks().await, expected);
        assert_eq!(bench.refused(&store).await, counts(&[("401", 3), ("404", 1)]));
        // It reads what it knows, and writes no more than that.
        let body = store.get(KEY).await.unwrap().unwrap().body;
        let earlier: Earlier = serde_json::from_slice(&body).unwrap();
        assert_eq!(earlier.minutes.len(), 1);
        let body = serde_json::to_vec(&earlier).unwrap();
        store.put(KEY, body.into(), WriteCondition::Always).await.unwrap();
        assert_eq!(webhooks().await, BTreeMap::new());
        let refusals = bench.refusals(&store).await;
        refusals.count(404, Some(Code::NotTheWebhook));
        refusals.write().await;
        assert_eq!(webhooks().await, BTreeMap::from([(Code::NotTheWebhook, 1)]));
        assert_eq!(bench.refused(&store).await, counts(&[("401", 3), ("404", 2)]));
        // A code of a later version takes no count with it.
        let later = String::from_utf8(store.get(KEY).await.unwrap().unwrap().body.to_vec()).unwrap();
        let later = later.replace("LO109", "LO199");
        store.put(KEY, later.into_bytes().into(), WriteCondition::Always).await.unwrap();
        assert_eq!(webhooks().await, BTreeMap::from([(Code::OfLaterVersion, 1)]));
        bench.advance(62 * 60);
        refusals.count(401, Some(Code::SignatureWrong));
        refusals.write().await;
        assert_eq!(webhooks().await, BTreeMap::from([(Code::SignatureWrong, 1)]));
    }

    #[tokio::test]
    async fn counts_that_cannot_be_read_are_none() {
        let bench = Bench::new();
        let store = bench.store();
        store.put(KEY, bytes::Bytes::from_static(b"[1]"), WriteCondition::Always).await.unwrap();
        assert_eq!(bench.refused(&store).await, []);
        let refusals = bench.refusals(&store).await;
        refusals.count(401, None);
        refusals.write().await;
        assert_eq!(bench.refused(&store).await, counts(&[("401", 1)]));
    }
}
