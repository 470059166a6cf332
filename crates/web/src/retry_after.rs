//! The `Retry-After` header of an answer.

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap};

const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that an answer asks for, at most a day, counted from now.
pub fn of(headers: &HeaderMap) -> Option<Duration> {
    wait(headers.get(header::RETRY_AFTER)?.to_str().ok()?, SystemTime::now())
}

/// The wait that a `Retry-After` asks for, at most a day: seconds, with a fraction or not, or a date
/// (RFC 9110, section 10.2.3). A date in the past is ignored.
fn wait(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<f64>() {
        // Not NaN, and infinity is a day.
        Ok(seconds) if seconds >= 0.0 => Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT),
        Ok(_) => return None,
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?,
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_retry_after_is_bounded() {
        let now = httpdate::parse_http_date("Mon, 14 Sep 2026 15:00:00 GMT").unwrap();
        for (value, seconds) in [
            ("30", Some(30.0)),
            (" 1 ", Some(1.0)),
            ("0", Some(0.0)),
            ("0.5", Some(0.5)),
            ("999999999999999999999999", Some(86_400.0)),
            ("1e400", Some(86_400.0)),
            ("inf", Some(86_400.0)),
            ("Mon, 14 Sep 2026 15:00:30 GMT", Some(30.0)),
            ("Monday, 14-Sep-26 15:00:30 GMT", Some(30.0)),
            ("Mon, 14 Sep 2026 14:00:00 GMT", None),
            ("Mon, 14 Sep 2099 14:00:00 GMT", Some(86_400.0)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(value, now), seconds.map(Duration::from_secs_f64), "{value:?}");
        }
    }
}
