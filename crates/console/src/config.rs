//! The configuration: flags, then the environment, then the config file, then the defaults; each value
//! knows where it came from.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use outside::unpasted;
use pipeline::{Code, Fault, Variables};

mod keys;
mod paths;
mod place;
mod secret;
mod settings;
mod shown;
mod unknown;
mod up;

pub use place::{Environment, Location, Place, StackPlace};
pub use settings::{SETTINGS, Setting, default_of};
pub use shown::{Shown, without_secrets};
pub use unknown::Unknown;
pub use up::{SettingProblem, UpConfig, needed_api_keys, signature_keys};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag(&'static str),
    /// This variable of the environment, or the file that it names.
    Environment(String),
    /// A credential of systemd's.
    Credential(PathBuf),
    /// The config file.
    File(PathBuf),
    /// It is not set.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Environment(_) => write!(f, "environment"),
            Self::Credential(path) => write!(f, "credential {}", path.display()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => write!(f, "default"),
        }
    }
}

impl Source {
    /// The same, including the variable's name.
    fn in_full(&self) -> String {
        match self {
            Self::Environment(name) => format!("as {name} in the environment"),
            Self::Credential(path) => format!("as {} in $CREDENTIALS_DIRECTORY", path.display()),
            other => format!("by {other}"),
        }
    }
}

