//! `webhook-ingestion`: accepts Close's webhooks.

use std::sync::{Arc, Mutex};

use aws::MetricsSink as _;
use close::{
    headers,
    signature::{Keys, SignatureHeaders},
};
use lambda_runtime::Error;
use lead::Timestamp;
use pipeline::{
    Code, Fault, Function, Variables,
    ingest::{GENUINE, Ingest, LogThrottles, Outcome, Trust, Webhook, is_expected_by_a_probe},
    ports::Level,
    recorder,
    unsigned::Head,
    webhook,
};

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
    /// Shared by all stages, whatever their keys.
    repeats: LogThrottles,
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
            repeats: LogThrottles::default(),
        };
        match function.common.warm_up(function.stage()).await {
            // Malformed keys will not fix themselves while Close waits.
            Some(Err(fault)) if fault.code == Code::SignatureKeyBad => return Err(fault),
            Some(Err(fault)) => recorder::fault(Self::FUNCTION, Level::Error, "", None, &fault),
            Some(Ok(_)) | None => {}
        }
        Ok(function)
    }

    async fn handle(&self, request: Request, _: Timestamp) -> Result<Response, Error> {
        let presented = SignatureHeaders {
            hash: request.header(headers::HASH),
            timestamp: request.header(headers::TIMESTAMP),
        };
        let (method, body) = (request.method().filter(|method| method != "POST"), request.body());
        // Unsigned webhooks are never trusted here, wherever they come from.
        let agent = request.header("user-agent").map(|agent| ("user-agent", agent.as_bytes()));
        let head = Head { headers: agent.into_iter().collect(), ..Head::default() };
        let webhook = Webhook { presented, head, body: body.as_ref().cloned().unwrap_or_default() };
        let (seems_genuine, is_probe) = (webhook.seems_genuine(), webhook.is_probe());
        let (status, outcome) = match (method, body) {
            (Some(method), _) => {
                let fault =
                    webhook::elsewhere(&method, webhook::PATH, webhook::Signature::claimed(presented));
                let level = if presented.is_any() { Level::Error } else { Level::Warn };
                (405, self.refused(level, fault, seems_genuine))
            }
            (None, Err(error)) => {
                let what = format!("the body is said to be Base64 and is not: {error}");
                (400, self.refused(Level::Warn, Fault::new(Code::EventMalformed, what), seems_genuine))
            }
            (None, Ok(_)) => {
                let outcome = self.take(webhook).await.unwrap_or_else(Outcome::Refused);
                (outcome.status(), outcome)
            }
        };
        if let Outcome::Refused(fault) = &outcome
            && !(is_probe && is_expected_by_a_probe(fault.code))
        {
            let why = seems_genuine.then_some(fault.code);
            self.common.metrics.refused(self.common.recorder.clock.now(), status, why);
        }
        Ok(Response::json(status, &outcome.json()))
    }
}

/// Whether another key could change the outcome.
fn is_of_a_key(code: Code) -> bool {
    matches!(code, Code::SignatureWrong | Code::SignatureOfAnother)
}

impl Ingestion {
    /// Refuses a request before it reaches the stage.
    fn refused(&self, level: Level, fault: Fault, seems_genuine: bool) -> Outcome {
        let kind = if seems_genuine { GENUINE } else { "" };
        self.repeats.log_refusal(self.common.recorder.clock.now(), level, &fault, kind);
        Outcome::Refused(fault)
    }

    async fn take(&self, webhook: Webhook<'_>) -> Result<Outcome, Fault> {
        let stage = self.stage().await.inspect_err(|fault| {
            recorder::fault(Self::FUNCTION, Level::Error, "refused", None, fault);
        })?;
        let outcome = stage.handle(webhook.clone()).await;
        // The key may have been rotated.
        if matches!(&outcome, Outcome::Refused(fault) if is_of_a_key(fault.code))
            && let Some(stage) = self.refreshed().await
        {
            return Ok(stage.handle(webhook).await);
        }
        Ok(outcome)
    }

    /// The stage with the current keys.
    async fn stage(&self) -> Result<Arc<Ingest>, Fault> {
        let keys = self.common.secrets.signature_keys(&self.secret).await?;
        let mut stage = pipeline::lock(&self.stage);
        if let Some((known, stage)) = &*stage
            && Arc::ptr_eq(known, &keys)
        {
            return Ok(Arc::clone(stage));
        }
        let trust = Trust::Signed(Keys::clone(&keys));
        let made = self.common.stages().ingest(self.common.store.clone(), trust, self.repeats.clone());
        let made = Arc::new(made);
        *stage = Some((keys, Arc::clone(&made)));
        Ok(made)
    }

    /// The stage with newer keys, if there are any.
    async fn refreshed(&self) -> Option<Arc<Ingest>> {
        match self.common.secrets.refresh(&self.secret).await {
            Ok(true) => self.stage().await.ok(),
            Ok(false) => None,
            Err(fault) => {
                recorder::fault(Self::FUNCTION, Level::Warn, "the keys were not read again", None, &fault);
                None
            }
        }
    }
}
