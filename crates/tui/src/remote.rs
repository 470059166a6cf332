//! A value that is polled, and the state of the polling.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{Code, Fault};

use super::format::{countdown, since};

/// The shortest time between two queries. A little less than the second that drives them, so that a
/// late tick does not skip one.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_millis(900);
/// The longest, for a slow source.
const MAX_INTERVAL: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait after a failure.
const MAX_BACK_OFF: i64 = 30;
/// A source may be busy with our queries for a twentieth of the time.
const SHARE: u32 = 20;
/// The age from which a value counts as stale, if its source answers quickly.
const STALE_AFTER: u64 = 5;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryError {
    /// The source failed.
    Fault(Fault),
    /// It did not answer for so long.
    NoAnswer(Duration),
}

impl QueryError {
    /// Whether retrying is pointless until a person has done something.
    pub fn is_refusal(&self) -> bool {
        let refusals = [Code::AwsDenied, Code::CredentialsExpired, Code::CredentialsMissing];
        matches!(self, Self::Fault(fault) if refusals.contains(&fault.code))
    }
}

impl From<Fault> for QueryError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::NoAnswer(waited) => write!(f, "no answer in {} s", waited.as_secs()),
        }
    }
}

/// A query that is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlightQuery {
    /// Its number, which distinguishes its answer from those to earlier queries.
    pub generation: u64,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// The failure of the last query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it was.
    pub error: QueryError,
    /// When it is retried.
    pub retry_at: Timestamp,
    /// How often in a row.
    pub times: u32,
}

/// The state of polling: the query in flight and the last failure, side by side with the age of the value.
/// A failure does not discard the value; the value only grows old.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Polling {
    /// The query in flight; never more than one.
    pub in_flight: Option<InFlightQuery>,
    /// The failure since the last value.
    pub error: Option<Failure>,
    /// What [`pipeline::ports::Watch`] saw before the last query.
    pub version: Option<u64>,
    /// When the query for the last value was sent.
    known_at: Option<Timestamp>,
    sent_at: Option<Timestamp>,
    next_at: Option<Timestamp>,
    /// The age from which the value counts as stale, if that is more than [`STALE_AFTER`].
    stale_after: u64,
}

/// The last value, and the state of polling it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote<T> {
    value: Option<T>,
    polling: Polling,
}

impl<T> Default for Remote<T> {
    fn default() -> Self {
        Self { value: None, polling: Polling::default() }
    }
}

impl<T> Deref for Remote<T> {
    type Target = Polling;

    fn deref(&self) -> &Polling {
        &self.polling
    }
}

impl<T> DerefMut for Remote<T> {
    fn deref_mut(&mut self) -> &mut Polling {
        &mut self.polling
    }
}

/// How fresh a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// There is no value yet.
    Loading,
    /// It is up to date.
    Fresh,
    /// It is this many seconds old.
    Stale(u64),
    /// The source fails; the value, if any, is this many seconds old.
    Failed(Option<u64>),
    /// The credentials lack the permission or have expired; the value, if any, is this many seconds old.
    NotPermitted(Option<u64>),
}

impl Polling {
    /// Whether there is a value.
    pub fn is_known(&self) -> bool {
        self.known_at.is_some()
    }

    /// The age of the last value in seconds.
    pub fn age(&self, now: Timestamp) -> Option<u64> {
        self.known_at.map(|at| since(now, at))
    }

