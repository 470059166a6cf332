//! The console's keys, as `[keys]` of the config file or a `keys.toml` beside it changes them.

use std::{fs, io::ErrorKind, path::Path};

use pipeline::Fault;

use super::{Config, bad_file, one_line};
use tui::keymap::Keymap;

/// The keys of actions by name, and the file that they come from.
#[derive(Debug, Default)]
pub(super) struct KeyChanges {
    changes: Vec<(String, Vec<String>)>,
    file: String,
}

impl KeyChanges {
    /// Reads `[keys]`: `redrive = "F5"`, or `up = ["Up", "k"]`.
    pub(super) fn read(path: &Path, value: toml::Value) -> Result<Self, Fault> {
        let toml::Value::Table(table) = value else {
            return Err(bad_file(path, "keys must be a table, [keys]"));
        };
        let mut changes = Vec::new();
        for (action, keys) in table {
            let keys = match keys {
                toml::Value::String(key) => Some(vec![key]),
                toml::Value::Array(keys) => keys.iter().map(|key| key.as_str().map(str::to_owned)).collect(),
                _ => None,
            };
            let keys = keys.ok_or_else(|| shape(path, &action))?;
            changes.push((action, keys));
        }
        Ok(Self { changes, file: path.display().to_string() })
    }

    /// Reads a `keys.toml` beside the config file; it overrides the config file's `[keys]`, and the
    /// heading may be omitted in it.
    pub(super) fn read_keys_file(file: &Path) -> Result<Option<Self>, Fault> {
        let path = file.with_file_name("keys.toml");
        let text = match fs::read(&path).and_then(super::secret::text) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad_file(&path, &error.to_string())),
        };
        let text = text.trim_start_matches('\u{feff}');
        let mut table: toml::Table = text.parse().map_err(|e| bad_file(&path, &one_line(text, &e)))?;
        let keys = table.remove("keys").unwrap_or(toml::Value::Table(table));
        Self::read(&path, keys).map(Some)
    }
}

fn shape(path: &Path, action: &str) -> Fault {
    let action = outside::text::shorten(action, 40);
    bad_file(path, &format!("[keys] {action} must be a key such as \"F5\", or a list of keys"))
}

impl Config {
    /// The console's keys.
    ///
    /// # Errors
    /// [`Code::ConfigFileBad`](pipeline::Code::ConfigFileBad), naming the action or the key.
    pub fn keymap(&self) -> Result<Keymap, Fault> {
        Keymap::with(&self.keys.changes, &self.keys.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tui::keymap::{Action, Press};

    fn load(config: &str, keys: Option<&str>) -> Result<Keymap, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, config).unwrap();
        if let Some(keys) = keys {
            fs::write(folder.path().join("keys.toml"), keys).unwrap();
        }
        let config = Config::load(|name| (name == "LEADOPS_CONFIG").then(|| path.display().to_string()))?;
        config.keymap()
    }

    #[test]
    fn keys_come_from_the_config_file_or_from_a_file_beside_it() {
        let of_config = load("[keys]\nredrive = \"F5\"", None).unwrap();
        assert_eq!(of_config.action(Press::F(5)), Some(Action::Redrive));
        let beside = load("[keys]\nredrive = \"F5\"", Some("up = [\"Up\", \"Ctrl-p\"]")).unwrap();
        assert_eq!(beside.action(Press::Ctrl('p')), Some(Action::Up));
        assert_eq!(beside.action(Press::F(5)), None);
        for (config, keys, part) in [
            ("[keys]\nredirve = \"F5\"", None, "redirve"),
            ("[keys]\nredrive = 5", None, "redrive"),
            ("keys = 5", None, "[keys]"),
            ("", Some("redrive = \"q\""), "keys.toml: [keys] q asks for both"),
            ("", Some("redrive = "), "keys.toml: line 1"),
        ] {
            let fault = load(config, keys).unwrap_err();
            assert!(fault.what.contains(part), "{fault}");
        }
    }
}
