//! What all functions share: the bucket, the journal, the clients.

use std::sync::Arc;

use aws::{Clients, S3Store, Secrets};
use lead::keys;
use pipeline::{
    Fault, Recorder, Settings, Variables,
    ports::Objects,
    stages::{Ports, Stages, System},
};
use system::{SystemClock, SystemRandom};

use crate::metrics::Emf;

/// What every function needs.
#[derive(Clone)]
pub struct Common {
    /// AWS.
    pub clients: Clients,
    /// The bucket's name.
    pub bucket: String,
    /// The bucket.
    pub store: Arc<S3Store>,
    /// Secrets.
    pub secrets: Arc<Secrets>,
    /// The pipeline's settings.
    pub settings: Arc<Settings>,
    /// Journal and log.
    pub recorder: Recorder,
    /// Metrics.
    pub metrics: Arc<Emf>,
    /// `LEADOPS_WARM_UP`: whether to connect and to load secrets before the first event. For
    /// measurements; a function is never slower for it.
    warm_up: bool,
}

impl Common {
    /// Reads what every function needs.
    ///
    /// # Errors
    /// The first variable that is missing or wrong, by its name.
    pub fn read(variables: &Variables<'_>) -> Result<Self, Fault> {
        let settings = Settings::read(variables)?;
        settings.check_prefixes()?;
        let clients = Clients::of_function(|name| variables.get(name))?;
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let bucket = variables.needed("BUCKET_NAME")?;
        let metrics = Arc::new(Emf::new(variables.get("PROJECT_NAME")));
        let store =
            S3Store::new(&clients, &bucket, &settings, clock.clone(), random.clone(), metrics.clone());
        let store = Arc::new(store);
        Ok(Self {
            secrets: Arc::new(Secrets::new(&clients, clock.clone())),
            clients,
            metrics,
            bucket,
            recorder: Recorder { clock, random, journal: store.clone() },
            store,
            settings: Arc::new(settings),
            warm_up: variables.truth("LEADOPS_WARM_UP", true)?,
        })
    }

    /// Connects to the bucket and does `more`, so that the first event need not wait for that: while a
    /// function starts, Lambda lends it more CPU than it has afterwards. A failure here is
    /// reported when what failed is needed.
    pub async fn warm_up<T>(&self, more: impl Future<Output = T>) -> Option<T> {
        if !self.warm_up {
            return None;
        }
        let (_, more) = futures_util::join!(self.store.list(keys::JOURNAL, None, 1), more);
        Some(more)
    }

    /// The stages.
    pub fn stages(&self) -> Stages {
        let Recorder { clock, random, journal } = self.recorder.clone();
        let ports = Ports { objects: self.store.clone(), journal };
        Stages::new(ports, System { clock, random }, Arc::clone(&self.settings))
    }
}
