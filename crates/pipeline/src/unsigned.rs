//! Who may send webhooks that nobody has signed: programs on this machine.
//!
//! That the listener has a loopback address does not say so. A proxy in front of it passes on what comes from
//! anywhere; and a page in a browser on this machine can post to it, also under a name of its own that it has
//! pointed at 127.0.0.1 (DNS rebinding).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use outside::text;

/// What proxies, content networks and tunnels add to a request that they pass on. A star stands for any end.
const PASSED_ON: [&str; 28] = [
    // RFC 7239 and RFC 9110, and what was in use before them.
    "forwarded",
    "forwarded-for",
    "via",
    "x-forwarded*",
    "x-original-*",
    "x-real-*",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-proxy*",
    "x-rewrite-url",
    "x-scheme",
    "front-end-https",
    // Content networks and clouds; the first is RFC 8586.
    "cdn-loop",
    "cf-*",
    "cloudfront-*",
    "true-client-ip",
    "akamai-*",
    "x-akamai-*",
    "fastly-*",
    "fly-*",
    "do-connecting-ip",
    "x-amz-cf-*",
    "x-appengine-*",
    "x-azure-*",
    "x-vercel-*",
    // Meshes and tunnels.
    "x-envoy-*",
    "ngrok-*",
    "tailscale-*",
];

/// What a request's connection and head say of where it comes from. One of which nothing is known is nobody's on
/// this machine.
#[derive(Debug, Clone, Default)]
pub struct Head<'a> {
    /// The address of who has connected.
    pub peer: Option<IpAddr>,
    /// The host and port of a target that is a whole URL, which stands above the header's (RFC 9112, 3.2.2).
    pub target: Option<&'a str>,
    /// Whether it is HTTP/1.0, which no program on this machine needs, and nginx speaks unless configured otherwise.
    pub is_old: bool,
    /// The headers, their names in lower case.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

impl Head<'_> {
    /// That of a request which was made here, and by no way through a socket.
    pub fn of_this_process() -> Self {
        let headers = vec![("host", &b"localhost"[..]), ("content-type", b"application/json")];
        Self { peer: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), headers, ..Self::default() }
    }

    /// Whether a program on this machine has made the request for this machine.
    ///
    /// # Errors
    /// Why it does not look so, cleaned.
    pub fn is_of_this_machine(&self) -> Result<(), String> {
        match self.peer {
            Some(peer) if peer.to_canonical().is_loopback() => {}
            Some(peer) => return Err(format!("it comes from {peer}")),
            None => return Err("where it comes from is not known".to_owned()),
        }
        if let Some(target) = self.target
            && !is_loopback(target)
        {
            return Err(format!("it is meant for {}", shown(target.as_bytes())));
        }
        match self.only("host") {
            Ok(host) if std::str::from_utf8(host).is_ok_and(is_loopback) => {}
            Ok(host) => return Err(format!("its Host is {}, not this machine", shown(host))),
            Err(number) => return Err(format!("it has {number} Host headers instead of one")),
        }
        if self.is_old {
            return Err("it is HTTP/1.0, as proxies speak it".to_owned());
        }
        if self.headers.iter().any(|(name, _)| name.starts_with(close::headers::PREFIX)) {
            return Err("it has Close's signature headers, which only a key can prove".to_owned());
        }
        // What is not there in a request of a page's: `none` is of the address bar, which posts no JSON.
        for (name, value) in &self.headers {
            match *name {
                "origin" => {
                    return Err(format!("a page in a browser has sent it (Origin: {})", shown(value)));
                }
                "sec-fetch-site" if *value != b"none" => {
                    return Err(format!(
                        "a page in a browser has sent it (Sec-Fetch-Site: {})",
                        shown(value)
                    ));
                }
                _ if is_of_a_proxy(name) => {
                    return Err(format!("a proxy has passed it on ({})", shown(name.as_bytes())));
                }
                _ => {}
            }
        }
        // Any other a page may post without asking first.
        match self.only("content-type") {
            Ok(kind) if is_json(kind) => Ok(()),
            Ok(kind) => Err(format!("its Content-Type is {}, not application/json", shown(kind))),
            Err(number) => Err(format!("it has {number} Content-Type headers instead of one")),
        }
    }

    /// The value of a header that has to be there once; else how often it is.
    fn only(&self, name: &str) -> Result<&[u8], usize> {
        let mut values = self.headers.iter().filter(|(known, _)| *known == name);
        match (values.next(), values.count()) {
            (Some((_, value)), 0) => Ok(value),
            (None, _) => Err(0),
            (Some(_), more) => Err(more + 1),
        }
    }
}

fn shown(value: &[u8]) -> String {
    format!("{:?}", text::shorten(&String::from_utf8_lossy(value), 80))
}

fn is_of_a_proxy(name: &str) -> bool {
    PASSED_ON.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == *pattern,
    })
}

