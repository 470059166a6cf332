//! A fake of the public bucket with the owner documents.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
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

/// The directory's answer about a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryAnswer {
    /// This document, whether complete, broken or another lead's.
    Document(String),
    /// 403, as S3 answers for a missing object if the caller may not list the bucket.
    Nothing,
    /// 503, as S3 answers to too many requests.
    SlowDown,
}

/// The directory. Unknown leads are [`DirectoryAnswer::Nothing`].
#[derive(Debug)]
pub struct FakeOwnerDirectory {
    server: LocalServer,
    script: Arc<Script>,
}

type Script = Mutex<BTreeMap<LeadId, DirectoryAnswer>>;

impl FakeOwnerDirectory {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port is available.
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

    /// Adds a lead's document from now on; it names only the first of several owners.
    pub fn add_lead(&self, sample: &Sample) {
        let document = json!({
            "lead_id": sample.lead_id,
            "display_name": sample.display_name,
            "lead_email": sample.email,
            "lead_owner": sample.owners.first().map(|owner| owner.name),
            "funnel": sample.funnel,
            "status_label": sample.status_label,
            "date_created": sample.date_created,
        });
        self.set_answer(sample.lead_id.clone(), DirectoryAnswer::Document(document.to_string()));
    }

    /// Sets the answer about a lead from now on.
    pub fn set_answer(&self, lead: LeadId, answer: DirectoryAnswer) {
        pipeline::lock(&self.script).insert(lead, answer);
    }
}

async fn answer(State(script): State<Arc<Script>>, Path(document): Path<String>) -> Response {
    let lead = document.strip_suffix(".json").and_then(|id| id.parse::<LeadId>().ok());
    let answer = lead.and_then(|lead| pipeline::lock(&script).get(&lead).cloned());
    match answer {
        Some(DirectoryAnswer::Document(document)) => {
            ([(header::CONTENT_TYPE, "application/json")], document).into_response()
        }
        Some(DirectoryAnswer::SlowDown) => {
            xml(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
        }
        Some(DirectoryAnswer::Nothing) | None => access_denied(),
    }
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
    async fn it_gives_the_answers_that_were_set() {
        let fake = FakeOwnerDirectory::start().await.unwrap();
        let owners = HttpOwners::new(OwnersBase::parse(&fake.base()).unwrap()).unwrap();
        let script = [
            ("lead_document", DirectoryAnswer::Document("{\"lead_owner\": \"Zoë\"}".to_owned()), 200, "Zoë"),
            ("lead_nothing", DirectoryAnswer::Nothing, 403, "AccessDenied"),
            ("lead_slow", DirectoryAnswer::SlowDown, 503, "SlowDown"),
        ];
        for (lead, answer, ..) in &script {
            fake.set_answer(lead.parse().unwrap(), answer.clone());
        }
        let unknown = ("lead_unknown", DirectoryAnswer::Nothing, 403, "AccessDenied");
        for (lead, _, status, part) in script.iter().chain([&unknown]) {
            let answer = owners.fetch(&lead.parse().unwrap()).await.unwrap();
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!((answer.status, body.contains(part)), (*status, true), "{lead}: {body}");
        }
    }

    #[tokio::test]
    async fn a_sample_has_a_document() {
        let fake = FakeOwnerDirectory::start().await.unwrap();
        let owners = HttpOwners::new(OwnersBase::parse(&fake.base()).unwrap()).unwrap();
        let sample = Scenario::new(1).next(Timestamp::now());
        fake.add_lead(&sample);
        let document = OwnerDocument::parse(&owners.fetch(&sample.lead_id).await.unwrap().body).unwrap();
        assert!(document.lead_id.as_deref() == Some(sample.lead_id.as_str()));
        assert_eq!(document.lead_owner.as_deref(), Some(sample.owners[0].name));
        assert_eq!(document.lead_email.as_ref(), Some(&sample.email));
        assert_eq!(document.funnel.as_deref(), Some(sample.funnel));
    }
}
