//! `dead list`, `show`, `redrive`, `export`, `delete`.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    ops::ControlFlow,
    path::Path,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Context;
use host::{ShutdownSignals, output};
use lead::Timestamp;
use ops::{Ops, Selection, export::Export};
use pipeline::{
    Code, Fault, RetryState,
    ports::{Body, DeadLetter, Queue},
};
use serde_json::Value;

use super::{
    act::{Outcome, counted, dedup, failures, listed, report},
    confirm::{Answer, ask},
};
use crate::{
    cli::{Confirmation, DeadCommand, RedriveArgs},
    table::{age_since, number, table_of, text, wide},
};

/// How many dead letters `list` shows.
const LISTED: usize = 10_000;

/// `leadops dead …`.
///
/// # Errors
/// The fault of the pipeline, or of stdout.
pub(crate) async fn run(ops: &Ops, command: &DeadCommand, as_json: bool) -> anyhow::Result<()> {
    match command {
        DeadCommand::List { queue } => list(ops, *queue, as_json).await,
        DeadCommand::Show { id } => show(ops, id, as_json).await,
        DeadCommand::Redrive(args) => redrive(ops, args, as_json).await,
        DeadCommand::Export { file } => export(ops, file.as_deref()).await,
        DeadCommand::Deleted => deleted(ops, as_json).await,
        DeadCommand::Delete { ids, confirmation } => delete(ops, ids, *confirmation, as_json).await,
    }
}

async fn list(ops: &Ops, queue: Option<Queue>, as_json: bool) -> anyhow::Result<()> {
    let (rows, count) = ops.dead(queue, LISTED).await?;
    if as_json {
        return output::json(&rows);
    }
    let now = Timestamp::now();
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| {
            let letter = row.letter;
            let lead = row
                .display_name
                .or_else(|| letter.lead_id.map(|id| id.to_string()))
                .unwrap_or_else(|| "-".to_owned());
            vec![
                letter.id,
                letter.queue.as_str().to_owned(),
                letter.code.to_string(),
                letter.attempts.to_string(),
                age_since(now, letter.dead_at),
                lead,
                letter.reason,
            ]
        })
        .collect();
    let columns = [
        text("id"),
        text("queue"),
        text("code"),
        number("tries"),
        number("age"),
        wide("lead"),
        wide("reason"),
    ];
    table_of(count, &columns, rows, "No dead letters.")
}

async fn show(ops: &Ops, id: &str, as_json: bool) -> anyhow::Result<()> {
    let detail = ops.dead_letter(id).await?;
    if as_json {
        return output::json(&detail);
    }
    let letter = &detail.row.letter;
    let lead_id = letter.lead_id.as_ref().map(ToString::to_string);
    let lead: Vec<String> = detail.row.display_name.clone().into_iter().chain(lead_id).collect();
    let stamp = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let fields = [
        ("id", letter.id.clone()),
        ("queue", letter.queue.as_str().to_owned()),
        ("lead", lead.join("  ")),
        ("reason", format!("{} {}", letter.code, letter.reason)),
        ("cause", letter.code.cause().to_owned()),
        ("remedy", letter.code.remedy(RetryState::Dead).to_owned()),
        ("attempts", letter.attempts.to_string()),
        ("first", stamp(letter.first_failed_at)),
        ("dead", stamp(letter.dead_at)),
    ];
    let mut lines: Vec<String> = fields.map(|(label, value)| format!("{label:<10} {value}")).into();
    lines.push(String::new());
    // Indented: its author may have tried to fake a line like those above.
    lines.extend(
        pretty(&detail.body).lines().map(|line| format!("  {}", outside::text::clean_indented(line))),
    );
    if !detail.logs.is_empty() {
        lines.push(String::new());
        lines.extend(detail.logs.iter().map(super::logs::format_line));
    }
    output::lines(&lines)
}

/// A body with its JSON indented; unchanged if it is not JSON.
fn pretty(body: &str) -> String {
    let value: Option<Value> = serde_json::from_str(body).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| body.to_owned())
}

async fn redrive(ops: &Ops, args: &RedriveArgs, as_json: bool) -> anyhow::Result<()> {
    let actions = ops.actions()?;
    let selection = match (args.code, args.all) {
        (Some(code), _) => Selection::Code(code),
        (None, true) => Selection::All,
        (None, false) => Selection::Ids(dedup(&args.ids)),
    };
    let letters = ops.select(&selection).await?;
    let edited = if args.edit { Some(edit(ops, &letters).await?) } else { None };
    if letters.is_empty() {
        output::aside("no dead letter matches");
        return report(&[], as_json);
    }
    let pace = args.rate.map_or_else(String::new, |rate| format!(", at most {rate} a second"));
    let what = format!(
        "put {} back into the queue{pace}: {}",
        counted(letters.len(), "dead letter"),
        histogram(&letters)
    );
    if ask(args.confirmation, &what)? == Answer::DryRun {
        let outcomes: Vec<Outcome> =
            letters.iter().map(|letter| about(letter, Outcome::done("would redrive"))).collect();
        return report(&outcomes, as_json);
    }
    if let (Some(body), [letter]) = (edited, letters.as_slice()) {
        let redriven = actions.redrive(letter, Body::Edited(body)).await;
        return report(&[about(letter, Outcome::of(redriven, "redriven"))], as_json);
    }
    let wanted = letters.len();
    let outcomes = redrive_all(actions, letters, args.rate, as_json).await?;
    if as_json {
        output::json(&outcomes)?;
    }
    if outcomes.len() < wanted {
        let what = format!("stopped after {} of {wanted}; the others are still dead letters", outcomes.len());
        return Err(Fault::new(Code::Interrupted, what).into());
    }
    failures(&outcomes)
}

