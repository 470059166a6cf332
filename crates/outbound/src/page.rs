//! Web pages, where something else was to answer.

use std::time::Duration;

use pipeline::destination::Pause;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// How long a message is let rest that somebody in between has answered: who has to sign in to a network or to add an
/// address to a list needs minutes. What comes next may go another way, and is not held up.
pub(crate) const PAUSE: Pause = Pause::OfMessage(Duration::from_secs(30));

/// The longest text, in bytes, that is a word and no page, though it is said to be one: many a small program says so of
/// all it answers.
const LONGEST_WORD: usize = 120;

/// Whether an answer is a web page: it begins like one, or is said to be one and begins with a tag or is long. XML is none.
pub(crate) fn is_page(headers: &HeaderMap, body: &str) -> bool {
    let begin: String = body.trim_start().chars().take(14).collect::<String>().to_ascii_lowercase();
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_said = kind.trim_start().to_ascii_lowercase().starts_with("text/html");
    begin.starts_with("<!doctype html")
        || begin.starts_with("<html")
        || is_said && !begin.starts_with("<?xml") && (begin.starts_with('<') || body.len() > LONGEST_WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_from_xml_and_from_a_word() {
        for (kind, body, is) in [
            ("", "<!DOCTYPE html><title>x", true),
            ("application/json", "  <HTML>", true),
            ("text/html; charset=utf-8", "<center>blocked", true),
            ("text/html", "ok", false),
            ("text/html", &"The requested URL could not be retrieved. ".repeat(5), true),
            ("text/html", "", false),
            ("text/html", "<?xml version=\"1.0\"?>", false),
            ("application/xml", "<Response/>", false),
            ("", "<ok>", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(is_page(&headers, body), is, "{kind}: {body}");
        }
    }
}
