//! The journal's keys as far as they have been listed: nothing is listed twice but its head.

use std::{collections::BTreeSet, ops::Bound};

use jiff::SignedDuration;
use lead::{Timestamp, keys, keys::JournalKey};
use pipeline::{Fault, Stage, ports::Objects};

use super::feed::LATE;
use crate::{S3Store, s3::PAGE};

/// How many keys are remembered, some 100 bytes each.
const REMEMBERED: usize = 50_000;
/// How long a listing of the head is good for the questions of one refresh.
const FRESH: SignedDuration = SignedDuration::from_millis(500);

/// The newest part of the journal without a gap.
#[derive(Default)]
pub(super) struct Index {
    /// Ascending, so the newest first.
    keys: BTreeSet<String>,
    /// Whether there are none behind them.
    whole: bool,
    /// When the head was listed last.
    listed_at: Option<Timestamp>,
    /// Whether it is known that there is something new.
    changed: bool,
}

impl Index {
    /// The newest keys of these stages behind `before`, none older than `since`, at most `limit`. `observe`
    /// is given the head whenever it is listed.
    pub(super) async fn newest(
        &mut self,
        store: &S3Store,
        wanted: KeyQuery<'_>,
        observe: impl Fn(&[String], bool),
    ) -> Result<Vec<String>, Fault> {
        self.list_head(store, wanted.now, observe).await?;
        let mut found = Vec::new();
        let mut after = wanted.before.map(str::to_owned);
        // A place behind all that is known is nothing to go on from without a gap.
        let within = |after: &Option<String>, keys: &BTreeSet<String>| {
            after.as_ref().is_none_or(|after| keys.last().is_some_and(|last| after <= last))
        };
        while within(&after, &self.keys) {
            let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            for key in self.keys.range::<String, _>((from, Bound::Unbounded)) {
                if wanted.takes(key, &mut found) {
                    return Ok(found);
                }
            }
            after = self.keys.last().cloned();
            if self.whole || self.keys.len() >= REMEMBERED {
                break;
            }
            self.extend(store).await?;
        }
        if self.whole {
            return Ok(found);
        }
        // Further back than is remembered.
        loop {
            let page = store.list(keys::JOURNAL, after.as_deref(), PAGE).await?;
            for key in &page {
                if wanted.takes(key, &mut found) {
                    return Ok(found);
                }
            }
            if page.len() < PAGE {
                return Ok(found);
            }
            after = page.last().cloned();
        }
    }

    /// Has the head listed again for the next caller.
    pub(super) fn head_has_changed(&mut self) {
        self.changed = true;
    }

    /// Lists from the newest key on as far as there can be new ones.
    async fn list_head(
        &mut self,
        store: &S3Store,
        now: Timestamp,
        observe: impl Fn(&[String], bool),
    ) -> Result<(), Fault> {
        // A clock that was set back makes nothing fresh.
        let age = self.listed_at.map(|at| now.duration_since(at));
        if !self.changed && age.is_some_and(|age| !age.is_negative() && age < FRESH) {
            return Ok(());
        }
        // What is older than this was there when the head was listed before.
        let settled = self.listed_at.map(|at| at.min(now)).and_then(|at| at.checked_sub(LATE).ok());
        let settled = settled.map(JournalKey::first_at).filter(|_| !self.keys.is_empty());
        let mut fresh: BTreeSet<String> = BTreeSet::new();
        loop {
            let page = store.list(keys::JOURNAL, fresh.last().map(String::as_str), PAGE).await?;
            let more = page.len() == PAGE;
            if fresh.is_empty() {
                observe(&page, more);
            }
            fresh.extend(page);
            let met = settled.as_ref().is_some_and(|settled| fresh.last() >= Some(settled));
            if met {
                self.keys.append(&mut fresh);
                break;
            }
            if !more || settled.is_none() || fresh.len() >= REMEMBERED {
                // All there is, or a beginning that nothing known joins.
                (self.keys, self.whole) = (fresh, !more);
                break;
            }
        }
        while self.keys.len() > REMEMBERED {
            self.keys.pop_last();
            self.whole = false;
        }
        (self.listed_at, self.changed) = (Some(now), false);
        Ok(())
    }

    /// Lists the next older keys.
    async fn extend(&mut self, store: &S3Store) -> Result<(), Fault> {
        let page = store.list(keys::JOURNAL, self.keys.last().map(String::as_str), PAGE).await?;
        self.whole = page.len() < PAGE;
        self.keys.extend(page);
        Ok(())
    }
}

/// Which keys are wanted.
#[derive(Clone, Copy)]
pub(super) struct KeyQuery<'a> {
    pub(super) now: Timestamp,
    pub(super) stages: &'a [Stage],
    pub(super) since: Option<Timestamp>,
    pub(super) before: Option<&'a str>,
    pub(super) limit: usize,
}

impl KeyQuery<'_> {
    /// Puts a key to those found if it is wanted. Whether none behind it is.
    fn takes(&self, key: &str, found: &mut Vec<String>) -> bool {
        if found.len() >= self.limit {
            return true;
        }
        let Some(parsed) = JournalKey::parse(key) else { return false };
        // As precise as keys are.
        if self.since.is_some_and(|since| parsed.at.as_microsecond() < since.as_microsecond()) {
            return true;
        }
        if self.stages.iter().any(|stage| stage.as_str() == parsed.stage) {
            found.push(key.to_owned());
        }
        found.len() >= self.limit
    }
}
