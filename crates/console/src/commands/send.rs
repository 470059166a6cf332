//! `send`: posts files as signed Close webhooks.

use std::{fs, path::Path, time::Duration};

use lead::Timestamp;
use pipeline::{Code, Fault, signature::Keys};
use serde::Serialize;
use serde_json::Value;

use super::act::{counted, listed};
use crate::{
    cli::SendArgs,
    config::{Config, Place},
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
    let keys = Keys::parse(config.get("CLOSE_SIGNATURE_KEY").unwrap_or_default())
        .map_err(|e| Fault::new(Code::SignatureKeyBad, format!("CLOSE_SIGNATURE_KEY: {e}")))?;
    if keys.is_empty() {
        eprintln!("note: CLOSE_SIGNATURE_KEY is not set, so the events go unsigned");
    }
    let webhook = match &args.to {
        Some(url) => url.clone(),
        None => running(place).await?,
    };
    if args.dry_run {
        let what =
            format!("post {} to {webhook}: {}", counted(args.files.len(), "file"), listed(&names(args)));
        eprintln!("would {what}");
        return Ok(());
    }
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
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
        output::table(&[text("file"), number("http"), text("status"), wide("lead")], &cells, "")?;
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

async fn running(place: &Place) -> Result<String, Fault> {
    let store = wiring::open(&place.data).await?;
    let running = Running::read(&store).await?;
    running.map(|running| running.webhook).ok_or_else(|| {
        Fault::new(
            Code::WebhookUnreachable,
            format!(
                "no `leadops up` has run in {}, so the webhook's address is unknown",
                place.data.display()
            ),
        )
    })
}

async fn send(client: &reqwest::Client, webhook: &str, keys: &Keys, file: &Path) -> Result<Sent, Fault> {
    let name = file.display().to_string();
    let body = fs::read(file).map_err(|e| Fault::new(Code::FileUnusable, format!("{name}: {e}")))?;
    let mut request = client.post(webhook).header("content-type", "application/json");
    let timestamp = Timestamp::now().as_second().to_string();
    if let Some(hash) = keys.sign(&timestamp, &body) {
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
