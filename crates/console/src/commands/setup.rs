//! `keys`, `config`, `completions`, `man`.

use clap::CommandFactory;
use serde_json::json;

use crate::{
    cli::Cli,
    config::{Config, Place},
    output::{self, text, wide},
    tui,
};

/// `leadops keys`.
///
/// # Errors
/// That of stdout.
pub fn keys(as_json: bool) -> anyhow::Result<()> {
    let table = tui::keymap::table();
    if as_json {
        return output::json(&table);
    }
    let rows: Vec<Vec<String>> =
        table.iter().map(|row| vec![row.keys.clone(), row.action.to_owned(), row.about.to_owned()]).collect();
    output::table(&[text("keys"), text("action"), wide("what it does")], &rows, "")
}

/// `leadops config`.
///
/// # Errors
/// That of stdout.
pub fn config(config: &Config, place: &Place, as_json: bool) -> anyhow::Result<()> {
    let shown = config.shown();
    let file = config.file.as_ref().map(|file| file.display().to_string());
    if as_json {
        return output::json(&json!({
            "config_file": file,
            "data": place.data,
            "settings": shown,
            "environments": config.environments,
        }));
    }
    let exists = config.file.as_ref().is_some_and(|file| file.exists());
    output::line(&format!(
        "config file  {}{}",
        file.unwrap_or_else(|| "none".to_owned()),
        if exists { "" } else { " (absent)" }
    ))?;
    output::line(&format!("data folder  {}", place.data.display()))?;
    for (name, environment) in &config.environments {
        let folder = environment
            .data
            .as_ref()
            .map_or_else(|| "the default folder".to_owned(), |data| data.display().to_string());
        let note = if environment.read_only { ", read-only" } else { "" };
        output::line(&format!("--env {name}  {folder}{note}"))?;
    }
    output::line("")?;
    let rows: Vec<Vec<String>> = shown
        .into_iter()
        .map(|s| {
            vec![s.name.to_owned(), s.value.unwrap_or_else(|| "-".to_owned()), s.source, s.about.to_owned()]
        })
        .collect();
    output::table(&[text("setting"), wide("value"), wide("from"), wide("what it is")], &rows, "")
}

/// `leadops completions SHELL`.
///
/// # Errors
/// That of stdout.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "leadops", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}

/// `leadops man`.
///
/// # Errors
/// That of stdout.
pub fn man() -> anyhow::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    output::line(String::from_utf8_lossy(&page).trim_end())
}
