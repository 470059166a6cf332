//! The configuration: flags, then the environment, then the config file, then the default; each value
//! knows where it came from.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use pipeline::{Code, Fault};
use serde::Serialize;

mod keys;
mod place;
mod up;

pub use place::{Environment, Location, Place, StackPlace};
pub use up::UpConfig;

/// A setting, by the name of its environment variable. In the config file it has the same name in
/// lower case; a secret stands there as `name_file = "PATH"`.
#[derive(Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What it is without being set.
    pub default: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it is for, one line.
    pub about: &'static str,
}

const fn setting(name: &'static str, default: Option<&'static str>, about: &'static str) -> Setting {
    Setting { name, default, secret: false, about }
}

const fn secret(name: &'static str, about: &'static str) -> Setting {
    Setting { name, default: None, secret: true, about }
}

/// All settings, in the order of a lead's path.
pub const SETTINGS: &[Setting] = &[
    setting("LEADOPS_DATA", None, "folder of the embedded pipeline; the platform's data folder where unset"),
    setting("LEADOPS_LISTEN", Some("127.0.0.1:8080"), "address that `up` listens on"),
    secret(
        "CLOSE_SIGNATURE_KEY",
        "key of the webhook subscription, 64 hex digits; several, or subscription=key, by commas",
    ),
    setting("LEADOPS_ALLOW_UNSIGNED", Some("false"), "take unsigned webhooks, on a loopback address only"),
    setting("SIGNATURE_MAX_AGE_SECONDS", Some("604800"), "how old a signature may be"),
    setting("DELAY_SECONDS", Some("600"), "how long a lead waits for its owner, 0 to 900"),
    setting("SOURCE_PREFIX", Some("source/"), "where raw events are kept"),
    setting("TARGET_PREFIX", Some("target/"), "where enriched leads are kept"),
    setting("OWNER_SOURCE", Some("bucket"), "where owners are: bucket, or close for a custom field of Close"),
    setting("LOOKUP_BUCKET", Some(outbound::OwnersBase::BUCKET), "public bucket with the owner documents"),
    setting(
        "LOOKUP_BASE_URL",
        None,
        "owner directory instead of the bucket: http(s)://… or file:///…, before /{lead_id}.json or with {lead_id} in it",
    ),
    setting(
        "CLOSE_OWNER_FIELD",
        None,
        "with OWNER_SOURCE=close, the custom field that names the owner: its id (cf_…) or its name",
    ),
    setting("CLOSE_FUNNEL_FIELD", None, "with OWNER_SOURCE=close, the custom field that names the funnel"),
    setting("PROCESS_ATTEMPTS", Some("3"), "look-ups before the alert goes out without an owner"),
    setting("RECHECKS", Some("12"), "later look-ups for a lead that was told without an owner"),
    setting("USE_SLACK", Some("true"), "tell new leads on Slack"),
    secret("SLACK_WEBHOOK_URL", "Slack incoming webhook"),
    setting("SLACK_BURST", Some("5"), "Slack messages at once after a silence; one a second otherwise"),
    setting("USE_EMAIL", Some("false"), "tell new leads by e-mail"),
    secret("SMTP_URL", "mail server: smtps://user:password@host, or smtp://host:25"),
    setting("EMAIL_FROM", None, "sender"),
    setting("EMAIL_TO", None, "recipients, by commas"),
    setting("NOTIFY_ATTEMPTS", Some("12"), "attempts of an alert before it is a dead letter"),
    setting("OVERDUE_SECONDS", Some("120"), "how long after its due time a lead without an end is overdue"),
    setting("KEEP_LOGS_DAYS", Some("14"), "how long log lines are kept"),
    setting("KEEP_JOURNAL_DAYS", Some("90"), "how long the journal and the receipts are kept"),
    setting("LEADOPS_MOUSE", Some("false"), "the console takes the mouse, to scroll and to click"),
    secret(
        "CLOSE_API_KEY",
        "API key of Close, for OWNER_SOURCE=close, `subscribe` and `doctor`; two by a comma while one is replaced",
    ),
    setting("CLOSE_API_URL", Some(outbound::CloseBase::URL), "where Close's API is"),
];

/// What a setting is where nobody says anything.
pub fn default_of(name: &str) -> Option<String> {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    setting.and_then(|setting| setting.default).map(str::to_owned)
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag(&'static str),
    /// The environment.
    Environment,
    /// The config file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Environment => write!(f, "environment"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => write!(f, "default"),
        }
    }
}

/// The effective configuration. Secrets among it, so that it prints as its file's name alone.
pub struct Config {
    values: BTreeMap<&'static str, (String, Source)>,
    /// The files that secrets were read from.
    secret_files: BTreeMap<&'static str, PathBuf>,
    /// The config file, whether or not it exists.
    pub file: Option<PathBuf>,
    /// Its environments.
    pub environments: BTreeMap<String, Environment>,
    /// The console's keys, as far as they are changed.
    keys: keys::KeyChanges,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("file", &self.file).finish_non_exhaustive()
    }
}

/// A value as `leadops config` shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The setting.
    pub name: &'static str,
    /// Its value; of a secret, only whether there is one.
    pub value: Option<String>,
    /// Where it came from.
    pub source: String,
    /// What it is for.
    pub about: &'static str,
}

