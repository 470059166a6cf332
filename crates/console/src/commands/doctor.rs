//! `doctor`: checks everything that has to be right.

use std::{net::SocketAddr, time::Duration};

use lead::LeadId;
use ops::{Access, Ops};
use outbound::HttpOwners;
use pipeline::{
    Code, Fault,
    ingest::Trust,
    ports::OwnerDirectory,
    process,
    signature::{Keys, Presented},
};
use serde::Serialize;

use crate::{
    config::{Config, Place, UpConfig},
    output, wiring,
};

/// The outcome of one check.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    /// `ok`, `warning` or `failed`.
    result: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

impl Check {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, result: "ok", detail: detail.into(), code: None, remedy: None }
    }

    fn bad(check: &'static str, result: &'static str, fault: &Fault) -> Self {
        Self {
            check,
            result,
            detail: fault.what.clone(),
            code: Some(fault.code),
            remedy: Some(fault.code.remedy()),
        }
    }
}

/// `leadops doctor`.
///
/// # Errors
/// [`Code::ChecksFailed`], once all have been printed.
pub async fn run(config: &Config, place: &Place, as_json: bool) -> anyhow::Result<()> {
    let mut checks = vec![folder(place).await];
    checks.extend(listener(place).await);
    match UpConfig::read(config) {
        Err(fault) => checks.push(Check::bad("settings", "failed", &fault)),
        Ok(up) => {
            checks.push(Check::ok("settings", "all values are valid"));
            checks.push(signature(&up.trust));
            checks.push(owners(&up).await);
            checks.push(slack(&up));
            checks.extend(mail(&up).await);
        }
    }
    if as_json {
        output::json(&checks)?;
    } else {
        for check in &checks {
            let mark = match check.result {
                "ok" => "✓",
                "warning" => "▲",
                _ => "✗",
            };
            let code = check.code.map_or_else(String::new, |code| format!("{code} "));
            let remedy = check.remedy.map_or_else(String::new, |remedy| format!(". {remedy}"));
            let detail = check.detail.trim_end_matches('.');
            output::line(&format!("{mark} {:<17} {code}{detail}{remedy}", check.check))?;
        }
    }
    let failed: Vec<&str> =
        checks.iter().filter(|check| check.result == "failed").map(|check| check.check).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let what = format!("{} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", "));
    Err(Fault::new(Code::ChecksFailed, what).into())
}

async fn folder(place: &Place) -> Check {
    let name = "data folder";
    let status = async {
        let (ops, _store) = wiring::ops(place, Access::ReadOnly).await?;
        status_line(&ops).await
    };
    match status.await {
        Ok(status) => Check::ok(name, format!("{}: {status}", place.data.display())),
        // Before the first `leadops up` there is nothing to be wrong.
        Err(fault) if fault.code == Code::NoPipeline => Check::bad(name, "warning", &fault),
        Err(fault) => Check::bad(name, "failed", &fault),
    }
}

async fn status_line(ops: &Ops) -> Result<String, Fault> {
    let status = ops.status().await?;
    let dead = status.queues.delay.dead + status.queues.notification.dead;
    Ok(format!("{} pending, {} overdue, {dead} dead", status.pending, status.overdue))
}

/// Whether the pipeline's webhook answers, where one has been started.
async fn listener(place: &Place) -> Option<Check> {
    let name = "webhook";
    let store = wiring::open(&place.data).await.ok()?;
    let running = wiring::Running::read(&store).await.ok()??;
    let health = running.webhook.replace("/crm/webhook", "/healthz");
    let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build().ok()?;
    Some(match client.get(health).send().await {
        Ok(answer) if answer.status().is_success() => Check::ok(name, format!("{} answers", running.webhook)),
        Ok(answer) => {
            let what = format!("{} answers {}", running.webhook, answer.status());
            Check::bad(name, "failed", &Fault::new(Code::WebhookUnreachable, what))
        }
        Err(_) => {
            let what = format!("{} does not answer: `leadops up` is not running", running.webhook);
            Check::bad(name, "warning", &Fault::new(Code::WebhookUnreachable, what))
        }
    })
}

/// Signs a text and checks it, so that a key that is taken as text instead of hex would show.
fn signature(trust: &Trust) -> Check {
    let name = "signature";
    match trust {
        Trust::Anyone => {
            let fault = Fault::new(
                Code::SignatureKeyMissing,
                "unsigned webhooks are taken from everybody on this machine",
            );
            Check::bad(name, "warning", &fault)
        }
        Trust::Signed(keys) if proves_itself(keys) => {
            Check::ok(name, format!("{keys:?}, the self-test holds"))
        }
        Trust::Signed(_) => Check::bad(
            name,
            "failed",
            &Fault::new(Code::SignatureWrong, "the self-test of the signature fails"),
        ),
    }
}

fn proves_itself(keys: &Keys) -> bool {
    let (timestamp, body) = ("1789398131", b"{}");
    let now = lead::from_millis(1_789_398_131_000);
    let Some(hash) = keys.sign(timestamp, body) else { return false };
    let presented = Presented { hash: Some(&hash), timestamp: Some(timestamp) };
    keys.verify(presented, body, now, Duration::from_secs(1)).is_ok()
}

/// Asks for a lead that cannot exist: 403 or 404 is what a healthy directory says.
async fn owners(up: &UpConfig) -> Check {
    let name = "owner directory";
    let failed = |code, what: String| Check::bad(name, "failed", &Fault::new(code, what));
    let canary: LeadId = match "lead_leadopsDoctorCanary".parse() {
        Ok(id) => id,
        Err(error) => return failed(Code::Internal, format!("{error}")),
    };
    let owners = match HttpOwners::new(up.owners.clone()) {
        Ok(owners) => owners,
        Err(error) => return failed(Code::SettingBad, error),
    };
    match owners.fetch(&canary).await {
        Ok(answer) if process::is_no_directory(&answer.body) => {
            failed(Code::OwnerDirectoryGone, format!("{} does not exist", up.owners))
        }
        Ok(answer) if matches!(answer.status, 200..=299 | 403 | 404) => {
            Check::ok(name, format!("{} answers {} for an unknown lead", up.owners, answer.status))
        }
        Ok(answer) => failed(Code::OwnerLookupFailed, format!("{} answers {}", up.owners, answer.status)),
        Err(error) => failed(Code::OwnerLookupFailed, format!("{}: {error}", up.owners)),
    }
}

/// A webhook can only be tried by posting, so this looks at the configuration alone.
fn slack(up: &UpConfig) -> Check {
    let name = "slack";
    let wanted = up.settings.channels.contains(&pipeline::Channel::Slack);
    match (&up.slack, wanted) {
        (Some(url), true) => {
            Check::ok(name, format!("{url} is configured; a webhook can only be tried by posting"))
        }
        (_, false) => Check::ok(name, "switched off"),
        (None, true) => {
            Check::bad(name, "failed", &Fault::new(Code::SlackNotConfigured, "SLACK_WEBHOOK_URL is not set"))
        }
    }
}

async fn mail(up: &UpConfig) -> Option<Check> {
    let name = "e-mail";
    if !up.settings.channels.contains(&pipeline::Channel::Email) {
        return Some(Check::ok(name, "switched off"));
    }
    let Some(mail) = &up.mail else {
        return Some(Check::bad(name, "failed", &Fault::new(Code::MailNotConfigured, "SMTP_URL is not set")));
    };
    let server = mail.server();
    let connected =
        tokio::time::timeout(Duration::from_secs(5), tokio::net::TcpStream::connect(&server)).await;
    Some(match connected {
        Ok(Ok(stream)) => {
            let peer =
                stream.peer_addr().ok().map_or_else(String::new, |peer: SocketAddr| format!(" ({peer})"));
            Check::ok(name, format!("{server}{peer} can be reached"))
        }
        Ok(Err(error)) => {
            Check::bad(name, "failed", &Fault::new(Code::MailUnavailable, format!("{server}: {error}")))
        }
        Err(_) => Check::bad(
            name,
            "failed",
            &Fault::new(Code::MailUnavailable, format!("{server} does not answer")),
        ),
    })
}
