//! A token bucket that can be paused.

use std::time::Duration;

use lead::Timestamp;
use outside::time_left;
use serde::{Deserialize, Serialize};

use crate::store_retry::doubled;

/// Clocks of several machines differ by less than this; a larger step back is a clock that was set.
const SKEW: f64 = 5.0;
/// The least pause after the first wait that is asked for, and after however many in a row.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_FLOOR: Duration = Duration::from_secs(60);

/// The result of asking for permission to send one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acquired {
    /// One message may be sent now, and so many more after it.
    Granted {
        /// How many more.
        more: usize,
    },
    /// None may be sent before this time is over; ask again then.
    Wait(Duration),
    /// The destination has asked for a pause, which lasts so much longer.
    Paused(Duration),
}

/// The permission to send messages: more of it as time passes, at most `burst` at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TokenBucket {
    /// Messages that may be sent at once.
    tokens: f64,
    burst: f64,
    /// Until when nothing may be sent.
    closed: Option<Timestamp>,
    /// How often in a row a pause was asked for, without a message accepted in between.
    #[serde(default, skip_serializing_if = "crate::job::is_zero")]
    waits: u32,
}

impl TokenBucket {
    /// A full one.
    pub(super) fn full(burst: u32) -> Self {
        Self { tokens: burst.into(), burst: burst.into(), closed: None, waits: 0 }
    }

    /// The bucket at `now`, after having been so at `then`, with `rate` more messages each second and at most
    /// `burst` at once, whatever it was made with.
    pub(super) fn at(mut self, then: Timestamp, now: Timestamp, rate: u32, burst: u32) -> Self {
        self.burst = burst.into();
        let passed = now.duration_since(then);
        if passed.as_secs_f64() < -SKEW {
            // The clock has stepped back: what was to come stays as far away as it was.
            self.closed = self.closed.map(|until| until + passed);
        }
        self.tokens = (self.tokens + passed.as_secs_f64().max(0.0) * f64::from(rate)).min(self.burst);
        self
    }

