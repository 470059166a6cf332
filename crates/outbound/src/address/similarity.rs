//! Whether two URLs lead to the same webhook.

use pipeline::webhook;
use url::Url;

/// How similar two URLs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Similarity {
    /// Whatever is posted to either arrives at the same webhook.
    Same,
    /// They may be meant for the same webhook, but differ in these parts.
    Similar(Vec<&'static str>),
    /// They lead to different webhooks.
    Different,
}

/// Compares two URLs, ignoring differences in spelling.
///
/// The case of the host, a scheme's default port, a fragment, and extra slashes in the webhook's path make no
/// difference. The same host and path with another scheme, query or user, or with slashes that only a proxy in front
/// interprets, may be meant for the same webhook or for another: a person has to decide.
pub fn similarity(one: &Url, other: &Url) -> Similarity {
    let host = |url: &Url| url.host_str().map(|host| host.trim_end_matches('.').to_owned());
    let has_other_port = match (one.port(), other.port()) {
        // Both are their schemes' own.
        (None, None) => false,
        _ => one.port_or_known_default() != other.port_or_known_default(),
    };
    if host(one) != host(other) || has_other_port || !segments(one).eq(segments(other)) {
        return Similarity::Different;
    }
    let user = |url: &Url| (url.username().to_owned(), url.password().map(str::to_owned));
    let query = |url: &Url| url.query().unwrap_or_default().to_owned();
    let slashes = one.path() != other.path() && !leads_to_webhook(one);
    let differences = [
        (one.scheme() != other.scheme(), "its scheme"),
        (user(one) != user(other), "its user or password"),
        (slashes, "a slash"),
        (query(one) != query(other), "its query"),
    ];
    let differences: Vec<_> =
        differences.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what).collect();
    if differences.is_empty() { Similarity::Same } else { Similarity::Similar(differences) }
}

/// Whether the path is the webhook's, behind whatever prefix.
pub fn leads_to_webhook(url: &Url) -> bool {
    let path = url.path();
    path.match_indices('/').any(|(at, _)| path.get(at..).is_some_and(webhook::is_at))
}

fn segments(url: &Url) -> impl Iterator<Item = &str> {
    url.path().split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(one: &str, other: &str) -> Similarity {
        let [one, other] = [one, other].map(|url| url.parse().unwrap());
        let there = similarity(&one, &other);
        assert_eq!(there, similarity(&other, &one), "{one} {other}");
        there
    }

    #[test]
    fn spelling_makes_no_other_webhook() {
        for (one, other) in [
            ("https://h.example.com/crm/webhook", "https://h.example.com/crm/webhook/"),
            ("https://h.example.com/crm/webhook", "https://h.example.com//crm/webhook"),
            ("https://h.example.com/prod/crm/webhook", "https://h.example.com/prod/crm/webhook/"),
            ("https://h.example.com/crm/webhook", "https://H.EXAMPLE.com:443/crm/webhook"),
            ("https://h.example.com/crm/webhook", "https://h.example.com./crm/webhook"),
            ("https://h.example.com/crm/webhook", "https://h.example.com/crm/webhook#x"),
            ("https://h.example.com/crm/webhook", "https://h.example.com/crm/webhook?"),
            ("https://h.example.com/close?a=1", "https://h.example.com/close?a=1"),
        ] {
            assert_eq!(compare(one, other), Similarity::Same, "{one} {other}");
        }
    }

    #[test]
    fn what_may_be_the_same_says_in_what_it_differs() {
        let webhook = "https://h.example.com/crm/webhook";
        for (one, other, what) in [
            (webhook, "http://h.example.com/crm/webhook", "its scheme"),
            (webhook, "http://h.example.com:443/crm/webhook", "its scheme"),
            (webhook, "https://h.example.com/crm/webhook?tenant=1", "its query"),
            (webhook, "https://ada:x@h.example.com/crm/webhook", "its user or password"),
            ("https://h.example.com/close", "https://h.example.com/close/", "a slash"),
        ] {
            assert_eq!(compare(one, other), Similarity::Similar(vec![what]), "{one} {other}");
        }
    }

    #[test]
    fn others_are_others() {
        let webhook = "https://h.example.com/crm/webhook";
        for other in [
            "https://g.example.com/crm/webhook",
            "https://h.example.com:8443/crm/webhook",
            "http://h.example.com:8080/crm/webhook",
            "https://h.example.com/crm/webhook2",
            "https://h.example.com/",
        ] {
            assert_eq!(compare(webhook, other), Similarity::Different, "{other}");
        }
    }

    #[test]
    fn the_webhook_is_known_behind_a_prefix() {
        for (path, expected) in [
            ("/crm/webhook", true),
            ("/prod/crm/webhook/", true),
            ("/webhook", false),
            ("/acrm/webhook", false),
            ("/", false),
        ] {
            let url = format!("https://h.example.com{path}").parse().unwrap();
            assert_eq!(leads_to_webhook(&url), expected, "{path}");
        }
    }
}
