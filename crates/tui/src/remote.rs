//! Something that is asked for again and again, with what is known about how well that goes.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{Code, Fault};

use super::format::{countdown, since};

/// The shortest time between two questions. A little less than the second that drives them, so that
/// a late tick does not skip one.
const EVERY: SignedDuration = SignedDuration::from_millis(900);
/// The longest, for a source that takes its time.
const AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait after a failure.
const LONGEST_BACK_OFF: i64 = 30;
/// A source may be busy with our question for a twentieth of the time.
const SHARE: u32 = 20;
/// A value is called stale from this age on, where its source answers quickly.
const STALE_AFTER: u64 = 5;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The source says so.
    Fault(Fault),
    /// It has said nothing for so long.
    NoAnswer(Duration),
}

impl Trouble {
    /// Whether asking again changes nothing until a person has done something.
    pub fn is_refusal(&self) -> bool {
        let refusals = [Code::AwsDenied, Code::CredentialsExpired, Code::CredentialsMissing];
        matches!(self, Self::Fault(fault) if refusals.contains(&fault.code))
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::NoAnswer(waited) => write!(f, "no answer in {} s", waited.as_secs()),
        }
    }
}

/// A question that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// Tells its answer from those to earlier questions.
    pub generation: u64,
    /// When it was asked.
    pub asked_at: Timestamp,
}

/// The last question's failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it was.
    pub trouble: Trouble,
    /// When.
    pub at: Timestamp,
    /// When it is asked again.
    pub retry_at: Timestamp,
    /// How often in a row.
    pub times: u32,
}

/// How asking for something again and again goes: the question on its way and the last failure, side by side with the
/// age of what is known. A failure does not take away what is known, it only makes it old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polling {
    /// The question on its way; never more than one.
    pub in_flight: Option<Flight>,
    /// The failure since the last value.
    pub error: Option<Failure>,
    /// What [`pipeline::ports::Watch`] saw before the last question.
    pub version: Option<u64>,
    /// When the last value was asked for.
    known_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
    next_at: Option<Timestamp>,
    patience: u64,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            in_flight: None,
            error: None,
            version: None,
            known_at: None,
            asked_at: None,
            next_at: None,
            patience: STALE_AFTER,
        }
    }
}

/// The last value, and how asking for it goes.
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

/// How far what is shown can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing has come yet.
    Loading,
    /// It is as it was a moment ago.
    Fresh,
    /// It is this many seconds old.
    Stale(u64),
    /// The source fails; what is there, if anything, is this many seconds old.
    Failed(Option<u64>),
    /// The credentials do not allow it, or are no longer good; what is there is this many seconds old.
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

    /// How far it can be believed.
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        match (self.age(now), &self.error) {
            (age, Some(failure)) if failure.trouble.is_refusal() => Freshness::NotPermitted(age),
            (age, Some(_)) => Freshness::Failed(age),
            (None, None) => Freshness::Loading,
            (Some(age), None) if age > self.patience => Freshness::Stale(age),
            (Some(_), None) => Freshness::Fresh,
        }
    }

    /// Whether it is time to ask again.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let wait = self.next_at.map(|at| at.duration_since(now));
        // A wait longer than any that is ever set means that the clock was put back.
        self.in_flight.is_none()
            && wait.is_none_or(|wait| wait.as_secs() > 2 * LONGEST_BACK_OFF || wait <= SignedDuration::ZERO)
    }

    /// Notes that it was asked.
    pub fn asked(&mut self, generation: u64, now: Timestamp) {
        self.in_flight = Some(Flight { generation, asked_at: now });
        self.asked_at = Some(now);
    }

    /// Whether it was asked less than `every` ago.
    pub fn is_too_soon(&self, now: Timestamp, every: SignedDuration) -> bool {
        self.asked_at.is_some_and(|at| (SignedDuration::ZERO..every).contains(&now.duration_since(at)))
    }

    /// Whether nothing has changed since it was last asked for, and that is less than `longest` ago.
    pub fn holds(&self, version: Option<u64>, now: Timestamp, longest: SignedDuration) -> bool {
        let asked = self.asked_at.map(|at| now.duration_since(at));
        self.known_at.is_some()
            && self.error.is_none()
            && version.is_some()
            && self.version == version
            && asked.is_some_and(|ago| !ago.is_negative() && ago < longest)
    }

    /// Makes it due at once, whether or not anything has changed.
    pub fn hurry(&mut self) {
        (self.next_at, self.asked_at, self.version) = (None, None, None);
    }

    /// Notes that the value still holds, as nothing has changed since it was asked for.
    pub fn confirmed(&mut self, now: Timestamp) {
        self.known_at = self.known_at.map(|_| now);
        self.next_at = Some(now + EVERY);
    }

    /// The question with this number has been answered, or given up.
    fn ended(&mut self, generation: u64) -> Option<Flight> {
        self.in_flight.take_if(|flight| flight.generation == generation)
    }

    /// A value has come.
    fn succeeded(&mut self, flight: Flight, took: Duration) {
        let pause =
            SignedDuration::try_from(took * SHARE).unwrap_or(AT_MOST_EVERY).clamp(EVERY, AT_MOST_EVERY);
        self.patience = STALE_AFTER.max(pause.as_secs().unsigned_abs() + 2 * took.as_secs() + 2);
        self.next_at = Some(flight.asked_at + pause);
        self.known_at = Some(flight.asked_at);
        self.error = None;
    }

    /// The question with this number has failed.
    pub fn failed(&mut self, generation: u64, trouble: Trouble, now: Timestamp) {
        if self.ended(generation).is_some() {
            self.fail(trouble, now);
        }
    }

    fn fail(&mut self, trouble: Trouble, now: Timestamp) {
        let times = self.error.as_ref().map_or(0, |failure| failure.times) + 1;
        let wait = (1 << (times - 1).min(10)).min(LONGEST_BACK_OFF);
        let retry_at = now + SignedDuration::from_secs(wait);
        self.next_at = Some(retry_at);
        self.error = Some(Failure { trouble, at: now, retry_at, times });
    }
}

