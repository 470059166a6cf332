//! Whether Close, which posts from the internet, can reach an address.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use tokio::{net::lookup_host, time::timeout};
use url::{Host, Url};

/// How long the look-up of a name may take.
const LOOK_UP: Duration = Duration::from_secs(3);

/// Top-level names that do not resolve on the internet: those reserved for one machine or network, or not to be used
/// at all (RFC 6761, 6762, 8375, 7686, and ICANN's reservation of `internal`), and those that private networks use,
/// which were never delegated.
const LOCAL_ENDS: [&str; 14] = [
    "localhost",
    "local",
    "internal",
    "lan",
    "home",
    "home.arpa",
    "corp",
    "intranet",
    "private",
    "localdomain",
    "test",
    "invalid",
    "onion",
    "alt",
];

/// Why Close cannot reach an address, or must not be given it, judged only by the URL; `None` where nothing in it
/// speaks against it.
///
/// Close would accept `http://` (<https://developer.close.com/resources/webhook-subscriptions/>), and recommends https.
pub fn unreachable_reason(url: &Url) -> Option<String> {
    let host = match url.host() {
        Some(Host::Domain(name)) => local_name(name),
        Some(Host::Ipv4(address)) => local_address(address.into()),
        Some(Host::Ipv6(address)) => local_address(address.into()),
        None => Some("it has no host".to_owned()),
    };
    let scheme = match url.scheme() {
        "https" => None,
        "http" => {
            Some("with http:// others could read and change every lead on its way through the internet")
        }
        _ => Some("it does not begin with https://"),
    };
    let user = !url.username().is_empty() || url.password().is_some();
    let user = user.then_some("a user or password in it could be read by others in Close");
    let fragment = url.fragment().map(|_| "what follows the # is never sent");
    let port = (url.port() == Some(0)).then_some("nothing can listen on port 0");
    let others = [scheme, user, fragment, port].into_iter().flatten().map(str::to_owned);
    let all: Vec<String> = host.into_iter().chain(others).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Why Close cannot reach an address, judged by what its name resolves to on this machine: only addresses that cannot
/// be reached from the internet. `None` also where the name is not resolved within 3 s, and where this machine is behind
/// a proxy, which resolves names itself.
pub async fn resolved_unreachable_reason(url: &Url) -> Option<String> {
    let Some(Host::Domain(name)) = url.host() else { return None };
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().any(is_set) {
        return None;
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let found = timeout(LOOK_UP, lookup_host((name, port))).await.ok()?.ok()?;
    of_resolved(name, &found.map(|address| address.ip()).collect::<Vec<_>>())
}

fn of_resolved(name: &str, found: &[IpAddr]) -> Option<String> {
    let first = found.first().and_then(|first| Some((first, kind(*first)?)));
    let (first, kind) = first.filter(|_| found.iter().all(|address| kind(*address).is_some()))?;
    Some(format!("{name} resolves to {first} on this machine, {kind}"))
}

fn local_address(address: IpAddr) -> Option<String> {
    kind(address).map(|kind| format!("{address} is {kind}"))
}

fn local_name(name: &str) -> Option<String> {
    let name = name.trim_end_matches('.');
    let is = |end: &str| name == end || name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    match LOCAL_ENDS.into_iter().find(|end| is(end)) {
        Some("localhost") => Some(format!("{name} is this machine itself")),
        Some(end) => Some(format!("names that end in .{end} do not exist on the internet")),
        None if !name.contains('.') => {
            Some(format!("{name}, a name without a dot, does not exist on the internet"))
        }
        None => None,
    }
}

/// The kind of an address that cannot be reached from the internet:
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>.
fn kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [127, ..] => "this machine itself",
        [0, ..] => "not the address of a machine",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "an address of a private network",
        [169, 254, ..] => "a link-local address",
        [100, 64..=127, ..] => "an address inside a provider's network",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "an address reserved for examples",
        [192, 0, 0, _] | [198, 18..=19, ..] | [240..=255, ..] => "a reserved address",
        [224..=239, ..] => "a multicast address",
        _ => return None,
    })
}

