//! The one way to make an HTTP client.

use std::{io, time::Duration};

use bytes::Bytes;
use outside::{gzip, text};
use reqwest::{
    Client, ClientBuilder, Response,
    header::{ACCEPT_ENCODING, HeaderValue},
};
use url::{Host, Url};

/// What leadops calls itself.
pub const USER_AGENT: &str = concat!("leadops/", env!("CARGO_PKG_VERSION"));

/// The longest error text, in characters.
const ERROR_LIMIT: usize = 300;

/// A client for one server, `target`. The caller adds its timeouts.
///
/// * No redirect is followed unless the caller says which: another address is another server.
/// * TLS is rustls on aws-lc-rs, with the machine's trusted certificates.
/// * Nothing is retried, not even what HTTP allows to be.
/// * Servers are asked not to compress answers.
/// * No `Referer` is sent, and few idle connections are kept.
/// * `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are respected, because in some networks there is no other way out;
///   except for a target on this machine, which no proxy could reach.
pub fn builder(target: &Url) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .default_headers([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))].into_iter().collect())
        .retry(reqwest::retry::never())
        .referer(false)
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(4)
        .pool_idle_timeout(Duration::from_secs(15));
    if !is_on_this_machine(target) {
        return builder;
    }
    let builder = builder.no_proxy();
    // Without the machine's certificates, which a bare container lacks and plain HTTP does not need.
    if target.scheme() == "http" { builder.tls_certs_only([]) } else { builder }
}

/// An error with all of its causes and without the URL, on one line.
pub fn error_text(error: reqwest::Error) -> String {
    let is_proxy_error = is_proxy_error(&error);
    let error = error.without_url();
    let mut text = text::with_causes(&error);
    if is_proxy_error {
        text.push_str("; the proxy that HTTPS_PROXY names does not forward to it");
    }
    // By its text, as reqwest does not expose rustls's error.
    if text.contains("UnknownIssuer") {
        text.push_str("; SSL_CERT_FILE names the authorities to trust, such as a proxy's");
    }
    text::shorten(&text, ERROR_LIMIT)
}

/// Whether the request was never sent: it failed before there was a connection, TLS included, or while being built.
pub fn is_unsent(error: &reqwest::Error) -> bool {
    error.is_connect() || error.is_builder()
}

/// Whether the proxy refused to connect. By its text, as reqwest has no type for it.
pub fn is_proxy_error(error: &reqwest::Error) -> bool {
    text::causes(error).any(|inner| inner.to_string().starts_with("tunnel error"))
}

/// Whether the server closed the connection instead of answering.
pub fn is_closed(error: &reqwest::Error) -> bool {
    text::causes(error).any(|inner| {
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        let is_reset =
            matches!(kind, Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted));
        // By its text, as reqwest has no type for it.
        is_reset || inner.to_string() == "connection closed before message completed"
    })
}

/// Whether the URL's host is this machine, judged by its name or address.
pub fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = without_trailing_dot(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A domain without a trailing dot, which makes no difference to which domain it is.
pub fn without_trailing_dot(domain: &str) -> &str {
    domain.strip_suffix('.').unwrap_or(domain)
}

/// Reads at most `limit` bytes of a body, and how reading ended.
pub async fn read_limited(response: &mut Response, limit: usize) -> (Bytes, BodyRead) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                body.extend_from_slice(&chunk);
                if body.len() > limit {
                    body.truncate(limit);
                    return (body.into(), BodyRead::TooLong);
                }
            }
            Ok(None) => return (body.into(), BodyRead::Complete),
            Err(error) => return (body.into(), BodyRead::Failed(error)),
        }
    }
}

/// A body as one clean line, of at most `limit` bytes. Some servers compress an answer although they were asked not to;
/// what cannot be decoded of it is left out.
pub fn line(body: &[u8], limit: usize) -> String {
    if !body.starts_with(gzip::BEGIN) {
        return text::clean(&String::from_utf8_lossy(body));
    }
    // Of a damaged or truncated one, the part before the damage counts.
    let (decoded, _) = gzip::decoded(body, limit);
    text::clean(&String::from_utf8_lossy(&decoded))
}

/// How reading a body ended.
pub enum BodyRead {
    /// All of it was read.
    Complete,
    /// It is longer than the limit.
    TooLong,
    /// It was cut off.
    Failed(reqwest::Error),
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for (url, expected) in [
            ("http://127.0.0.1:8080/x", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]:1/", true),
            ("http://localhost/", true),
            ("http://leads.localhost/", true),
            ("http://localhost./", true),
            ("https://localhost.example.com/", false),
            ("https://10.0.0.1/", false),
            ("https://hooks.slack.com/", false),
        ] {
            assert_eq!(is_on_this_machine(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn what_was_compressed_unasked_is_read() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(format!("ok\n{}", "no ".repeat(2_000)).as_bytes()).unwrap();
        let body = encoder.finish().unwrap();
        assert_eq!(line(&body, 5), "ok no");
        assert!(line(&body[..body.len() - 12], 5_000).starts_with("ok no no"), "what is there is read");
        assert_eq!((line(b"\x1f\x8bnonsense", 100), line(b" o\nk ", 100)), (String::new(), "o k".to_owned()));
    }

    #[test]
    fn a_client_can_be_made_for_this_machine_and_for_others() {
        for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://hooks.slack.com/"] {
            builder(&url.parse().unwrap()).build().unwrap();
        }
    }
}
