//! The functions' log lines, from CloudWatch Logs.
//!
//! Each function has a log group; `FilterLogEvents` reads it by time, in pages that may be empty. It is
//! asked for at most two pages a second over all groups, as an account has five.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>

mod event;
mod follow;
mod found;
mod limiter;
mod pages;

use std::{cmp::Reverse, sync::Arc};

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{
    Code, Fault, Function,
    ports::{Clock, Level, LogLine, LogQuery, Logs},
};

use follow::{Followers, OVERLAP_MILLIS};
use found::{Cursor, Found};
use limiter::Limiter;
use pages::Range;

/// How many requests a second are made.
const REQUESTS_A_SECOND: u32 = 2;
/// How many pages of a group are read for one window of time, and for one look behind a cursor.
const WINDOW_PAGES: usize = 20;
const FOLLOW_PAGES: usize = 5;
/// How far back the newest lines are looked for where there is no other limit, step by step.
const WINDOWS: [SignedDuration; 5] = [
    SignedDuration::from_mins(10),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(24),
    SignedDuration::from_hours(24 * 7),
];

/// The log groups of the functions.
pub struct CloudWatchLogs {
    client: aws_sdk_cloudwatchlogs::Client,
    groups: Vec<(Function, String)>,
    clock: Arc<dyn Clock>,
    limiter: Limiter,
    followers: Followers,
}

impl CloudWatchLogs {
    pub(crate) fn new(
        client: aws_sdk_cloudwatchlogs::Client,
        groups: Vec<(Function, String)>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let limiter = Limiter::new(Arc::clone(&clock), REQUESTS_A_SECOND);
        Self { client, groups, clock, limiter, followers: Followers::default() }
    }

    /// The same, with so many requests a second instead of two: for emulators, which have no quota.
    #[must_use]
    pub fn with_requests_a_second(mut self, requests: u32) -> Self {
        self.limiter = Limiter::new(Arc::clone(&self.clock), requests);
        self
    }
}

#[async_trait]
impl Logs for CloudWatchLogs {
    /// Without a cursor and without `since`, lines of the last seven days.
    ///
    /// CloudWatch takes lines in late and out of order. Behind a cursor come therefore also lines that are
    /// up to a minute older than the newest one seen, if they were not there before; a cursor that this
    /// process has not given out itself leaves them out.
    async fn lines(&self, query: &LogQuery) -> Result<Vec<LogLine>, Fault> {
        let groups: Vec<&(Function, String)> = self
            .groups
            .iter()
            .filter(|(of, _)| query.function.is_none_or(|function| function == *of))
            .collect();
        if groups.is_empty() || query.limit == 0 {
            return Ok(Vec::new());
        }
        match &query.after {
            None => self.newest(&groups, query).await,
            Some(cursor) => self.after_cursor(&groups, query, cursor).await,
        }
    }
}

impl CloudWatchLogs {
    /// The newest lines: the last minutes first, then further and further back until there are enough.
    async fn newest(&self, groups: &[&(Function, String)], query: &LogQuery) -> Result<Vec<LogLine>, Fault> {
        let now = self.clock.now();
        let mut found = Vec::new();
        let mut before: Option<Timestamp> = None;
        for start in starts(now, query.since) {
            let until = before.map(|before| before.as_millisecond() - 1);
            let range = Range { start: start.as_millisecond(), until, pages: WINDOW_PAGES };
            let (mut window, gap) = self.read(groups, query, range).await?;
            window.extend(gap.map(unread));
            window.append(&mut found);
            found = window;
            if found.len() >= query.limit {
                break;
            }
            before = Some(start);
        }
        found.sort_by_key(|found| found.at);
        self.followers.begin(query, &found);
        found.drain(..found.len().saturating_sub(query.limit));
        Ok(found.into_iter().map(Found::into_line).collect())
    }

