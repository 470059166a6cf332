//! `webhook-ingestion`: takes Close's webhooks in.

use std::sync::{Arc, Mutex, PoisonError};

use aws::Counts as _;
use lambda_runtime::Error;
use lead::Timestamp;
use pipeline::{
    Code, Fault, Function, Variables,
    ingest::{Ingest, Outcome, Repeats, Trust, Webhook},
    ports::Level,
    recorder,
    signature::{Keys, Presented},
};
use serde_json::json;

use crate::{
    common::Common,
    http::{Request, Response},
    start::Handler,
};

/// The function.
pub struct Ingestion {
    common: Common,
    secret: String,
    /// The stage with the keys as they were read last.
    stage: Mutex<Option<(Arc<Keys>, Arc<Ingest>)>>,
    /// Of all stages, whatever their keys.
    repeats: Repeats,
}

impl Handler for Ingestion {
    const FUNCTION: Function = Function::WebhookIngestion;
    type Event = Request;
    type Answer = Response;

    async fn start(variables: &Variables<'_>) -> Result<Self, Fault> {
        let secret = variables.needed("CLOSE_SIGNATURE_SECRET_NAME")?;
        let function = Self {
            common: Common::read(variables)?,
            secret,
            stage: Mutex::default(),
            repeats: Repeats::default(),
        };
        match function.common.warm_up(function.stage()).await {
            // Keys of the wrong form will not mend themselves while Close waits.
            Some(Err(fault)) if fault.code == Code::SignatureKeyBad => return Err(fault),
            Some(Err(fault)) => recorder::fault(Self::FUNCTION, Level::Error, "", None, &fault),
            Some(Ok(_)) | None => {}
        }
        Ok(function)
    }

    async fn handle(&self, request: Request, _: Timestamp) -> Result<Response, Error> {
        let answer = self.answer(&request).await;
        if answer.status_code >= 400 {
            self.common.counts.refused(self.common.recorder.clock.now(), answer.status_code);
        }
        Ok(answer)
    }
}

impl Ingestion {
    async fn answer(&self, request: &Request) -> Response {
        if let Some(method) = request.method()
            && method != "POST"
        {
            let error = "Close posts its webhooks here; nothing else is answered";
            return Response::json(405, &json!({"status": "refused", "error": error}));
        }
        let outcome = self.take(request).await.unwrap_or_else(Outcome::Refused);
        Response::json(outcome.status(), &outcome.json())
    }

    async fn take(&self, request: &Request) -> Result<Outcome, Fault> {
        let body = request.body().map_err(|error| {
            Fault::new(Code::EventMalformed, format!("the body is said to be Base64 and is not: {error}"))
        })?;
        let presented = Presented {
            hash: request.header("close-sig-hash"),
            timestamp: request.header("close-sig-timestamp"),
        };
        let webhook = Webhook { presented, body };
        let stage = self.stage().await.inspect_err(|fault| {
            recorder::fault(Self::FUNCTION, Level::Error, "refused", None, fault);
        })?;
        let outcome = stage.handle(webhook.clone()).await;
        // Rather than the sender, the key may be new.
        if matches!(&outcome, Outcome::Refused(fault) if fault.code == Code::SignatureWrong)
            && let Some(stage) = self.renewed().await
        {
            return Ok(stage.handle(webhook).await);
        }
        Ok(outcome)
    }

    /// The stage with the present keys.
    async fn stage(&self) -> Result<Arc<Ingest>, Fault> {
        let keys = self.common.secrets.signature_keys(&self.secret).await?;
        Ok(self.stage_with(keys))
    }

    /// The stage with keys that are newer than the last ones, if there are any.
    async fn renewed(&self) -> Option<Arc<Ingest>> {
        match self.common.secrets.refresh(&self.secret).await {
            Ok(true) => self.stage().await.ok(),
            Ok(false) => None,
            Err(fault) => {
                recorder::fault(Self::FUNCTION, Level::Warn, "the keys were not read again", None, &fault);
                None
            }
        }
    }

    fn stage_with(&self, keys: Arc<Keys>) -> Arc<Ingest> {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, stage)) = &*stage
            && Arc::ptr_eq(known, &keys)
        {
            return Arc::clone(stage);
        }
        let made = Arc::new(Ingest {
            settings: Arc::clone(&self.common.settings),
            trust: Trust::Signed(Keys::clone(&keys)),
            intake: self.common.store.clone(),
            recorder: self.common.recorder.clone(),
            repeats: self.repeats.clone(),
        });
        *stage = Some((keys, Arc::clone(&made)));
        made
    }
}
