//! A stand-in for the public bucket with the owner documents.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use lead::LeadId;
use serde_json::json;

use crate::{Sample, local_server::LocalServer};

/// What the directory says of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// This document, whatever it is: complete, broken, another lead's.
    Document(String),
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

    /// Lets it know a lead's owner from now on; of several a document names the first.
    pub fn know(&self, sample: &Sample) {
        let document = json!({
            "lead_id": sample.lead_id,
            "display_name": sample.display_name,
            "lead_email": sample.email,
            "lead_owner": sample.owners.first().map(|owner| owner.name),
            "funnel": sample.funnel,
            "status_label": sample.status_label,
            "date_created": sample.date_created,
        });
        self.say(sample.lead_id.clone(), Says::Document(document.to_string()));
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
        Some(Says::Document(document)) => with_json(document),
        Some(Says::SlowDown) => {
            xml(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
        }
        Some(Says::Nothing) | None => access_denied(),
    }
}

fn with_json(document: String) -> Response {
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
    use lead::{OwnerDocument, Timestamp};
    use outbound::{HttpOwners, OwnersBase};
    use pipeline::ports::OwnerDirectory;

    use super::*;
    use crate::Scenario;

    #[tokio::test]
    async fn it_says_what_it_was_told_to() {
        let stand_in = OwnerStandIn::start().await.unwrap();
        let owners = HttpOwners::new(OwnersBase::parse(&stand_in.base()).unwrap()).unwrap();
        let script = [
            ("lead_document", Says::Document("{\"lead_owner\": \"Zoë\"}".to_owned()), 200, "Zoë"),
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

    #[tokio::test]
    async fn a_sample_has_a_document() {
        let stand_in = OwnerStandIn::start().await.unwrap();
        let owners = HttpOwners::new(OwnersBase::parse(&stand_in.base()).unwrap()).unwrap();
        let sample = Scenario::new(1).next(Timestamp::now());
        stand_in.know(&sample);
        let document = OwnerDocument::parse(&owners.fetch(&sample.lead_id).await.unwrap().body).unwrap();
        assert!(document.lead_id.as_deref() == Some(sample.lead_id.as_str()));
        assert_eq!(document.lead_owner.as_deref(), Some(sample.owners[0].name));
        assert_eq!(document.lead_email.as_ref(), Some(&sample.email));
        assert_eq!(document.funnel.as_deref(), Some(sample.funnel));
    }
}
