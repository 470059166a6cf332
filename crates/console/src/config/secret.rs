//! Secrets, read only when they are asked for, so that users who may not read them can use every command that needs
//! none.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use outside::unpasted;
use pipeline::{Code, Fault, SecretText};

use super::{Config, Setting, Source, paths};

/// The size limit of a secret, in bytes.
const MAX_SIZE: u64 = 64 * 1024;

/// Where a secret is.
pub(super) enum SecretPlace {
    /// In the environment or the command line.
    Inline(SecretText),
    /// In a file, read at most once: it may be a pipe.
    File(NamedFile, OnceLock<Result<SecretText, Fault>>),
    /// In two places at once, both named.
    Conflict(String),
}

/// A file, and which setting names it.
pub(super) struct NamedFile {
    path: PathBuf,
    /// What names it, such as `SMTP_URL_FILE`.
    by: String,
    /// Whether its name can only be a path.
    is_path: bool,
}

impl SecretPlace {
    /// The file at `path`, which `by` names as `text`.
    pub(super) fn file(path: PathBuf, by: String, text: &str) -> Self {
        let begins = ["/", "./", "../", "~"].iter().any(|begin| text.starts_with(begin));
        Self::File(NamedFile { path, by, is_path: begins && !text.contains("://") }, OnceLock::new())
    }

    /// The secret.
    fn read(&self, name: &str) -> Result<SecretText, Fault> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::File(named, read) => read.get_or_init(|| file(name, named)).clone(),
            Self::Conflict(places) => {
                Err(Fault::new(Code::SettingBad, format!("{name} is set twice: {places}; remove one")))
            }
        }
    }
}

fn file(name: &str, NamedFile { path, by, is_path }: &NamedFile) -> Result<SecretText, Fault> {
    let unusable = |what: String| Fault::new(Code::FileUnusable, format!("{by}: {}: {what}", path.display()));
    // The most common mistake is to put the secret itself here instead of a file's path.
    if !is_path && !path.exists() {
        let what = format!(
            "{by} does not name an existing file, and may contain the secret itself: put that in {name}"
        );
        return Err(Fault::new(Code::FileUnusable, what));
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes));
    let length = read.map_err(|error| unusable(error.to_string()))?;
    if length as u64 > MAX_SIZE {
        return Err(unusable(format!("it has more than {MAX_SIZE} bytes")));
    }
    let text = text(bytes).map_err(|error| unusable(error.to_string()))?;
    let secret = SecretText::new(&text);
    if secret.expose().is_empty() { Err(unusable("it is empty".to_owned())) } else { Ok(secret) }
}

/// The text of a file.
///
/// # Errors
/// What it is instead of UTF-8.
pub(super) fn text(bytes: Vec<u8>) -> io::Result<String> {
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    String::from_utf8(bytes).map_err(|_| {
        io::Error::other(if is_utf16 { "it is UTF-16: save it as UTF-8" } else { "it is not UTF-8" })
    })
}

