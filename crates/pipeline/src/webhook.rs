//! The webhook as others see it: where it is, and what it answers.

use lead::LeadId;
use serde::Deserialize;

use crate::Code;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, ingest::Outcome};

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
