//! What the embedded pipeline can do on this machine:
//! `cargo bench --package leadops --no-default-features --bench pipeline`.
//!
//! Starts the real `leadops up` on a file that already holds many leads and talks to it over HTTP, client
//! and server on the same cores. Ids are random and bodies vary, as Close's do. The same client sends the
//! same webhooks to a [null server](null_server), which does the least that keeps the promise of a durable
//! answer: what it reaches is the limit of the machine and its disk. Both are measured in turn, several
//! times, as disks are shared and noisy; a promise is judged by the median.
//!
//! Prints each figure beside what is promised, and exits with status 1 where a promise is missed. The ratio
//! is leadops' figure divided by the null server's. `-- --smoke` does the same in a minute and fails only
//! where a promise is missed by more than a factor of three. It is for any machine and any build, also that of
//! the tests (`--profile dev`): where the null server is slower, as much less is expected.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a benchmark may panic")]

mod alerts;
mod bodies;
mod chance;
mod commands;
mod http;
mod intake;
mod leadops;
mod load;
mod null_server;
mod plan;
mod report;
mod spread;
mod webhooks;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use pipeline::ports::Random;
use system::SystemRandom;

use crate::{intake::Intake, plan::Plan, report::Report, webhooks::Webhooks};

/// Measures the embedded pipeline on this machine.
#[derive(Parser)]
struct Options {
    /// A smaller file and short rounds; fails only where a promise is missed by more than a factor of three.
    #[arg(long)]
    smoke: bool,
    /// How many leads the file holds before it is measured [default: 100,000].
    #[arg(long, value_name = "LEADS")]
    held: Option<usize>,
    /// Seed of ids and bodies, to repeat a run [default: a random one].
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Passed by `cargo bench`.
    #[arg(long = "bench", hide = true)]
    _bench: bool,
    /// Makes this process the null server, which writes to this file.
    #[arg(long, hide = true, value_name = "FILE")]
    null_server: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(file) = options.null_server {
        null_server::serve(&file);
        return ExitCode::SUCCESS;
    }
    let mut plan = if options.smoke { plan::SMOKE } else { plan::FULL };
    plan.held = options.held.unwrap_or(plan.held);
    run(&plan, options.seed.unwrap_or_else(|| SystemRandom.bits()))
}

fn run(plan: &Plan, seed: u64) -> ExitCode {
    let webhooks = Webhooks::new(seed);
    println!("{}; to repeat this run: --seed {seed}", webhooks.describe());
    // On the disk that holds the build: the system's folder for temporary files may be in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut report = Report::new(plan);
    Intake::new(plan, folder.path(), &webhooks).measure(&mut report);
    let up = alerts::up(folder.path());
    alerts::measure(plan, &up, folder.path(), &webhooks, &mut report);
    commands::measure(folder.path(), &mut report);
    drop(up);
    alerts::measure_at_once(folder.path(), &webhooks, &mut report);
    report.end()
}
