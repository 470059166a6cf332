//! Which redirects a look-up follows.
//!
//! The target of a redirect becomes a lead's owner, so it has to belong to the directory itself. Otherwise whoever can
//! answer in its place could have documents read from anywhere that this machine can reach.

use reqwest::{
    header::{HeaderMap, LOCATION},
    redirect::{Action, Attempt},
};
use url::Url;

use super::s3::S3Address;

/// How many redirects are followed.
const REDIRECTS: usize = 3;

/// Follows a redirect within the directory. Any other redirect is the answer.
pub(super) fn follow(attempt: Attempt<'_>) -> Action {
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("more than 3 redirects");
    }
    let is_within = attempt.previous().last().is_some_and(|from| is_within(from, attempt.url()));
    if is_within { attempt.follow() } else { attempt.stop() }
}

/// Whether `to` belongs to the same directory as `from`: at the same host and port, or another address of the same
/// bucket; never from TLS to plain HTTP.
///
/// A redirect from HTTP to TLS has to be between the default ports: at another port anything may listen. An address in
/// a private network can only be that of the host that was asked.
fn is_within(from: &Url, to: &Url) -> bool {
    let is_server = match (from.scheme(), to.scheme()) {
        ("http", "http") | ("https", "https") => from.port_or_known_default() == to.port_or_known_default(),
        ("http", "https") => from.port().is_none() && to.port().is_none(),
        _ => return false,
    };
    match (S3Address::of(from), S3Address::of(to)) {
        (Some(from), Some(to)) => from.is_same_bucket(&to),
        (None, None) => is_server && from.host() == to.host(),
        _ => false,
    }
}

/// The target of a redirect that was not followed: only scheme, host and port.
pub(super) fn points_to(asked: &Url, status: u16, headers: &HeaderMap) -> Option<String> {
    if !(300..400).contains(&status) {
        return None;
    }
    let location = headers.get(LOCATION)?;
    // A header may be UTF-8.
    let location = String::from_utf8_lossy(location.as_bytes());
    let target = asked.join(&location).ok()?;
    let origin = match target.host_str() {
        Some(_) => target.origin().ascii_serialization(),
        None => format!("{}:", target.scheme()),
    };
    Some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_within_the_directory() {
        let is_within = |from: &str, to: &str| is_within(&from.parse().unwrap(), &to.parse().unwrap());
        for (from, to) in [
            ("https://h/a", "https://h/login"),
            ("https://h/a", "https://h:443/b"),
            ("http://h/a", "https://h/a"),
            ("http://h:8080/a", "http://h:8080/b"),
            ("http://10.0.0.1/a", "http://10.0.0.1/b"),
            ("https://b1.s3.us-east-1.amazonaws.com/x", "https://b1.s3.eu-west-1.amazonaws.com/x"),
            ("https://b1.s3.amazonaws.com/x", "https://b1.s3-eu-west-1.amazonaws.com/x"),
            ("https://b1.s3.amazonaws.com/x", "https://s3.eu-west-1.amazonaws.com/b1/x"),
            ("http://b1.s3.amazonaws.com/x", "https://b1.s3.dualstack.eu-west-1.amazonaws.com/x"),
            (
                "https://b1.s3.cn-north-1.amazonaws.com.cn/x",
                "https://b1.s3.cn-northwest-1.amazonaws.com.cn/x",
            ),
        ] {
            assert!(is_within(from, to), "{from} {to}");
        }
        for (from, to) in [
            ("https://h/a", "http://h/a"),
            ("https://h/a", "https://h:8443/a"),
            ("http://h:8080/a", "https://h/a"),
            ("http://h:8080/a", "https://h:8443/a"),
            ("http://h/a", "http://h:9000/a"),
            ("https://h/a", "https://other/a"),
            ("https://h/a", "https://h.evil.example/a"),
            ("https://h/a", "http://127.0.0.1/a"),
            ("http://127.0.0.1/a", "http://127.0.0.2/a"),
            ("http://127.0.0.1/a", "http://localhost/a"),
            ("http://h/a", "http://169.254.169.254/latest/meta-data"),
            ("https://h/a", "file:///etc/passwd"),
            ("https://b1.s3.us-east-1.amazonaws.com/x", "https://b2.s3.eu-west-1.amazonaws.com/x"),
            ("https://b1.s3.us-east-1.amazonaws.com/x", "http://b1.s3.eu-west-1.amazonaws.com/x"),
            ("https://s3.us-east-1.amazonaws.com/b1/x", "https://s3.us-east-1.amazonaws.com/b2/x"),
            (
                "https://b1.s3.us-east-1.amazonaws.com/x",
                "https://b1.s3.us-east-1.amazonaws.com.evil.example/x",
            ),
            ("https://b1.s3.us-east-1.amazonaws.com/x", "https://b1.s3.us-east-1.amazonaws.com:8443/x"),
            ("https://b1.s3.us-east-1.amazonaws.com/x", "https://b1.s3.cn-north-1.amazonaws.com.cn/x"),
            ("https://h/a", "https://b1.s3.us-east-1.amazonaws.com/x"),
        ] {
            assert!(!is_within(from, to), "{from} {to}");
        }
    }

    #[test]
    fn only_the_origin_of_a_redirect_is_named() {
        let points_to = |status, location: &str| {
            let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
            super::points_to(&"https://h/x/lead_a.json".parse().unwrap(), status, &headers)
        };
        for (location, expected) in [
            ("http://u:hunter2@127.0.0.1:9000/secret?k=1", "http://127.0.0.1:9000"),
            ("//login.example.com/", "https://login.example.com"),
            ("/login", "https://h"),
            ("file:///etc/passwd", "file:"),
        ] {
            assert_eq!(points_to(302, location).as_deref(), Some(expected), "{location}");
        }
        assert_eq!(points_to(200, "https://x/"), None);
        assert_eq!(points_to(302, "http://["), None);
    }
}