/// Redrives one by one, printing each line as its letter is done. When it is stopped, it finishes the current one; the
/// outcomes so far are still reported.
async fn redrive_all(
    actions: ops::Actions<'_>,
    letters: Vec<DeadLetter>,
    rate: Option<f64>,
    as_json: bool,
) -> anyhow::Result<Vec<Outcome>> {
    let (mut outcomes, mut unprinted) = (Vec::new(), None);
    let stop = AtomicBool::new(false);
    let tell = |redriven: ops::Redriven| {
        let outcome = about(&redriven.letter, Outcome::of(redriven.result, "redriven"));
        let printed = if as_json { Ok(()) } else { output::line(&outcome.line()) };
        outcomes.push(outcome);
        unprinted = printed.err();
        let is_over = stop.load(Ordering::Relaxed) || unprinted.is_some();
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut endings = ShutdownSignals::listen()?;
    {
        let mut redrive = pin!(actions.redrive_all(letters, rate, tell));
        loop {
            tokio::select! {
                () = &mut redrive => break,
                () = endings.come() => {}
            }
            // A second signal does not wait for the current one.
            if stop.swap(true, Ordering::Relaxed) {
                break;
            }
            output::aside("stopping after the current one");
        }
    }
    match unprinted {
        Some(error) => Err(error),
        None => Ok(outcomes),
    }
}

/// `2 × LO204, 1 × LO113`.
fn histogram(letters: &[DeadLetter]) -> String {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for letter in letters {
        *counts.entry(letter.code).or_default() += 1;
    }
    counts.iter().map(|(code, count)| format!("{count} × {code}")).collect::<Vec<_>>().join(", ")
}

fn about(letter: &DeadLetter, outcome: Outcome) -> Outcome {
    Outcome { id: Some(letter.id.clone()), lead_id: letter.lead_id.clone(), ..outcome }
}

/// Has the one selected message edited.
async fn edit(ops: &Ops, letters: &[DeadLetter]) -> anyhow::Result<String> {
    let [letter] = letters else {
        return Err(Fault::new(Code::Usage, "--edit takes exactly one dead letter").into());
    };
    let body = ops.dead_letter(&letter.id).await?.body;
    let file =
        tempfile::Builder::new().prefix("leadops-").suffix(".json").tempfile().context("a temporary file")?;
    file.as_file().write_all(pretty(&body).as_bytes()).context("a temporary file")?;
    host::editor::open(file.path())?;
    let edited = fs::read_to_string(file.path())
        .map_err(|e| Fault::new(Code::EditorFailed, format!("the edited message cannot be read: {e}")))?;
    // One line, as every message is; the redrive itself refuses what is not JSON.
    let value: Result<Value, _> = serde_json::from_str(&edited);
    Ok(value.map_or(edited, |value| value.to_string()))
}

async fn deleted(ops: &Ops, as_json: bool) -> anyhow::Result<()> {
    let (rows, count) = ops.deleted(LISTED).await?;
    if as_json {
        return output::json(&rows);
    }
    let now = Timestamp::now();
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| {
            let letter = row.dead_letter;
            let lead = letter.lead_id.map(|lead| lead.to_string());
            vec![
                letter.id,
                letter.code.to_string(),
                row.display_name.or(lead).unwrap_or_default(),
                letter.reason,
                row.deleted_by,
                age_since(now, row.deleted_at),
            ]
        })
        .collect();
    let columns = [text("id"), text("code"), wide("name"), wide("reason"), wide("by"), number("deleted")];
    table_of(count, &columns, rows, "No dead letter was deleted.")
}

async fn export(ops: &Ops, file: Option<&Path>) -> anyhow::Result<()> {
    let actions = ops.actions()?;
    let Some(path) = file else {
        let exported = actions.export().await?;
        return exported.iter().try_for_each(|(letter, body)| output::json(&ops::export::row(letter, body)?));
    };
    // Before anything is read, or recorded as exported.
    let mut file = Export::create(path)?;
    let written = async {
        let exported = actions.export().await?;
        exported.iter().try_for_each(|(letter, body)| file.write(letter, body))?;
        file.finish()?;
        Ok::<_, Fault>(exported.len())
    };
    match written.await {
        Ok(count) => {
            output::aside(&format!("{} written to {}", counted(count, "dead letter"), path.display()));
            Ok(())
        }
        Err(fault) => {
            // We created it, and it is incomplete.
            let _ = fs::remove_file(path);
            Err(fault.into())
        }
    }
}

async fn delete(ops: &Ops, ids: &[String], confirmation: Confirmation, as_json: bool) -> anyhow::Result<()> {
    let actions = ops.actions()?;
    let ids = dedup(ids);
    let what =
        format!("delete {}, storing a copy of each: {}", counted(ids.len(), "dead letter"), listed(&ids));
    let dry_run = ask(confirmation, &what)? == Answer::DryRun;
    let mut outcomes = Vec::new();
    for id in ids {
        let outcome = if dry_run {
            Outcome::done("would delete")
        } else {
            match actions.delete(&id).await {
                Ok(copy) => Outcome { detail: Some(format!("copy in {copy}")), ..Outcome::done("deleted") },
                Err(fault) => Outcome::failed(&fault),
            }
        };
        outcomes.push(Outcome { id: Some(id), ..outcome });
    }
    report(&outcomes, as_json)
}
