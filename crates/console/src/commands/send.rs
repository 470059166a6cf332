//! `send`: posts files as signed Close webhooks.

use std::{fs, path::Path, time::Duration};

use lead::{Document, Timestamp};
use pipeline::{Code, Fault, signature::Keys};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::act::{counted, listed};
use crate::{
    cli::SendArgs,
    config::{Config, Location, Place, signature_keys},
    output::{self, number, text, wide},
    wiring::{self, Running},
};

/// What came of one file.
#[derive(Debug, Serialize)]
struct Sent {
    file: String,
    http: Option<u16>,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `leadops send`.
///
/// # Errors
/// [`Code::WebhookUnreachable`] or [`Code::WebhookRefused`] for the first file that was not taken.
pub async fn run(config: &Config, place: &Place, args: &SendArgs, as_json: bool) -> anyhow::Result<()> {
    let Webhook { url, keys, of } = webhook(config, place, args.to.as_deref()).await?;
    if keys.is_empty() {
        output::aside(&format!("note: {of} holds no key, so the events go unsigned"));
    }
    let webhook = url;
    if args.dry_run {
        let what =
            format!("post {} to {webhook}: {}", counted(args.files.len(), "file"), listed(&names(args)));
        output::aside(&format!("would {what}"));
        return Ok(());
    }
    let target: Url = webhook.parse().map_err(|error| {
        let shown = lead::text::shorten(&webhook, 200);
        Fault::new(Code::WebhookUnreachable, format!("{shown:?} is no URL: {error}"))
    })?;
    let client = outbound::client::builder(&target).timeout(Duration::from_secs(10)).build()?;
    let mut rows = Vec::new();
    for file in &args.files {
        rows.push(send(&client, &webhook, &keys, file).await?);
    }
    if as_json {
        output::json(&rows)?;
    } else {
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let http = row.http.map_or_else(|| "-".to_owned(), |http| http.to_string());
                let about = row.lead_id.clone().or_else(|| row.error.clone()).unwrap_or_default();
                vec![row.file.clone(), http, row.status.clone(), about]
            })
            .collect();
        output::table(&[text("file"), number("http"), text("status"), wide("lead")], cells, "")?;
    }
    let bad: Vec<&Sent> =
        rows.iter().filter(|row| !row.http.is_some_and(|http| (200..300).contains(&http))).collect();
    match bad.first() {
        None => Ok(()),
        Some(first) => {
            let code = if first.http.is_some() { Code::WebhookRefused } else { Code::WebhookUnreachable };
            let why = first.error.clone().unwrap_or_else(|| first.status.clone());
            Err(Fault::new(
                code,
                format!("{} of {} not taken by {webhook}: {}: {why}", bad.len(), rows.len(), first.file),
            )
            .into())
        }
    }
}

fn names(args: &SendArgs) -> Vec<String> {
    args.files.iter().map(|file| file.display().to_string()).collect()
}

/// Where to post, and what to sign with.
struct Webhook {
    url: String,
    keys: Keys,
    /// Where the keys are from.
    of: String,
}

/// The webhook of a pipeline, or the one at `to` with that pipeline's keys.
async fn webhook(config: &Config, place: &Place, to: Option<&str>) -> Result<Webhook, Fault> {
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
    let store = wiring::open(folder).await?;
    let running = Running::read(&store).await?;
    running.map(|running| running.webhook).ok_or_else(|| {
        let folder = folder.display();
        let what = format!("no `leadops up` has run in {folder}, so the webhook's address is unknown");
        Fault::new(Code::WebhookUnreachable, what)
    })
}

/// The signature of a body, by the key of its subscription where there is one.
fn sign(keys: &Keys, name: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let document = Document::read(body).ok();
    let fields = document.as_ref().and_then(|document| document.fields().ok());
    let subscription = fields.and_then(|fields| fields.text("subscription_id"));
    let subscription = subscription.as_deref();
    keys.sign_for(subscription, timestamp, body).or_else(|| {
        if !keys.is_empty() {
            let of = subscription.map_or_else(|| "none".to_owned(), |of| lead::text::shorten(of, 60));
            let theirs = keys.subscriptions().collect::<Vec<_>>().join(", ");
            output::aside(&format!("note: {name} is of the subscription {of}, and the keys are those of {theirs}: it will be refused"));
        }
        keys.sign(timestamp, body)
    })
}

async fn send(client: &reqwest::Client, webhook: &str, keys: &Keys, file: &Path) -> Result<Sent, Fault> {
    let name = file.display().to_string();
    let body = fs::read(file).map_err(|e| Fault::new(Code::FileUnusable, format!("{name}: {e}")))?;
    let mut request = client.post(webhook).header("content-type", "application/json");
    let timestamp = Timestamp::now().as_second().to_string();
    if let Some(hash) = sign(keys, &name, &timestamp, &body) {
        request = request.header("close-sig-hash", hash).header("close-sig-timestamp", timestamp);
    }
    let answer = match request.body(body).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = outbound::client::error_text(error);
            return Ok(Sent {
                file: name,
                http: None,
                status: "unreachable".to_owned(),
                lead_id: None,
                code: None,
                error: Some(error),
            });
        }
    };
    let http = answer.status().as_u16();
    let json: Value =
        answer.bytes().await.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let field =
        |name: &str| json.get(name).and_then(Value::as_str).map(|text| lead::text::shorten(text, 300));
    Ok(Sent {
        file: name,
        http: Some(http),
        status: field("status").unwrap_or_else(|| "answered".to_owned()),
        lead_id: field("lead_id"),
        code: field("code"),
        error: field("error"),
    })
}
