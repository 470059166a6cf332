//! `leadops status`: open leads, queues, alert times and problems.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{
    Code, Entry, Fault, JournalEvent, Stage,
    destination::{DestinationId, LeftOut},
    notify::{DestinationPause, destination_pause},
    ports::{Depth, Minute, Queue},
};
use serde::Serialize;

use crate::{Condition, Ops};

/// How many of the latest alerts the speed is measured on.
///
/// On AWS each of them is a request, once.
const SPEED_SAMPLE: usize = 100;
/// A pause as short as any destination may ask for is not worth reporting.
const MOMENT: SignedDuration = SignedDuration::from_secs(60);

/// `leadops status`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Leads that wait for their due time.
    pub pending: u64,
    /// Leads that are due and being processed.
    pub processing: u64,
    /// Leads that have been due for too long.
    pub overdue: u64,
    /// Whether these are lower bounds.
    pub approximate: bool,
    /// What the queues hold.
    pub queues: Queues,
    /// The age of the oldest dead letter, in seconds.
    pub oldest_dead_seconds: Option<u64>,
    /// The counts of the last 24 hours.
    pub last_24h: Last24h,
    /// What was refused in the last hour.
    pub refused: Refused,
    /// Problems: in the settings when the pipeline started, recipients that the last alert at a destination did not reach,
    /// and, where `leadops status` adds them, [`Ops::fruitless_lookups`].
    pub health: Vec<Condition>,
    /// From due to sent, over the latest alerts of the last 24 hours.
    pub speed: Speed,
    /// The time of this status.
    pub as_of: Timestamp,
}

/// What the queues hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Queues {
    /// Leads that wait for their owner.
    pub delay: Depth,
    /// Alerts.
    pub notification: Depth,
}

/// Leads, by what happened to them in 24 hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Last24h {
    /// Accepted.
    pub accepted: u64,
    /// Enriched for the first time.
    pub enriched: u64,
    /// Notified.
    pub notified: u64,
    /// Ended dead.
    pub failed: u64,
}

/// Requests to the webhook, or to what is in front of it, that were refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// How many in the last hour, in whole minutes.
    pub last_hour: u64,
    /// The same by the HTTP status of the answer; [`OTHER`](pipeline::ports::OTHER) if it is not known.
    pub by_code: BTreeMap<String, u64>,
}

/// How long alerts took, in milliseconds; null if none was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Speed {
    /// The median.
    pub p50_ms: Option<u64>,
    /// 95 of 100 were quicker.
    pub p95_ms: Option<u64>,
    /// 99 of 100 were quicker.
    pub p99_ms: Option<u64>,
}

impl Ops {
    /// The pipeline's status.
    ///
    /// # Errors
    /// The fault of the first port that failed.
    pub async fn status(&self) -> Result<Status, Fault> {
        let now = self.recorder.clock.now();
        let day_ago = now - SignedDuration::from_hours(24);
        let (open, delay, notification, minutes, by_code, notified, dead, silent, health) = futures_util::try_join!(
            self.count_open(),
            self.inbox.depth(Queue::Delay),
            self.inbox.depth(Queue::Notification),
            self.history.minutes(day_ago),
            self.history.refused(now - SignedDuration::from_mins(59)),
            self.history.recent(&[Stage::Notified], Some(day_ago), None, SPEED_SAMPLE),
            self.dead_letters.oldest(),
            self.paused_destinations(now),
            self.set_up.conditions(),
        )?;
        let mut health = health;
        health.extend(silent);
        health.extend(left_out(&notified));
        let mut last_24h = Last24h::default();
        for minute in &minutes {
            last_24h.accepted += minute.accepted;
            last_24h.enriched += minute.enriched;
            last_24h.notified += minute.notified;
            last_24h.failed += minute.failed;
        }
        let taken = notified.iter().filter_map(|entry| match entry.event {
            JournalEvent::Notified { after_ms, .. } => after_ms,
            _ => None,
        });
        Ok(Status {
            pending: open.waiting,
            processing: open.due,
            overdue: open.overdue,
            approximate: !open.exact,
            queues: Queues { delay, notification },
            oldest_dead_seconds: dead.map(|at| seconds(now.duration_since(at))),
            last_24h,
            refused: Refused { last_hour: by_code.values().sum(), by_code },
            health,
            speed: Speed::of(taken.collect()),
            as_of: now,
        })
    }

