//! The pace of one Slack webhook.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lead::Timestamp;

/// One message a second with short bursts, and silence for as long as Slack asks for it.
///
/// <https://docs.slack.dev/apis/web-api/rate-limits>: a webhook that keeps exceeding the limit can be
/// switched off for good.
#[derive(Debug)]
pub struct Pace(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    /// Messages that may be sent at once.
    tokens: f64,
    burst: f64,
    /// When `tokens` was counted last.
    at: Option<Timestamp>,
    /// Until when nothing may be sent.
    closed: Option<Timestamp>,
}

impl Pace {
    /// A pace of one message a second, and up to `burst` at once after a silence.
    pub fn new(burst: u32) -> Self {
        let burst = f64::from(burst.max(1));
        Self(Mutex::new(Bucket { tokens: burst, burst, at: None, closed: None }))
    }

    /// How many messages may be sent now.
    pub fn available(&self, now: Timestamp) -> usize {
        self.with(now, |bucket| {
            // At most `burst`, which came from a u32.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let whole = bucket.tokens.floor() as usize;
            whole
        })
    }

    /// Takes the right to send one message, or says how long to wait before asking again.
    pub fn take(&self, now: Timestamp) -> Result<(), Duration> {
        self.with(now, |bucket| {
            if bucket.tokens >= 1.0 {
                bucket.tokens -= 1.0;
                return Ok(());
            }
            Err(Duration::from_secs_f64(1.0 - bucket.tokens).max(Duration::from_millis(1)))
        })
    }

    /// Gives an unused right back.
    pub fn give_back(&self) {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.tokens = (bucket.tokens + 1.0).min(bucket.burst);
    }

    /// Nothing may be sent for `wait` from now.
    pub fn close(&self, now: Timestamp, wait: Duration) {
        let until = now + jiff::SignedDuration::try_from(wait).unwrap_or_default();
        self.with(now, |bucket| {
            // A longer wait that was asked for earlier still holds.
            bucket.closed = bucket.closed.max(Some(until));
            bucket.tokens = bucket.tokens.min(1.0);
        });
    }

    /// How long nothing may be sent still.
    pub fn closed_for(&self, now: Timestamp) -> Option<Duration> {
        self.with(now, |bucket| {
            Duration::try_from(bucket.closed?.duration_since(now)).ok().filter(|left| !left.is_zero())
        })
    }

    fn with<T>(&self, now: Timestamp, act: impl FnOnce(&mut Bucket) -> T) -> T {
        // A bucket is consistent after each assignment, so a panic elsewhere leaves it usable.
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = bucket.at.map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        if passed < 0.0 {
            // The clock has stepped back: what was to come stays as far away as it was.
            let step = now.duration_since(bucket.at.unwrap_or(now));
            bucket.closed = bucket.closed.map(|until| until + step);
        }
        bucket.tokens = (bucket.tokens + passed.max(0.0)).min(bucket.burst);
        bucket.at = Some(now);
        act(&mut bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_789_398_131_000 + millis).unwrap()
    }

    #[test]
    fn a_burst_then_one_a_second() {
        let pace = Pace::new(3);
        assert_eq!(pace.available(at(0)), 3);
        let taken: Vec<bool> =
            [0, 0, 0, 0, 500, 1_000, 1_001, 2_000].map(|ms| pace.take(at(ms)).is_ok()).to_vec();
        assert_eq!(taken, [true, true, true, false, false, true, false, true]);
        assert_eq!(pace.take(at(2_250)), Err(Duration::from_millis(750)));
    }

    #[test]
    fn a_wait_is_kept_in_full_and_the_longest_holds() {
        let pace = Pace::new(3);
        pace.close(at(0), Duration::from_secs(30));
        pace.close(at(0), Duration::from_secs(10));
        assert_eq!(pace.closed_for(at(29_999)), Some(Duration::from_millis(1)));
        assert_eq!(pace.closed_for(at(30_000)), None);
    }

    #[test]
    fn a_clock_that_steps_back_neither_opens_nor_locks_it() {
        let pace = Pace::new(1);
        pace.close(at(0), Duration::from_secs(30));
        assert_eq!(pace.closed_for(at(-3_600_000)), Some(Duration::from_secs(30)));
        assert_eq!(pace.closed_for(at(-3_600_000 + 30_000)), None);
        assert!(pace.take(at(-3_600_000 + 30_000)).is_ok());
        assert!(pace.take(at(-7_200_000)).is_err());
        assert!(pace.take(at(-7_200_000 + 1_000)).is_ok());
    }
}
