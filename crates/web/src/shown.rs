//! URLs that are safe to print.

use url::{Position, Url};

/// A URL that is safe to print: without its user, password, query and fragment, any of which may be a secret.
pub fn shown(url: &Url) -> String {
    let user = if url.username().is_empty() && url.password().is_none() { "" } else { "…@" };
    let query = if url.query().is_some_and(|query| !query.is_empty()) { "?…" } else { "" };
    let host = &url[Position::BeforeHost..Position::AfterPath];
    outside::text::shorten(&format!("{}://{user}{host}{query}", url.scheme()), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for (url, expected) in [
            ("https://h.example.com/crm/webhook", "https://h.example.com/crm/webhook"),
            ("https://H.example.com:443/a//b/", "https://h.example.com/a//b/"),
            ("https://h.example.com:8443/", "https://h.example.com:8443/"),
            ("https://ada:geheim@h.example.com/x?token=geheim#geheim", "https://…@h.example.com/x?…"),
            ("https://geheim@h.example.com/?geheim", "https://…@h.example.com/?…"),
            ("http://[::1]:1/x?", "http://[::1]:1/x"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), expected);
        }
    }
}
