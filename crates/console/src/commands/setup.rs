//! `keys`, `config`, `completions`, `man`.

use clap::CommandFactory;
use host::output;
use serde_json::json;

use crate::{
    cli::Cli,
    config::{Config, Location, Place, Shown},
    table::{table, text, wide},
    wiring::{self, OnAws},
};

/// `leadops keys`.
///
/// # Errors
/// A key file that is wrong, or that of stdout.
pub(crate) fn keys(config: &Config, as_json: bool) -> anyhow::Result<()> {
    let bindings = config.keymap()?.table();
    if as_json {
        return output::json(&bindings);
    }
    let rows: Vec<Vec<String>> = bindings
        .iter()
        .map(|row| vec![row.keys.clone(), row.action.to_owned(), row.about.to_owned()])
        .collect();
    table(&[text("keys"), text("action"), wide("what it does")], rows, "")
}

/// `leadops config`. For a stack, its parameters take precedence over everything else: the functions see nothing else.
///
/// # Errors
/// That of stdout, or why the stack cannot be found.
pub(crate) async fn config(config: &Config, place: &Place, as_json: bool) -> anyhow::Result<()> {
    let mut shown = config.shown();
    let mut data = None;
    match &place.at {
        Location::Folder(folder) => data = Some(folder),
        Location::Stack(stack) => {
            let aws = wiring::on_aws(stack).await?;
            shown = of_stack(shown, &aws);
        }
    }
    let file = config.file.as_ref().map(|file| file.display().to_string());
    if as_json {
        return output::json(&json!({
            "config_file": file,
            "data": data,
            "place": place.at.to_string(),
            "settings": shown,
            "unknown": config.unknown,
            "environments": config.environments,
        }));
    }
    let exists = config.file.as_ref().is_some_and(|file| file.exists());
    output::line(&format!(
        "config file  {}{}",
        file.unwrap_or_else(|| "none".to_owned()),
        if exists { "" } else { " (absent)" }
    ))?;
    let kind = if data.is_some() { "data folder" } else { "on AWS" };
    output::line(&format!("{kind:<11}  {}", place.at))?;
    for (name, environment) in &config.environments {
        let place = match (&environment.stack, &environment.data) {
            (Some(stack), _) => stack.to_string(),
            (None, Some(data)) => data.display().to_string(),
            (None, None) => "the default folder".to_owned(),
        };
        let note = if environment.read_only { ", read-only" } else { "" };
        output::line(&format!("--env {name}  {place}{note}"))?;
    }
    output::line("")?;
    // The reason why a secret cannot be used is too long for a cell.
    let unusable: Vec<String> = shown.iter().filter_map(Shown::unusable).map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = shown
        .into_iter()
        .map(|s| {
            let unusable = s.unusable().map(|_| "(unusable)".to_owned());
            let value = unusable.or(s.value).unwrap_or_else(|| "-".to_owned());
            vec![s.name.to_owned(), value, s.source, s.about.to_owned()]
        })
        .collect();
    table(&[text("setting"), wide("value"), wide("from"), wide("what it is")], rows, "")?;
    for why in unusable.into_iter().chain(config.unknown.iter().map(|unknown| unknown.fault().line())) {
        output::line(&format!("▲ {why}"))?;
    }
    Ok(())
}

/// The settings that a stack's functions and this command use.
fn of_stack(shown: Vec<Shown>, aws: &OnAws) -> Vec<Shown> {
    /// What only an embedded pipeline has.
    const EMBEDDED: [&str; 10] = [
        "LEADOPS_DATA",
        "LEADOPS_LISTEN",
        "LEADOPS_ALLOW_UNSIGNED",
        "SLACK_BURST",
        "SLACK_RATE",
        "SMTP_URL",
        "EMAIL_FROM",
        "EMAIL_TO",
        "KEEP_LOGS_DAYS",
        "KEEP_JOURNAL_DAYS",
    ];
    /// What this command itself uses.
    const OWN: [&str; 2] = ["CLOSE_API_KEY", "CLOSE_API_URL"];
    let wanted = shown.into_iter().filter(|shown| !EMBEDDED.contains(&shown.name));
    wanted.map(|shown| if OWN.contains(&shown.name) { shown } else { aws.shown(shown) }).collect()
}

/// `leadops completions SHELL`.
///
/// # Errors
/// That of stdout.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "leadops", &mut script);
    output::document(String::from_utf8_lossy(&script).trim_end())
}

/// `leadops man`.
///
/// # Errors
/// That of stdout.
pub(crate) fn man() -> anyhow::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    output::document(String::from_utf8_lossy(&page).trim_end())
}