fn kind_of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("this machine itself"),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("not the address of a machine"),
        // IPv4 in other forms: mapped, compatible, translated, 6to4.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            kind_of_v4(v4(high, low))
        }
        [0x2002, high, low, ..] => kind_of_v4(v4(high, low)),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some("an address of a private network"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("an address reserved for examples"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Option<String> {
        unreachable_reason(&url.parse().unwrap())
    }

    #[test]
    fn what_the_internet_reaches_is_taken() {
        for url in [
            "https://leads.example.com/crm/webhook",
            "https://leads.example.com:8443/other?x=1",
            "https://8.8.8.8/crm/webhook",
            "https://172.32.0.1/",
            "https://100.128.0.1/",
            "https://[2606:4700::1111]/",
            "https://[2002:808:808::1]/",
            "https://[64:ff9b::808:808]/",
            "https://hooks.leadops.example/crm/webhook",
            "https://locally.com/",
            "https://my-local.example.com./",
            "https://abc123.execute-api.us-east-1.amazonaws.com/prod/crm/webhook",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    #[test]
    fn what_close_cannot_reach_is_named() {
        for (host, part) in [
            ("localhost:8080", "localhost is this machine itself"),
            ("LOCALHOST.", "this machine"),
            ("leads.localhost", "this machine"),
            ("127.0.0.1:8080", "127.0.0.1 is this machine itself"),
            ("127.9.9.9", "this machine"),
            ("0x7f.1", "127.0.0.1 is this machine"),
            ("2130706433", "127.0.0.1 is this machine"),
            ("[::1]:8080", "this machine"),
            ("[::ffff:127.0.0.1]", "this machine"),
            ("[::ffff:10.0.0.1]", "private"),
            ("[::127.0.0.1]", "this machine"),
            ("[64:ff9b::10.0.0.1]", "private"),
            ("[2002:c0a8:101::1]", "private"),
            ("[64:ff9b:1::1]", "reserved"),
            ("0.0.0.0", "not the address of a machine"),
            ("0.1.2.3", "not the address of a machine"),
            ("[::]", "not the address of a machine"),
            ("10.1.2.3", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.5:8443", "private"),
            ("[fd00::1]", "private"),
            ("[fec0::1]", "private"),
            ("169.254.169.254", "link-local"),
            ("[fe80::1]", "link-local"),
            ("100.64.0.1", "provider"),
            ("100.127.255.254", "provider"),
            ("224.0.0.1", "multicast"),
            ("[ff02::1]", "multicast"),
            ("255.255.255.255", "reserved"),
            ("198.18.0.1", "reserved"),
            ("192.0.0.8", "reserved"),
            ("192.0.2.1", "examples"),
            ("203.0.113.9", "examples"),
            ("[2001:db8::1]", "examples"),
            ("[100::1]", "reserved"),
            ("intranet-host", "without a dot"),
            ("printer.local", ".local"),
            ("leads.internal", ".internal"),
            ("host.docker.internal", ".internal"),
            ("nas.lan", ".lan"),
            ("box.home.arpa", ".home.arpa"),
            ("leads.test", ".test"),
            ("leads.invalid.", ".invalid"),
            ("x.corp", ".corp"),
        ] {
            let why = of(&format!("https://{host}/crm/webhook")).unwrap_or_else(|| panic!("{host}"));
            assert!(why.contains(part) && !why.contains(';'), "{host}: {why}");
        }
    }

    #[test]
    fn every_reason_is_given() {
        assert_eq!(
            of("http://localhost:8080/crm/webhook").unwrap(),
            "localhost is this machine itself; with http:// others could read and change every lead on its way through \
             the internet"
        );
        let all = of("https://ada:geheim@h.example.com:0/#geheim").unwrap();
        assert!(["user or password", "the #", "port 0"].iter().all(|part| all.contains(part)), "{all}");
        assert!(!all.contains("geheim") && !all.contains("ada"), "{all}");
    }

    #[test]
    fn a_name_is_refused_where_none_of_its_addresses_is_reached() {
        let [private, other, public] = ["10.0.0.1", "::1", "8.8.8.8"].map(|it| it.parse::<IpAddr>().unwrap());
        let why = of_resolved("h.example.com", &[private, other]).unwrap();
        assert_eq!(
            why,
            "h.example.com resolves to 10.0.0.1 on this machine, an address of a private network"
        );
        assert_eq!(of_resolved("h.example.com", &[private, public]), None);
        assert_eq!(of_resolved("h.example.com", &[]), None);
    }

    #[tokio::test]
    async fn names_are_looked_up_and_numbers_are_not() {
        // Every system knows this name, and without asking anybody.
        let why = resolved_unreachable_reason(&"https://localhost/".parse().unwrap()).await.unwrap();
        assert!(why.starts_with("localhost resolves to "), "{why}");
        assert_eq!(resolved_unreachable_reason(&"https://127.0.0.1/".parse().unwrap()).await, None);
    }
}
