//! Running the embedded pipeline.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use embedded::Store;
use lead::Timestamp;
use outbound::OwnerSource;
use pipeline::{Code, Fault, Settings, driver::take_over, ports::Objects as _};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Doubt, UpConfig},
    wiring::{self, Running},
};

/// A pipeline at work.
pub struct Up {
    /// Its webhook.
    pub webhook: String,
    /// Its settings.
    pub settings: Arc<Settings>,
    stop: CancellationToken,
    listener: JoinHandle<std::io::Result<()>>,
    workers: JoinHandle<()>,
}

impl Up {
    /// Starts the listener and the workers on a store that this process alone works on.
    ///
    /// # Errors
    /// [`Code::AddressUnusable`], or the fault of the store.
    pub async fn start(config: UpConfig, store: &Store) -> Result<Self, Fault> {
        let listener = bind(config.listen)?;
        let address = listener.local_addr().map_err(|e| unusable(config.listen, &e))?;
        let webhook = format!("http://{address}/crm/webhook");
        let settings = Arc::new(config.settings.clone());
        let (keep_logs, keep_journal) = (config.keep_logs, config.keep_journal);
        take_over(store, &wiring::stages(store, settings.clone()).receipts()).await?;
        let started_at = Timestamp::now();
        let running = Running {
            webhook: webhook.clone(),
            settings: config.settings.clone(),
            started_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            doubts: config.doubts.iter().map(|doubt| doubt.condition(started_at)).collect(),
        };
        running.write(store).await?;
        let stages = wiring::at_work(store, config)?;
        let owners = Arc::clone(&stages.process);
        tokio::spawn(async move { owners.owners.warm_up().await });
        let refusals = embedded::Refusals::of(store).await?;
        let stop = CancellationToken::new();
        let retention = embedded::Retention {
            logs: keep_logs,
            journal: keep_journal,
            receipts: keep_journal,
            ..Default::default()
        };
        Ok(Self {
            webhook,
            settings,
            listener: tokio::spawn(embedded::listener::serve(
                listener,
                stages.ingest,
                store.clone(),
                refusals,
                stop.clone(),
            )),
            workers: tokio::spawn(embedded::workers::run(
                store.clone(),
                stages.process,
                stages.notify,
                retention,
                stop.clone(),
            )),
            stop,
        })
    }

    /// Works until `end`, then stops accepting, and finishes or gives back what is in hand.
    ///
    /// # Errors
    /// [`Code::Internal`] where the listener or the workers end by themselves.
    pub async fn run_until(mut self, end: impl Future<Output = ()>) -> Result<(), Fault> {
        let failed = |what: String| Err(Fault::new(Code::Internal, what));
        let early = tokio::select! {
            () = end => Ok(()),
            ended = &mut self.listener => failed(format!("the listener ended by itself: {ended:?}")),
            ended = &mut self.workers => failed(format!("the workers ended by themselves: {ended:?}")),
        };
        self.stop.cancel();
        if early.is_ok() {
            for ended in [self.listener.await.map(drop), self.workers.await] {
                ended.map_err(|e| Fault::new(Code::Internal, format!("a task did not end in order: {e}")))?;
            }
        }
        early
    }
}

/// Opens the store of a folder for `leadops up`, making it where there is none.
///
/// # Errors
/// Why it cannot be opened or made; the first doubt about alerts where the folder holds no lead: whoever has just set
/// it up is there to correct it. On one that holds leads refusing to start would refuse webhooks.
pub async fn store(folder: &Path, config: &UpConfig) -> Result<Store, Fault> {
    if let Some(Doubt { fault, .. }) = config.doubts.first() {
        let holds_leads = match wiring::open(folder).await {
            Ok(store) => !store.list(&config.settings.source_prefix, None, 1).await?.is_empty(),
            Err(fault) if fault.code == Code::NoPipeline => false,
            Err(fault) => return Err(fault),
        };
        if !holds_leads {
            let what = format!("{}; a new pipeline does not start like that", fault.what);
            return Err(Fault::new(fault.code, what));
        }
    }
    wiring::create(folder).await
}

/// Whether a pipeline in this folder may start with these prefixes, and what is to be said of them.
///
/// One that has worked with them goes on, with a warning: no S3 makes messages of what is written here, so
/// nothing comes of it, and under other prefixes it would not find the leads it has. A new one has nothing to
/// lose, and is refused.
///
/// # Errors
/// As [`Settings::check_prefixes`], where none has worked with them.
pub async fn prefixes(settings: &Settings, folder: &Path) -> Result<Option<Fault>, Fault> {
    let Err(fault) = settings.check_prefixes() else { return Ok(None) };
    let before = match wiring::open(folder).await {
        Ok(store) => Running::read(&store).await?.map(|running| running.settings),
        // It is refused for that as well, once this is right.
        Err(_) => None,
    };
    let prefixes = |settings: &Settings| [settings.source_prefix.clone(), settings.target_prefix.clone()];
    match before {
        Some(before) if prefixes(&before) == prefixes(settings) => Ok(Some(fault)),
        _ => Err(fault),
    }
}

/// How many connections may wait to be taken: as many as Linux allows by default. One more would have to
/// try again after a second.
const BACKLOG: u32 = 4_096;

fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait for connections that are being closed.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|e| unusable(address, &e))
}

fn unusable(address: SocketAddr, error: &std::io::Error) -> Fault {
    Fault::new(Code::AddressUnusable, format!("cannot listen on {address}: {error}"))
}

/// For how long Close sends an event again.
const CLOSE_TRIES_FOR: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What is worth saying of figures that are valid and will disappoint.
pub fn advice(config: &UpConfig) -> Option<Fault> {
    let age = config.settings.signature_max_age;
    (age < CLOSE_TRIES_FOR).then(|| {
        let what = format!(
            "SIGNATURE_MAX_AGE_SECONDS is {}: Close sends an event again for three days, and may sign it only once",
            age.as_secs()
        );
        Fault::new(Code::SettingBad, what)
    })
}

/// What is worth saying about a configuration that is valid but will disappoint.
pub fn warnings(config: &UpConfig) -> Vec<Fault> {
    let mut warnings: Vec<Fault> = config.doubts.iter().map(|doubt| doubt.fault.clone()).collect();
    warnings.extend(advice(config));
    if let OwnerSource::Close(_, fields) = &config.owners {
        // One that cannot be used is among the doubts.
        let is_doubtful = config.doubts.iter().any(|doubt| doubt.what == Doubt::CLOSE_KEY);
        if config.close_keys.is_none() && !is_doubtful {
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
            "unsigned webhooks are taken from every program on this machine",
        ));
    }
    warnings
}
