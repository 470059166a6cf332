//! What the owner directory's answers mean.

use lead::OwnerDocument;
use outside::{Document, text};

use crate::{
    Code, Fault,
    ports::{NextLookup, OwnerAnswer},
};

/// What an answer of the owner directory means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupAnswer {
    /// A document, whatever it says.
    Document(OwnerDocument),
    /// There is no document: nobody is assigned yet. How that was said.
    Unassigned(String),
    /// The look-up failed, and whether another one soon is worth it.
    Failed(Fault, NextLookup),
}

/// The codes of an error that say that there is no such document. A public bucket answers 403 and `AccessDenied`
/// for a key that does not exist, since nobody may list it:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>. `BlobNotFound` is Azure's word.
const NO_DOCUMENT: [&str; 3] = ["AccessDenied", "NoSuchKey", "BlobNotFound"];
/// The codes that say that there is no such directory; the second is Azure's.
const NO_DIRECTORY: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];
/// What API Gateway says with 403 of a path that it does not have, and of a call without its key: nothing of a lead.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
const NO_SUCH_API: [&str; 2] = ["Missing Authentication Token", "Forbidden"];
/// In how much of a page its kind shows.
const PAGE_BEGINS: usize = 1_024;

/// What an answer means.
///
/// * A document is what comes with 2xx. What is none is said ([`Code::OwnerBroken`]), and looked up again.
/// * 403 and 404 mean that nobody is assigned yet, unless something in them says otherwise: the code of an error in
///   S3's form, or that they are pages.
/// * A page with 404 is what a web server says of a file that it does not have, so it means nobody; not from S3, which
///   has no pages, and not where it asks for a password. A page with 401 or 403 is a firewall's or a login's: a web
///   server that does not let us read its files says nothing of a lead. Some statuses are never the directory's
///   own ([`outside::is_of_an_intermediary`]).
/// * 403 and 404 with nothing, a line of text or JSON are an own directory's, and mean nobody.
pub fn interpret(answer: &OwnerAnswer) -> LookupAnswer {
    let status = answer.status;
    let (again, settled) = (
        |code, what: String| LookupAnswer::Failed(Fault::new(code, what), NextLookup::Retry),
        |code, what: String| LookupAnswer::Failed(Fault::new(code, what), NextLookup::Done),
    );
    if (200..300).contains(&status) {
        return match OwnerDocument::parse(&answer.body) {
            Ok(document) => LookupAnswer::Document(document),
            Err(broken) => again(Code::OwnerBroken, broken.to_string()),
        };
    }
    if let Some(other) = &answer.region {
        let what = format!("the bucket is in {}: set LOOKUP_BASE_URL={}", other.region, other.base);
        return settled(Code::OwnersInOtherRegion, what);
    }
    if let Some(host) = &answer.points_to {
        let what = format!(
            "the owner directory points to {} ({status}), which is not asked",
            text::shorten(host, 120)
        );
        return again(Code::OwnersRedirected, what);
    }
    let read = Document::read(&answer.body).ok();
    let body = read.as_ref().map_or("", Document::as_str);
    let page = Page::of(answer, body);
    let code = if page.is_some() { code_of_page(body) } else { code_of_error(body) };
    if is_in_between(answer, page, code) {
        let kind = if page.is_some() { "a web page" } else { "its own answer" };
        let begins = match body {
            "" => String::new(),
            body => format!(" that begins with `{}`", text::shorten(body, 60)),
        };
        let what =
            format!("somebody in between answered for the owner directory: {status} with {kind}{begins}");
        return again(Code::OwnersIntercepted, what);
    }
    match (status, code) {
        (403 | 404, Some(code)) if NO_DIRECTORY.contains(&code) => {
            settled(Code::OwnerDirectoryGone, format!("the owner directory does not exist ({code})"))
        }
        (403 | 404, Some(code)) if NO_DOCUMENT.contains(&code) => {
            LookupAnswer::Unassigned(format!("no owner document ({status} {code})"))
        }
        (403, None) if let Some(what) = no_such_api(body) => {
            again(Code::OwnerLookupFailed, format!("the owner directory answered 403: {what}"))
        }
        (403 | 404, None) => LookupAnswer::Unassigned(format!("no owner document ({status})")),
        (_, Some(code)) => {
            again(Code::OwnerLookupFailed, format!("the owner directory answered {status} {code}"))
        }
        (_, None) => again(Code::OwnerLookupFailed, format!("the owner directory answered {status}")),
    }
}

/// A page of HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Page {
    /// Whether it asks for a password.
    is_login: bool,
}

