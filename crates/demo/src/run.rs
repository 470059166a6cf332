//! `leadops demo`: a real pipeline on a throw-away folder, with the world played around it.

use std::{
    io::IsTerminal,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use close::signature::Keys;
use embedded::{OWNER_PATIENCE, Storage, Up};
use host::{ShutdownSignals, output};
use outbound::{SlackDestination, SlackWebhook};
use pipeline::{
    Code, Fault, Settings,
    destination::Destination,
    ingest::Trust,
    ports::{Objects, Random, Retention},
};
use sqlite::Store;
use system::{SystemClock, SystemRandom};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    Sample, Scenario, Sender, SlackStandIn, balance::balance, close_stand_in::CloseStandIn, shown::watched,
};

/// How a demo is to run.
#[derive(Default)]
pub struct Options {
    /// How long leads wait; twenty seconds, without the console two, where it is not said.
    pub delay: Option<Duration>,
    /// For how long to run without the console; with it where this is not said.
    pub headless: Option<Duration>,
    /// Whether stdout is for a script.
    pub json: bool,
    /// The console.
    pub console: tui::Options,
}

/// A new lead comes so often.
const PACE: Duration = Duration::from_millis(1_500);
/// The sample leads are the same each time.
const SEED: u64 = 1;

/// Runs the demo.
///
/// # Errors
/// [`Code::TerminalMissing`] where the console has none; whatever keeps the pipeline from starting; in
/// headless mode a lead that is unaccounted for.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let Options { delay, headless, json, console } = options;
    if headless.is_none() && !std::io::stdout().is_terminal() {
        let what =
            "the demo opens the console, and stdout is no terminal; use `leadops demo --headless --for 60`";
        return Err(Fault::new(Code::TerminalMissing, what).into());
    }
    // The console listens for them itself.
    let mut endings = headless.is_some().then(ShutdownSignals::listen).transpose()?;
    // Somebody who watches wants to see leads wait; somebody who does not wants to see them announced.
    let delay = delay.unwrap_or(Duration::from_secs(if headless.is_some() { 2 } else { 20 }));
    let folder = tempfile::Builder::new().prefix("leadops-demo-").tempdir()?;
    let (close, slack) = (CloseStandIn::start().await?, SlackStandIn::start().await?);
    let store = Store::open(folder.path(), sqlite::Options::creating())?;
    let _lock = store.lock_for_up()?;
    let _logging = embedded::logging::start(store.log_layer());
    let keys = random_keys()?;
    let storage: Arc<dyn Storage> = Arc::new(store.clone());
    let pipeline = pipeline(delay, keys.clone(), &close, &slack, storage.clone())?;
    let settings = Arc::clone(&pipeline.settings);
    let up = Up::start(pipeline, storage.clone()).await?;
    let sender = Sender::new(Url::parse(&up.webhook)?, keys).map_err(|e| Fault::new(Code::Internal, e))?;
    let ops = Arc::new(embedded::view(storage, settings, host::user(), ops::Access::Full));

    let (closed, stop) = (CancellationToken::new(), CancellationToken::new());
    let end_of_pipeline = stop.clone();
    let working = tokio::spawn(async move { up.run_until(end_of_pipeline.cancelled_owned()).await });
    let mut scenario = Scenario::new(SEED);
    let before = |sample: &Sample| {
        close.know(sample, delay);
        slack.expect(sample);
    };
    let leads = sender.run(&mut scenario, PACE, before, closed.cancelled());
    let shown = async {
        let shown = match headless {
            Some(length) => {
                if !json {
                    output::aside(&format!(
                        "running for {} s, leads wait {} s",
                        length.as_secs(),
                        delay.as_secs()
                    ));
                }
                tokio::select! {
                    () = tokio::time::sleep(length) => {}
                    () = ended(endings.as_mut()) => {}
                }
                Ok(())
            }
            None => tui::run(watched(ops.clone(), &store), Arc::new(tui::NoEnvironments), console).await,
        };
        closed.cancel();
        shown
    };
    let (shown, ()) = tokio::join!(shown, leads);
    let result = match shown {
        Ok(()) if headless.is_some() => balance(&store, &sender, &slack).await,
        other => other,
    };
    stop.cancel();
    working.await??;
    result
}

/// Returns when the demo is asked to end before its time.
async fn ended(endings: Option<&mut ShutdownSignals>) {
    match endings {
        Some(endings) => endings.come().await,
        None => std::future::pending().await,
    }
}

fn pipeline(
    delay: Duration,
    keys: Keys,
    close: &CloseStandIn,
    slack: &SlackStandIn,
    objects: Arc<dyn Objects>,
) -> Result<embedded::Options, Fault> {
    let internal = |what: String| Fault::new(Code::Internal, what);
    let slack = Arc::new(SlackWebhook::parse(&slack.url()).map_err(internal)?);
    let slack: Arc<dyn Destination> = Arc::new(SlackDestination::new(slack, SlackDestination::BURST));
    let owners = close.source()?;
    let owners =
        owners.open(Arc::new(CloseStandIn::keys()?), objects, Arc::new(SystemClock), OWNER_PATIENCE)?;
    let day = Duration::from_secs(86_400);
    Ok(embedded::Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        settings: Arc::new(Settings {
            delay,
            destinations: vec![SlackDestination::ID],
            ..Settings::default()
        }),
        trust: Trust::Signed(keys),
        owners,
        destinations: [(SlackDestination::ID, slack)].into_iter().collect(),
        retention: Retention { logs: day, journal: day, receipts: day, ..Retention::default() },
        doubts: Vec::new(),
    })
}

fn random_keys() -> Result<Keys, Fault> {
    let digits: String = (0..4).map(|_| format!("{:016x}", SystemRandom.bits())).collect();
    Keys::parse(&digits).map_err(|e| Fault::new(Code::Internal, e.to_string()))
}
