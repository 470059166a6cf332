//! `logs`.

use std::time::Duration;

use host::output;
use lead::Timestamp;
use ops::Ops;
use pipeline::{
    Code,
    ports::{LogLine, LogQuery},
};

use crate::cli::LogsArgs;

/// How many lines without `--follow`, and at most per poll with it.
const LINES: usize = 1_000;
/// How many lines with `--since`: more than the log holds.
const ALL: usize = 10_000_000;
/// How many lines to begin a `--follow` with.
const FIRST: usize = 20;

/// `leadops logs`; with `--follow` it polls for new lines every `look_every`.
///
/// # Errors
/// The fault of the pipeline, or of stdout.
pub(crate) async fn run(
    ops: &Ops,
    args: &LogsArgs,
    look_every: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut query = LogQuery {
        function: args.function,
        lead: args.lead.clone(),
        level: args.level,
        since: args.since.map(|since| since.before(Timestamp::now())),
        after: None,
        limit: match (args.since, args.follow) {
            (Some(_), _) => ALL,
            (None, true) => FIRST,
            (None, false) => LINES,
        },
    };
    let lines = ops.logs(&query).await?;
    if lines.len() == LINES && !args.follow && args.since.is_none() {
        output::aside(&format!("the newest {LINES} lines; for earlier ones use --since"));
    }
    if as_json && !args.follow {
        return output::json(&lines);
    }
    if lines.is_empty() && !args.follow {
        return output::line("No log lines match.");
    }
    print(&lines, as_json)?;
    if !args.follow {
        return Ok(());
    }
    // After the newest line; without any, after the beginning.
    query.after = Some(lines.last().map_or_else(String::new, |line| line.cursor.clone()));
    query.limit = LINES;
    let mut failing = false;
    loop {
        tokio::time::sleep(look_every).await;
        let lines = match ops.logs(&query).await {
            Ok(lines) => lines,
            // Usually the network: the lines are there when it is back.
            Err(fault) if matches!(fault.code, Code::AwsUnreachable | Code::AwsThrottled) => {
                if !std::mem::replace(&mut failing, true) {
                    output::aside(&format!("leadops: {} Retrying.", fault.line()));
                }
                continue;
            }
            Err(fault) => return Err(fault.into()),
        };
        failing = false;
        print(&lines, as_json)?;
        if let Some(last) = lines.last() {
            query.after = Some(last.cursor.clone());
        }
    }
}

fn print(lines: &[LogLine], as_json: bool) -> anyhow::Result<()> {
    lines.iter().try_for_each(|line| match as_json {
        true => output::json(line),
        false => output::line(&format_line(line)),
    })
}

/// A line for people.
pub(crate) fn format_line(line: &LogLine) -> String {
    let at = line.at.strftime("%Y-%m-%d %H:%M:%S%.3f");
    let lead = line.lead_id.as_ref().map_or_else(String::new, |lead| format!("  {lead}"));
    let text = outside::text::clean(&line.message);
    format!("{at}  {:<5}  {:<17}  {text}{lead}", line.level.as_str(), line.function)
}