    /// How fresh it is.
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        match (self.age(now), &self.error) {
            (age, Some(failure)) if failure.error.is_refusal() => Freshness::NotPermitted(age),
            (age, Some(_)) => Freshness::Failed(age),
            (None, None) => Freshness::Loading,
            (Some(age), None) if age > self.stale_after.max(STALE_AFTER) => Freshness::Stale(age),
            (Some(_), None) => Freshness::Fresh,
        }
    }

    /// Whether it is time for the next query.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let wait = self.next_at.map(|at| at.duration_since(now));
        // A wait longer than any that is ever set means that the clock was put back.
        self.in_flight.is_none()
            && wait.is_none_or(|wait| wait.as_secs() > 2 * MAX_BACK_OFF || wait <= SignedDuration::ZERO)
    }

    /// Notes that a query was sent.
    pub fn sent(&mut self, generation: u64, now: Timestamp) {
        self.in_flight = Some(InFlightQuery { generation, sent_at: now });
        self.sent_at = Some(now);
    }

    /// Whether the last query was sent less than `min_interval` ago.
    pub fn is_too_soon(&self, now: Timestamp, min_interval: SignedDuration) -> bool {
        self.sent_at.is_some_and(|at| (SignedDuration::ZERO..min_interval).contains(&now.duration_since(at)))
    }

    /// Whether nothing has changed since the last query, which was less than `max_age` ago.
    pub fn is_current(&self, version: Option<u64>, now: Timestamp, max_age: SignedDuration) -> bool {
        let age = self.sent_at.map(|at| now.duration_since(at));
        self.known_at.is_some()
            && self.error.is_none()
            && version.is_some()
            && self.version == version
            && age.is_some_and(|ago| !ago.is_negative() && ago < max_age)
    }

    /// Makes the next query due at once, whether or not anything has changed.
    pub fn refresh_soon(&mut self) {
        (self.next_at, self.sent_at, self.version) = (None, None, None);
    }

    /// Notes that the value is still current, as nothing has changed since its query.
    pub fn confirmed(&mut self, now: Timestamp) {
        self.known_at = self.known_at.map(|_| now);
        self.next_at = Some(now + MIN_INTERVAL);
    }

    /// The query with this number has been answered, or given up.
    fn ended(&mut self, generation: u64) -> Option<InFlightQuery> {
        self.in_flight.take_if(|flight| flight.generation == generation)
    }

    /// A value has arrived.
    fn succeeded(&mut self, flight: InFlightQuery, took: Duration) {
        let pause =
            SignedDuration::try_from(took * SHARE).unwrap_or(MAX_INTERVAL).clamp(MIN_INTERVAL, MAX_INTERVAL);
        self.stale_after = pause.as_secs().unsigned_abs() + 2 * took.as_secs() + 2;
        self.next_at = Some(flight.sent_at + pause);
        self.known_at = Some(flight.sent_at);
        self.error = None;
    }

    /// The query with this number has failed.
    pub fn failed(&mut self, generation: u64, error: QueryError, now: Timestamp) {
        if self.ended(generation).is_some() {
            self.fail(error, now);
        }
    }

    fn fail(&mut self, error: QueryError, now: Timestamp) {
        let times = self.error.as_ref().map_or(0, |failure| failure.times) + 1;
        let wait = (1 << (times - 1).min(10)).min(MAX_BACK_OFF);
        let retry_at = now + SignedDuration::from_secs(wait);
        self.next_at = Some(retry_at);
        self.error = Some(Failure { error, retry_at, times });
    }
}

impl<T> Remote<T> {
    /// The last value.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Takes an answer, and returns it if it is one to an earlier query.
    ///
    /// # Errors
    /// The answer, if it came too late.
    pub fn answered(
        &mut self,
        generation: u64,
        answer: Result<T, QueryError>,
        took: Duration,
        now: Timestamp,
    ) -> Result<(), Result<T, QueryError>> {
        let Some(flight) = self.polling.ended(generation) else { return Err(answer) };
        match answer {
            Ok(value) => {
                self.value = Some(value);
                self.polling.succeeded(flight, took);
            }
            Err(error) => self.polling.fail(error, now),
        }
        Ok(())
    }
}

impl Failure {
    /// `retry in 0:04: LO403 the disk is gone`. The wait comes first, as the end may be cut.
    pub fn line(&self, now: Timestamp, retrying: bool) -> String {
        match (retrying, since(self.retry_at, now)) {
            (true, _) | (_, 0) => format!("retrying: {}", self.error),
            (false, wait) => format!("retry in {}: {}", countdown(wait), self.error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn broken() -> Result<u8, QueryError> {
        Err(Fault::new(Code::StorageFailed, "gone").into())
    }

    #[test]
    fn a_failure_keeps_the_value_and_backs_off_to_half_a_minute() {
        let mut remote = Remote::<u8>::default();
        assert_eq!(remote.freshness(at(0)), Freshness::Loading);
        remote.sent(1, at(0));
        assert!(!remote.is_due(at(5)), "one question at a time");
        remote.answered(1, Ok(7), Duration::ZERO, at(0)).unwrap();
        assert_eq!(remote.freshness(at(1)), Freshness::Fresh);
        let mut now = 1;
        let mut waits = Vec::new();
        for generation in 2..9 {
            remote.sent(generation, at(now));
            remote.answered(generation, broken(), Duration::ZERO, at(now)).unwrap();
            let retry_at = remote.error.as_ref().unwrap().retry_at.as_second();
            assert!(!remote.is_due(at(retry_at - 1)) && remote.is_due(at(retry_at)));
            waits.push(retry_at - now);
            now = retry_at;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(
            (remote.get(), remote.freshness(at(now))),
            (Some(&7), Freshness::Failed(Some(now.unsigned_abs())))
        );
    }

    #[test]
    fn a_late_answer_changes_nothing() {
        let mut remote = Remote::<u8>::default();
        remote.sent(2, at(0));
        assert_eq!(remote.answered(1, Ok(7), Duration::ZERO, at(1)), Err(Ok(7)));
        assert_eq!((remote.get(), remote.in_flight.is_some()), (None, true));
    }

    #[test]
    fn a_slow_source_is_asked_less_often() {
        let mut remote = Remote::<u8>::default();
        remote.sent(1, at(0));
        remote.answered(1, Ok(7), Duration::from_millis(200), at(0)).unwrap();
        assert!(!remote.is_due(at(3)) && remote.is_due(at(4)));
        assert!(remote.is_due(at(-10_000)), "the clock was put back");
    }
}
