//! Web pages, where something else was expected to answer.

use std::time::Duration;

use pipeline::destination::RetryDelay;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// The pause of a message that something in between has answered: to sign in to a network or to add an address to a
/// list takes minutes. Other messages may take another route and are not held up.
pub(crate) const PAUSE: RetryDelay = RetryDelay::Message(Duration::from_secs(30));

/// The longest text, in bytes, that counts as a short answer although it is labelled HTML: many small programs label
/// all their answers so.
const LONGEST_WORD: usize = 120;

/// How a page begins, whatever its content type.
const OPENINGS: [&str; 6] = ["<!doctype html", "<html", "<head", "<body", "<script", "<meta"];

/// Whether an answer is a web page: it begins like one, or is labelled as one and begins with a tag, is long, or was
/// cut off. XML is not a page, unless it is XHTML.
pub(crate) fn is_page(headers: &HeaderMap, body: &str, is_whole: bool) -> bool {
    let (body, is_xml) = content(body);
    let begin: String = body.chars().take(14).collect::<String>().to_ascii_lowercase();
    if OPENINGS.iter().any(|opening| begin.starts_with(opening)) {
        return true;
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.trim_start().to_ascii_lowercase();
    let is_labelled = kind.starts_with("text/html") || kind.starts_with("application/xhtml");
    is_labelled && (!is_whole || !is_xml && (body.starts_with('<') || body.len() > LONGEST_WORD))
}

/// A document from its first word or tag on, and whether it is declared as XML.
fn content(body: &str) -> (&str, bool) {
    let (mut body, mut is_xml) = (body, false);
    loop {
        body = body.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let after = |end: &str| body.split_once(end).map_or("", |(_, rest)| rest);
        body = match () {
            () if body.starts_with("<!--") => after("-->"),
            () if body.starts_with("<?xml") => {
                is_xml = true;
                after("?>")
            }
            () => return (body, is_xml),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_from_xml_and_from_a_word() {
        for (kind, body, is) in [
            ("", "<!DOCTYPE html><title>x", true),
            ("", "\u{feff}<!DOCTYPE html>", true),
            ("", "<!-- saved from -->\n<html>", true),
            ("", "<script>location=\"/login\"</script>", true),
            ("application/json", "  <HTML>", true),
            ("application/xhtml+xml", "<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"-//W3C//DTD\">", true),
            ("text/html", "<?xml version=\"1.0\"?>\n<!-- x --><html xmlns=\"…\">", true),
            ("text/html; charset=utf-8", "<center>blocked", true),
            ("text/html", "ok", false),
            ("text/html", &"The requested URL could not be retrieved. ".repeat(5), true),
            ("text/html", "", false),
            ("text/html", "<?xml version=\"1.0\"?>", false),
            ("text/html", "<?xml version=\"1.0\"?><Response/>", false),
            ("application/xml", "<Response/>", false),
            ("", "<ok>", false),
            ("", "<!-- without end", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(is_page(&headers, body, true), is, "{kind}: {body}");
            assert_eq!(is_page(&headers, body, false), is || kind.starts_with("text/html"), "{kind}: {body}");
        }
    }
}
