use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, future::ready, stream};
use serde_json::Value;

use super::{
    example::sample,
    switches::{Refusal, Switches},
};

/// An answer, before it is sent.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Whether the connection breaks in the middle of the body.
    pub(super) breaks: bool,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::of(status, "application/json", body.to_string())
    }

    pub(super) fn page(status: u16, title: &str) -> Self {
        let page =
            format!("<!doctype html><html><head><title>{title}</title></head><body>{title}</body></html>");
        Self::of(status, "text/html; charset=utf-8", page)
    }

    pub(super) fn of(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", kind.to_owned())], body: body.into(), breaks: false }
    }

    /// A redirect.
    pub(super) fn moved(to: String) -> Self {
        Self { headers: vec![("location", to)], ..Self::of(301, "text/html", "") }
    }

    /// A refusal as one of the samples has it.
    pub(super) fn error(sample_of: &str) -> Self {
        let sample = sample(sample_of);
        let kind = sample["headers"]["content-type"].as_str().unwrap();
        let body = sample["body_text"].as_str().map_or_else(|| sample["body"].to_string(), str::to_owned);
        Self::of(u16::try_from(sample["status"].as_u64().unwrap()).unwrap(), kind, body)
    }

    /// 404 for what is no lead.
    pub(super) fn absent() -> Self {
        Self::error("error_404_lead")
    }

    /// This status, with the body that belongs to it.
    pub(super) fn refusal(status: u16, switches: Switches) -> Self {
        match status {
            400 => Self::error("error_400_errors_list"),
            401 => Self::error("error_401_object_not_permitted"),
            402 | 403 | 405 => match switches.refusal {
                Refusal::Json if status == 402 => Self::error("error_402_plan_limit"),
                Refusal::Json => Self { status, ..Self::error("error_403_forbidden_json") },
                Refusal::Text => Self { status, ..Self::error("error_403_forbidden_text") },
                Refusal::Page => Self::page(status, "Not here"),
                Refusal::Empty => Self::of(status, "text/plain", ""),
            },
            404 => Self::absent(),
            502 => Self::error("error_502_gateway"),
            503 => Self::error("error_503_unavailable"),
            _ => Self::page(status, "It did not work"),
        }
    }

    /// The same, compressed.
    pub(super) fn compressed(self) -> Self {
        let mut gzip = flate2::read::GzEncoder::new(&self.body[..], flate2::Compression::fast());
        let mut body = Vec::new();
        std::io::Read::read_to_end(&mut gzip, &mut body).unwrap();
        let headers = self.headers.into_iter().chain([("content-encoding", "gzip".to_owned())]).collect();
        Self { headers, body, ..self }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let length = self.body.len();
        let body = if self.breaks {
            let half = bytes::Bytes::from(self.body).slice(..length / 2);
            let cut = async {
                // What comes before is sent first.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("the connection is cut"))
            };
            Body::from_stream(stream::once(ready(Ok(half))).chain(stream::once(cut)))
        } else {
            Body::from(self.body)
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        let headers = response.headers_mut();
        headers.insert("content-length", length.into());
        for (name, value) in self.headers {
            headers.insert(name, value.parse().unwrap());
        }
        response
    }
}
