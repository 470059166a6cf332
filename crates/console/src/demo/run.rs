//! `leadops demo`: a real pipeline on a throw-away folder, with the world played around it.

use std::{
    io::IsTerminal,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use embedded::Store;
use outbound::{SlackDestination, SlackWebhook};
use pipeline::{
    Code, Ended, Fault, Settings,
    destination::Destination,
    ingest::Trust,
    ports::{History, Random},
    signature::Keys,
};
use serde::Serialize;
use system::SystemRandom;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Sample, Scenario, Sender, SlackStandIn, close_stand_in::CloseStandIn};
use crate::{
    cli::DemoArgs,
    config::{Config, UpConfig},
    endings::Endings,
    logging, output, tui,
    up::Up,
    wiring,
};

/// A new lead comes so often.
const PACE: Duration = Duration::from_millis(1_500);
/// The sample leads are the same each time.
const SEED: u64 = 1;

/// What became of every lead that was answered 2xx.
#[derive(Debug, Default, Serialize)]
struct Balance {
    accepted: usize,
    notified: usize,
    pending: usize,
    dead: usize,
    /// Not to be found in any of the three, or said to be told and not seen by the Slack stand-in.
    lost: usize,
    /// Told more than once without being asked to and without a label.
    duplicates: usize,
    /// Webhooks that were refused, as they had to be.
    refused: u64,
    /// Further deliveries of known leads.
    repeated: u64,
    /// Answers that the sample did not call for.
    surprises: Vec<String>,
}

