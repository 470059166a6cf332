//! How fast Close may be asked: as its answers say, and not all at once before it has answered.

use std::{sync::Mutex, time::Duration};

use lead::Timestamp;
use outside::time_left;

use crate::lock;
use close::CloseAnswer;

/// The pause between two requests while Close has not said what it allows: the example of its documentation
/// allows twenty a second.
const INTERVAL: Duration = Duration::from_millis(50);
/// How many requests may come at once after a silence.
const BURST: u32 = 5;
/// The longest wait that is believed.
const LONGEST: Duration = CloseAnswer::LONGEST_WAIT;
/// The wait where Close asks for one and does not say how long.
const UNSAID: Duration = CloseAnswer::UNSAID_WAIT;

/// The pace of one group of requests, which Close counts by itself.
#[derive(Default)]
pub(super) struct Pace(Mutex<State>);

#[derive(Default)]
struct State {
    /// When the next request would be due at an even pace.
    next: Timestamp,
    /// Until when nothing may be asked.
    closed: Timestamp,
    /// How far apart requests have to be, until when, and how many may come at once.
    window: Option<(Timestamp, Duration, u32)>,
}

impl State {
    fn times(&mut self) -> [&mut Timestamp; 2] {
        [&mut self.next, &mut self.closed]
    }
}

impl Pace {
    /// A turn to ask, how long from now; where that is further off than `patience` it is not taken.
    pub(super) fn turn(&self, now: Timestamp, patience: Duration) -> Result<Duration, Duration> {
        let mut state = lock(&self.0);
        // What lies further ahead than any wait was said by a clock that has been set back since.
        let furthest = now + LONGEST;
        for time in state.times() {
            if *time > furthest {
                *time = now;
            }
        }
        let (interval, burst) = match state.window {
            Some((until, interval, burst)) if now < until && until <= furthest => (interval, burst),
            _ => (INTERVAL, BURST),
        };
        let start = (state.next - interval * burst.saturating_sub(1)).max(state.closed).max(now);
        let wait = time_left(start, now);
        if wait > patience {
            return Err(wait);
        }
        state.next = state.next.max(start) + interval;
        Ok(wait)
    }

    /// How long nothing may be asked.
    pub(super) fn closed(&self, now: Timestamp) -> Duration {
        time_left(lock(&self.0).closed, now)
    }

    /// Heeds what an answer says of the limits. How long it asks to wait, where it refuses for them.
    pub(super) fn heed(&self, now: Timestamp, answer: &CloseAnswer) -> Option<Duration> {
        let mut state = lock(&self.0);
        let refused = (answer.status == 429).then(|| answer.wait.unwrap_or(UNSAID).min(LONGEST));
        if let Some(wait) = refused {
            state.closed = state.closed.max(now + wait);
            state.next = state.next.max(state.closed);
        }
        match answer.window {
            Some(window) if window.remaining == 0 => {
                state.closed = state.closed.max(now + window.reset.min(LONGEST));
            }
            Some(window) => {
                let reset = window.reset.min(LONGEST);
                let interval = reset / window.remaining;
                state.window = Some((now + reset, interval, window.remaining.min(BURST)));
            }
            None => {}
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use close::RateLimitWindow;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_789_398_131_000 + millis).unwrap()
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn answer(status: u16, wait: Option<Duration>, window: Option<(u32, u64)>) -> CloseAnswer {
        let window = window.map(|(remaining, reset)| RateLimitWindow { remaining, reset: ms(reset) });
        CloseAnswer { status, body: Bytes::new(), wait, window, trace: None }
    }

    fn turns(pace: &Pace, now: i64, count: usize) -> Vec<Duration> {
        (0..count).map(|_| pace.turn(at(now), SECOND * 60).unwrap()).collect()
    }

    #[test]
    fn a_few_at_once_then_evenly() {
        let pace = Pace::default();
        assert_eq!(turns(&pace, 0, 8), [0, 0, 0, 0, 0, 50, 100, 150].map(ms));
        assert_eq!(turns(&pace, 10_000, 6), [0, 0, 0, 0, 0, 50].map(ms));
    }

    #[test]
    fn what_is_left_of_a_window_is_spread_over_it() {
        let pace = Pace::default();
        assert_eq!(pace.heed(at(0), &answer(200, None, Some((10, 2_000)))), None);
        assert_eq!(turns(&pace, 0, 7)[5..], [200, 400].map(ms));
        let pace = Pace::default();
        pace.heed(at(0), &answer(200, None, Some((1, 2_000))));
        assert_eq!(turns(&pace, 0, 2), [0, 2_000].map(ms));
        // And is forgotten with its end.
        assert_eq!(turns(&pace, 60_000, 6), [0, 0, 0, 0, 0, 50].map(ms));
    }

    #[test]
    fn a_wait_is_heeded_in_full_and_whoever_waited_does_not_come_all_at_once() {
        for refusal in [answer(429, Some(SECOND * 5), None), answer(200, None, Some((0, 5_000)))] {
            let pace = Pace::default();
            let waits = pace.heed(at(0), &refusal);
            assert_eq!(waits, (refusal.status == 429).then_some(SECOND * 5));
            assert_eq!(pace.closed(at(1_000)), SECOND * 4);
            assert_eq!(pace.turn(at(0), SECOND), Err(SECOND * 5), "not taken");
            assert_eq!(pace.turn(at(0), SECOND * 60), Ok(SECOND * 5));
            assert!(turns(&pace, 0, 8)[7] > SECOND * 5);
        }
        let pace = Pace::default();
        assert_eq!(pace.heed(at(0), &answer(429, None, None)), Some(UNSAID));
        assert_eq!(pace.heed(at(0), &answer(429, Some(SECOND * 9_000), None)), Some(LONGEST));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_lock_it() {
        let pace = Pace::default();
        pace.heed(at(0), &answer(429, Some(SECOND * 5), None));
        assert_eq!(pace.turn(at(-3_600_000), SECOND), Ok(Duration::ZERO));
    }
}
