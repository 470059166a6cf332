//! Times as Close writes them, and how far away they are.

use std::time::Duration;

use jiff::{Timestamp, civil, tz::TimeZone};

/// Reads an RFC 3339 time, or one without an offset as UTC.
///
/// Close's `data.date_created` has an offset, `event.date_created` has none and is UTC; either may
/// lack the fraction.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let naive: civil::DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(naive).ok()
    })
}

/// The time `millis` milliseconds after 1970, limited to the range of a [`Timestamp`].
pub fn from_millis(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// How long it is from `now` to `until`: no time where that is over.
pub fn time_left(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naive_and_zoned_with_and_without_fraction_are_one_instant() {
        let expected: Timestamp = "2026-09-14T15:02:11Z".parse().unwrap();
        for text in [
            "2026-09-14T15:02:11",
            "2026-09-14T15:02:11.000000",
            "2026-09-14T15:02:11+00:00",
            "2026-09-14T15:02:11.000000+00:00",
            "2026-09-14T17:02:11+02:00",
            "2026-09-14T15:02:11Z",
            "2026-09-14 15:02:11",
        ] {
            assert_eq!(parse_time(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "yesterday", "2026-13-01T00:00:00", "15:02", "\u{202e}"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
