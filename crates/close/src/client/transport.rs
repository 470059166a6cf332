//! One request to Close.

use std::{fmt, time::Duration};

use bytes::Bytes;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use url::Url;

use super::{limits, secret::CloseSecret};
use crate::{Error, RateLimitWindow};

/// Where Close's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseBase(Url);

impl CloseBase {
    /// Close's own.
    pub const URL: &'static str = "https://api.close.com/api/v1";

    /// Reads an address. It is https, or on this machine.
    ///
    /// # Errors
    /// [`Error::Address`] for an address that is none or would send the key in the clear.
    pub fn parse(base: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Address(format!("CLOSE_API_URL {what}"));
        let mut base: Url =
            base.trim().parse().map_err(|error| bad(&format!("is not a valid URL: {error}")))?;
        match base.scheme() {
            "https" => {}
            "http" if web::is_on_this_machine(&base) => {}
            _ => return Err(bad("does not begin with https://, so the API key would go in the clear")),
        }
        if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
            return Err(bad("has a user or a query; the key is CLOSE_API_KEY"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self(base))
    }
}

impl fmt::Display for CloseBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// The way to Close's API: 5 s to connect, 15 s for an answer, no redirects, nothing repeated.
pub(super) struct Transport {
    base: Url,
    client: Client,
    /// How much of an answer is read.
    limit: usize,
}

/// An answer, of any status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// How long it asks to wait.
    pub(super) wait: Option<Duration>,
    pub(super) window: Option<RateLimitWindow>,
    pub(super) trace: Option<String>,
    /// The body, or why it could not be read to its end.
    pub(super) body: Result<Bytes, String>,
}

impl Transport {
    pub(super) fn new(base: CloseBase, limit: usize) -> Result<Self, String> {
        let CloseBase(base) = base;
        let client = web::builder(&base)
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(15))
            .build()
            .map_err(web::error_text)?;
        Ok(Self { base, client, limit })
    }

    /// Sends a request with the key, which no error shows.
    pub(super) async fn send(
        &self,
        key: &CloseSecret,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let hidden = |error: reqwest::Error| key.redact(&web::error_text(error));
        let url = self.base.join(path).map_err(|error| error.to_string())?;
        // What leads elsewhere gets no key.
        if url.origin() != self.base.origin() || !url.path().starts_with(self.base.path()) {
            return Err(format!("{path} is not below the API's address"));
        }
        let mut request = self.client.request(method.clone(), url).basic_auth(key.expose(), Some(""));
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut answer = request.send().await.map_err(hidden)?;
        let headers = answer.headers();
        let trace = headers.get("trace-id").and_then(|value| value.to_str().ok());
        let (status, wait, window) =
            (answer.status(), limits::wait(answer.status(), headers), limits::window(headers));
        let trace = trace.map(|trace| outside::text::shorten(trace, 60));
        let body = match web::read_limited(&mut answer, self.limit).await {
            (body, web::BodyRead::Complete) => Ok(body),
            (_, web::BodyRead::TooLong) => Err(format!("its answer is larger than {} bytes", self.limit)),
            (_, web::BodyRead::Failed(error)) => Err(hidden(error)),
        };
        Ok(Answer { status, wait, window, trace, body })
    }
}