    /// Until when nothing is sent to a destination, if that is not just a moment.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn destination_pause(
        &self,
        id: &DestinationId,
        now: Timestamp,
    ) -> Result<Option<DestinationPause>, Fault> {
        let pause = destination_pause(self.objects.as_ref(), id, now).await?;
        Ok(pause.filter(|pause| pause.until.duration_since(now) >= MOMENT))
    }

    /// Destinations that have asked for a pause of more than a moment.
    async fn paused_destinations(&self, now: Timestamp) -> Result<Vec<Condition>, Fault> {
        let asked = self.settings.destinations.iter().map(|id| self.destination_pause(id, now));
        let asked = futures_util::future::try_join_all(asked).await?;
        let paused = self.settings.destinations.iter().zip(asked);
        let conditions = paused.filter_map(|(id, pause)| {
            let pause = pause?;
            Some(Condition::warning(id.as_str(), None, format!("{pause}: its alerts wait"), pause.code))
        });
        Ok(conditions.collect())
    }

    /// The counts of each of the last minutes, oldest first, including empty ones.
    ///
    /// # Errors
    /// The fault of the journal.
    pub async fn minutes(&self, count: u16) -> Result<Vec<Minute>, Fault> {
        let this_minute = self.recorder.clock.now().as_second().div_euclid(60);
        let start = |ago: u16| {
            let second = (this_minute - i64::from(ago)) * 60;
            Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
        };
        let found = self.history.minutes(start(count.saturating_sub(1))).await?;
        let minutes = (0..count).rev().map(start).map(|at| {
            let counted = found.iter().find(|minute| minute.at == at).copied();
            counted.unwrap_or(Minute { at, ..Minute::default() })
        });
        Ok(minutes.collect())
    }
}

/// Destinations whose last alert did not reach all recipients. `notified` has the newest first.
fn left_out(notified: &[Entry]) -> Vec<Condition> {
    let (mut seen, mut conditions) = (Vec::new(), Vec::new());
    for entry in notified {
        let JournalEvent::Notified { destination, left_out, .. } = &entry.event else { continue };
        if seen.contains(&destination) {
            continue;
        }
        seen.push(destination);
        if !left_out.is_empty() {
            let reason = format!("left out of the last alert: {}", LeftOut::line(left_out));
            let (what, since) = (destination.as_str(), Some(entry.at));
            conditions.push(Condition::warning(what, since, reason, Some(Code::PartlySent)));
        }
    }
    conditions
}

impl Speed {
    /// The percentiles by nearest rank.
    fn of(mut taken: Vec<u64>) -> Self {
        taken.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (taken.len() * percent).div_ceil(100).max(1);
            taken.get(rank - 1).copied()
        };
        Self { p50_ms: percentile(50), p95_ms: percentile(95), p99_ms: percentile(99) }
    }
}

/// Whole seconds, 0 if negative.
pub(crate) fn seconds(duration: SignedDuration) -> u64 {
    Duration::try_from(duration).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        assert_eq!(Speed::of(vec![]), Speed::default());
        assert_eq!(Speed::of(vec![7]), Speed { p50_ms: Some(7), p95_ms: Some(7), p99_ms: Some(7) });
        let speed = Speed::of((1..=100).rev().collect());
        assert_eq!(speed, Speed { p50_ms: Some(50), p95_ms: Some(95), p99_ms: Some(99) });
    }
}
