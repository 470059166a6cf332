//! A pipeline at work.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use lead::Timestamp;
use ops::Condition;
use pipeline::{
    Code, Fault, Settings,
    destination::Destinations,
    driver::take_over,
    ingest::{LogThrottles, Trust},
    ports::{Owners, Retention},
    process::AttemptCounter,
    webhook::PATH,
};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{Refusals, Running, Storage, listener, stages, workers};

/// What a pipeline is to be.
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The figures and names that it works by.
    pub settings: Arc<Settings>,
    /// Who may send webhooks.
    pub trust: Trust,
    /// Where owners are.
    pub owners: Arc<dyn Owners>,
    /// Where alerts go.
    pub destinations: Destinations,
    /// For how long things are stored.
    pub retention: Retention,
    /// What is wrong with its settings, and lets webhooks be accepted nevertheless.
    pub problems: Vec<Condition>,
}

/// How long a lead waits in place for a turn to ask its source of owners: as many are processed at once as the machine
/// likes, and none of them costs anything while it waits.
pub const OWNER_PATIENCE: Duration = Duration::from_secs(30);

/// A pipeline at work.
pub struct Up {
    /// Its webhook.
    pub webhook: String,
    stop: CancellationToken,
    listener: JoinHandle<std::io::Result<()>>,
    workers: JoinHandle<()>,
}

impl Up {
    /// Starts the listener and the workers on a store that this process alone works on.
    ///
    /// # Errors
    /// [`Code::AddressUnusable`], or the fault of the store.
    pub async fn start(options: Options, storage: Arc<dyn Storage>) -> Result<Self, Fault> {
        let Options { listen, settings, trust, owners, destinations, retention, problems } = options;
        let listener = bind(listen)?;
        let address = listener.local_addr().map_err(|e| unusable(listen, &e))?;
        let webhook = format!("http://{address}{PATH}");
        let stages = stages(storage.clone(), Arc::clone(&settings));
        take_over(&*storage, &stages.receipts()).await?;
        let running = Running {
            webhook: webhook.clone(),
            settings: Settings::clone(&settings),
            started_at: Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            problems,
        };
        running.write(&*storage).await?;
        let ingest = stages.ingest(storage.clone(), trust, LogThrottles::default());
        let process = stages.process(storage.clone(), Arc::clone(&owners), AttemptCounter::InJob);
        let notify = stages.notify(destinations);
        tokio::spawn(async move { owners.warm_up().await });
        let refusals = Refusals::of(storage.clone(), Arc::clone(&stages.system.clock)).await?;
        let stop = CancellationToken::new();
        let serving = listener::serve(listener, Arc::new(ingest), storage.clone(), refusals, stop.clone());
        let working = workers::run(storage, Arc::new(process), Arc::new(notify), retention, stop.clone());
        Ok(Self { webhook, listener: tokio::spawn(serving), workers: tokio::spawn(working), stop })
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
