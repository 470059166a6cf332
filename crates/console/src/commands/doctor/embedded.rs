//! The checks of an embedded pipeline.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use embedded::{Running, Storage};
use ops::{Access, Condition, Ops};
use outbound::{
    OwnerSource,
    address::{PROBE_TIMEOUT, ProbeOutcome, probe},
};
use pipeline::{
    Code, Fault,
    ingest::Trust,
    webhook::{HEALTH, Health, PATH},
};
use url::Url;

use super::{Check, Grade, destinations, owners, permissions, subscription, unknown_settings, webhooks};
use crate::{
    config::{Config, UpConfig, needed_api_keys},
    wiring,
};

/// All checks.
pub(super) async fn checks(config: &Config, folder: &Path) -> Vec<Check> {
    let store = wiring::open_store(folder);
    let running = match &store {
        Ok(store) => Running::read(&**store).await,
        Err(_) => Ok(None),
    };
    let mut checks = vec![data_folder(folder, &store, &running).await];
    checks.extend(permissions::checks(config, folder));
    let running = running.ok().flatten();
    let up = UpConfig::read(config);
    let webhook = running.as_ref().map(|running| running.webhook.as_str());
    checks.extend(listener(webhook, up.as_ref().ok().map(|up| up.listen)).await);
    let ops = store.ok().map(|store| wiring::view(&store, running.as_ref(), Access::ReadOnly));
    if let Some(ops) = &ops {
        checks.push(webhooks::check(ops).await);
        checks.extend(owners::recent_lookups(ops).await);
    }
    let owners = match OwnerSource::of_variables(&config.variables()) {
        Ok(OwnerSource::Bucket(base)) => vec![owners::directory(&base).await],
        Ok(OwnerSource::Close(base, fields)) => {
            owners::close(base, &fields, needed_api_keys(config), ops.as_ref()).await
        }
        // Reported by the check of the settings.
        Err(_) => Vec::new(),
    };
    checks.extend(unknown_settings(config));
    match up {
        Err(fault) => {
            checks.push(Check::bad("settings", Grade::Failed, &fault));
            checks.extend(owners);
            let problems = UpConfig::problems(config).unwrap_or_default();
            checks.extend(problems.iter().map(destinations::problem_check));
        }
        Ok(up) => {
            checks.push(match crate::up::prefixes(&up.settings, folder).await {
                Ok(None) => Check::ok("settings", "the webhook's settings are complete"),
                Ok(Some(fault)) => Check::bad("settings", Grade::Warning, &fault),
                Err(fault) => Check::bad("settings", Grade::Failed, &fault),
            });
            checks.extend(
                crate::up::advice(&up).iter().map(|fault| Check::bad("settings", Grade::Warning, fault)),
            );
            checks.push(signature(&up.trust, webhook).await);
            checks.extend(owners);
            checks.extend(
                destinations::checks(&up.settings.destinations, &up.destinations, &up.problems, ops.as_ref())
                    .await,
            );
        }
    }
    if let Some(ops) = &ops {
        checks.extend(set_up(ops).await);
    }
    checks.extend(subscription::check(config, None, subscription::configured(config)).await);
    checks
}

async fn data_folder(
    folder: &Path,
    store: &Result<Arc<dyn Storage>, Fault>,
    running: &Result<Option<Running>, Fault>,
) -> Check {
    let name = "data folder";
    let status = async {
        let store = store.as_ref().map_err(Clone::clone)?;
        let running = running.as_ref().map_err(Clone::clone)?;
        let line = status_line(&wiring::view(store, running.as_ref(), Access::ReadOnly)).await?;
        Ok::<_, Fault>((line, store.can_write().await))
    };
    match status.await {
        Ok((status, Ok(()))) => Check::ok(name, format!("{}: {status}", folder.display())),
        // Enough for whoever only looks.
        Ok((_, Err(fault))) if fault.code == Code::StorageReadOnly => {
            Check::bad(name, Grade::Warning, &fault)
        }
        Ok((_, Err(fault))) => Check::bad(name, Grade::Failed, &fault),
        // Before the first `leadops up` nothing can be wrong.
        Err(fault) if fault.code == Code::NoPipeline => Check::bad(name, Grade::Warning, &fault),
        Err(fault) => Check::bad(name, Grade::Failed, &fault),
    }
}

async fn status_line(ops: &Ops) -> Result<String, Fault> {
    let status = ops.status().await?;
    let dead = status.queues.delay.dead + status.queues.notification.dead;
    Ok(format!("{} pending, {} overdue, {dead} dead", status.pending, status.overdue))
}