impl Page {
    fn of(answer: &OwnerAnswer, body: &str) -> Option<Self> {
        let begins = body.chars().take(PAGE_BEGINS).collect::<String>().to_ascii_lowercase();
        // Some languages call everything HTML that nobody calls otherwise.
        let is_html =
            answer.content_type.as_ref().is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
                && begins.starts_with('<')
                && !begins.starts_with("<?xml")
                && !begins.starts_with("<error");
        if !is_html && !begins.contains("<html") && !begins.contains("<!doctype html") {
            return None;
        }
        let all = body.to_ascii_lowercase();
        let asks = ["type=\"password\"", "type='password'", "type=password"];
        Some(Self { is_login: asks.iter().any(|field| all.contains(field)) })
    }
}

/// Whether somebody else than the directory has answered. An error's code is the directory's own.
fn is_in_between(answer: &OwnerAnswer, page: Option<Page>, code: Option<&str>) -> bool {
    match (answer.status, page) {
        (status, _) if outside::is_of_an_intermediary(status) => true,
        _ if code.is_some() => false,
        (401 | 403, Some(_)) => true,
        (404, Some(page)) => answer.is_of_s3 || page.is_login,
        (403 | 404, None) => answer.is_of_s3,
        _ => false,
    }
}

/// The code of an error in the form of S3, which Azure and others share.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses>
fn code_of_error(body: &str) -> Option<&str> {
    let (_, error) = body.split_once("<Error")?;
    element(error, "Code")
}

/// The code on a page of a bucket that is a web site.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/CustomErrorDocSupport.html>
fn code_of_page(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<li>Code: ")?;
    word(rest.split_once("</li>")?.0)
}

/// The content of the first element of this name that holds one word: letters, digits, dots and dashes.
pub fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    word(rest.split_once("</")?.0.trim())
}

/// A word of an error, which is short and shows in full.
fn word(text: &str) -> Option<&str> {
    let is_word = (1..=120).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    is_word.then_some(text)
}

