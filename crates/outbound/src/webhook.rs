//! A webhook as whoever posts to it finds it.

use std::time::Duration;

use bytes::Bytes;
use outside::{Document, text};
use pipeline::webhook::Answer;
use reqwest::{Client, Response, header::LOCATION};
use url::Url;

use web::{Ended, shown};

/// More than any answer of leadops's has.
const ANSWER_LIMIT: usize = 64 * 1024;

/// A client for the webhook at `target`, each request of which may take so long. It follows no redirect: what was
/// signed for one address is for no other, and what the last of several answers says nothing of the first.
///
/// # Errors
/// Where the machine's certificates cannot be read.
pub fn client(target: &Url, timeout: Duration) -> Result<Client, reqwest::Error> {
    web::builder(target).timeout(timeout).build()
}

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A pipeline of leadops.
    Ours(Answer),
    /// Something that points elsewhere.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to, as [`shown`]; none where it does not say or the address cannot be read.
        to: Option<String>,
    },
    /// Something that is neither.
    Stranger {
        /// The HTTP status.
        status: u16,
        /// What its answer is, such as "it begins with `<!doctype html`", cleaned.
        looks: String,
    },
}

impl Reply {
    /// Reads an answer.
    pub async fn read(mut answer: Response) -> Self {
        let status = answer.status().as_u16();
        if answer.status().is_redirection() && status != 304 {
            let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| answer.url().join(to).ok()).filter(Url::has_host);
            return Self::Redirect { status, to: to.as_ref().map(shown) };
        }
        let looks = match body(&mut answer).await {
            Ok(body) => match Answer::read(status, &body) {
                Some(ours) => return Self::Ours(ours),
                None => looks(&body),
            },
            Err(broken) => broken,
        };
        Self::Stranger { status, looks }
    }

    /// What is wrong with an answer that is not leadops's own, as what follows "it" or an address; `None` for one
    /// that is.
    pub fn strangeness(&self) -> Option<String> {
        match self {
            Self::Ours(_) => None,
            Self::Redirect { status, to } => {
                let to = match to {
                    Some(to) => format!("points to {to}"),
                    None => "does not say where to".to_owned(),
                };
                Some(format!("answered {status} and {to}; Close has to be given the final address"))
            }
            Self::Stranger { status, looks } => {
                Some(format!("answered {status}, and not as leadops does: {looks}"))
            }
        }
    }
}

/// The body of an answer, cut where it is longer than any of leadops's.
///
/// # Errors
/// That it broke off, beginning with "it".
pub async fn body(answer: &mut Response) -> Result<Bytes, String> {
    match web::read_start(answer, ANSWER_LIMIT).await {
        (body, Ended::Complete | Ended::TooLong) => Ok(body),
        (_, Ended::Failed(error)) => Err(format!("it broke off: {}", web::error_text(error))),
    }
}

/// What a body is that is not leadops's own answer, cleaned.
pub fn looks(body: &[u8]) -> String {
    let document = match Document::read(body) {
        Ok(document) => document,
        Err(unreadable) => return unreadable.to_string(),
    };
    match document.fields() {
        Ok(_) => format!("it begins with `{}`", text::shorten(&String::from_utf8_lossy(body), 40)),
        Err(unreadable) => unreadable.to_string(),
    }
}
