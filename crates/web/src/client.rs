//! The one way to make an HTTP client.

use std::{error::Error, io, iter, time::Duration};

use bytes::Bytes;
use outside::{gzip, text};
use reqwest::{
    Client, ClientBuilder, Response,
    header::{ACCEPT_ENCODING, HeaderValue},
};
use url::{Host, Url};

/// What leadops calls itself.
pub const USER_AGENT: &str = concat!("leadops/", env!("CARGO_PKG_VERSION"));

/// How much of an error is told.
const ERROR_LIMIT: usize = 300;

/// A client for one server, `target`. The caller adds its timeouts.
///
/// * No redirect is followed, unless the caller says which: another address is another server.
/// * TLS is rustls on aws-lc-rs, trusting what the machine trusts.
/// * Nothing is repeated, not even what HTTP would allow to be.
/// * Nobody is to compress an answer.
/// * No `Referer` is sent, and few connections are kept.
/// * `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are heeded, because in some networks there is no other
///   way out; except for a target on this machine, which no proxy could reach.
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

/// What went wrong, with all of its causes and without the URL, on one line.
pub fn error_text(error: reqwest::Error) -> String {
    let is_by_proxy = is_by_proxy(&error);
    let error = error.without_url();
    let mut told = error.to_string();
    for inner in causes(&error) {
        let inner_text = inner.to_string();
        if !told.contains(&inner_text) {
            told.push_str(": ");
            told.push_str(&inner_text);
        }
    }
    if is_by_proxy {
        told.push_str("; the proxy that HTTPS_PROXY names passes nothing on to it");
    }
    // By name, as reqwest does not hand out what rustls says.
    if told.contains("UnknownIssuer") {
        told.push_str("; SSL_CERT_FILE names the authorities to trust, such as a proxy's");
    }
    text::shorten(&told, ERROR_LIMIT)
}

/// Whether what failed did so before there was a connection, TLS included, or in building the request.
pub fn never_left(error: &reqwest::Error) -> bool {
    error.is_connect() || error.is_builder()
}

/// Whether there was no connection because the proxy refused to make one. By its words, as reqwest hands out no type for it.
pub fn is_by_proxy(error: &reqwest::Error) -> bool {
    causes(error).any(|inner| inner.to_string().starts_with("tunnel error"))
}

/// Whether the server ended the connection instead of answering, without a word.
pub fn is_closed(error: &reqwest::Error) -> bool {
    causes(error).any(|inner| {
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        let is_reset =
            matches!(kind, Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted));
        // By its words, as reqwest hands out no type for it.
        is_reset || inner.to_string() == "connection closed before message completed"
    })
}

/// What has caused an error, what caused that, and so on.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(error.source(), |&inner| inner.source())
}

/// Whether the URL's host is this machine by its name or address.
pub fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = rooted(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A domain without the dot that may end it, and that changes nothing of whose it is.
pub fn rooted(domain: &str) -> &str {
    domain.strip_suffix('.').unwrap_or(domain)
}

/// The start of a body: reading stops once there are more than `limit` bytes.
///
/// Returns what was read, at most `limit` bytes, whether there was more, and the error that ended it.
pub async fn read_start(response: &mut Response, limit: usize) -> (Bytes, Ended) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                body.extend_from_slice(&chunk);
                if body.len() > limit {
                    body.truncate(limit);
                    return (body.into(), Ended::TooLong);
                }
            }
            Ok(None) => return (body.into(), Ended::Complete),
            Err(error) => return (body.into(), Ended::Failed(error)),
        }
    }
}

/// A body as one clean line, of at most `limit` bytes. Some compress what they answer though they were asked not to; what
/// cannot be decoded of that is left out.
pub fn line(body: &[u8], limit: usize) -> String {
    if !body.starts_with(gzip::BEGIN) {
        return text::clean(&String::from_utf8_lossy(body));
    }
    // Of one that is broken or cut off, what stands before that counts.
    let (decoded, _) = gzip::decoded(body, limit);
    text::clean(&String::from_utf8_lossy(&decoded))
}

/// How the reading of a body ended.
pub enum Ended {
    /// There was no more.
    Complete,
    /// There was more than the limit.
    TooLong,
    /// It broke off.
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