/// The effective configuration. It contains secrets, so its `Debug` shows only the file's name.
pub struct Config {
    values: BTreeMap<&'static str, (String, Source)>,
    secrets: secret::Secrets,
    /// The config file, whether or not it exists.
    pub file: Option<PathBuf>,
    /// Its environments.
    pub environments: BTreeMap<String, Environment>,
    /// Variables of the process's environment that look like settings but are not.
    pub unknown: Vec<Unknown>,
    /// Changes to the console's keys.
    keys: keys::KeyChanges,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Config {
    /// The configuration of this process: as [`Config::load`] reads it, with the variables that look like settings.
    ///
    /// # Errors
    /// As [`Config::load`]; [`Code::SettingBad`] where a variable of ours is not UTF-8.
    pub fn of_process() -> Result<Self, Fault> {
        let mut environment = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => {
                    environment.insert(name, value);
                }
                Err(_) if unknown::is_known(&name) => {
                    return Err(Fault::new(Code::SettingBad, format!("{name} is not UTF-8")));
                }
                Err(_) => {}
            }
        }
        let mut config = Self::load(|name| environment.get(name).cloned())?;
        config.unknown = unknown::find(environment.keys().map(String::as_str));
        Ok(config)
    }

    /// Reads the environment and the config file, which is `$LEADOPS_CONFIG`, or `config.toml` in
    /// the platform's config folder.
    ///
    /// # Errors
    /// [`Code::ConfigFileBad`], naming what is wrong in which file.
    pub fn load(environment: impl Fn(&str) -> Option<String>) -> Result<Self, Fault> {
        let named = environment("LEADOPS_CONFIG");
        let named = named.as_deref().map(unpasted).filter(|path| !path.is_empty()).map(paths::expand);
        let must_exist = named.is_some();
        let file = named.or_else(|| Some(folders()?.config_dir().join("config.toml")));
        let mut config = Self {
            values: BTreeMap::new(),
            secrets: BTreeMap::new(),
            file: file.clone(),
            environments: BTreeMap::new(),
            unknown: Vec::new(),
            keys: keys::KeyChanges::default(),
        };
        if let Some(path) = file {
            match fs::read(&path).and_then(secret::text) {
                Ok(text) => config.read_file(&path, text.trim_start_matches('\u{feff}'))?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {}
                Err(error) => return Err(bad_file(&path, &error.to_string())),
            }
            if let Some(keys) = keys::KeyChanges::read_keys_file(&path)? {
                config.keys = keys;
            }
        }
        for setting in SETTINGS {
            if setting.secret {
                if let Some(found) = secret::in_environment(setting, &environment) {
                    config.secrets.insert(setting.name, found);
                }
                continue;
            }
            let value = environment(setting.name);
            if let Some(value) = value.as_deref().map(unpasted).filter(|value| !value.is_empty()) {
                let source = Source::Environment(setting.name.to_owned());
                config.values.insert(setting.name, (value.to_owned(), source));
            } else if let Some(default) = setting.default {
                config.values.entry(setting.name).or_insert_with(|| (default.to_owned(), Source::Default));
            }
        }
        Ok(config)
    }

    /// Puts a flag's value over whatever was there.
    pub fn set(&mut self, name: &'static str, value: String, flag: &'static str) {
        self.values.insert(name, (value, Source::Flag(flag)));
    }

    /// The value of a setting that is not a secret: see [`Config::secret`] for those.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(value, _)| value.as_str())
    }

    /// The same for code that reads settings by their names.
    pub fn variables(&self) -> Variables<'_> {
        Variables::new(|name| self.get(name).map(str::to_owned))
    }

    /// Where the value of a setting that is not a secret came from.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.values.get(name).map(|(_, source)| source)
    }

    fn data(&self) -> Result<PathBuf, Fault> {
        if let Some(data) = self.get("LEADOPS_DATA") {
            return paths::folder(data);
        }
        let folders = folders()
            .ok_or_else(|| Fault::new(Code::FolderUnusable, "this platform has no default data folder"))?;
        Ok(folders.data_dir().to_owned())
    }

    fn read_file(&mut self, path: &Path, text: &str) -> Result<(), Fault> {
        let table: toml::Table =
            text.parse().map_err(|e: toml::de::Error| bad_file(path, &one_line(text, &e)))?;
        let bad = |what: String| bad_file(path, &what);
        let find = |name: &str| SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name));
        for (key, value) in table {
            let source = Source::File(path.to_owned());
            match (key.as_str(), find(&key), key.strip_suffix("_file").and_then(find)) {
                ("env", ..) => self.environments = place::read(path, value)?,
                ("keys", ..) => self.keys = keys::KeyChanges::read(path, value)?,
                (_, Some(setting), _) if setting.secret => {
                    let what = format!("{key} is a secret: put it in a file and write {key}_file = \"PATH\"");
                    return Err(bad(what));
                }
                (_, Some(setting), _) => {
                    let value = plain(&value)
                        .ok_or_else(|| bad(format!("{key} must be a string, a number, true or false")))?;
                    self.values.insert(setting.name, (value, source));
                }
                (_, None, Some(setting)) if setting.secret => {
                    let named = value.as_str().ok_or_else(|| bad(format!("{key} must be a path")))?;
                    let named = unpasted(named);
                    let secret = path.parent().unwrap_or(Path::new("")).join(paths::expand(named));
                    let by = format!("{key} of {}", path.display());
                    let place = secret::SecretPlace::file(secret, by, named);
                    self.secrets.insert(setting.name, (place, source));
                }
                _ => {
                    let shown = outside::text::shorten(&key, 60);
                    let meant = unknown::meant(&key.to_ascii_uppercase());
                    let meant = meant.map_or_else(String::new, |meant| {
                        format!("; did you mean {}?", meant.to_ascii_lowercase())
                    });
                    return Err(bad(format!("{shown:?} is not a setting{meant}")));
                }
            }
        }
        Ok(())
    }
}

