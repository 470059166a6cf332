//! Times and numbers as the tables keep them.

use std::time::Duration;

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::ports::Random;
use rusqlite::Row;
use system::SystemRandom;

/// Milliseconds since 1970, rounded down.
pub(crate) fn millis(at: Timestamp) -> i64 {
    saturate(at.as_nanosecond().div_euclid(1_000_000))
}

/// `delay` after `at` in milliseconds since 1970, rounded up: never early.
pub(crate) fn millis_after(at: Timestamp, delay: Duration) -> i64 {
    let nanos = at.as_nanosecond().saturating_add(i128::try_from(delay.as_nanos()).unwrap_or(i128::MAX));
    saturate(nanos.saturating_add(999_999).div_euclid(1_000_000))
}

/// Microseconds since 1970, rounded down.
pub(crate) fn micros(at: Timestamp) -> i64 {
    saturate(at.as_nanosecond().div_euclid(1_000))
}

/// The reverse of [`micros`], kept within what a [`Timestamp`] can hold.
pub(crate) fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The start of the minute that `at` is in, in microseconds since 1970.
pub(crate) fn minute(at: Timestamp) -> i64 {
    const MINUTE: i64 = 60_000_000;
    micros(at).div_euclid(MINUTE) * MINUTE
}

/// `age` before `now`, in microseconds since 1970.
pub(crate) fn micros_before(now: Timestamp, age: Duration) -> i64 {
    let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
    micros(now.checked_sub(age).unwrap_or(Timestamp::MIN))
}

/// A random number that is not negative, for rows.
pub(crate) fn random_id() -> i64 {
    i64::try_from(SystemRandom.bits() >> 1).unwrap_or_default()
}

/// A count or limit as SQLite takes it.
pub(crate) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count that SQLite gives.
pub(crate) fn counted(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

fn saturate(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_is_rounded_up_and_the_present_down() {
        let at = Timestamp::from_nanosecond(1_000_000_001).unwrap();
        assert_eq!(millis(at), 1_000);
        assert_eq!(millis_after(at, Duration::ZERO), 1_001);
        assert_eq!(millis_after(at, Duration::from_nanos(999_999)), 1_001);
        assert_eq!(millis_after(at, Duration::MAX), i64::MAX);
    }
}