    /// The first lines behind a cursor.
    async fn after_cursor(
        &self,
        groups: &[&(Function, String)],
        query: &LogQuery,
        cursor: &str,
    ) -> Result<Vec<LogLine>, Fault> {
        let follower = self.followers.take(query);
        let place = Cursor::parse(cursor);
        let newest = follower.as_ref().and_then(|follower| follower.newest);
        let newest = newest.or(place.as_ref().map(|place| place.at));
        // Behind no line at all: it was asked before there was one.
        let start = newest.map_or_else(
            || (self.clock.now() - WINDOWS[0]).as_millisecond(),
            |at| at.saturating_sub(OVERLAP_MILLIS),
        );
        let since = query.since.map_or(i64::MIN, Timestamp::as_millisecond);
        let range = Range { start: start.max(since).max(0), until: None, pages: FOLLOW_PAGES };
        let (mut found, gap) = match self.read(groups, query, range).await {
            Ok(read) => read,
            Err(fault) => {
                self.followers.put_back(query, follower);
                return Err(fault);
            }
        };
        if let Some(gap) = gap {
            // What lies behind it is read next time, when the lines before it have been handed out.
            found.retain(|found| found.at <= gap);
        }
        found.sort_by_key(|found| found.at);
        let follower = follower.unwrap_or_else(|| follow::Follower::after_cursor(place.as_ref(), &found));
        Ok(self.followers.resume(query, follower, found).into_iter().map(Found::into_line).collect())
    }

    /// The lines of these groups in a range that the query means, and from when on something is missing
    /// because there was too much of it.
    async fn read(
        &self,
        groups: &[&(Function, String)],
        query: &LogQuery,
        range: Range,
    ) -> Result<(Vec<Found>, Option<i64>), Fault> {
        let reads = groups.iter().map(|(function, name)| async move {
            let read = self.pages(*function, name, query.lead.as_ref(), range).await;
            (name, read)
        });
        let (mut found, mut gap, mut missing) = (Vec::new(), None::<i64>, Vec::new());
        for (name, read) in join_all(reads).await {
            match read {
                Ok(read) => {
                    gap = [gap, read.missing_from].into_iter().flatten().min();
                    found.extend(read.found.into_iter().filter(|found| matches(&found.line, query)));
                }
                // One of the groups may not exist yet; that none exists is an error.
                Err(fault) if fault.code == Code::ResourceMissing => missing.push((name, fault)),
                Err(fault) => return Err(fault),
            }
        }
        if missing.len() == groups.len()
            && let Some((_, fault)) = missing.pop()
        {
            return Err(fault);
        }
        Ok((found, gap))
    }
}

/// From when on to look, the latest first.
fn starts(now: Timestamp, since: Option<Timestamp>) -> Vec<Timestamp> {
    let mut starts: Vec<Timestamp> =
        WINDOWS.iter().map(|back| now.checked_sub(*back).unwrap_or(Timestamp::UNIX_EPOCH)).collect();
    if let Some(since) = since {
        starts.retain(|start| *start > since);
        starts.push(since.max(Timestamp::UNIX_EPOCH));
    }
    starts.sort_by_key(|start| Reverse(*start));
    starts
}

/// Everything but the function, which is the group's. Asked of CloudWatch too where that spares pages, but
/// emulators do not evaluate such patterns.
fn matches(line: &LogLine, query: &LogQuery) -> bool {
    query.lead.as_ref().is_none_or(|lead| line.lead_id.as_deref() == Some(lead.as_str()))
        && query.level.is_none_or(|level| line.level >= level)
        && query.since.is_none_or(|since| line.at >= since)
}

/// A line that says that some are missing.
fn unread(from: i64) -> Found {
    let message = "from here on there are more log lines than were read: \
                   ask for a shorter time, a lead or one function";
    let line = LogLine { level: Level::Warn, ..event::line(Function::Operator, from, message) };
    Found { at: from, id: "unread".to_owned(), line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_goes_back_step_by_step_and_ends_where_wanted() {
        let now = Timestamp::from_second(1_789_398_200).unwrap();
        let back = |since: Option<i64>| {
            let starts = starts(now, since.map(|minutes| now - SignedDuration::from_mins(minutes)));
            starts.iter().map(|start| now.duration_since(*start).as_mins()).collect::<Vec<_>>()
        };
        assert_eq!(back(None), [10, 60, 360, 1_440, 10_080]);
        assert_eq!(back(Some(5)), [5]);
        assert_eq!(back(Some(60)), [10, 60]);
        assert_eq!(back(Some(20_000)), [10, 60, 360, 1_440, 10_080, 20_000]);
    }
}
