//! How long a stage waits before it tries again, and when it stops.
//!
//! A failure of the store is not one of the lead that is processed: it uses up none of the lead's attempts, and the
//! work is retried with growing pauses for a day.

use std::time::Duration;

use jiff::SignedDuration;
use lead::Timestamp;

use crate::ports::{Delivery, MAX_DELAY};

/// How long a message is retried that a failure of the store stops, from the first time on. It is longer than a night,
/// so that in the morning there are pending alerts and not dead letters.
pub const RETRY_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a queue has to let a message be received for that: 101 times, with pauses that double from twenty seconds
/// up to [`MAX_DELAY`], and some more for workers that died.
pub const RECEIVES: u32 = 120;

/// The first pause after a failure of the store.
const FIRST_PAUSE: Duration = Duration::from_secs(20);

/// What follows a failure of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreRetry {
    /// The message is retried after this pause, and so on until then.
    After(Duration, Timestamp),
    /// It has been retried for long enough.
    GiveUp,
}

impl StoreRetry {
    /// What follows a failure of the store with this delivery. How long it has been retried follows from how often it
    /// was received: a message that has waited for days because no worker was running has not been tried.
    pub(crate) fn with(delivery: &Delivery, now: Timestamp) -> Self {
        let pause = |tries| doubled(FIRST_PAUSE, tries, MAX_DELAY);
        let tried: Duration = (1..delivery.receives.min(RECEIVES)).map(pause).sum();
        let left = SignedDuration::try_from(RETRY_FOR.saturating_sub(tried)).unwrap_or_default();
        match now.checked_add(left) {
            Ok(until) if !left.is_zero() => Self::After(pause(delivery.receives), until),
            _ => Self::GiveUp,
        }
    }
}

/// The pause after so many tries: `first`, doubled with each further one, at most `longest`.
pub fn doubled(first: Duration, tries: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(longest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn delivery(receives: u32) -> Delivery {
        Delivery {
            id: String::new(),
            handle: String::new(),
            body: String::new(),
            receives,
            sent_at: Timestamp::UNIX_EPOCH,
            first_received_at: None,
            attributes: BTreeMap::new(),
        }
    }

    #[test]
    fn pauses_grow_and_end_after_a_day_before_the_queue_gives_the_message_up() {
        let (mut now, mut receives, mut pauses) = (Timestamp::UNIX_EPOCH, 1, Vec::new());
        while let StoreRetry::After(pause, until) = StoreRetry::with(&delivery(receives), now) {
            assert_eq!(until, Timestamp::from_second(24 * 60 * 60).unwrap());
            now += pause;
            receives += 1;
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses[..8], [20, 40, 80, 160, 320, 640, 900, 900]);
        assert!((86_400..86_400 + 900).contains(&now.as_second()));
        assert!((RECEIVES - 30..RECEIVES - 10).contains(&receives), "{receives}");
    }

    #[test]
    fn a_message_that_has_waited_for_days_has_its_patience_still() {
        let now = Timestamp::from_second(10 * 86_400).unwrap();
        let StoreRetry::After(pause, until) = StoreRetry::with(&delivery(1), now) else {
            panic!("over at once")
        };
        assert_eq!((pause.as_secs(), until.duration_since(now)), (20, SignedDuration::from_hours(24)));
    }

    #[test]
    fn a_pause_never_overflows() {
        for tries in [0, 1, 33, u32::MAX] {
            assert!(doubled(Duration::from_secs(20), tries, MAX_DELAY) <= MAX_DELAY);
        }
        assert_eq!(doubled(Duration::MAX, 5, MAX_DELAY), MAX_DELAY);
    }
}