fn is_json(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// Whether a host, with a port or without, is this machine by its address or by a name that can mean nothing else
/// (RFC 6761, 6.3).
fn is_loopback(host: &str) -> bool {
    let host = host.trim();
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                return address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
                    && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
            }
            None => return false,
        },
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if port.is_some_and(|port| !is_port(port)) {
        return false;
    }
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.strip_suffix(".localhost").is_some_and(|labels| labels.split('.').all(is_label))
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn head<'a>(headers: &[(&'a str, &'a str)]) -> Head<'a> {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        Head { peer: PEER, headers, ..Head::default() }
    }

    /// As a program on this machine sends it, with these headers more.
    fn with<'a>(more: &[(&'a str, &'a str)]) -> Head<'a> {
        head(&[&[("host", "127.0.0.1:8080"), ("content-type", "application/json")], more].concat())
    }

    fn why(head: &Head<'_>) -> String {
        head.is_of_this_machine().unwrap_err()
    }

    #[test]
    fn a_program_on_this_machine_is_let_in() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:65535",
            "localhost",
            "LocalHost:80",
            "leads.localhost",
            "a.b-c.localhost:8080",
        ] {
            let head = head(&[("content-type", "application/json"), ("host", host)]);
            assert_eq!(head.is_of_this_machine(), Ok(()), "{host}");
        }
        assert_eq!(Head::of_this_process().is_of_this_machine(), Ok(()));
        for kind in ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"] {
            let head = head(&[("content-type", kind), ("host", "localhost")]);
            assert_eq!(head.is_of_this_machine(), Ok(()), "{kind}");
        }
        for headers in [
            [("user-agent", "curl/8.5.0"), ("accept", "*/*")],
            // Of Node's fetch, and of what Close sends.
            [("sec-fetch-mode", "cors"), ("sentry-trace", "0")],
            [("sec-fetch-site", "none"), ("viable", "x-forwarded")],
        ] {
            assert_eq!(with(&headers).is_of_this_machine(), Ok(()), "{headers:?}");
        }
        let v6 = Some(IpAddr::V6(Ipv6Addr::LOCALHOST));
        let mapped = Some(IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()));
        for peer in [v6, mapped] {
            assert_eq!(Head { peer, ..with(&[]) }.is_of_this_machine(), Ok(()));
        }
        let target = Some("localhost:8080");
        assert_eq!(Head { target, ..with(&[]) }.is_of_this_machine(), Ok(()));
    }

    #[test]
    fn another_host_is_somebody_elses_name_for_this_machine() {
        for host in [
            "",
            "example.com",
            "leads.example.com:8080",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "127.0.0.1:",
            "127.0.0.1:80a",
            "127.0.0.1:65536",
            "127.0.0.1:+80",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "0.0.0.0",
            "10.0.0.1",
            "[::2]",
            "[::1",
            "[::1]x",
            "::1",
            ".localhost",
            "a..localhost",
            "a@localhost",
            "xlocalhost",
            "localhost/",
            "evil.com#.localhost",
            "127.0.0.1, example.com",
            "\u{7f}localhost",
        ] {
            let head = head(&[("content-type", "application/json"), ("host", host)]);
            assert!(why(&head).contains("its Host is"), "{host}");
        }
        let broken = Head { headers: vec![("host", b"\xfflocalhost")], ..with(&[]) };
        assert!(why(&broken).contains("its Host is"));
        assert_eq!(
            why(&head(&[("content-type", "application/json")])),
            "it has 0 Host headers instead of one"
        );
        assert_eq!(why(&with(&[("host", "localhost")])), "it has 2 Host headers instead of one");
        let target = Some("evil.example.com");
        assert_eq!(why(&Head { target, ..with(&[]) }), "it is meant for \"evil.example.com\"");
    }

    #[test]
    fn whoever_is_not_here_or_not_known_is_kept_out() {
        let peer = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(why(&Head { peer, ..with(&[]) }), "it comes from 192.0.2.1");
        assert_eq!(why(&Head { peer: None, ..with(&[]) }), "where it comes from is not known");
        assert!(Head::default().is_of_this_machine().is_err());
    }

    #[test]
    fn pages_and_proxies_are_kept_out() {
        for (name, value) in [
            ("origin", "https://evil.example.com"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:8080"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", ""),
        ] {
            assert!(
                why(&with(&[(name, value)])).starts_with("a page in a browser has sent it"),
                "{name}: {value}"
            );
        }
        for name in [
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded",
            "x-forwarded-host",
            "x-real-ip",
            "x-original-forwarded-for",
            "x-original-url",
            "cf-connecting-ip",
            "cf-ray",
            "true-client-ip",
            "cdn-loop",
            "x-client-ip",
            "x-cluster-client-ip",
            "fly-client-ip",
            "x-envoy-external-address",
            "x-azure-clientip",
            "fastly-client-ip",
            "x-appengine-user-ip",
            "tailscale-user-login",
        ] {
            assert_eq!(why(&with(&[(name, "")])), format!("a proxy has passed it on ({name:?})"));
        }
    }

    #[test]
    fn what_a_page_may_post_without_asking_is_no_json() {
        for kind in ["", "text/plain", "application/jsonx", "application/x-www-form-urlencoded", "text/json"]
        {
            let head = head(&[("host", "localhost"), ("content-type", kind)]);
            assert!(why(&head).contains("not application/json"), "{kind}");
        }
        assert!(why(&head(&[("host", "localhost")])).contains("0 Content-Type headers"));
        assert!(why(&with(&[("content-type", "text/plain")])).contains("2 Content-Type headers"));
    }

    #[test]
    fn what_is_said_of_it_is_one_short_line() {
        let host = format!("a\u{1b}[2J\u{202e}{}", "x".repeat(500));
        let why = why(&head(&[("content-type", "application/json"), ("host", &host)]));
        assert!(why.len() < 200 && !why.contains(['\u{1b}', '\u{202e}']), "{why}");
    }
}
