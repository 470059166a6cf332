//! Putting the parts together: the one place where ports meet their adapters.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use embedded::{Options, Store};
use lead::{Timestamp, keys};
use ops::{Access, Condition, Ops, SetUp};
use outbound::{HoldsKeys, NoKeys};
use pipeline::{
    Code, Fault, Settings,
    ingest::{Ingest, Repeats},
    notify::Notify,
    patience::RECEIVES,
    ports::{Objects, PutError, When},
    process::{Counted, Process},
    stages::{Ports, Stages, World},
};
use serde::{Deserialize, Serialize};
use system::{SystemClock, SystemRandom};

use crate::config::UpConfig;

mod console;
#[cfg_attr(not(feature = "aws"), path = "wiring/without_aws.rs")]
mod on_aws;
mod place;

pub use console::Configured;
pub use on_aws::{OnAws, SignatureSecret, on_aws};
pub use place::{AwsSite, Facts, Opened, Site, open_place};

/// How a pipeline is, or was last, set up: for commands that run beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// Its webhook.
    pub webhook: String,
    /// The figures and names it works by.
    pub settings: Settings,
    /// Since when.
    pub started_at: Timestamp,
    /// The version of leadops.
    pub version: String,
    /// What was wrong with its settings when it started.
    #[serde(default)]
    pub doubts: Vec<Condition>,
}

impl Running {
    /// What the pipeline wrote when it started; `None` where none has run yet.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn read(store: &Store) -> Result<Option<Self>, Fault> {
        let Some(object) = store.get(keys::RUNNING).await? else { return Ok(None) };
        // One written by another version, with other settings, is as good as none.
        Ok(serde_json::from_slice(&object.body).ok())
    }

    /// Writes it.
    ///
    /// # Errors
    /// The fault of the store.
    pub async fn write(&self, store: &Store) -> Result<(), Fault> {
        let body = serde_json::to_vec(self).map_err(|e| Fault::new(Code::Internal, e.to_string()))?;
        match store.put(keys::RUNNING, body.into(), When::Always).await {
            Ok(_) | Err(PutError::Precondition) => Ok(()),
            Err(PutError::Fault(fault)) => Err(fault),
        }
    }
}

/// What the `leadops up` that works on a store, or did so last, says of its settings.
struct OfRunning(Store);

#[async_trait]
impl SetUp for OfRunning {
    async fn conditions(&self) -> Result<Vec<Condition>, Fault> {
        Ok(Running::read(&self.0).await?.map(|running| running.doubts).unwrap_or_default())
    }
}

/// Opens the store of a folder that has one.
///
/// # Errors
/// [`Code::NoPipeline`] where there is none, or why it cannot be opened.
pub async fn open(folder: &Path) -> Result<Store, Fault> {
    Store::open(folder, Options { create: false, ..Options::default() })
}

/// Opens the store of a folder, making it where there is none.
///
/// # Errors
/// Why it cannot be opened or made.
pub async fn create(folder: &Path) -> Result<Store, Fault> {
    let mut options = Options { create: true, ..Options::default() };
    // The stage gives up by itself, with a reason. The queue's own limit is for messages whose worker
    // died each time.
    options.delay.max_receives = RECEIVES;
    // Each look at an alert while Slack has asked to wait is a receive.
    options.notification.max_receives = 100_000;
    Store::open(folder, options)
}

/// The operator's view of an open store.
pub fn view(store: &Store, settings: Arc<Settings>, access: Access) -> Ops {
    let ports = Arc::new(store.clone());
    let stages = stages(store, Arc::clone(&settings));
    Ops {
        settings,
        objects: ports.clone(),
        history: ports.clone(),
        inbox: ports.clone(),
        dead_letters: ports.clone(),
        logs: ports.clone(),
        outbox: ports.clone(),
        alerting: stages.alerting(ports),
        recorder: stages.recorder(),
        set_up: Arc::new(OfRunning(store.clone())),
        who: crate::who::who(),
        access,
    }
}

/// The three stages of a process.
pub struct AtWork {
    /// Takes webhooks in.
    pub ingest: Arc<Ingest>,
    /// Looks owners up.
    pub process: Arc<Process>,
    /// Alerts the team.
    pub notify: Arc<Notify>,
}

/// How long a lead waits in place for a turn to ask its source of owners: as many are processed at once as the
/// machine likes, and none of them costs anything while it waits.
const OWNER_PATIENCE: Duration = Duration::from_secs(30);

/// The stages on a store, as configured.
///
/// # Errors
/// [`Code::SettingBad`] where a client cannot be made of its settings.
pub fn at_work(store: &Store, config: UpConfig) -> Result<AtWork, Fault> {
    let ports = Arc::new(store.clone());
    let keys: Arc<dyn HoldsKeys> = match config.close_keys {
        Some(keys) => Arc::new(keys),
        None => Arc::new(NoKeys),
    };
    let owners = config.owners.open(keys, ports.clone(), Arc::new(SystemClock), OWNER_PATIENCE)?;
    let stages = stages(store, Arc::new(config.settings));
    Ok(AtWork {
        ingest: Arc::new(stages.ingest(ports.clone(), config.trust, Repeats::default())),
        process: Arc::new(stages.process(ports, owners, Counted::InTheJob)),
        notify: Arc::new(stages.notify(config.destinations)),
    })
}

/// What the stages on a store are made of.
pub fn stages(store: &Store, settings: Arc<Settings>) -> Stages {
    let ports = Arc::new(store.clone());
    let world = World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    Stages::new(Ports { objects: ports.clone(), journal: ports }, world, settings)
}
