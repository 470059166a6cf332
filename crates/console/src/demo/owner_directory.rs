//! A stand-in for the public bucket with the owner documents.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use lead::LeadId;

use super::local_server::LocalServer;

/// What the directory says of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// This document, whatever it is: complete, broken, another lead's.
    Document(String),
    /// 403 until then, and this document from then on.
    DocumentFrom(Instant, String),
    /// 403, as S3 says of whatever is not there to those who may not list the bucket.
    Nothing,
    /// 503, as S3 says to those who ask too often.
    SlowDown,
}

/// The directory. A lead that it was told nothing about is [`Says::Nothing`].
#[derive(Debug)]
pub struct OwnerStandIn {
    server: LocalServer,
    script: Arc<Script>,
}

type Script = Mutex<BTreeMap<LeadId, Says>>;

impl OwnerStandIn {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start() -> io::Result<Self> {
        let script = Arc::new(Script::default());
        let router = Router::new()
            .route("/{document}", get(answer))
            .fallback(|| async { access_denied() })
            .with_state(Arc::clone(&script));
        Ok(Self { server: LocalServer::start(router).await?, script })
    }

    /// What `LOOKUP_BASE_URL` would be.
    pub fn base(&self) -> String {
        self.server.base()
    }

    /// Scripts what is said of a lead from now on.
    pub fn say(&self, lead: LeadId, says: Says) {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).insert(lead, says);
    }
}

async fn answer(State(script): State<Arc<Script>>, Path(document): Path<String>) -> Response {
    let lead = document.strip_suffix(".json").and_then(|id| id.parse::<LeadId>().ok());
    let says =
        lead.and_then(|lead| script.lock().unwrap_or_else(PoisonError::into_inner).get(&lead).cloned());
    match says {
        Some(Says::Document(document)) => json(document),
        Some(Says::DocumentFrom(from, document)) if Instant::now() >= from => json(document),
        Some(Says::SlowDown) => {
            xml(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
        }
        Some(Says::DocumentFrom(..) | Says::Nothing) | None => access_denied(),
    }
}

fn json(document: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

fn access_denied() -> Response {
    xml(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied")
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn xml(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <RequestId>DEMO000000000000</RequestId><HostId>demo</HostId></Error>"
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use outbound::{HttpOwners, OwnersBase};
    use pipeline::ports::OwnerDirectory;

    use super::*;

    #[tokio::test]
    async fn it_says_what_it_was_told_to() {
        let stand_in = OwnerStandIn::start().await.unwrap();
        let owners = HttpOwners::new(OwnersBase::parse(&stand_in.base()).unwrap()).unwrap();
        let now = Instant::now();
        let script = [
            ("lead_document", Says::Document("{\"lead_owner\": \"Zoë\"}".to_owned()), 200, "Zoë"),
            ("lead_over", Says::DocumentFrom(now, "{}".to_owned()), 200, "{}"),
            (
                "lead_late",
                Says::DocumentFrom(now + Duration::from_secs(600), "{}".to_owned()),
                403,
                "AccessDenied",
            ),
            ("lead_nothing", Says::Nothing, 403, "AccessDenied"),
            ("lead_slow", Says::SlowDown, 503, "SlowDown"),
        ];
        for (lead, says, ..) in &script {
            stand_in.say(lead.parse().unwrap(), says.clone());
        }
        let unknown = ("lead_unknown", Says::Nothing, 403, "AccessDenied");
        for (lead, _, status, part) in script.iter().chain([&unknown]) {
            let answer = owners.fetch(&lead.parse().unwrap()).await.unwrap();
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!((answer.status, body.contains(part)), (*status, true), "{lead}: {body}");
        }
    }
}
