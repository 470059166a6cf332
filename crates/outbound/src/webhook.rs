//! A webhook, as seen by a client that posts to it.

use std::time::Duration;

use bytes::Bytes;
use close::headers;
use outside::{Document, text};
use pipeline::{Code, webhook::Answer};
use reqwest::{
    Body, Client, RequestBuilder, Response,
    header::{CONTENT_TYPE, LOCATION},
};
use url::Url;

use web::{BodyRead, shown};

/// More than any answer from leadops has.
const ANSWER_LIMIT: usize = 64 * 1024;

/// A client for the webhook at `target`, with a timeout for each request. It follows no redirect: a signed post is meant
/// only for this address, and the last of several answers says nothing about the first.
///
/// # Errors
/// Where the machine's certificates cannot be read.
pub fn client(target: &Url, timeout: Duration) -> Result<Client, reqwest::Error> {
    web::builder(target).timeout(timeout).build()
}

/// A post as Close makes it; `signature` is its hash and the time that was signed with it.
pub fn post(
    client: &Client,
    target: &Url,
    signature: Option<(String, String)>,
    body: impl Into<Body>,
) -> RequestBuilder {
    let post = client.post(target.clone()).header(CONTENT_TYPE, "application/json").body(body);
    match signature {
        Some((hash, timestamp)) => post.header(headers::HASH, hash).header(headers::TIMESTAMP, timestamp),
        None => post,
    }
}

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookResponse {
    /// A leadops pipeline.
    Leadops(Answer),
    /// Something that points elsewhere.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// The target, see [`shown`]; none where it is missing or cannot be read.
        to: Option<String>,
    },
    /// Anything else.
    Other {
        /// The HTTP status.
        status: u16,
        /// A description of its answer, such as "it begins with `<!doctype html`", cleaned.
        looks: String,
    },
}

impl WebhookResponse {
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
                Some(ours) => return Self::Leadops(ours),
                None => looks(&body),
            },
            Err(broken) => broken,
        };
        Self::Other { status, looks }
    }

    /// The code with which leadops refuses, where it does.
    pub fn refusal(&self) -> Option<Code> {
        match self {
            Self::Leadops(Answer::Refused { code, .. }) => *code,
            _ => None,
        }
    }

    /// What is wrong with an answer that is not from leadops, to follow "it" or an address; `None` where it is.
    pub fn mismatch(&self) -> Option<String> {
        match self {
            Self::Leadops(_) => None,
            Self::Redirect { status, to } => {
                let to = match to {
                    Some(to) => format!("points to {to}"),
                    None => "does not say where to".to_owned(),
                };
                Some(format!("answered {status} and {to}; Close has to be given the final address"))
            }
            Self::Other { status, looks } => {
                Some(format!("answered {status}, and not as leadops does: {looks}"))
            }
        }
    }
}

/// The body of an answer, truncated where it is longer than any from leadops.
///
/// # Errors
/// That it broke off, beginning with "it".
pub async fn body(answer: &mut Response) -> Result<Bytes, String> {
    match web::read_limited(answer, ANSWER_LIMIT).await {
        (body, BodyRead::Complete | BodyRead::TooLong) => Ok(body),
        (_, BodyRead::Failed(error)) => Err(format!("it broke off: {}", web::error_text(error))),
    }
}

/// Describes a body that is not an answer from leadops, cleaned.
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
