//! What `leadops up` is started with.

use std::{path::Path, sync::Arc, time::Duration};

use close::client::KeySource;
use embedded::{OWNER_PATIENCE, Running, Storage};
use lead::Timestamp;
use outbound::{NoKeys, OwnerSource};
use pipeline::{
    Code, Fault, Settings,
    ports::{Objects, Retention},
};
use system::SystemClock;

use crate::{
    config::{SettingProblem, UpConfig},
    wiring,
};

/// The pipeline of this configuration, on a store.
///
/// # Errors
/// [`Code::SettingBad`] where a client cannot be made of its settings.
pub(crate) fn options(config: UpConfig, objects: Arc<dyn Objects>) -> Result<embedded::Options, Fault> {
    let keys: Arc<dyn KeySource> = match config.close_keys {
        Some(keys) => Arc::new(keys),
        None => Arc::new(NoKeys),
    };
    let owners = config.owners.open(keys, objects, Arc::new(SystemClock), OWNER_PATIENCE)?;
    let now = Timestamp::now();
    Ok(embedded::Options {
        listen: config.listen,
        settings: Arc::new(config.settings),
        trust: config.trust,
        owners,
        destinations: config.destinations,
        retention: Retention {
            logs: config.keep_logs,
            journal: config.keep_journal,
            receipts: config.keep_journal,
            ..Retention::default()
        },
        problems: config.problems.iter().map(|problem| problem.condition(now)).collect(),
    })
}

/// Opens the store of a folder for `leadops up`, and creates it if there is none.
///
/// # Errors
/// Why it cannot be opened or created; the first problem with alerts if the folder holds no lead, as whoever is setting
/// it up is there to fix it. Where it holds leads, refusing to start would refuse webhooks.
pub(crate) async fn store(folder: &Path, config: &UpConfig) -> Result<Arc<dyn Storage>, Fault> {
    if let Some(SettingProblem { fault, .. }) = config.problems.first() {
        let holds_leads = match wiring::open_store(folder) {
            Ok(store) => !Objects::list(&*store, &config.settings.source_prefix, None, 1).await?.is_empty(),
            Err(fault) if fault.code == Code::NoPipeline => false,
            Err(fault) => return Err(fault),
        };
        if !holds_leads {
            let what = format!("{}; a new pipeline does not start with this error", fault.what);
            return Err(Fault::new(fault.code, what));
        }
    }
    wiring::create_store(folder)
}

/// Whether a pipeline in this folder may start with these prefixes, with a warning if it may although they are wrong.
///
/// One that has used them before continues: no S3 turns what is written here into messages, so they do no harm, and
/// under other prefixes it would not find its leads. A new one has nothing to lose, and is refused.
///
/// # Errors
/// As [`Settings::check_prefixes`], where they have not been used before.
pub(crate) async fn prefixes(settings: &Settings, folder: &Path) -> Result<Option<Fault>, Fault> {
    let Err(fault) = settings.check_prefixes() else { return Ok(None) };
    let before = match wiring::open_store(folder) {
        Ok(store) => Running::read(&*store).await?.map(|running| running.settings),
        // It is refused for that as well, once this is fixed.
        Err(_) => None,
    };
    let prefixes = |settings: &Settings| [settings.source_prefix.clone(), settings.target_prefix.clone()];
    match before {
        Some(before) if prefixes(&before) == prefixes(settings) => Ok(Some(fault)),
        _ => Err(fault),
    }
}

/// For how long Close retries an event.
const CLOSE_RETRIES_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// A warning about a setting that is valid but will not work well.
pub(crate) fn advice(config: &UpConfig) -> Option<Fault> {
    let age = config.settings.signature_max_age;
    (age < CLOSE_RETRIES_FOR).then(|| {
        let what = format!(
            "SIGNATURE_MAX_AGE_SECONDS is {}: Close retries an event for three days, and may sign it only once",
            age.as_secs()
        );
        Fault::new(Code::SettingBad, what)
    })
}

/// Warnings about a configuration that is valid but will not work well.
pub(crate) fn warnings(config: &UpConfig) -> Vec<Fault> {
    let mut warnings: Vec<Fault> = config.problems.iter().map(|problem| problem.fault.clone()).collect();
    warnings.extend(advice(config));
    if let OwnerSource::Close(_, fields) = &config.owners {
        // One that cannot be used is among the problems.
        let is_reported = config.problems.iter().any(|problem| problem.what == SettingProblem::CLOSE_KEY);
        if config.close_keys.is_none() && !is_reported {
            let what =
                "OWNER_SOURCE is close, but CLOSE_API_KEY is not set: alerts will go out without an owner";
            warnings.push(Fault::new(Code::CloseKeyMissing, what));
        }
        if fields.owner.is_none() {
            let what = "OWNER_SOURCE is close, but CLOSE_OWNER_FIELD is not set: alerts will go out without an owner";
            warnings.push(Fault::new(Code::CloseFieldUnknown, what));
        }
    }
    if matches!(config.trust, pipeline::ingest::Trust::Anyone) {
        warnings.push(Fault::new(
            Code::SignatureKeyMissing,
            "unsigned webhooks are accepted from every program on this machine",
        ));
    }
    warnings
}
