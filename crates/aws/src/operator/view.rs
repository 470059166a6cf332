//! The bucket and its journal for repeated views: an object is read again only when something has happened to its lead.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use lead::{LeadId, Timestamp};
use pipeline::{
    Code, Entry, Fault, Progress, Stage,
    ports::{
        Clock, History, Journal, Minute, Object, Objects, OpenCounts, OpenLead, PutError, Version,
        WriteCondition,
    },
};

use super::{
    S3History,
    feed::{AsOf, Feed},
    history::{SPAN, minute_of},
    index::Index,
};
use crate::{S3Store, fresh::is_fresh, s3::KeyQuery};

/// How long the counts per minute are cached: CloudWatch has them some seconds late and charges for each query.
const MINUTES_FRESH: SignedDuration = SignedDuration::from_secs(20);
/// How long the count of refusals is cached, which is only shown for the last hour.
const REFUSED_FRESH: SignedDuration = SignedDuration::from_secs(60);
/// How far back counts are asked for by the minute, in seconds.
const BY_THE_MINUTE: i64 = 2 * 60 * 60 + 60;
/// How much is remembered, in objects and listings.
const REMEMBERED: usize = 20_000;

/// A cached view of a bucket for an operator.
#[derive(Clone)]
pub struct View(Arc<Inner>);

struct Inner {
    store: S3Store,
    history: S3History,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held while the journal is listed, so that concurrent callers share a listing.
    index: tokio::sync::Mutex<Index>,
    /// As above, for the counts per minute.
    minutes: tokio::sync::Mutex<Option<Minutes>>,
    /// As above, for what was refused: when it was asked for.
    refused: tokio::sync::Mutex<Option<(Timestamp, BTreeMap<String, u64>)>>,
}

/// The counts per minute, as they were asked for last.
struct Minutes {
    asked_at: Timestamp,
    since: Timestamp,
    /// From when on they are by the minute.
    recent: i64,
    /// Those before that.
    older: Vec<Minute>,
    found: Vec<Minute>,
}

#[derive(Default)]
struct State {
    feed: Option<Feed>,
    known: HashMap<String, CacheEntry>,
}

struct CacheEntry {
    lead: LeadId,
    as_of: AsOf,
    /// An object, keys or a progress, by what it is called.
    what: Box<dyn Any + Send + Sync>,
}

impl View {
    /// A view of a bucket and its journal.
    pub fn new(store: S3Store, history: S3History, clock: Arc<dyn Clock>) -> Self {
        let (index, minutes, refused) = Default::default();
        Self(Arc::new(Inner { store, history, clock, state: Mutex::default(), index, minutes, refused }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        pipeline::lock(&self.0.state)
    }

    /// What `read` finds about a lead. It is remembered under `name` until something happens to the lead.
    async fn remembered<T: Clone + Send + Sync + 'static>(
        &self,
        name: String,
        lead: LeadId,
        read: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        if let Some(known) = self.known(&name, &lead) {
            return Ok(known);
        }
        // What is known of the lead before it is read.
        let as_of = self.state().feed.as_ref().and_then(|feed| feed.as_of(&lead, self.0.clock.now()));
        let what = read.await?;
        if let Some(as_of) = as_of {
            let mut state = self.state();
            if state.known.len() >= REMEMBERED {
                state.known.clear();
            }
            state.known.insert(name, CacheEntry { lead, as_of, what: Box::new(what.clone()) });
        }
        Ok(what)
    }

    /// What was read about a lead under `name`, if nothing has happened to it since.
    fn known<T: Clone + 'static>(&self, name: &str, lead: &LeadId) -> Option<T> {
        let (now, state) = (self.0.clock.now(), self.state());
        let known = state.known.get(name)?;
        let is_unchanged = state.feed.as_ref()?.is_unchanged(lead, &known.as_of, now);
        known.what.downcast_ref().filter(|_| is_unchanged).cloned()
    }

    /// Takes the head of the journal for what has happened lately.
    fn observe(&self, keys: &[String], more: bool) {
        let now = self.0.clock.now();
        let mut state = self.state();
        let State { feed, known } = &mut *state;
        let feed = feed.insert(Feed::new(now, keys, more));
        known.retain(|_, known| feed.is_unchanged(&known.lead, &known.as_of, now));
    }
}