/// Whether the pipeline's webhook answers, if one has been started, and is healthy.
///
/// If the folder holds no pipeline, the one that listens at the configured address may have lost it.
async fn listener(running: Option<&str>, configured: Option<SocketAddr>) -> Option<Check> {
    let name = "webhook";
    let webhook = match running {
        Some(webhook) => webhook.to_owned(),
        None => format!("http://{}{PATH}", configured?),
    };
    let failed = |code, what| Some(Check::bad(name, Grade::Failed, &Fault::new(code, what)));
    let health = match Url::parse(&webhook).and_then(|url| url.join(HEALTH)) {
        Ok(health) => health,
        Err(error) => return failed(Code::WebhookUnreachable, format!("{webhook:?} is not a URL: {error}")),
    };
    let asked = async {
        // An address to listen on, such as 0.0.0.0, is this machine's, and no proxy leads there.
        let client = web::builder(&health).no_proxy();
        let client = client.timeout(Duration::from_secs(3)).build()?;
        let mut answer = client.get(health.clone()).send().await?;
        let body = outbound::webhook::body(&mut answer).await;
        Ok::<_, reqwest::Error>((answer.status().as_u16(), body))
    };
    let read = |status, body: &Result<Bytes, String>| Health::read(status, body.as_ref().ok()?);
    match (asked.await, running) {
        (Ok((status, body)), running) => match (read(status, &body), running) {
            (Some(Health::Ok), Some(_)) => Some(Check::ok(name, format!("{webhook} answers"))),
            (Some(Health::Failed { code, error }), _) => {
                let error = outside::text::shorten(&error, 300);
                failed(code, format!("{webhook} answers {status}: {error}"))
            }
            (None, Some(_)) => {
                let looks = body.map_or_else(|broken| broken, |body| outbound::webhook::looks(&body));
                let what = format!(
                    "a program other than `leadops up` answers at {webhook}: {HEALTH} returns {status}, and {looks}"
                );
                failed(Code::AddressUnusable, what)
            }
            (Some(Health::Ok) | None, None) => None,
        },
        (Err(_), running) => {
            let what = format!("{} does not answer: `leadops up` is not running", running?);
            Some(Check::bad(name, Grade::Warning, &Fault::new(Code::WebhookUnreachable, what)))
        }
    }
}

/// Signs a text and verifies it, which would reveal a key read as text instead of hex; and has the running `leadops up`
/// verify one, as it may have been started with other keys.
async fn signature(trust: &Trust, running: Option<&str>) -> Check {
    let name = "signature";
    let keys = match trust {
        Trust::Anyone => {
            let what = "unsigned webhooks are accepted from every program on this machine";
            return Check::bad(name, Grade::Warning, &Fault::new(Code::SignatureKeyMissing, what));
        }
        Trust::Signed(keys) if keys.prove_themselves() => keys,
        Trust::Signed(_) => {
            let what = "the self-test of the signature fails";
            return Check::bad(name, Grade::Failed, &Fault::new(Code::SignatureWrong, what));
        }
    };
    let passed = format!("{keys:?}, the self-test passes");
    let webhook = running.and_then(|webhook| webhook.parse::<Url>().ok());
    let Some(webhook) = webhook else { return Check::ok(name, passed) };
    match probe(&webhook, PROBE_TIMEOUT, keys).await {
        ProbeOutcome::Signed(answer) if answer.refusal() == Some(Code::EventMalformed) => {
            Check::ok(name, format!("{passed}, and the running `leadops up` has the first"))
        }
        ProbeOutcome::Signed(answer) if answer.refusal() == Some(Code::SignatureWrong) => {
            let what = "the running `leadops up` was started with other keys than these: restart it";
            Check::bad(name, Grade::Failed, &Fault::new(Code::SignatureWrong, what))
        }
        // Reported by the check of the webhook.
        _ => Check::ok(name, passed),
    }
}

/// What the running pipeline reports about its own settings, which may differ from those of whoever asks.
async fn set_up(ops: &Ops) -> Vec<Check> {
    let name = "set-up";
    let of = |Condition { what, reason, code, .. }: Condition| {
        let what = format!("`leadops up` was started with this problem, {what}: {reason}");
        Check::bad(name, Grade::Failed, &Fault::new(code.unwrap_or(Code::SettingBad), what))
    };
    match ops.set_up.conditions().await {
        Ok(conditions) => conditions.into_iter().map(of).collect(),
        Err(fault) => vec![Check::bad(name, Grade::Failed, &fault)],
    }
}
