//! Which protocol a client speaks that does not speak HTTP/1.1.

use outside::text;

/// How many of a connection's first bytes distinguish the protocols.
pub(super) const FIRST: usize = 16;

/// A protocol that a proxy may have been set up with, or none that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// TLS: a record of a handshake, <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>.
    Tls,
    /// HTTP/2 without an upgrade, <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>.
    Http2,
    /// The PROXY protocol of HAProxy, in either version:
    /// <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.
    Proxy,
    /// Something else.
    Other,
}

/// How each begins.
const BEGINNINGS: [(&[u8], Protocol); 4] = [
    (b"\x16\x03", Protocol::Tls),
    (b"PRI * HTTP/2", Protocol::Http2),
    (b"PROXY ", Protocol::Proxy),
    (b"\r\n\r\n\0\r\nQUIT\n", Protocol::Proxy),
];

impl Protocol {
    /// By a connection's first bytes.
    pub(super) fn of(first: &[u8]) -> Self {
        BEGINNINGS.iter().find(|(begin, _)| first.starts_with(begin)).map_or(Self::Other, |(_, known)| *known)
    }

    /// What to say of a connection with these first bytes.
    pub(super) fn description(self, first: &[u8]) -> String {
        let what = match self {
            Self::Tls => "somebody speaks TLS to this port",
            Self::Http2 => "somebody speaks HTTP/2 to this port",
            Self::Proxy => "somebody sends the PROXY protocol to this port",
            Self::Other => {
                let first = text::shorten(&String::from_utf8_lossy(first), FIRST);
                return format!("something came that is no HTTP/1.1; the connection began with {first:?}");
            }
        };
        format!("{what}: if it is the proxy in front, have it send plain HTTP/1.1")
    }

    /// What distinguishes it in the log.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Http2 => "HTTP/2",
            Self::Proxy => "PROXY",
            Self::Other => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_protocols_are_known_by_their_first_bytes() {
        for (first, protocol) in [
            (&b"\x16\x03\x01\x02\x00\x01\x00"[..], Protocol::Tls),
            (b"\x16\x03", Protocol::Tls),
            (b"PRI * HTTP/2.0\r\n", Protocol::Http2),
            (b"PROXY TCP4 192.0", Protocol::Proxy),
            (b"PROXY UNKNOWN\r\n", Protocol::Proxy),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", Protocol::Proxy),
            (b"", Protocol::Other),
            (b"\x16", Protocol::Other),
            (b"PROXYTCP", Protocol::Other),
            (b"\r\n\r\nGET / HTTP/1.1", Protocol::Other),
            (b"POST /crm/webhoo", Protocol::Other),
            (b"SSH-2.0-OpenSSH_", Protocol::Other),
        ] {
            assert_eq!(Protocol::of(first), protocol, "{first:?}");
            let said = protocol.description(first);
            assert!(!said.chars().any(char::is_control), "{said}");
        }
    }
}