impl Config {
    /// Reads the environment and the config file, which is `$LEADOPS_CONFIG`, else `config.toml` in
    /// the platform's config folder.
    ///
    /// # Errors
    /// [`Code::ConfigFileBad`], naming what is wrong in which file.
    pub fn load(environment: impl Fn(&str) -> Option<String>) -> Result<Self, Fault> {
        let named = environment("LEADOPS_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let must_exist = named.is_some();
        let file = named.or_else(|| Some(folders()?.config_dir().join("config.toml")));
        let mut config = Self {
            values: BTreeMap::new(),
            secret_files: BTreeMap::new(),
            file: file.clone(),
            environments: BTreeMap::new(),
            keys: keys::KeyChanges::default(),
        };
        if let Some(path) = file {
            match fs::read_to_string(&path) {
                Ok(text) => config.read_file(&path, &text)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {}
                Err(error) => return Err(bad_file(&path, &error.to_string())),
            }
            if let Some(keys) = keys::KeyChanges::beside(&path)? {
                config.keys = keys;
            }
        }
        for setting in SETTINGS {
            if let Some(value) = environment(setting.name).filter(|value| !value.trim().is_empty()) {
                config.values.insert(setting.name, (value.trim().to_owned(), Source::Environment));
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

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(value, _)| value.as_str())
    }

    /// Where the value of a setting came from.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.values.get(name).map(|(_, source)| source)
    }

    /// The file that the config file names for a secret.
    pub fn secret_file(&self, name: &str) -> Option<&Path> {
        self.secret_files.get(name).map(PathBuf::as_path)
    }

    /// Every setting as it is.
    pub fn shown(&self) -> Vec<Shown> {
        SETTINGS
            .iter()
            .map(|setting| {
                let found = self.values.get(setting.name);
                let value = found.map(|(value, _)| shown(setting, value));
                let source = found.map_or_else(|| "unset".to_owned(), |(_, source)| source.to_string());
                Shown { name: setting.name, value, source, about: setting.about }
            })
            .collect()
    }

    fn data(&self) -> Result<PathBuf, Fault> {
        if let Some(data) = self.get("LEADOPS_DATA") {
            return Ok(PathBuf::from(data));
        }
        let folders = folders()
            .ok_or_else(|| Fault::new(Code::FolderUnusable, "this platform names no data folder"))?;
        Ok(folders.data_dir().to_owned())
    }

    fn read_file(&mut self, path: &Path, text: &str) -> Result<(), Fault> {
        let table: toml::Table =
            text.parse().map_err(|e: toml::de::Error| bad_file(path, &one_line(text, &e)))?;
        for (key, value) in table {
            if key == "env" {
                self.environments = place::read(path, value)?;
                continue;
            }
            if key == "keys" {
                self.keys = keys::KeyChanges::read(path, value)?;
                continue;
            }
            let find = |name: &str| SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name));
            let (setting, value) = if let Some(setting) = find(&key) {
                if setting.secret {
                    return Err(bad_file(
                        path,
                        &format!("{key} is a secret: put it into a file and write {key}_file = \"PATH\""),
                    ));
                }
                (
                    setting,
                    plain(&value).ok_or_else(|| {
                        bad_file(path, &format!("{key} must be a string, a number or true or false"))
                    })?,
                )
            } else if let Some(setting) =
                key.strip_suffix("_file").and_then(find).filter(|setting| setting.secret)
            {
                let named = value.as_str().ok_or_else(|| bad_file(path, &format!("{key} must be a path")))?;
                let secret = path.parent().unwrap_or(Path::new("")).join(named);
                let value = fs::read_to_string(&secret)
                    .map_err(|e| bad_file(path, &format!("{key}: {}: {e}", secret.display())))?;
                self.secret_files.insert(setting.name, secret);
                (setting, value.trim().to_owned())
            } else {
                return Err(bad_file(
                    path,
                    &format!("there is no setting {:?}", lead::text::shorten(&key, 60)),
                ));
            };
            self.values.insert(setting.name, (value, Source::File(path.to_owned())));
        }
        Ok(())
    }
}

/// A value without what nobody may see.
fn shown(setting: &Setting, value: &str) -> String {
    if setting.secret { "(set)".to_owned() } else { without_password(setting.name, value) }
}

/// A setting's value, without the password that an address may have in it.
pub(crate) fn without_password(name: &str, value: &str) -> String {
    let address = match name {
        "LOOKUP_BASE_URL" => outbound::OwnersBase::parse(value).ok().map(|base| base.to_string()),
        "CLOSE_API_URL" => outbound::CloseBase::parse(value).ok().map(|base| base.to_string()),
        _ => return value.to_owned(),
    };
    address.unwrap_or_else(|| "(no valid URL)".to_owned())
}

fn folders() -> Option<directories::ProjectDirs> {
    directories::ProjectDirs::from("", "", "leadops")
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.trim().to_owned()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// What is wrong and in which line.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().map_or(0, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
    format!("line {line}: {}", lead::text::shorten(error.message(), 200))
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
        Config::load(|name| match name {
            "LEADOPS_CONFIG" => Some(path.display().to_string()),
            _ => environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        })
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
        assert_eq!(config.get("CLOSE_SIGNATURE_KEY"), Some("secret-key"));
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
            ("slack_webhook_url = \"https://hooks.slack.com/services/x\"", "slack_webhook_url_file"),
            ("smtp_url_file = \"missing\"", "missing"),
            ("delay_seconds = [1]", "delay_seconds"),
        ] {
            let fault = load(file, &[]).unwrap_err();
            assert_eq!(fault.code, Code::ConfigFileBad);
            assert!(fault.what.contains(part) && !fault.what.contains("services/x"), "{file}: {fault}");
        }
    }
}
