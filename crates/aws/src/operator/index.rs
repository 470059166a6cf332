//! The journal's keys as far as they have been listed: nothing is listed twice but its head.

use std::{collections::BTreeSet, ops::Bound};

use jiff::SignedDuration;
use lead::{Timestamp, keys, keys::JournalKey};
use pipeline::{Fault, ports::Objects};

use super::feed::LATE;
use crate::{
    S3Store,
    fresh::is_fresh,
    s3::{KeyQuery, PAGE},
};

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
        now: Timestamp,
        wanted: KeyQuery<'_>,
        observe: impl Fn(&[String], bool),
    ) -> Result<Vec<String>, Fault> {
        self.list_head(store, now, observe).await?;
        let mut found = Vec::new();
        let mut after = wanted.before.map(str::to_owned);
        // A place behind all that is known is nothing to go on from without a gap.
        let within = |after: &Option<String>, keys: &BTreeSet<String>| {
            after.as_ref().is_none_or(|after| keys.last().is_some_and(|last| after <= last))
        };
        while within(&after, &self.keys) {
            let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut behind = self.keys.range::<String, _>((from, Bound::Unbounded));
            if behind.any(|key| wanted.takes(key, &mut found)) {
                return Ok(found);
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
        store.find_keys(KeyQuery { before: after.as_deref(), ..wanted }, &mut found).await?;
        Ok(found)
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
        if !self.changed && self.listed_at.is_some_and(|at| is_fresh(at, now, FRESH)) {
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
            if settled.as_ref().is_some_and(|settled| fresh.last() >= Some(settled)) {
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
