//! Runs the command that was given.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    sync::Arc,
};

use crate::{
    cli::{Cli, Command, DemoArgs, PlaceArgs, UpArgs},
    commands::{act, dead, doctor, explain, logs, see, send, setup, subscribe},
    config::{Config, Place, Unknown, UpConfig},
    up, usage,
    wiring::{self, OpenPipeline},
};
use clap::Parser;
use host::{ShutdownSignals, output};
use ops::Access;

use pipeline::{Code, Fault, Function, ports::Level, recorder};

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            return exit_code(error.print().map_err(output::unwritten));
        }
        Err(error) => {
            output::aside(&format!("leadops: {}", usage::fault(&error).line()));
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let what = format!("the runtime did not start: {error}");
            return exit_code(Err(Fault::new(Code::Internal, what).into()));
        }
    };
    let result = runtime.block_on(dispatch(cli));
    // A blocked read of stdin must not keep the process alive.
    runtime.shutdown_background();
    exit_code(result)
}

/// The process's exit code, with a line on stderr if it failed.
fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::aside(&format!("leadops: {}", line(&error)));
            let is_usage = error.downcast_ref::<Fault>().is_some_and(|fault| fault.code == Code::Usage);
            if is_usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Whether the terminal can show lines only.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Prints a warning to stderr.
fn print_warning(fault: &Fault) {
    output::aside(&format!("leadops: warning: {}", fault.line()));
}

