//! The webhook as others see it: where it is, and what it answers.

use lead::LeadId;
use outside::text;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Code, Fault};
use close::signature::SignatureHeaders;

/// Where Close posts.
pub const PATH: &str = "/crm/webhook";

/// Whether a request's path is the webhook's. A slash at its end and doubled ones, as they come of proxies and of
/// addresses that were pasted together, make no other address.
pub fn is_at(path: &str) -> bool {
    path.starts_with('/') && segments(path).eq(segments(PATH))
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Where a supervisor checks the health of an embedded pipeline.
pub const HEALTH: &str = "/healthz";

/// What is known of the signature of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// It has none.
    None,
    /// It has the headers of one, which anybody can set.
    Claimed,
    /// It has one that holds.
    Holds,
}

impl Signature {
    /// By the headers alone.
    pub fn claimed(presented: SignatureHeaders<'_>) -> Self {
        if presented.is_any() { Self::Claimed } else { Self::None }
    }
}

/// The fault of a request that is no POST to the webhook.
pub fn elsewhere(method: &str, path: &str, signature: Signature) -> Fault {
    let (method, shown) = (text::shorten(method, 20), text::shorten(path, 120));
    let came = match method.as_str() {
        "POST" => format!("was posted to {shown}"),
        _ => format!("came as {method} {shown}"),
    };
    let what = match (signature, is_at(path)) {
        (Signature::None, _) => format!("{method} {shown} is not the webhook, which is POST {PATH}"),
        (Signature::Holds, false) => format!(
            "a signed webhook {came}: the proxy in front changes the path, or the subscription in \
             Close names it; what arrives has to be POST {PATH}"
        ),
        (Signature::Claimed, false) => format!(
            "a request with Close's signature headers, which no key here bears out, {came}; what is Close's has to \
             be POST {PATH}"
        ),
        (_, true) => format!(
            "a request with Close's signature headers {came}: a redirect on the way makes that of a POST; Close has \
             to be given the final address"
        ),
    };
    Fault::new(Code::NotTheWebhook, what)
}

/// An answer of leadops's own, as [`Outcome::json`](crate::ingest::Outcome::json) makes it. That nothing in between
/// gave it shows in its form alone: a page, a redirect or a proxy's error has another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The lead was stored.
    Accepted(LeadId),
    /// It was stored before.
    Duplicate(LeadId),
    /// The event is genuine, and about no new lead.
    Ignored,
    /// It was not taken.
    Refused {
        /// Why, where there is a code for it that this version knows.
        code: Option<Code>,
        /// The same in words, as they came.
        error: String,
    },
}

/// The fields of an answer.
#[derive(Deserialize)]
struct Fields {
    status: String,
    lead_id: Option<LeadId>,
    event: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

impl Answer {
    /// Reads an answer by its HTTP status and body; `None` where it is not leadops's own.
    pub fn read(http: u16, body: &[u8]) -> Option<Self> {
        let Fields { status, lead_id, event, code, error } = serde_json::from_slice(body).ok()?;
        match (http, status.as_str()) {
            (200, "accepted") => lead_id.map(Self::Accepted),
            (200, "duplicate") => lead_id.map(Self::Duplicate),
            (200, "ignored") => event.map(|_| Self::Ignored),
            (400..=599, "refused") => {
                let code = code.and_then(|code| code.parse().ok());
                error.map(|error| Self::Refused { code, error })
            }
            _ => None,
        }
    }

    /// Whether Close would not send the event again.
    pub fn is_success(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

/// What an embedded pipeline answers at [`HEALTH`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It takes webhooks.
    Ok,
    /// It could take none.
    Failed {
        /// Why.
        code: Code,
        /// The same in words.
        error: String,
    },
}

impl Health {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::Failed { .. } => 503,
        }
    }

    /// The body of the answer.
    pub fn json(&self) -> Value {
        match self {
            Self::Ok => json!({"status": "ok"}),
            Self::Failed { code, error } => json!({"status": "failed", "code": code, "error": error}),
        }
    }

