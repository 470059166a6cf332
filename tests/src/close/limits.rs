use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use lead::Timestamp;

use super::switches::Limits;

/// How many requests are taken of each group of endpoints, in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub requests: u32,
    /// The time, which begins with the first of them.
    pub per: Duration,
}

impl Default for Limit {
    /// As was seen in 2025.
    fn default() -> Self {
        Self { requests: 240, per: Duration::from_secs(8) }
    }
}

/// What each group has used up: when its time began, and how many requests came in it.
#[derive(Default)]
pub(super) struct Used(BTreeMap<String, (Timestamp, u32)>);

/// What is left after a request.
#[derive(Clone, Copy)]
pub(super) struct Left {
    /// Whether the request was one too many.
    pub(super) is_over: bool,
    limit: u32,
    remaining: u32,
    pub(super) reset: Duration,
}

impl Used {
    /// Counts a request of a group.
    pub(super) fn count(&mut self, group: String, limit: Limit, now: Timestamp) -> Left {
        let (began, count) = self.0.entry(group).or_insert((now, 0));
        let age = |began: Timestamp| Duration::try_from(now.duration_since(began)).ok();
        // A clock that was set back begins anew.
        if age(*began).is_none_or(|age| age >= limit.per) {
            (*began, *count) = (now, 0);
        }
        let is_over = *count >= limit.requests;
        *count += u32::from(!is_over);
        let reset = limit.per - age(*began).unwrap_or_default();
        Left { is_over, limit: limit.requests, remaining: limit.requests - *count, reset }
    }
}

/// The group of an endpoint: method and path, without the ids in it.
pub(super) fn group(method: &str, segments: &[&str]) -> String {
    let shown = segments.iter().enumerate().map(|(at, segment)| if at == 0 { segment } else { "{id}" });
    format!("{method} {}", shown.collect::<Vec<_>>().join("/"))
}

impl Left {
    /// Nothing, for so long.
    pub(super) fn nothing(limit: Limit, reset: Duration) -> Self {
        Self { is_over: true, limit: limit.requests, remaining: 0, reset }
    }

    /// The headers that state it.
    pub(super) fn headers(self, form: Limits) -> Vec<(&'static str, String)> {
        let Self { is_over, limit, remaining, reset } = self;
        let reset = reset.as_secs_f64();
        let mut headers = match form {
            Limits::Now => {
                vec![("ratelimit", format!("limit={limit}, remaining={remaining}, reset={reset}"))]
            }
            Limits::Apart => vec![
                ("ratelimit-limit", limit.to_string()),
                ("ratelimit-remaining", remaining.to_string()),
                ("ratelimit-reset", reset.to_string()),
                ("x-ratelimit-limit", format!("{limit}, {limit};w={}", reset.ceil())),
            ],
            Limits::Older => vec![
                ("x-rate-limit-limit", limit.to_string()),
                ("x-rate-limit-remaining", remaining.to_string()),
                ("x-rate-limit-reset", reset.to_string()),
            ],
            Limits::Draft => vec![("ratelimit", format!("\"default\";r={remaining};t={reset}"))],
            Limits::Date | Limits::Untold => Vec::new(),
        };
        if is_over {
            headers.extend(match form {
                Limits::Now | Limits::Draft => Some(("retry-after", reset.to_string())),
                Limits::Date => Some(("retry-after", date_in(self.reset))),
                Limits::Apart | Limits::Older | Limits::Untold => None,
            });
        }
        headers
    }
}

/// The second that has begun when so much time has passed on the machine's clock: a date has no fractions.
fn date_in(wait: Duration) -> String {
    let then = Timestamp::try_from(SystemTime::now() + wait + Duration::from_secs(1)).unwrap();
    then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
