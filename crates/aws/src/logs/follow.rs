//! Following a log: the lines returned for each cursor, so that none is returned twice and late ones are returned too.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Mutex,
};

use pipeline::ports::LogQuery;

use super::found::{Cursor, Found};

/// How much older than the newest line a late one may be.
pub(super) const OVERLAP_MILLIS: i64 = 60_000;
/// How many followers are remembered, and how many lines of each.
const MOST_FOLLOWERS: usize = 16;
const MOST_LINES: usize = 50_000;

/// A follower: the lines of the last minute that it has been given.
#[derive(Debug, Clone, Default)]
pub(super) struct Follower {
    /// The time of the newest line that it has.
    pub(super) newest: Option<i64>,
    /// The lines that it has, by time and id.
    seen: BTreeSet<(i64, String)>,
}

impl Follower {
    /// A follower that has all lines up to `place`. `found`, in order, is what there is now.
    pub(super) fn after_cursor(place: Option<&Cursor>, found: &[Found]) -> Self {
        let Some(place) = place else { return Self::default() };
        let at = found.iter().position(|found| (found.at, &found.id) == (place.at, &place.id));
        // Where it is gone, everything of its time counts as seen.
        let had = at.map_or_else(|| found.partition_point(|found| found.at <= place.at), |at| at + 1);
        let mut follower = Self { newest: Some(place.at), ..Self::default() };
        found.iter().take(had).for_each(|found| follower.note(found));
        follower
    }

    fn note(&mut self, found: &Found) {
        let newest = self.newest.map_or(found.at, |newest| newest.max(found.at));
        self.newest = Some(newest);
        self.seen.insert((found.at, found.id.clone()));
        let oldest = newest.saturating_sub(OVERLAP_MILLIS);
        while self.seen.first().is_some_and(|(at, _)| *at < oldest) || self.seen.len() > MOST_LINES {
            self.seen.pop_first();
        }
    }
}

/// The followers, by their query and the last cursor they were given.
#[derive(Default)]
pub(super) struct Followers(Mutex<VecDeque<(LogQuery, Follower)>>);

impl Followers {
    /// Remembers a follower that has been given the end of `found`. The lines before count as seen, as they were not
    /// asked for.
    pub(super) fn begin(&self, query: &LogQuery, found: &[Found]) {
        let mut follower = Follower::default();
        found.iter().for_each(|found| follower.note(found));
        if let Some(last) = found.last() {
            self.remember(query, last.cursor(), follower);
        }
    }

    /// The follower that asks this.
    pub(super) fn take(&self, query: &LogQuery) -> Option<Follower> {
        let mut all = pipeline::lock(&self.0);
        let key = key(query, query.after.clone());
        let place = all.iter().position(|(known, _)| *known == key)?;
        all.remove(place).map(|(_, follower)| follower)
    }

    /// Undoes [`Followers::take`].
    pub(super) fn put_back(&self, query: &LogQuery, follower: Option<Follower>) {
        if let (Some(follower), Some(cursor)) = (follower, query.after.clone()) {
            self.remember(query, cursor, follower);
        }
    }

    /// The next lines of `found`, which is in order, for a follower; it is remembered with the cursor of
    /// the last one.
    pub(super) fn resume(&self, query: &LogQuery, mut follower: Follower, found: Vec<Found>) -> Vec<Found> {
        let new = found.into_iter().filter(|found| !follower.seen.contains(&(found.at, found.id.clone())));
        let new: Vec<Found> = new.take(query.limit).collect();
        new.iter().for_each(|found| follower.note(found));
        let cursor = new.last().map(Found::cursor).or_else(|| query.after.clone());
        if let Some(cursor) = cursor {
            self.remember(query, cursor, follower);
        }
        new
    }

    fn remember(&self, query: &LogQuery, cursor: String, follower: Follower) {
        let mut all = pipeline::lock(&self.0);
        let key = key(query, Some(cursor));
        all.retain(|(known, _)| *known != key);
        all.push_back((key, follower));
        if all.len() > MOST_FOLLOWERS {
            all.pop_front();
        }
    }
}

/// What distinguishes one follower from another.
fn key(query: &LogQuery, cursor: Option<String>) -> LogQuery {
    LogQuery { after: cursor, limit: 0, ..query.clone() }
}

#[cfg(test)]
mod tests {
    use pipeline::ports::{Level, LogLine};

    use super::*;

    fn found(at: i64, id: &str) -> Found {
        let line = LogLine {
            cursor: String::new(),
            at: outside::from_millis(at),
            function: "notification".to_owned(),
            level: Level::Info,
            message: id.to_owned(),
            lead_id: None,
            code: None,
            fields: serde_json::Map::new(),
        };
        Found { at, id: id.to_owned(), line }
    }

    fn after(cursor: &str) -> LogQuery {
        LogQuery { after: Some(cursor.to_owned()), limit: 10, ..LogQuery::default() }
    }

    fn ids(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.id.as_str()).collect()
    }

    #[test]
    fn a_late_line_comes_once_and_nothing_comes_twice() {
        let followers = Followers::default();
        let all = vec![found(1_000, "a"), found(3_000, "c")];
        followers.begin(&LogQuery::default(), &all);
        let late = vec![found(1_000, "a"), found(2_000, "b"), found(3_000, "c")];
        let follower = followers.take(&after("3000.c")).unwrap();
        let new = followers.resume(&after("3000.c"), follower, late.clone());
        assert_eq!(ids(&new), ["b"]);
        // The cursor went back to the late line; what was seen did not.
        let follower = followers.take(&after("2000.b")).unwrap();
        assert_eq!(follower.newest, Some(3_000));
        assert!(followers.resume(&after("2000.b"), follower, late).is_empty());
        assert!(followers.take(&after("2000.b")).is_some());
    }

    #[test]
    fn an_unknown_cursor_continues_strictly_behind_its_line() {
        let all = [found(1, "a"), found(2, "b"), found(2, "c"), found(3, "d")];
        for (cursor, expected) in
            [("2.b", vec!["c", "d"]), ("2.gone", vec!["d"]), ("junk", vec!["a", "b", "c", "d"])]
        {
            let follower = Follower::after_cursor(Cursor::parse(cursor).as_ref(), &all);
            let new = Followers::default().resume(&after(cursor), follower, all.to_vec());
            assert_eq!(ids(&new), expected, "{cursor}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut follower = Follower::default();
        for at in 0..200 {
            follower.note(&found(at * 1_000, "x"));
        }
        assert_eq!(follower.seen.len(), 61);
        let followers = Followers::default();
        for at in 0..100 {
            followers.begin(&LogQuery::default(), &[found(at, "x")]);
        }
        assert_eq!(followers.0.lock().unwrap().len(), MOST_FOLLOWERS);
    }
}