    /// Takes the permission to send one message; without one, says when to ask again.
    pub(super) fn take(&mut self, now: Timestamp, rate: u32) -> Acquired {
        let closed = self.closed.map(|until| time_left(until, now));
        if let Some(left) = closed.filter(|left| !left.is_zero()) {
            return Acquired::Paused(left);
        }
        if self.tokens < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - self.tokens) / f64::from(rate));
            return Acquired::Wait(wait.max(Duration::from_millis(1)));
        }
        self.tokens -= 1.0;
        // At most `burst`, which came from a u32.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let more = self.tokens.floor() as usize;
        Acquired::Granted { more }
    }

    /// The end of the last pause, which may be over.
    pub(super) fn paused_until(&self) -> Option<Timestamp> {
        self.closed
    }

    /// Returns an unused permit.
    pub(super) fn return_permit(&mut self, _: Timestamp) {
        self.tokens = (self.tokens + 1.0).min(self.burst);
    }

    /// Whether pauses were asked for since the last message that was accepted.
    pub(super) fn has_waited(&self) -> bool {
        self.waits > 0
    }

    /// A message was accepted.
    pub(super) fn accepted(&mut self, _: Timestamp) {
        self.waits = 0;
    }

    /// The destination has asked for a pause of `asked`: nothing may be sent for that long, and each time in a row for at
    /// least twice as long, up to a minute, however short the pause that is asked for. Returns how long it is.
    pub(super) fn asked_to_wait(&mut self, now: Timestamp, asked: Duration) -> Duration {
        let wait = asked.max(doubled(FIRST_WAIT, self.waits.saturating_add(1), LONGEST_FLOOR));
        self.waits = self.waits.saturating_add(1);
        self.pause(now, wait);
        wait
    }

    /// Nothing may be sent for `wait` from `now`.
    pub(super) fn pause(&mut self, now: Timestamp, wait: Duration) {
        let until = now + wait;
        // A longer pause that was asked for earlier still holds.
        self.closed = self.closed.max(Some(until));
        self.tokens = self.tokens.min(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_789_398_131_000 + millis).unwrap()
    }

    /// What asking at these times, in milliseconds, gives.
    fn ask(bucket: &mut TokenBucket, burst: u32, times: &[i64]) -> Vec<Acquired> {
        let mut before = times[0];
        times
            .iter()
            .map(|now| {
                *bucket = bucket.clone().at(at(before), at(*now), 1, burst);
                before = *now;
                bucket.take(at(*now), 1)
            })
            .collect()
    }

    #[test]
    fn a_burst_then_one_a_second() {
        let turns = ask(&mut TokenBucket::full(3), 3, &[0, 0, 0, 0, 500, 1_000, 1_001, 2_000, 2_250]);
        let (granted, wait) =
            (|more| Acquired::Granted { more }, |ms| Acquired::Wait(Duration::from_millis(ms)));
        assert_eq!(turns[..6], [granted(2), granted(1), granted(0), wait(1_000), wait(500), granted(0)]);
        assert_eq!(turns[7..], [granted(0), wait(750)]);
    }

    #[test]
    fn a_burst_that_was_set_anew_holds_for_a_bucket_that_was_made_before() {
        let granted = |more| Acquired::Granted { more };
        // Raised: it fills up to the new one as time passes, and no sooner.
        let mut bucket = TokenBucket::full(1);
        assert_eq!(ask(&mut bucket, 3, &[0, 1_000]), [granted(0), granted(0)]);
        assert_eq!(bucket.clone().at(at(0), at(60_000), 1, 3).take(at(60_000), 1), granted(2));
        // Lowered: at once.
        assert_eq!(ask(&mut TokenBucket::full(5), 2, &[0, 0]), [granted(1), granted(0)]);
    }

    #[test]
    fn a_higher_rate_waits_less() {
        let mut bucket = TokenBucket::full(1);
        assert_eq!(bucket.take(at(0), 4), Acquired::Granted { more: 0 });
        assert_eq!(bucket.take(at(0), 4), Acquired::Wait(Duration::from_millis(250)));
        assert_eq!(bucket.at(at(0), at(250), 4, 1).take(at(250), 4), Acquired::Granted { more: 0 });
    }

    #[test]
    fn waits_of_nothing_grow_until_a_message_is_accepted() {
        let mut bucket = TokenBucket::full(3);
        let seconds = |wait: Duration| wait.as_secs();
        let waits: Vec<u64> = (0..8).map(|_| seconds(bucket.asked_to_wait(at(0), Duration::ZERO))).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(
            seconds(bucket.asked_to_wait(at(0), Duration::from_secs(300))),
            300,
            "what is asked for is honoured"
        );
        assert!(bucket.has_waited());
        bucket.accepted(at(0));
        assert_eq!((bucket.has_waited(), seconds(bucket.asked_to_wait(at(0), Duration::ZERO))), (false, 1));
    }

    #[test]
    fn a_pause_is_honoured_in_full_and_the_longest_holds() {
        let mut bucket = TokenBucket::full(3);
        bucket.pause(at(0), Duration::from_secs(30));
        bucket.pause(at(0), Duration::from_secs(10));
        assert_eq!(bucket.take(at(29_999), 1), Acquired::Paused(Duration::from_millis(1)));
        assert_eq!(bucket.take(at(30_000), 1), Acquired::Granted { more: 0 });
    }

    #[test]
    fn a_clock_that_is_set_back_neither_opens_nor_locks_it() {
        let mut bucket = TokenBucket::full(1);
        bucket.pause(at(0), Duration::from_secs(30));
        let hour = -3_600_000;
        let mut bucket = bucket.at(at(0), at(hour), 1, 1);
        assert_eq!(bucket.take(at(hour), 1), Acquired::Paused(Duration::from_secs(30)));
        assert_eq!(bucket.take(at(hour + 30_000), 1), Acquired::Granted { more: 0 });
    }

    #[test]
    fn clocks_that_differ_a_little_shorten_no_wait() {
        let mut bucket = TokenBucket::full(1);
        bucket.pause(at(0), Duration::from_secs(30));
        let mut bucket = bucket.at(at(0), at(-2_000), 1, 1);
        assert_eq!(bucket.take(at(-2_000), 1), Acquired::Paused(Duration::from_secs(32)));
    }
}
