//! `leadops demo`: a real pipeline on a temporary folder, with fakes of the services around it.

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
    ports::{Objects, Random, Retention, Upkeep},
};
use sqlite::Store;
use system::{SystemClock, SystemRandom};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{FakeSlack, Sample, Scenario, Sender, fake_close::FakeClose, shown::watched, tally::tally};

/// Options of the demo.
#[derive(Default)]
pub struct Options {
    /// How long leads wait; by default twenty seconds, without the console two.
    pub delay: Option<Duration>,
    /// How long to run without the console; with the console if this is `None`.
    pub headless: Option<Duration>,
    /// Whether stdout is read by a script.
    pub json: bool,
    /// The console.
    pub console: tui::Options,
}

/// How often a new lead arrives.
const PACE: Duration = Duration::from_millis(1_500);
/// The sample leads are the same each time.
const SEED: u64 = 1;

/// Runs the demo.
///
/// # Errors
/// [`Code::TerminalMissing`] if the console has no terminal; whatever prevents the pipeline from starting; in
/// headless mode, a lead that is unaccounted for.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let Options { delay, headless, json, console } = options;
    if headless.is_none() && !std::io::stdout().is_terminal() {
        let what = "the demo opens the console, but stdout is not a terminal; use `leadops demo --headless --for 60`";
        return Err(Fault::new(Code::TerminalMissing, what).into());
    }
    // The console handles signals itself.
    let mut headless = match headless {
        Some(length) => Some((length, ShutdownSignals::listen()?)),
        None => None,
    };
    // With the console one wants to see leads wait, without it to see them announced.
    let delay = delay.unwrap_or(Duration::from_secs(if headless.is_some() { 2 } else { 20 }));
    let folder = tempfile::Builder::new().prefix("leadops-demo-").tempdir()?;
    let (close, slack) = (FakeClose::start().await?, FakeSlack::start().await?);
    let store = Store::open(folder.path(), sqlite::Options::creating())?;
    let _lock = store.lock_for_up()?;
    let _logging = embedded::logging::start(store.log_sink());
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
        close.add_lead(sample, delay);
        slack.prepare(sample);
    };
    let leads = sender.run(&mut scenario, PACE, before, closed.cancelled());
    let shown = async {
        let shown = match &mut headless {
            Some((length, endings)) => {
                if !json {
                    output::aside(&format!(
                        "running for {} s, leads wait {} s",
                        length.as_secs(),
                        delay.as_secs()
                    ));
                }
                tokio::select! {
                    () = tokio::time::sleep(*length) => {}
                    () = endings.come() => {}
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
        Ok(()) if headless.is_some() => tally(&store, &sender, &slack).await,
        other => other,
    };
    stop.cancel();
    working.await??;
    result
}

fn pipeline(
    delay: Duration,
    keys: Keys,
    close: &FakeClose,
    slack: &FakeSlack,
    objects: Arc<dyn Objects>,
) -> Result<embedded::Options, Fault> {
    let internal = |what: String| Fault::new(Code::Internal, what);
    let slack = Arc::new(SlackWebhook::parse(&slack.url()).map_err(internal)?);
    let slack: Arc<dyn Destination> = Arc::new(SlackDestination::new(slack, SlackDestination::BURST));
    let owners = close.source()?;
    let owners = owners.open(Arc::new(FakeClose::keys()?), objects, Arc::new(SystemClock), OWNER_PATIENCE)?;
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
        problems: Vec::new(),
    })
}

fn random_keys() -> Result<Keys, Fault> {
    let digits: String = (0..4).map(|_| format!("{:016x}", SystemRandom.bits())).collect();
    Keys::parse(&digits).map_err(|e| Fault::new(Code::Internal, e.to_string()))
}