fn folders() -> Option<directories::ProjectDirs> {
    directories::ProjectDirs::from("", "", "leadops")
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(unpasted(text).to_owned()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// What is wrong, and in which line.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().map_or(0, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
    format!("line {line}: {}", outside::text::shorten(error.message(), 200))
}

fn bad_file(path: &Path, what: &str) -> Fault {
    Fault::new(Code::ConfigFileBad, format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, Fault> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, file).unwrap();
        fs::write(folder.path().join("key"), "secret-key\n").unwrap();
        let config = Config::load(|name| match name {
            "LEADOPS_CONFIG" => Some(path.display().to_string()),
            _ => environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        })?;
        // Each is read once, and the folder goes.
        config.shown();
        Ok(config)
    }

    fn source(config: &Config, name: &str) -> String {
        let shown = config.shown();
        let found = shown.iter().find(|shown| shown.name == name).unwrap();
        let source = found.source.rsplit('/').next().unwrap_or_default().to_owned();
        format!("{} from {source}", found.value.as_deref().unwrap_or("nothing"))
    }

    #[test]
    fn flags_beat_the_environment_beats_the_file_beats_the_default() {
        let file = "delay_seconds = 5\nrechecks = 7\nuse_email = true\nclose_signature_key_file = \"key\"";
        let mut config =
            load(file, &[("DELAY_SECONDS", "6"), ("RECHECKS", "8"), ("EMAIL_FROM", " ")]).unwrap();
        config.set("DELAY_SECONDS", "9".to_owned(), "--delay");
        assert_eq!(source(&config, "DELAY_SECONDS"), "9 from --delay");
        assert_eq!(source(&config, "RECHECKS"), "8 from environment");
        assert_eq!(source(&config, "USE_EMAIL"), "true from config.toml");
        assert_eq!(source(&config, "SOURCE_PREFIX"), "source/ from default");
        assert_eq!(source(&config, "EMAIL_FROM"), "nothing from unset");
        assert_eq!(source(&config, "CLOSE_SIGNATURE_KEY"), "(set) from config.toml");
        assert_eq!(config.secret("CLOSE_SIGNATURE_KEY").unwrap().unwrap().expose(), "secret-key");
    }

    #[test]
    fn what_pasting_leaves_around_a_value_comes_off_everywhere() {
        let quoted = [("DELAY_SECONDS", "\"7\""), ("LEADOPS_DATA", "'/srv/leads'"), ("EMAIL_FROM", "\"\"")];
        let config = load("\u{feff}rechecks = \"'3'\"", &quoted).unwrap();
        let found = ["DELAY_SECONDS", "LEADOPS_DATA", "EMAIL_FROM", "RECHECKS"].map(|name| config.get(name));
        assert_eq!(found, [Some("7"), Some("/srv/leads"), None, Some("3")]);
    }

    #[test]
    fn a_secret_that_cannot_be_read_does_not_affect_the_rest() {
        let config = load("delay_seconds = 5\nsmtp_url_file = \"missing\"", &[]).unwrap();
        assert_eq!(config.get("DELAY_SECONDS"), Some("5"));
        let shown = source(&config, "SMTP_URL");
        assert!(
            shown.starts_with("(unusable: smtp_url_file of ") && shown.contains("existing file"),
            "{shown}"
        );
    }

    #[test]
    fn the_readme_documents_every_setting_with_its_default() {
        let readme = include_str!("../../../README.md");
        for setting in SETTINGS {
            let row = readme
                .lines()
                .find(|line| line.starts_with('|') && line.contains(&format!("`{}`", setting.name)));
            let row = row.unwrap_or_else(|| panic!("{} is not in the README", setting.name));
            let default = setting.default.unwrap_or_default();
            assert!(default.is_empty() || row.contains(&format!("`{default}`")), "{}: {row}", setting.name);
        }
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        for (file, part) in [
            ("delay_seconds = ", "line 1"),
            ("a = 1\nb = [", "line"),
            ("nonsense = 1", "nonsense"),
            ("lookup_url = \"https://x\"", "did you mean lookup_base_url?"),
            ("slack_webhook_url = \"https://hooks.slack.com/services/x\"", "slack_webhook_url_file"),
            ("smtp_url_file = 1", "smtp_url_file"),
            ("delay_seconds = [1]", "delay_seconds"),
        ] {
            let fault = load(file, &[]).unwrap_err();
            assert_eq!(fault.code, Code::ConfigFileBad);
            assert!(fault.what.contains(part) && !fault.what.contains("services/x"), "{file}: {fault}");
        }
    }
}
