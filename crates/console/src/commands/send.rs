//! `send`: posts files as signed Close webhooks.

use std::{fs, path::Path, time::Duration};

use close::Incoming;
use close::signature::Keys;
use embedded::Running;
use host::output;
use lead::{LeadId, Timestamp};
use outbound::webhook::{self, WebhookResponse};
use outside::Document;
use pipeline::{Code, Fault, webhook::Answer};
use serde::Serialize;
use url::Url;

use super::act::{counted, listed};
use crate::{
    cli::SendArgs,
    config::{Config, Location, Place, signature_keys},
    table::{number, table, text, wide},
    wiring,
};

/// The outcome of one file.
#[derive(Debug, Serialize)]
struct Sent {
    file: String,
    http: Option<u16>,
    #[serde(flatten)]
    outcome: SendOutcome,
}

/// The outcome of an event: leadops's own answer, or in `error` what is wrong where Close would retry the event, or
/// where something other than leadops answered.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct SendOutcome {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<LeadId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Where a redirect points.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

/// `leadops send`.
///
/// # Errors
/// [`Code::WebhookUnreachable`] or [`Code::WebhookRefused`] for the first file that was not accepted.
pub(crate) async fn run(
    config: &Config,
    place: &Place,
    args: &SendArgs,
    as_json: bool,
) -> anyhow::Result<()> {
    let Webhook { url, keys, of } = webhook_of(config, place, args.to.as_deref()).await?;
    if keys.is_empty() {
        output::aside(&format!("note: {of} has no key, so the events are sent unsigned"));
    }
    let target: Url = url.parse().map_err(|error| {
        let shown = outside::text::shorten(&url, 200);
        Fault::new(Code::WebhookUnreachable, format!("{shown:?} is not a URL: {error}"))
    })?;
    let shown = web::shown(&target);
    if args.dry_run {
        let names: Vec<String> = args.files.iter().map(|file| file.display().to_string()).collect();
        let what = format!("post {} to {shown}: {}", counted(names.len(), "file"), listed(&names));
        output::aside(&format!("would {what}"));
        return Ok(());
    }
    let client = webhook::client(&target, Duration::from_secs(10))?;
    let mut rows = Vec::new();
    for file in &args.files {
        rows.push(send(&client, &target, &keys, file).await?);
    }
    if as_json {
        output::json(&rows)?;
    } else {
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let http = row.http.map_or_else(|| "-".to_owned(), |http| http.to_string());
                let SendOutcome { status, lead_id, error, .. } = &row.outcome;
                let about = error.clone().or_else(|| lead_id.as_ref().map(LeadId::to_string));
                vec![row.file.clone(), http, (*status).to_owned(), about.unwrap_or_default()]
            })
            .collect();
        table(&[text("file"), number("http"), text("status"), wide("lead")], cells, "")?;
    }
    let bad: Vec<(&Sent, &String)> =
        rows.iter().filter_map(|row| Some((row, row.outcome.error.as_ref()?))).collect();
    match bad.first() {
        None => Ok(()),
        Some((first, why)) => {
            let code = if first.http.is_some() { Code::WebhookRefused } else { Code::WebhookUnreachable };
            let code_of_answer = first.outcome.code.map_or_else(String::new, |code| format!("{code} "));
            let why = format!("{}: {code_of_answer}{why}", first.file);
            let what = format!("{} of {} not accepted by {shown}: {why}", bad.len(), rows.len());
            Err(Fault::new(code, what).into())
        }
    }
}

/// Where to post, and what to sign with.
struct Webhook {
    url: String,
    keys: Keys,
    /// Where the keys come from.
    of: String,
}

/// The webhook of a pipeline, or the one at `to` with that pipeline's keys.
async fn webhook_of(config: &Config, place: &Place, to: Option<&str>) -> Result<Webhook, Fault> {
    match &place.at {
        Location::Folder(folder) => {
            let keys = signature_keys(config)?;
            let url = match to {
                Some(url) => url.to_owned(),
                None => running(folder).await?,
            };
            Ok(Webhook { url, keys, of: "CLOSE_SIGNATURE_KEY".to_owned() })
        }
        Location::Stack(stack) => {
            let aws = wiring::on_aws(stack).await?;
            let secret = aws.signature_secret();
            let url = to.unwrap_or_else(|| aws.webhook_url()).to_owned();
            Ok(Webhook { url, keys: secret.present().await?, of: secret.to_string() })
        }
    }
}

async fn running(folder: &Path) -> Result<String, Fault> {
    let running = Running::read(&*wiring::open_store(folder)?).await?;
    running.map(|running| running.webhook).ok_or_else(|| {
        let folder = folder.display();
        let what = format!("no `leadops up` has run in {folder}, so the webhook's address is unknown");
        Fault::new(Code::WebhookUnreachable, what)
    })
}

