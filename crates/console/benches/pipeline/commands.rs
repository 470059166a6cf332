//! The commands that list, as somebody types them, each a process of its own.

use std::{path::Path, process::Stdio, time::Instant};

use crate::{
    leadops,
    report::{Limit, Report, Row},
    spread::Spread,
};

const COMMANDS: [&str; 3] = ["status", "pending", "leads"];
/// How often each is run.
const RUNS: usize = 20;

/// Measures each of them on the pipeline in a folder.
pub(crate) fn measure(folder: &Path, report: &mut Report<'_>) {
    for command in COMMANDS {
        report.measure(|report| {
            let times: Vec<f64> = (0..RUNS).map(|_| milliseconds(folder, command)).collect();
            let promise = Limit::AtMost(report.a_time_of(50.0));
            vec![Row::new(format!("leadops {command}, ms"), Spread::of(&times)).promised(promise)]
        });
    }
}

/// How long one run took, its output discarded.
fn milliseconds(folder: &Path, command: &str) -> f64 {
    let mut command = leadops::command(folder, &[command]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().unwrap();
    let elapsed = started.elapsed();
    assert!(status.success(), "{command:?} failed");
    elapsed.as_secs_f64() * 1e3
}
