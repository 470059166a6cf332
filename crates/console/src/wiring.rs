//! Putting the parts together: the one place where ports meet their adapters.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use embedded::{Options, Store};
use lead::{Timestamp, keys};
use ops::{Access, Condition, Ops, SetUp};
use outbound::{HoldsKeys, NoKeys};
use pipeline::{
    Code, Fault, Recorder, Settings,
    alerting::Alerting,
    ingest::{Ingest, Repeats},
    notify::Notify,
    patience::RECEIVES,
    ports::{Objects, PutError, When},
    process::{Counted, Process},
    receipt::Receipts,
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
    Ops {
        settings,
        objects: ports.clone(),
        history: ports.clone(),
        inbox: ports.clone(),
        dead_letters: ports.clone(),
        logs: ports.clone(),
        outbox: ports,
        alerting: alerting(store),
        recorder: recorder(store),
        set_up: Arc::new(OfRunning(store.clone())),
        who: crate::who::who(),
        access,
    }
}

/// The three stages.
pub struct Stages {
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
pub fn stages(store: &Store, config: UpConfig) -> Result<Stages, Fault> {
    let settings = Arc::new(config.settings);
    let ports = Arc::new(store.clone());
    let recorder = recorder(store);
    let keys: Arc<dyn HoldsKeys> = match config.close_keys {
        Some(keys) => Arc::new(keys),
        None => Arc::new(NoKeys),
    };
    let owners = config.owners.open(keys, ports.clone(), Arc::new(SystemClock), OWNER_PATIENCE)?;
    Ok(Stages {
        ingest: Arc::new(Ingest {
            settings: settings.clone(),
            trust: config.trust,
            intake: ports.clone(),
            recorder: recorder.clone(),
            repeats: Repeats::default(),
        }),
        process: Arc::new(Process {
            settings: settings.clone(),
            objects: ports.clone(),
            owners,
            outbox: ports.clone(),
            alerting: alerting(store),
            recorder: recorder.clone(),
            counted: Counted::InTheJob,
        }),
        notify: Arc::new(Notify {
            settings,
            objects: ports,
            receipts: alerting(store).receipts,
            recorder,
            destinations: config.destinations,
        }),
    })
}

/// Queueing alerts on a store, and their receipts.
pub fn alerting(store: &Store) -> Alerting {
    let ports = Arc::new(store.clone());
    Alerting { receipts: Receipts { objects: ports.clone(), clock: Arc::new(SystemClock) }, outbox: ports }
}

fn recorder(store: &Store) -> Recorder {
    Recorder {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        journal: Arc::new(store.clone()),
    }
}
