//! The file that changes the console's keys.

use std::fs;

use console::config::Config;
use pipeline::{Code, Fault};
use tui::keymap::{Action, BINDINGS, Keymap, Press};

use super::{folder, harmless};

/// Any key file is refused with one harmless line that names it, or gives keys of which
///
/// * each asks for one thing, and is written so that it can be read back;
/// * one leaves the console.
pub fn keys(data: &[u8]) {
    match load(data) {
        Ok(keymap) => {
            for binding in BINDINGS {
                for press in keymap.keys(binding.action) {
                    assert_eq!(keymap.action(*press), Some(binding.action), "{press}");
                    let name = press.to_string();
                    harmless(&name);
                    assert_eq!(name.parse::<Press>().as_ref(), Ok(press));
                }
            }
            let leaves = [Action::Quit, Action::Interrupt].map(|action| keymap.keys(action).len());
            assert_ne!(leaves, [0, 0]);
            keymap.table().iter().for_each(|row| harmless(&row.keys));
        }
        Err(fault) => {
            assert_eq!(fault.code, Code::ConfigFileBad);
            assert!(fault.what.contains("keys.toml"), "{fault}");
            harmless(&fault.line());
        }
    }
}

fn load(data: &[u8]) -> Result<Keymap, Fault> {
    let folder = folder("keys");
    let config = folder.join("config.toml");
    fs::write(&config, "").unwrap();
    fs::write(folder.join("keys.toml"), data).unwrap();
    Config::load(|name| (name == "LEADOPS_CONFIG").then(|| config.display().to_string()))?.keymap()
}