/// The lead whose state an object is part of. Raw events and stored copies do not change, and are read once.
fn lead_of(key: &str) -> Option<LeadId> {
    let (_, rest) = key.split_once("lead_")?;
    let id: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    format!("lead_{id}").parse().ok()
}

#[async_trait]
impl Objects for View {
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        let Some(lead) = lead_of(key) else { return self.0.store.get(key).await };
        self.remembered(key.to_owned(), lead, self.0.store.get(key)).await
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        self.state().known.remove(key);
        self.0.store.put(key, body, when).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        let Some(lead) = lead_of(prefix).filter(|_| after.is_none()) else {
            return self.0.store.list(prefix, after, limit).await;
        };
        let name = format!("{prefix} {limit}");
        self.remembered(name, lead, self.0.store.list(prefix, None, limit)).await
    }
}

#[async_trait]
impl Journal for View {
    async fn append(&self, entry: Entry) -> Result<(), Fault> {
        let (lead, key) = (entry.lead_id.clone(), entry.key());
        self.0.store.append(entry).await?;
        self.0.index.lock().await.head_has_changed();
        if let Some((lead, feed)) = lead.zip(self.state().feed.as_mut()) {
            feed.add(&lead, key);
        }
        Ok(())
    }
}

#[async_trait]
impl History for View {
    async fn recent(
        &self,
        stages: &[Stage],
        since: Option<Timestamp>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        let now = self.0.clock.now();
        let wanted = KeyQuery { stages, since, before, limit };
        let observe = |keys: &[String], more: bool| self.observe(keys, more);
        let keys = self.0.index.lock().await.newest(&self.0.store, now, wanted, observe).await?;
        self.0.store.entries(keys).await
    }

    async fn of_lead(&self, lead: &LeadId) -> Result<Vec<Entry>, Fault> {
        self.0.history.of_lead(lead).await
    }

    async fn progress(&self, lead: &LeadId) -> Result<Option<Progress>, Fault> {
        self.remembered(format!("progress {lead}"), lead.clone(), self.0.history.progress(lead)).await
    }

    async fn open_leads(&self, limit: usize) -> Result<Vec<OpenLead>, Fault> {
        self.0.history.open_leads(limit).await
    }

    async fn count_open(&self, now: Timestamp, overdue_before: Timestamp) -> Result<OpenCounts, Fault> {
        self.0.history.count_open(now, overdue_before).await
    }

    async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, Fault> {
        let mut known = self.0.minutes.lock().await;
        let now = self.0.clock.now();
        let good = |known: &Minutes| is_fresh(known.asked_at, now, MINUTES_FRESH) && known.since <= since;
        if !known.as_ref().is_some_and(good) {
            // A day at once serves all callers.
            let since = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(since).min(since);
            let first = minute_of(since.as_second());
            // Older counts do not change, and are not shown by the minute.
            let recent = ((now.as_second() - BY_THE_MINUTE).div_euclid(SPAN) * SPAN).max(first);
            let older = known.take().filter(|known| known.recent == recent && known.since <= since);
            let older = match older {
                Some(known) => known.older,
                None => self.0.history.spans(first, recent).await?,
            };
            let mut found = older.clone();
            let recent_from = Timestamp::from_second(recent).unwrap_or(since);
            found.extend(self.0.history.minutes(recent_from).await?);
            *known = Some(Minutes { asked_at: now, since, recent, older, found });
        }
        let found = known.as_ref().map(|known| known.found.as_slice()).unwrap_or_default();
        let first = minute_of(since.as_second());
        Ok(found.iter().filter(|minute| minute.at.as_second() >= first).copied().collect())
    }

    async fn refused(&self, since: Timestamp) -> Result<BTreeMap<String, u64>, Fault> {
        let mut known = self.0.refused.lock().await;
        let now = self.0.clock.now();
        if let Some((asked_at, found)) = known.as_ref()
            && is_fresh(*asked_at, now, REFUSED_FRESH)
        {
            return Ok(found.clone());
        }
        let found = self.0.history.refused(since).await?;
        *known = Some((now, found.clone()));
        Ok(found)
    }

    /// Not remembered: a command asks for them once.
    async fn refused_webhooks(&self, since: Timestamp) -> Result<BTreeMap<Code, u64>, Fault> {
        self.0.history.refused_webhooks(since).await
    }
}
