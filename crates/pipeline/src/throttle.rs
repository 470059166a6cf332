//! Saying once what happens many times.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::SignedDuration;
use lead::Timestamp;

use crate::lock;

/// How many keys are remembered at most.
const MOST: usize = 4_096;

/// Lets what has a key be said once in a period, and counts what is not said. Clones share what they know.
///
/// Where more keys come in a period than are remembered, the rest is not said, so that what is said has a
/// bound, however many keys there are.
#[derive(Debug, Clone)]
pub struct Throttle<K> {
    period: SignedDuration,
    keys: Arc<Mutex<Keys<K>>>,
}

#[derive(Debug)]
struct Keys<K> {
    known: HashMap<K, Said>,
    /// When the first of those that fill it up may be forgotten.
    full_until: Option<Timestamp>,
}

/// When something was logged last, and how often it has happened since.
#[derive(Debug, Clone, Copy)]
struct Said {
    at: Timestamp,
    since: u64,
}

impl<K: Eq + Hash> Throttle<K> {
    /// Once in `period` for each key.
    pub fn new(period: Duration) -> Self {
        let period = SignedDuration::try_from(period).unwrap_or(SignedDuration::MAX);
        Self { period, keys: Arc::new(Mutex::new(Keys { known: HashMap::new(), full_until: None })) }
    }

    /// Something with this key happens. `Some` where it is to be said, with how many before it were not.
    pub fn note(&self, key: K, now: Timestamp) -> Option<u64> {
        let mut keys = lock(&self.keys);
        if let Some(said) = keys.known.get_mut(&key) {
            if self.is_over(said.at, now) {
                said.at = now;
                return Some(std::mem::take(&mut said.since));
            }
            said.since += 1;
            return None;
        }
        if keys.known.len() >= MOST && !self.makes_room(&mut keys, now) {
            return None;
        }
        keys.known.insert(key, Said { at: now, since: 0 });
        Some(0)
    }

    /// Whether something with this key was said within the period, so that it would not be said now.
    pub fn was_said(&self, key: &K, now: Timestamp) -> bool {
        lock(&self.keys).known.get(key).is_some_and(|said| !self.is_over(said.at, now))
    }

    /// The keys of what happened and was not logged, with how often, for the last time.
    pub fn take_suppressed(&self) -> Vec<(K, u64)> {
        let known = std::mem::take(&mut lock(&self.keys).known);
        known.into_iter().filter(|(_, said)| said.since > 0).map(|(key, said)| (key, said.since)).collect()
    }

    /// A clock that is set back ends a period as well.
    fn is_over(&self, since: Timestamp, now: Timestamp) -> bool {
        now.duration_since(since).abs() >= self.period
    }

    fn makes_room(&self, keys: &mut Keys<K>, now: Timestamp) -> bool {
        // Looking through them each time would be dearer than what is saved.
        let is_full = |until: Timestamp| now < until && until.duration_since(now) <= self.period;
        if keys.full_until.is_some_and(is_full) {
            return false;
        }
        keys.known.retain(|_, said| !self.is_over(said.at, now));
        let first = keys.known.values().map(|said| said.at).min();
        keys.full_until = first.and_then(|first| first.checked_add(self.period).ok());
        keys.known.len() < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn once_in_a_period_for_each_key_with_how_many_were_not_said() {
        let throttle = Throttle::new(Duration::from_secs(1));
        let said = [0, 1, 999, 1_000, 1_999, 2_000].map(|ms| throttle.note("a", at(ms)));
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
        assert_eq!([999, 2_999, 3_000].map(|ms| throttle.was_said(&"a", at(ms))), [false, true, false]);
        assert_eq!(throttle.note("b", at(2_000)), Some(0));
        assert_eq!(throttle.note("a", at(2_500)), None);
        assert_eq!(throttle.take_suppressed(), [("a", 1)]);
        assert_eq!(throttle.note("a", at(2_600)), Some(0));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nothing() {
        let throttle = Throttle::new(Duration::from_secs(60));
        assert_eq!([100_000, 0, 1].map(|ms| throttle.note("a", at(ms))), [Some(0), Some(0), None]);
    }

    #[test]
    fn however_many_keys_there_are_it_remembers_and_says_no_more_than_its_bound() {
        let throttle = Throttle::new(Duration::from_secs(60));
        let said = (0..3 * MOST).filter(|key| throttle.note(*key, at(0)).is_some()).count();
        assert_eq!((said, lock(&throttle.keys).known.len()), (MOST, MOST));
        // Each minute anew, for whoever comes first.
        let said = (2 * MOST..4 * MOST).filter(|key| throttle.note(*key, at(60_000)).is_some()).count();
        assert_eq!((said, lock(&throttle.keys).known.len()), (MOST, MOST));
        assert!(throttle.was_said(&(2 * MOST), at(60_000)) && !throttle.was_said(&0, at(60_000)));
    }
}
