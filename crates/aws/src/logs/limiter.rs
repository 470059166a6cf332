//! A rate limit for requests.

use std::{sync::Arc, time::Duration};

use lead::Timestamp;
use pipeline::ports::Clock;
use tokio::sync::Mutex;

/// How many requests may be made at once after a rest: one for each function's group, and one more.
const BURST: u32 = 4;

/// Admits a number of callers per second, in their order.
pub(super) struct Limiter {
    clock: Arc<dyn Clock>,
    /// The time between two requests.
    each: Duration,
    /// When all admitted requests will have used up their time.
    busy_until: Mutex<Timestamp>,
}

impl Limiter {
    pub(super) fn new(clock: Arc<dyn Clock>, a_second: u32) -> Self {
        let each = Duration::from_secs(1) / a_second.max(1);
        Self { clock, each, busy_until: Mutex::new(Timestamp::UNIX_EPOCH) }
    }

    /// Waits until the caller may make its request.
    pub(super) async fn admit(&self) {
        let mut busy_until = self.busy_until.lock().await;
        let now = self.clock.now();
        // After a rest there is nothing to work off, and after a clock was set back no more than a burst.
        let from = (*busy_until).clamp(now, now + self.each * BURST);
        let ahead = outside::time_left(from, now);
        let allowed = self.each * (BURST - 1);
        if ahead > allowed {
            self.clock.sleep(ahead - allowed).await;
        }
        *busy_until = from + self.each;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sleeping::AutoAdvanceClock;

    #[tokio::test]
    async fn a_burst_then_two_a_second() {
        let start = Timestamp::from_second(1_000).unwrap();
        let clock = Arc::new(AutoAdvanceClock::from(start));
        let limiter = Limiter::new(clock.clone(), 2);
        let mut at = Vec::new();
        for _ in 0..8 {
            limiter.admit().await;
            at.push(clock.now().duration_since(start).as_millis());
        }
        assert_eq!(at, [0, 0, 0, 0, 500, 1_000, 1_500, 2_000]);
    }
}