/// One line for a failure, with its code and remedy.
fn line(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Fault>() {
        Some(fault) => fault.line(),
        None => Fault::new(Code::Internal, outside::text::shorten(&format!("{error:#}"), 400)).line(),
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let PlaceArgs { read_only, json, .. } = cli.place;
    // These need no pipeline and no configuration.
    match &cli.command {
        Some(Command::Explain { code }) => return explain::run(*code, json),
        Some(Command::Completions { shell }) => return setup::completions(*shell),
        Some(Command::Man) => return setup::man(),
        Some(Command::Demo(args)) => {
            if let Some(flag) = cli.place.place_flag() {
                let what = format!("{flag} does not apply to the demo, which has a pipeline of its own");
                return Err(Fault::new(Code::Usage, what).into());
            }
            return run_demo(args, json).await;
        }
        _ => {}
    }
    let mut config = Config::of_process()?;
    if matches!(cli.command, Some(Command::Keys)) {
        return setup::keys(&config, json);
    }
    let place = config.place(&cli.place)?;
    let access = Access::unless(read_only || place.read_only);
    if matches!(cli.command, Some(Command::Up(_) | Command::Send(_) | Command::Subscribe(_))) {
        access.to_act()?;
    }
    match &cli.command {
        Some(Command::Up(args)) => return run_up(&mut config, &place, args).await,
        Some(Command::Config) => return setup::config(&config, &place, json).await,
        Some(Command::Doctor) => return doctor::run(&config, &place, json).await,
        Some(Command::Send(args)) => return send::run(&config, &place, args, json).await,
        Some(Command::Subscribe(args)) => return subscribe::run(&config, &place, args, json).await,
        _ => {}
    }
    let opened = wiring::open_place(&place, access).await?;
    if cli.command.is_none() && io::stdout().is_terminal() && !json && !is_dumb() {
        let options = console_options(&config)?;
        let places = wiring::ConfigEnvironments { config, access: Access::unless(read_only), start: place };
        return tui::run(opened.source, Arc::new(places), options).await;
    }
    let result = operate(&cli.command, &opened, json).await;
    opened.close().await;
    result
}

/// The console's keys and mouse, as configured.
fn console_options(config: &Config) -> Result<tui::Options, Fault> {
    let (keymap, mouse) = (config.keymap()?, config.get("LEADOPS_MOUSE") == Some("true"));
    Ok(tui::Options { keymap, mouse, ..tui::Options::default() })
}

async fn run_demo(args: &DemoArgs, json: bool) -> anyhow::Result<()> {
    let console =
        if args.headless { tui::Options::default() } else { console_options(&Config::of_process()?)? };
    if args.still {
        return demo::still(console).await;
    }
    demo::run(demo::Options { delay: args.delay, headless: args.run_for, json, console }).await
}

/// Runs a command that needs an open pipeline.
async fn operate(command: &Option<Command>, opened: &OpenPipeline, json: bool) -> anyhow::Result<()> {
    let (ops, look_every) = (&opened.source.ops, opened.look_every);
    match command {
        None | Some(Command::Status) => see::status(ops, json).await,
        Some(Command::Pending { limit }) => see::pending(ops, *limit, json).await,
        Some(Command::Leads(args)) => see::leads(ops, args, json).await,
        Some(Command::Lead { lead, raw: true }) => see::raw(ops, lead, json).await,
        Some(Command::Lead { lead, raw: false }) => see::lead(ops, lead, json).await,
        Some(Command::Dead(command)) => dead::run(ops, command, json).await,
        Some(Command::Logs(args)) => logs::run(ops, args, look_every, json).await,
        Some(Command::Resend(args)) => act::resend(ops, args, json).await,
        Some(Command::Try(args)) => act::send_trial(ops, args, json).await,
        Some(Command::Requeue { leads, confirmation }) => act::requeue(ops, leads, *confirmation, json).await,
        Some(other) => Err(Fault::new(Code::Internal, format!("{other:?} is not handled")).into()),
    }
}

/// Logs where owners are looked up, and prints it to stderr: after a misspelt setting this shows that the wrong source
/// is asked. In a thread of its own, as below.
fn announce_owner_source(place: String) {
    recorder::line(Function::LeadProcessor, Level::Info, &place, None, None);
    std::thread::spawn(move || output::aside(&format!("leadops: {place}")));
}

/// Prints where it listens, in a thread of its own: a full pipe that nobody reads must block neither its work nor its
/// shutdown.
fn announce(webhook: String) {
    std::thread::spawn(move || {
        let Err(error) = output::line(&format!("listening on {webhook}")) else { return };
        // The reader is gone, or the disk is full: no reason to refuse webhooks.
        let why = error.downcast_ref::<Fault>().map_or_else(|| format!("{error:#}"), |f| f.what.clone());
        print_warning(&Fault::new(Code::OutputUnwritable, format!("{why}; listening on {webhook} anyway")));
    });
}

async fn run_up(config: &mut Config, place: &Place, args: &UpArgs) -> anyhow::Result<()> {
    if let Some(listen) = &args.listen {
        config.set("LEADOPS_LISTEN", listen.clone(), "--listen");
    }
    if let Some(delay) = args.delay {
        config.set("DELAY_SECONDS", delay.as_secs().to_string(), "--delay");
    }
    let folder = place.folder("leadops up")?;
    let unknown = std::mem::take(&mut config.unknown);
    let with_hint = |fault| unknown.iter().fold(fault, |fault, unknown| unknown.hint(fault));
    let config = UpConfig::read(config).map_err(with_hint)?;
    let prefixes = up::prefixes(&config.settings, folder).await?;
    let store = up::store(folder, &config).await.map_err(with_hint)?;
    let misspelt = unknown.iter().map(Unknown::fault);
    for warning in misspelt.chain(up::warnings(&config)).chain(prefixes) {
        print_warning(&warning);
    }
    let _lock = store.lock_for_up()?;
    let _logging = embedded::logging::start(store.log_sink());
    // Installed before the address is printed: its reader may stop us at once.
    let mut endings = ShutdownSignals::listen()?;
    let owners = config.owners.place();
    let up = embedded::Up::start(up::options(config, store.clone())?, store.clone()).await?;
    announce_owner_source(owners);
    announce(up.webhook.clone());
    up.run_until(endings.come()).await?;
    Ok(())
}