    /// Reads an answer by its HTTP status and body; `None` where it is not leadops's own.
    pub fn read(http: u16, body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Fields {
            status: String,
            code: Option<Code>,
            error: Option<String>,
        }
        let Fields { status, code, error } = serde_json::from_slice(body).ok()?;
        match (http, status.as_str()) {
            (200, "ok") => Some(Self::Ok),
            (503, "failed") => code.zip(error).map(|(code, error)| Self::Failed { code, error }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Outcome;

    #[test]
    fn the_path_is_the_same_with_slashes_too_many_and_no_other() {
        for path in ["/crm/webhook", "/crm/webhook/", "//crm/webhook", "/crm//webhook//"] {
            assert!(is_at(path), "{path}");
        }
        for path in
            ["", "/", "crm/webhook", "/webhook", "/crm", "/crm/webhooks", "/crm/webhook/x", "/CRM/webhook"]
        {
            assert!(!is_at(path), "{path}");
        }
    }

    #[test]
    fn what_goes_elsewhere_is_said_in_one_clean_line_and_differently_where_it_is_signed() {
        let said = |method, path, signed| elsewhere(method, path, signed).what;
        assert_eq!(
            said("GET", "/login", Signature::None),
            "GET /login is not the webhook, which is POST /crm/webhook"
        );
        assert_eq!(
            said("POST", "/webhook", Signature::Holds),
            "a signed webhook was posted to /webhook: the proxy in front changes the path, or the subscription in \
             Close names it; what arrives has to be POST /crm/webhook"
        );
        assert_eq!(
            said("GET", "//crm/webhook", Signature::Claimed),
            "a request with Close's signature headers came as GET //crm/webhook: a redirect on the way makes that of a POST; Close has to \
             be given the final address"
        );
        let hostile = format!("/\u{1b}[2J\n\u{202e}{}", "x".repeat(9_000));
        let method = "M".repeat(900);
        for signed in [Signature::None, Signature::Claimed, Signature::Holds] {
            let said = said(&method, &hostile, signed);
            assert!(said.len() < 400 && !said.contains(['\u{1b}', '\n', '\u{202e}']), "{said}");
        }
    }

    #[test]
    fn how_it_is_is_read_again_and_nothing_else_is() {
        let failed = Health::Failed { code: Code::StorageGone, error: "why".to_owned() };
        for health in [Health::Ok, failed] {
            let (status, body) = (health.status(), health.json().to_string());
            assert_eq!(Health::read(status, body.as_bytes()), Some(health), "{body}");
            assert_eq!(Health::read(status + 1, body.as_bytes()), None, "{body}");
        }
        for (http, body) in [
            (200, "<html>"),
            (200, "ok"),
            (200, "{}"),
            (200, "{\"status\":\"UP\"}"),
            (204, ""),
            (503, "{\"status\":\"failed\"}"),
            (503, "<html>"),
        ] {
            assert_eq!(Health::read(http, body.as_bytes()), None, "{http} {body}");
        }
    }

    #[test]
    fn every_answer_of_ours_is_read_again_and_nothing_else_is() {
        let lead: LeadId = "lead_a1".parse().unwrap();
        for (outcome, answer) in [
            (Outcome::Accepted(lead.clone()), Answer::Accepted(lead.clone())),
            (Outcome::Duplicate(lead.clone()), Answer::Duplicate(lead)),
            (Outcome::Ignored { kind: "lead.updated".to_owned() }, Answer::Ignored),
            (
                Outcome::Refused(Fault::new(Code::SignatureWrong, "why")),
                Answer::Refused { code: Some(Code::SignatureWrong), error: "why".to_owned() },
            ),
        ] {
            let body = outcome.json().to_string();
            assert_eq!(Answer::read(outcome.status(), body.as_bytes()), Some(answer.clone()), "{body}");
            assert_eq!(answer.is_success(), outcome.status() == 200);
            let elsewhere = if outcome.status() == 200 { 404 } else { 200 };
            assert_eq!(Answer::read(elsewhere, body.as_bytes()), None, "{body}");
        }
        for (http, body) in [
            (200, "<html>Sign in</html>"),
            (200, "{}"),
            (200, "{\"status\":\"ok\"}"),
            (200, "{\"status\":\"accepted\"}"),
            (200, "{\"status\":\"accepted\",\"lead_id\":\"../x\"}"),
            (202, "{\"status\":\"accepted\",\"lead_id\":\"lead_a1\"}"),
            (301, ""),
            (403, "{\"message\":\"Missing Authentication Token\"}"),
            (502, "<html>Bad gateway</html>"),
        ] {
            assert_eq!(Answer::read(http, body.as_bytes()), None, "{http} {body}");
        }
    }
}