/// Where a secret is in the environment: as `NAME`, in the file that `NAME_FILE` names, or in systemd's
/// `$CREDENTIALS_DIRECTORY` under the name in lower case.
pub(super) fn in_environment(
    setting: &Setting,
    environment: &impl Fn(&str) -> Option<String>,
) -> Option<(SecretPlace, Source)> {
    let get = |name: &str| {
        let value = environment(name)?;
        let value = unpasted(&value);
        (!value.is_empty()).then(|| value.to_owned())
    };
    let mut found: Vec<(SecretPlace, Source)> = Vec::new();
    if let Some(value) = get(setting.name) {
        found.push((
            SecretPlace::Inline(SecretText::new(&value)),
            Source::Environment(setting.name.to_owned()),
        ));
    }
    let variable = format!("{}_FILE", setting.name);
    if let Some(path) = get(&variable) {
        let place = SecretPlace::file(paths::expand(&path), variable.clone(), &path);
        found.push((place, Source::Environment(variable)));
    }
    // <https://systemd.io/CREDENTIALS/>
    let credential =
        get("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(setting.name.to_ascii_lowercase()));
    // One that may not be accessed counts as set: reading it reports why not.
    if let Some(path) = credential.filter(|path| path.try_exists().unwrap_or(true)) {
        let by = format!("the credential {}", setting.name.to_ascii_lowercase());
        found.push((SecretPlace::file(path.clone(), by, "/"), Source::Credential(path)));
    }
    if found.len() > 1 {
        let places: Vec<String> = found.iter().map(|(_, source)| source.in_full()).collect();
        let source = found.swap_remove(0).1;
        return Some((SecretPlace::Conflict(places.join(" and ")), source));
    }
    found.pop()
}

impl Config {
    /// A secret, if it is set.
    ///
    /// # Errors
    /// [`Code::FileUnusable`] where its file cannot be read, or is empty; [`Code::SettingBad`] where it is set twice.
    pub fn secret(&self, name: &str) -> Result<Option<SecretText>, Fault> {
        self.secrets.get(name).map(|(place, _)| place.read(name)).transpose()
    }

    /// Where a secret came from, whether or not it can be read; `None` where it is not set.
    pub fn secret_source(&self, name: &str) -> Option<&Source> {
        self.secrets.get(name).map(|(_, source)| source)
    }

    /// The file that a setting names for a secret, if it may be written: not a credential, which systemd creates again at
    /// each start.
    pub fn secret_file(&self, name: &str) -> Option<&Path> {
        match self.secrets.get(name)? {
            (SecretPlace::File(named, _), Source::Environment(_) | Source::File(_)) => Some(&named.path),
            _ => None,
        }
    }
}

/// The secrets that are set, by their settings' names.
pub(super) type Secrets = BTreeMap<&'static str, (SecretPlace, Source)>;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::tests::load;

    const NAME: &str = "SMTP_URL";

    #[test]
    fn each_place_is_read_and_two_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("smtp_url"), "\u{feff}\"credential\"\r\n").unwrap();
        fs::write(at("file"), "file\n").unwrap();
        let (file, credentials) = (at("file"), folder.path().display().to_string());
        let value = (NAME, "'value'");
        let file = ("SMTP_URL_FILE", file.as_str());
        let credential = ("CREDENTIALS_DIRECTORY", credentials.as_str());
        for (environment, expected) in [
            (&[][..], None),
            (&[value], Some("value")),
            (&[file], Some("file")),
            (&[credential], Some("credential")),
            (&[(NAME, " "), ("SMTP_URL_FILE", ""), credential], Some("credential")),
        ] {
            let config = load("", environment).unwrap();
            let secret = config.secret(NAME).unwrap();
            assert_eq!(secret.as_ref().map(SecretText::expose), expected, "{environment:?}");
            assert_eq!(config.secret_source(NAME).is_some(), expected.is_some());
        }
        for (environment, parts) in [
            (&[value, file][..], ["SMTP_URL", "SMTP_URL_FILE"]),
            (&[value, credential], ["SMTP_URL", "CREDENTIALS_DIRECTORY"]),
            (&[file, credential], ["SMTP_URL_FILE", "CREDENTIALS_DIRECTORY"]),
        ] {
            let config = load("", environment).unwrap();
            let fault = config.secret(NAME).unwrap_err();
            assert_eq!(fault.code, Code::SettingBad);
            assert!(parts.iter().all(|part| fault.what.contains(part)), "{fault}");
        }
    }

    #[test]
    fn the_environment_overrides_the_config_file() {
        let config = load("smtp_url_file = \"key\"", &[]).unwrap();
        assert_eq!(config.secret(NAME).unwrap().unwrap().expose(), "secret-key");
        let config = load("smtp_url_file = \"key\"", &[(NAME, "value")]).unwrap();
        assert_eq!(config.secret(NAME).unwrap().unwrap().expose(), "value");
        assert_eq!(config.secret_file(NAME), None);
    }

    #[test]
    fn a_secret_in_the_place_of_its_file_is_not_shown() {
        for secret in ["hunter2", "https://hooks.slack.com/services/T0/B0/hunter2", "smtps://hunter2@host"] {
            for config in
                [load("", &[("SMTP_URL_FILE", secret)]), load(&format!("smtp_url_file = {secret:?}"), &[])]
            {
                let fault = config.unwrap().secret(NAME).unwrap_err();
                let parts = ["does not name an existing file", "put that in SMTP_URL"];
                assert!(parts.iter().all(|part| fault.what.contains(part)), "{fault}");
                assert!(!fault.what.contains("hunter2"), "{fault}");
            }
        }
    }

    #[test]
    fn an_unreadable_secret_is_reported_when_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("empty"), "\r\n").unwrap();
        fs::write(at("latin"), b"gr\xfcn").unwrap();
        fs::write(at("utf16"), b"\xff\xfeh\0i\0").unwrap();
        fs::write(at("large"), vec![b'x'; 65 * 1024]).unwrap();
        for (path, part) in [
            (at("missing"), "No such file"),
            (at("empty"), "empty"),
            (at("latin"), "not UTF-8"),
            (at("utf16"), "UTF-16"),
            (at("large"), "more than 65536 bytes"),
            (at(""), "directory"),
        ] {
            let config = load("", &[("SMTP_URL_FILE", &path)]).unwrap();
            let fault = config.secret(NAME).unwrap_err();
            assert_eq!(fault.code, Code::FileUnusable);
            let parts = [NAME, path.as_str(), part];
            assert!(parts.iter().all(|part| fault.what.contains(part)), "{fault}");
        }
    }
}