impl<T> Remote<T> {
    /// The last value.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Takes an answer, and hands it back where it is one to a question of long ago.
    ///
    /// # Errors
    /// The answer, where it came too late.
    pub fn answered(
        &mut self,
        generation: u64,
        answer: Result<T, Trouble>,
        took: Duration,
        now: Timestamp,
    ) -> Result<(), Result<T, Trouble>> {
        let Some(flight) = self.polling.ended(generation) else { return Err(answer) };
        match answer {
            Ok(value) => {
                self.value = Some(value);
                self.polling.succeeded(flight, took);
            }
            Err(trouble) => self.polling.fail(trouble, now),
        }
        Ok(())
    }
}

impl Failure {
    /// `again in 0:04: LO403 the disk is gone`. The wait comes first, as the end may be cut.
    pub fn line(&self, now: Timestamp, asking: bool) -> String {
        match (asking, since(self.retry_at, now)) {
            (true, _) | (_, 0) => format!("asking again: {}", self.trouble),
            (false, wait) => format!("again in {}: {}", countdown(wait), self.trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn broken() -> Result<u8, Trouble> {
        Err(Fault::new(Code::StorageFailed, "gone").into())
    }

    #[test]
    fn a_failure_keeps_the_value_and_backs_off_to_half_a_minute() {
        let mut remote = Remote::<u8>::default();
        assert_eq!(remote.freshness(at(0)), Freshness::Loading);
        remote.asked(1, at(0));
        assert!(!remote.is_due(at(5)), "one question at a time");
        remote.answered(1, Ok(7), Duration::ZERO, at(0)).unwrap();
        assert_eq!(remote.freshness(at(1)), Freshness::Fresh);
        let mut now = 1;
        let mut waits = Vec::new();
        for generation in 2..9 {
            remote.asked(generation, at(now));
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
        remote.asked(2, at(0));
        assert_eq!(remote.answered(1, Ok(7), Duration::ZERO, at(1)), Err(Ok(7)));
        assert_eq!((remote.get(), remote.in_flight.is_some()), (None, true));
    }

    #[test]
    fn a_slow_source_is_asked_less_often() {
        let mut remote = Remote::<u8>::default();
        remote.asked(1, at(0));
        remote.answered(1, Ok(7), Duration::from_millis(200), at(0)).unwrap();
        assert!(!remote.is_due(at(3)) && remote.is_due(at(4)));
        assert!(remote.is_due(at(-10_000)), "the clock was put back");
    }
}
