//! The config file and the command line.

use std::fs;

use clap::Parser;
use console::{
    cli::{Cli, PlaceArgs},
    config::{Config, UpConfig},
    usage,
};
use pipeline::Code;

use super::{folder, harmless, texts};

/// * Any config file is read or refused with one harmless line that names it.
/// * Any command line is read or refused with one harmless line.
pub fn settings(data: &[u8]) {
    let texts = texts(data);
    file(texts.first().map(String::as_str).unwrap_or_default());
    let arguments = texts.iter().flat_map(|text| text.split('\n'));
    match Cli::try_parse_from(["leadops"].into_iter().chain(arguments)) {
        Ok(_) => {}
        Err(error) if !error.use_stderr() => {}
        Err(error) => {
            let line = usage::fault(&error).line();
            harmless(&line);
            assert!(line.starts_with("LO901"), "{line}");
        }
    }
}

fn file(text: &str) {
    // A path in it would be opened, and may be any device of this machine.
    if text.contains("_file") || text.contains("\\u") || text.contains("\\U") {
        return;
    }
    let path = folder("settings").join("config.toml");
    fs::write(&path, text).unwrap();
    let load = |key: Option<&'static str>| {
        Config::load(move |name| match name {
            "LEADOPS_CONFIG" => Some(path.display().to_string()),
            "CLOSE_SIGNATURE_KEY" => key.map(str::to_owned),
            _ => None,
        })
    };
    match load(Some("hunter2")) {
        Ok(config) => {
            for shown in config.shown() {
                assert!(shown.value.as_deref() != Some("hunter2"), "{}", shown.name);
            }
            let named = PlaceArgs { env: Some(text.to_owned()), ..PlaceArgs::default() };
            let faults = [config.place(&named).err(), UpConfig::read(&config).err()];
            for fault in faults.into_iter().flatten() {
                harmless(&fault.line());
                assert!(!fault.what.contains("hunter2"), "{fault}");
            }
        }
        Err(fault) => {
            assert_eq!(fault.code, Code::ConfigFileBad);
            harmless(&fault.line());
        }
    }
}
