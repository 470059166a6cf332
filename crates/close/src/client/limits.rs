//! Close's rate limit headers: <https://developer.close.com/topics/rate-limits/>.

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};

use web::retry_after;

use crate::{CloseAnswer, RateLimitWindow};

/// The shortest and the longest wait that is accepted.
const BOUNDS: (Duration, Duration) = (Duration::from_millis(100), CloseAnswer::LONGEST_WAIT);
/// The wait where none can be read from the headers.
const UNSAID: Duration = CloseAnswer::UNSAID_WAIT;
/// Older names of the `RateLimit` header.
const OLDER_RESETS: [&str; 2] = ["ratelimit-reset", "x-rate-limit-reset"];

/// How long an answer asks to wait; only for 429.
pub(super) fn wait(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let reset = field(headers, "reset")
        .or_else(|| OLDER_RESETS.iter().find_map(|name| seconds(text(headers, name)?)));
    let said = retry_after::of(headers).into_iter().chain(reset).max();
    Some(said.unwrap_or(UNSAID).clamp(BOUNDS.0, BOUNDS.1))
}

/// What is left of the limit that is closest to being exceeded.
pub(super) fn window(headers: &HeaderMap) -> Option<RateLimitWindow> {
    let remaining = field(headers, "remaining")?.as_secs();
    Some(RateLimitWindow {
        remaining: u32::try_from(remaining).ok()?,
        reset: field(headers, "reset")?.min(BOUNDS.1),
    })
}

/// A value of `limit=100, remaining=50, reset=5.3`. Values are decimal.
fn field(headers: &HeaderMap, name: &str) -> Option<Duration> {
    let parts = text(headers, "ratelimit")?.split([',', ';']);
    parts
        .filter_map(|part| part.split_once('='))
        .find_map(|(key, value)| key.trim().eq_ignore_ascii_case(name).then(|| seconds(value))?)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse::<f64>().ok().filter(|seconds| *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use reqwest::header;

    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn every_form_of_a_wait_is_read() {
        let limited =
            |all: &[(&'static str, &str)]| wait(StatusCode::TOO_MANY_REQUESTS, &headers(all)).unwrap();
        let ms = Duration::from_millis;
        for (all, expected) in [
            (&[("ratelimit", "limit=240, remaining=0, reset=5.5"), ("retry-after", "5.5")][..], ms(5_500)),
            (&[("ratelimit", "limit=100;remaining=0;reset=2.5")], ms(2_500)),
            (&[("ratelimit", "RESET=3"), ("retry-after", "1")], ms(3_000)),
            (&[("retry-after", "7")], ms(7_000)),
            (&[("ratelimit", "\"default\";r=0;t=5"), ("x-rate-limit-reset", "4")], ms(4_000)),
            (&[("ratelimit-reset", "1")], ms(1_000)),
            (&[("ratelimit", "limit=1, remaining=0, reset=nan"), ("retry-after", "soon")], UNSAID),
            (&[], UNSAID),
            (&[("retry-after", "-5")], UNSAID),
            (&[("retry-after", "0")], BOUNDS.0),
            (&[("retry-after", "86400")], BOUNDS.1),
        ] {
            assert_eq!(limited(all), expected, "{all:?}");
        }
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!((ms(55_000)..=ms(60_000)).contains(&limited(&[("retry-after", &date)])));
        assert_eq!(wait(StatusCode::OK, &headers(&[("retry-after", "5")])), None);
    }

    #[test]
    fn what_is_left_is_read_where_it_is_said_in_full() {
        let left = |value: &str| window(&headers(&[("ratelimit", value)]));
        let expected = RateLimitWindow { remaining: 238, reset: Duration::from_secs(8) };
        assert_eq!(left("limit=240, remaining=238, reset=8"), Some(expected));
        for value in ["limit=240, remaining=238", "remaining=x, reset=1", "\"default\";r=50;t=5", ""] {
            assert_eq!(left(value), None, "{value}");
        }
    }
}