/// Runs the demo.
///
/// # Errors
/// [`Code::TerminalMissing`] where the console has none; whatever keeps the pipeline from starting; in
/// headless mode a lead that is unaccounted for.
pub async fn run(args: &DemoArgs, as_json: bool) -> anyhow::Result<()> {
    if !args.headless && !std::io::stdout().is_terminal() {
        let what =
            "the demo opens the console, and stdout is no terminal; use `leadops demo --headless --for 60`";
        return Err(Fault::new(Code::TerminalMissing, what).into());
    }
    if args.still {
        return super::still::open().await;
    }
    // The console listens for them itself.
    let mut endings = args.headless.then(Endings::listen).transpose()?;
    // Somebody who watches wants to see leads wait; somebody who does not wants to see them told.
    let delay = args.delay.unwrap_or(Duration::from_secs(if args.headless { 2 } else { 20 }));
    let folder = tempfile::Builder::new().prefix("leadops-demo-").tempdir()?;
    let (close, slack) = (CloseStandIn::start().await?, SlackStandIn::start().await?);
    let store = wiring::create(folder.path()).await?;
    let _lock = store.lock_for_up()?;
    let _logging = logging::start(&store);
    let keys = random_keys()?;
    let up = Up::start(config(delay, keys.clone(), &close, &slack)?, &store).await?;
    let sender = Sender::new(Url::parse(&up.webhook)?, keys).map_err(|e| Fault::new(Code::Internal, e))?;
    let ops = Arc::new(wiring::view(&store, up.settings.clone(), ops::Access::Full));

    let (closed, stop) = (CancellationToken::new(), CancellationToken::new());
    let end_of_pipeline = stop.clone();
    let pipeline = tokio::spawn(async move { up.run_until(end_of_pipeline.cancelled_owned()).await });
    let mut scenario = Scenario::new(SEED);
    let before = |sample: &Sample| {
        close.know(sample, delay);
        slack.expect(sample);
    };
    let leads = sender.run(&mut scenario, PACE, before, closed.cancelled());
    let shown = async {
        let shown = match args.run_for {
            Some(length) if args.headless => {
                if !as_json {
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
            _ => tui::run(watched(ops.clone(), &store), Arc::new(tui::Nowhere), manners()?).await,
        };
        closed.cancel();
        shown
    };
    let (shown, ()) = tokio::join!(shown, leads);
    let result = match shown {
        Ok(()) if args.headless => balance(&store, &sender, &slack).await,
        other => other,
    };
    stop.cancel();
    pipeline.await??;
    result
}

/// Returns when the demo is asked to end before its time.
async fn ended(endings: Option<&mut Endings>) {
    match endings {
        Some(endings) => endings.come().await,
        None => std::future::pending().await,
    }
}

/// The console's view of the demo.
pub(super) fn watched(ops: Arc<ops::Ops>, store: &Store) -> tui::Source {
    let banner = tui::Banner {
        name: "demo".to_owned(),
        place: "a throw-away folder".to_owned(),
        note: Some("sample leads, local Slack and Close".to_owned()),
        ..tui::Banner::default()
    };
    tui::Source { ops, banner, watch: Arc::new(store.clone()), every: Duration::ZERO }
}

/// The keys and the mouse as somebody is used to them.
pub(super) fn manners() -> Result<tui::Manners, Fault> {
    let config = Config::of_process()?;
    let (keymap, mouse) = (config.keymap()?, config.get("LEADOPS_MOUSE") == Some("true"));
    Ok(tui::Manners { keymap, mouse, ..tui::Manners::default() })
}

async fn balance(store: &Store, sender: &Sender, slack: &SlackStandIn) -> anyhow::Result<()> {
    let account = sender.account();
    let mut balance = Balance {
        accepted: account.accepted.len(),
        refused: account.refused.values().sum(),
        repeated: account.duplicates,
        surprises: account.surprises,
        ..Balance::default()
    };
    let mut progresses = Vec::new();
    for lead in &account.accepted {
        progresses.push((lead, store.progress(lead).await?));
    }
    // Asked after the journal, so that whatever it calls told must be among these.
    let told = slack.told();
    for (lead, progress) in progresses {
        let seen = || told.iter().flat_map(|message| &message.leads).filter(|told| told.lead_id == *lead);
        balance.duplicates += usize::from(seen().filter(|told| told.is_first()).count() > 1);
        match progress.map(|progress| progress.ended) {
            Some(Some((Ended::Notified, _))) if seen().next().is_some() => balance.notified += 1,
            Some(Some((Ended::Dead, _))) => balance.dead += 1,
            Some(None) => balance.pending += 1,
            Some(Some((Ended::Notified, _))) | None => balance.lost += 1,
        }
    }
    output::json(&balance)?;
    match (balance.lost, balance.duplicates, balance.surprises.first()) {
        (0, 0, None) => Ok(()),
        (lost, duplicates, surprise) => {
            let surprise = surprise.map_or_else(String::new, |surprise| format!(", {surprise}"));
            Err(Fault::new(Code::Internal, format!("{lost} leads lost, {duplicates} told twice{surprise}"))
                .into())
        }
    }
}

fn config(
    delay: Duration,
    keys: Keys,
    close: &CloseStandIn,
    slack: &SlackStandIn,
) -> Result<UpConfig, Fault> {
    let internal = |what: String| Fault::new(Code::Internal, what);
    let slack = Arc::new(SlackWebhook::parse(&slack.url()).map_err(internal)?);
    let slack: Arc<dyn Destination> = Arc::new(SlackDestination::new(slack, SlackDestination::BURST));
    let days = |days: u64| Duration::from_secs(days * 86_400);
    Ok(UpConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        settings: Settings { delay, destinations: vec![SlackDestination::ID], ..Settings::default() },
        trust: Trust::Signed(keys),
        owners: close.source()?,
        close_keys: Some(CloseStandIn::keys()?),
        destinations: [(SlackDestination::ID, slack)].into_iter().collect(),
        keep_logs: days(1),
        keep_journal: days(1),
        doubts: Vec::new(),
    })
}

fn random_keys() -> Result<Keys, Fault> {
    let digits: String = (0..4).map(|_| format!("{:016x}", SystemRandom.bits())).collect();
    Keys::parse(&digits).map_err(|e| Fault::new(Code::Internal, e.to_string()))
}
