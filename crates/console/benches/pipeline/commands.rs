//! The commands that list, as somebody types them, each a process of its own.

use std::{path::Path, process::Stdio, time::Instant};

use crate::{
    leadops,
    report::{Limit, Report, Row},
    spread::Spread,
};

const COMMANDS: [&[&str]; 6] =
    [&["status"], &["pending"], &["leads"], &["lead"], &["dead", "list"], &["logs"]];
/// How often each is run.
const RUNS: usize = 20;

/// Measures each of them on the pipeline in a folder.
pub(crate) fn measure(folder: &Path, report: &mut Report<'_>) {
    let first = leadops::json(folder, &["leads", "--limit", "1"]);
    let lead = first[0]["lead_id"].as_str().unwrap_or_default();
    for command in COMMANDS {
        let about = (*command == ["lead"]).then_some(lead);
        let words: Vec<&str> = command.iter().copied().chain(about).collect();
        report.measure(|report| {
            let times: Vec<f64> = (0..RUNS).map(|_| milliseconds(folder, &words)).collect();
            let promise = Limit::AtMost(report.a_time_of(50.0));
            let what = format!("leadops {}, ms", command.join(" "));
            vec![Row::new(what, Spread::of(&times)).promised(promise)]
        });
    }
}

/// How long one run took, its output discarded.
fn milliseconds(folder: &Path, words: &[&str]) -> f64 {
    let mut command = leadops::command(folder, words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().unwrap();
    let elapsed = started.elapsed();
    assert!(status.success(), "{command:?} failed");
    elapsed.as_secs_f64() * 1e3
}