/// The signature of a body, with the key of its subscription if there is one.
fn sign(keys: &Keys, name: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let document = Document::read(body).ok();
    let fields = document.as_ref().and_then(|document| document.fields().ok());
    let subscription = fields.and_then(|fields| fields.text("subscription_id"));
    let subscription = subscription.as_deref();
    keys.sign_for(subscription, timestamp, body).or_else(|| {
        if !keys.is_empty() {
            let of = subscription.map_or_else(|| "none".to_owned(), |of| outside::text::shorten(of, 60));
            let theirs = keys.subscriptions().collect::<Vec<_>>().join(", ");
            output::aside(&format!(
                "note: {name} is for subscription {of}, and the keys are for {theirs}: it will be refused"
            ));
        }
        keys.sign(timestamp, body)
    })
}

async fn send(client: &reqwest::Client, target: &Url, keys: &Keys, file: &Path) -> Result<Sent, Fault> {
    let name = file.display().to_string();
    let body = fs::read(file).map_err(|e| Fault::new(Code::FileUnusable, format!("{name}: {e}")))?;
    let timestamp = Timestamp::now().as_second().to_string();
    let signature = sign(keys, &name, &timestamp, &body).map(|hash| (hash, timestamp));
    let created = match Incoming::parse(&body) {
        Ok(Incoming::Created(created)) => Some(created.lead_id),
        _ => None,
    };
    let (http, outcome) = match webhook::post(client, target, signature, body).send().await {
        Ok(answer) => (
            Some(answer.status().as_u16()),
            outcome_of(&WebhookResponse::read(answer).await, created.as_ref()),
        ),
        Err(error) => {
            let error = Some(web::error_text(error));
            (None, SendOutcome { status: "unreachable", error, ..SendOutcome::default() })
        }
    };
    Ok(Sent { file: name, http, outcome })
}

/// The outcome of an event that created the lead `created`, or of another event.
fn outcome_of(reply: &WebhookResponse, created: Option<&LeadId>) -> SendOutcome {
    let about_another = |lead: &LeadId| match created {
        Some(created) if created == lead => None,
        Some(created) => Some(format!("the answer is about {lead}, and the event about {created}")),
        None => Some(format!("the answer is about {lead}, and the event about no new lead")),
    };
    let known = |status, lead: &LeadId| SendOutcome {
        status,
        lead_id: Some(lead.clone()),
        error: about_another(lead),
        ..SendOutcome::default()
    };
    match reply {
        WebhookResponse::Leadops(Answer::Accepted(lead)) => known("accepted", lead),
        WebhookResponse::Leadops(Answer::Duplicate(lead)) => known("duplicate", lead),
        WebhookResponse::Leadops(Answer::Ignored) => {
            let error = created.map(|lead| format!("it was ignored, though it is about the new lead {lead}"));
            SendOutcome { status: "ignored", error, ..SendOutcome::default() }
        }
        WebhookResponse::Leadops(Answer::Refused { code, error }) => {
            let error =
                Some(outside::text::clean_or(&outside::text::shorten(error, 300), "it does not say why"));
            SendOutcome { status: "refused", code: *code, error, ..SendOutcome::default() }
        }
        WebhookResponse::Redirect { to, .. } => {
            let (location, error) = (to.clone(), reply.mismatch());
            SendOutcome { status: "redirected", error, location, ..SendOutcome::default() }
        }
        WebhookResponse::Other { .. } => {
            SendOutcome { status: "answered", error: reply.mismatch(), ..SendOutcome::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leadopss_own_answer_about_the_same_lead_is_a_success() {
        let lead: LeadId = "lead_a".parse().unwrap();
        let other: LeadId = "lead_b".parse().unwrap();
        for (answer, created, status, error) in [
            (Answer::Accepted(lead.clone()), Some(&lead), "accepted", None),
            (Answer::Duplicate(lead.clone()), Some(&lead), "duplicate", None),
            (Answer::Ignored, None, "ignored", None),
            (
                Answer::Accepted(other.clone()),
                Some(&lead),
                "accepted",
                Some("the answer is about lead_b, and the event about lead_a"),
            ),
            (
                Answer::Duplicate(other),
                None,
                "duplicate",
                Some("the answer is about lead_b, and the event about no new lead"),
            ),
            (
                Answer::Ignored,
                Some(&lead),
                "ignored",
                Some("it was ignored, though it is about the new lead lead_a"),
            ),
            (
                Answer::Refused { code: None, error: String::new() },
                None,
                "refused",
                Some("it does not say why"),
            ),
        ] {
            let outcome = outcome_of(&WebhookResponse::Leadops(answer), created);
            assert_eq!((outcome.status, outcome.error.as_deref()), (status, error));
        }
        let refused = Answer::Refused { code: Some(Code::SignatureWrong), error: "why\u{1b}[2J".to_owned() };
        let outcome = outcome_of(&WebhookResponse::Leadops(refused), Some(&lead));
        assert_eq!((outcome.code, outcome.error.as_deref()), (Some(Code::SignatureWrong), Some("why [2J")));
    }
}
