//! How many requests were refused, minute by minute, as the store has it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use lead::{Timestamp, keys};
use serde::{Deserialize, Serialize};

use crate::{Code, Fault, ports::Objects};

/// Counts by the minute's start and the kind.
type Minutes<K> = BTreeMap<Timestamp, BTreeMap<K, u64>>;

/// The counts of refused requests, by the minute's start: the object [`keys::REFUSED`].
///
/// An earlier version reads `minutes` alone, and writes no other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// By the HTTP status.
    #[serde(default)]
    minutes: Minutes<u16>,
    /// Those of them that were Close's by all that shows, by the code.
    #[serde(default)]
    webhooks: Minutes<Code>,
}

impl Refused {
    /// Those that have been written.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn read(objects: &(impl Objects + ?Sized)) -> Result<Self, Fault> {
        let Some(object) = objects.get(keys::REFUSED).await? else { return Ok(Self::default()) };
        // A count that cannot be read is no reason to refuse leads or to show nothing else.
        Ok(serde_json::from_slice(&object.body).unwrap_or_default())
    }

    /// One more request has been answered with this HTTP status; where it was Close's by all that shows, for this
    /// code. Whether the minute had none of its kind.
    pub fn count(&mut self, at: Timestamp, status: u16, webhook: Option<Code>) -> bool {
        let minute = minute(at);
        let mut is_news = is_first(self.minutes.entry(minute).or_default().entry(status).or_default());
        if let Some(code) = webhook {
            is_news |= is_first(self.webhooks.entry(minute).or_default().entry(code).or_default());
        }
        is_news
    }

    /// Drops the minutes that began before this time.
    pub fn drop_before(&mut self, oldest: Timestamp) {
        self.minutes.retain(|minute, _| *minute >= oldest);
        self.webhooks.retain(|minute, _| *minute >= oldest);
    }

    /// How many there were since the minute of `since`, by the HTTP status as text.
    pub fn since(&self, since: Timestamp) -> BTreeMap<String, u64> {
        let by_status = summed(&self.minutes, since).into_iter();
        by_status.map(|(status, count)| (status.to_string(), count)).collect()
    }

    /// How many of them were Close's by all that shows, by the code.
    pub fn webhooks_since(&self, since: Timestamp) -> BTreeMap<Code, u64> {
        summed(&self.webhooks, since)
    }
}

/// The sums of the counts since the minute of `since`.
fn summed<K: Ord + Copy>(minutes: &Minutes<K>, since: Timestamp) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for (kind, count) in minutes.range(minute(since)..).flat_map(|(_, counts)| counts) {
        *sums.entry(*kind).or_default() += count;
    }
    sums
}

/// Counts one more. Whether it is the first.
fn is_first(count: &mut u64) -> bool {
    *count += 1;
    *count == 1
}

/// The start of the minute.
fn minute(at: Timestamp) -> Timestamp {
    let into =
        SignedDuration::from_nanos(i64::try_from(at.as_nanosecond().rem_euclid(60_000_000_000)).unwrap_or(0));
    at.checked_sub(into).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_by_the_minute_and_the_kind() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut refused = Refused::default();
        assert!(refused.count(at(60), 401, None));
        assert!(!refused.count(at(119), 401, None));
        assert!(refused.count(at(119), 401, Some(Code::SignatureWrong)));
        assert!(refused.count(at(120), 401, None));
        assert_eq!(refused.since(at(119)), [("401".to_owned(), 4)].into());
        assert_eq!(refused.since(at(120)), [("401".to_owned(), 1)].into());
        assert_eq!(refused.webhooks_since(at(0)), [(Code::SignatureWrong, 1)].into());
        refused.drop_before(at(61));
        assert_eq!((refused.minutes.len(), refused.webhooks.len()), (1, 0));
        assert_eq!(minute(Timestamp::MIN), Timestamp::MIN);
    }
}