/// What API Gateway says of itself, if it is its answer.
fn no_such_api(body: &str) -> Option<&'static str> {
    let document = Document::read(body.as_bytes()).ok()?;
    let fields = document.fields().ok()?;
    let said = fields.text("message")?;
    NO_SUCH_API.into_iter().find(|what| *what == said)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::ports::OtherRegion;

    fn answer(status: u16, body: &str) -> OwnerAnswer {
        OwnerAnswer::new(status, body.to_owned())
    }

    fn error(status: u16, code: &str) -> OwnerAnswer {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        answer(status, &format!("{head}<Error><Code>{code}</Code><Message>It is so.</Message></Error>"))
    }

    fn nobody(answer: &OwnerAnswer) -> String {
        match interpret(answer) {
            LookupAnswer::Unassigned(what) => what,
            other => panic!("{answer:?}: {other:?}"),
        }
    }

    fn trouble(answer: &OwnerAnswer) -> (Code, String, NextLookup) {
        match interpret(answer) {
            LookupAnswer::Failed(fault, then) => (fault.code, fault.what, then),
            other => panic!("{answer:?}: {other:?}"),
        }
    }

    const NGINX_404: &str = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
    const BLOCKED: &str = "<!DOCTYPE html>\n<title>Web filter</title>This site is blocked.";
    const LOGIN: &str = "<!doctype html><title>Sign in</title><form><input name=p type=\"password\"></form>";

    #[test]
    fn what_a_bucket_says_of_a_missing_document_is_nobody() {
        #[derive(Deserialize)]
        struct Case {
            status: u16,
            content_type: String,
            body: String,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!(
            "../../../../tests/samples/owner_lookup_responses_missing.json"
        ))
        .unwrap();
        let mut seen = 0;
        for Case { status, content_type, body } in cases {
            if body.contains("NoSuchBucket") || !matches!(status, 403 | 404) {
                continue;
            }
            for is_of_s3 in [false, true] {
                let content_type = Some(content_type.clone());
                nobody(&OwnerAnswer { content_type, is_of_s3, ..answer(status, &body) });
                seen += 1;
            }
        }
        assert!(seen >= 4);
        assert_eq!(nobody(&error(403, "AccessDenied")), "no owner document (403 AccessDenied)");
        assert_eq!(nobody(&error(404, "NoSuchKey")), "no owner document (404 NoSuchKey)");
    }

    #[test]
    fn an_own_directory_may_say_it_in_its_own_way() {
        for status in [403, 404] {
            for body in ["", "not found", "{\"error\":\"no such lead\"}", "{\"message\":\"Not Found\"}"] {
                assert_eq!(nobody(&answer(status, body)), format!("no owner document ({status})"));
                let php = OwnerAnswer { content_type: Some("text/html".to_owned()), ..answer(status, body) };
                nobody(&php);
            }
        }
        nobody(&answer(404, NGINX_404));
        let site = "<html>\n<head><title>403 Forbidden</title></head>\n<body>\n<ul>\n<li>Code: AccessDenied</li>\n</ul></body></html>";
        nobody(&answer(403, site));
    }

    #[test]
    fn an_error_of_the_directory_is_named_and_is_not_nobody() {
        for code in [
            "AllAccessDisabled",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "RequestTimeTooSkewed",
            "AccountProblem",
            "InvalidObjectState",
            "NotSignedUp",
        ] {
            let expected = format!("the owner directory answered 403 {code}");
            assert_eq!(trouble(&error(403, code)), (Code::OwnerLookupFailed, expected, NextLookup::Retry));
        }
        let gone = "the owner directory does not exist (NoSuchBucket)".to_owned();
        assert_eq!(trouble(&error(404, "NoSuchBucket")), (Code::OwnerDirectoryGone, gone, NextLookup::Done));
        let site = "<html><body><ul><li>Code: NoSuchBucket</li></ul></body></html>";
        assert_eq!(trouble(&answer(404, site)).0, Code::OwnerDirectoryGone);
        assert_eq!(trouble(&error(503, "SlowDown")).1, "the owner directory answered 503 SlowDown");
        assert_eq!(trouble(&answer(401, "")).1, "the owner directory answered 401");
        assert_eq!(trouble(&answer(301, "")).1, "the owner directory answered 301");
        assert_eq!(
            trouble(&answer(403, "{\"message\":\"Missing Authentication Token\"}")).1,
            "the owner directory answered 403: Missing Authentication Token"
        );
    }

    #[test]
    fn a_page_of_somebody_in_between_is_not_nobody() {
        for (status, page) in [
            (401, BLOCKED),
            (403, BLOCKED),
            (403, NGINX_404),
            (404, LOGIN),
            (403, LOGIN),
            (407, BLOCKED),
            (407, ""),
            (451, ""),
            (511, ""),
        ] {
            let (code, what, then) = trouble(&answer(status, page));
            assert_eq!((code, then), (Code::OwnersIntercepted, NextLookup::Retry), "{status} {page}");
            assert!(what.starts_with("somebody in between answered for the owner directory: "), "{what}");
            assert!(what.contains(&status.to_string()), "{what}");
        }
        assert_eq!(
            trouble(&answer(403, BLOCKED)).1,
            "somebody in between answered for the owner directory: 403 with a web page that begins with `<!DOCTYPE html> <title>Web filter</title>This site is block…`"
        );
        let bare = OwnerAnswer {
            content_type: Some("text/html; charset=utf-8".to_owned()),
            ..answer(403, "<h1>Access blocked</h1>")
        };
        assert_eq!(trouble(&bare).0, Code::OwnersIntercepted);
        // S3 has neither pages nor errors without a code.
        for (status, body) in [(404, NGINX_404), (403, ""), (403, "Blocked by policy"), (404, "{}")] {
            let of_s3 = OwnerAnswer { is_of_s3: true, ..answer(status, body) };
            assert_eq!(trouble(&of_s3).0, Code::OwnersIntercepted, "{status} {body}");
        }
    }

    #[test]
    fn a_page_with_success_is_no_document() {
        let (code, what, then) = trouble(&answer(200, LOGIN));
        assert_eq!((code, then), (Code::OwnerBroken, NextLookup::Retry));
        assert!(what.starts_with("the owner document is broken: it begins with `<!doctype html>"), "{what}");
    }

    #[test]
    fn another_region_and_another_host_are_named() {
        let region = OtherRegion {
            region: "eu-west-1".to_owned(),
            base: "https://owners.s3.eu-west-1.amazonaws.com".to_owned(),
        };
        let moved = OwnerAnswer { region: Some(region), ..error(301, "PermanentRedirect") };
        let what =
            "the bucket is in eu-west-1: set LOOKUP_BASE_URL=https://owners.s3.eu-west-1.amazonaws.com";
        assert_eq!(trouble(&moved), (Code::OwnersInOtherRegion, what.to_owned(), NextLookup::Done));
        let points_to = Some("https://login.example.com".to_owned());
        let what = "the owner directory points to https://login.example.com (302), which is not asked";
        assert_eq!(
            trouble(&OwnerAnswer { points_to, ..answer(302, "") }),
            (Code::OwnersRedirected, what.to_owned(), NextLookup::Retry)
        );
    }

    #[test]
    fn nothing_that_steers_a_terminal_comes_through() {
        for answer in
            [answer(403, "<html>\u{1b}[2J\n"), error(403, "\u{1b}[2J"), error(403, &"A".repeat(500))]
        {
            let shown = format!("{:?}", interpret(&answer));
            assert!(!shown.contains('\u{1b}') && !shown.contains("AAAA"), "{shown}");
        }
    }
}
