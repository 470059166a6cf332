//! What has to be right about an embedded pipeline.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use embedded::Store;
use ops::{Access, Ops};
use outbound::{ApiKeys, OwnerSource};
use pipeline::{Code, Fault, Settings, Variables, ingest::Trust};
use serde::Deserialize;

use super::{Check, close, owners, refused};
use crate::{
    config::{Config, UpConfig},
    wiring,
};

/// All checks.
pub(super) async fn checks(config: &Config, folder: &Path) -> Vec<Check> {
    let mut checks = vec![data_folder(folder).await];
    let up = UpConfig::read(config);
    checks.extend(listener(folder, up.as_ref().ok().map(|up| up.listen)).await);
    let mut ops = None;
    if let Ok(store) = wiring::open(folder).await {
        let settings = settings(&store).await.unwrap_or_default();
        let view = wiring::view(&store, settings, Access::ReadOnly);
        checks.extend(refused(&view).await);
        ops = Some(view);
    }
    let variables = Variables::new(|name| config.get(name).map(str::to_owned));
    let owners = match OwnerSource::of_variables(&variables) {
        Ok(OwnerSource::Bucket(base)) => vec![owners::directory(&base).await],
        Ok(OwnerSource::Close(base, fields)) => {
            owners::close(base, &fields, close_keys(config), ops.as_ref()).await
        }
        // The settings' own check says so.
        Err(_) => Vec::new(),
    };
    match up {
        Err(fault) => {
            checks.push(Check::bad("settings", "failed", &fault));
            checks.extend(owners);
        }
        Ok(up) => {
            checks.push(Check::ok("settings", "all values are valid"));
            checks.push(signature(&up.trust));
            checks.extend(owners);
            checks.push(slack(&up));
            checks.extend(mail(&up).await);
        }
    }
    checks.extend(close::check(config, None, close::configured(config)).await);
    checks
}

/// What Close is asked with.
fn close_keys(config: &Config) -> Result<ApiKeys, Fault> {
    let keys = config.get("CLOSE_API_KEY");
    let keys = keys.ok_or_else(|| Fault::new(Code::CloseKeyMissing, "CLOSE_API_KEY is not set"))?;
    ApiKeys::parse(keys).map_err(|fault| Fault::new(fault.code, format!("CLOSE_API_KEY: {}", fault.what)))
}

async fn data_folder(folder: &Path) -> Check {
    let name = "data folder";
    let status = async {
        let store = wiring::open(folder).await?;
        let line = status_line(&wiring::view(&store, settings(&store).await?, Access::ReadOnly)).await?;
        Ok::<_, Fault>((line, store.can_write().await))
    };
    match status.await {
        Ok((status, Ok(()))) => Check::ok(name, format!("{}: {status}", folder.display())),
        // Whoever only looks needs no more.
        Ok((_, Err(fault))) if fault.code == Code::StorageReadOnly => Check::bad(name, "warning", &fault),
        Ok((_, Err(fault))) => Check::bad(name, "failed", &fault),
        // Before the first `leadops up` there is nothing to be wrong.
        Err(fault) if fault.code == Code::NoPipeline => Check::bad(name, "warning", &fault),
        Err(fault) => Check::bad(name, "failed", &fault),
    }
}

async fn settings(store: &Store) -> Result<Arc<Settings>, Fault> {
    let running = wiring::Running::read(store).await?;
    Ok(Arc::new(running.map(|running| running.settings).unwrap_or_default()))
}

async fn status_line(ops: &Ops) -> Result<String, Fault> {
    let status = ops.status().await?;
    let dead = status.queues.delay.dead + status.queues.notification.dead;
    Ok(format!("{} pending, {} overdue, {dead} dead", status.pending, status.overdue))
}

/// Whether the pipeline's webhook answers, where one has been started, and is well.
///
/// Where the folder holds no pipeline, the one that listens at the configured address may have lost it.
async fn listener(folder: &Path, configured: Option<SocketAddr>) -> Option<Check> {
    let name = "webhook";
    let running = async {
        let store = wiring::open(folder).await.ok()?;
        wiring::Running::read(&store).await.ok()?
    };
    let running = running.await.map(|running| running.webhook);
    let webhook = running.clone().or_else(|| Some(format!("http://{}/crm/webhook", configured?)))?;
    let health = webhook.replace("/crm/webhook", "/healthz");
    let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build().ok()?;
    match client.get(health).send().await {
        Ok(answer) if answer.status().is_success() => {
            running.map(|_| Check::ok(name, format!("{webhook} answers")))
        }
        Ok(answer) => {
            let status = answer.status();
            let said = match answer.json::<Unwell>().await {
                Ok(unwell) => {
                    Fault::new(unwell.code, format!("{webhook} answers {status}: {}", unwell.error))
                }
                Err(_) if running.is_none() => return None,
                Err(_) => Fault::new(Code::WebhookUnreachable, format!("{webhook} answers {status}")),
            };
            Some(Check::bad(name, "failed", &said))
        }
        Err(_) => {
            let what = format!("{} does not answer: `leadops up` is not running", running?);
            Some(Check::bad(name, "warning", &Fault::new(Code::WebhookUnreachable, what)))
        }
    }
}

/// What a pipeline says of itself that could accept no webhook.
#[derive(Debug, Deserialize)]
struct Unwell {
    code: Code,
    error: String,
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
        Trust::Signed(keys) if keys.prove_themselves() => {
            Check::ok(name, format!("{keys:?}, the self-test holds"))
        }
        Trust::Signed(_) => Check::bad(
            name,
            "failed",
            &Fault::new(Code::SignatureWrong, "the self-test of the signature fails"),
        ),
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
