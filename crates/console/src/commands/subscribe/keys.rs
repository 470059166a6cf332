//! Where a pipeline keeps the keys that Close signs with.

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use pipeline::{
    Code, Fault,
    signature::{Keys, with_key},
};

use crate::{
    config::{Config, Source},
    wiring::SignatureSecret,
};

/// The setting that holds them for an embedded pipeline.
const SETTING: &str = "CLOSE_SIGNATURE_KEY";
/// The file in a pipeline's folder, where the config file names no other.
const FILE: &str = "close.key";

/// A place for keys.
pub(super) enum KeyPlace {
    /// A secret of a stack.
    Secret(SignatureSecret),
    /// A file that its owner alone can read.
    File {
        /// Its path.
        path: PathBuf,
        /// The keys in it, and those in force now.
        list: String,
        /// Those that `leadops up` would use with this configuration.
        in_force: String,
    },
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(secret) => write!(f, "{secret}"),
            Self::File { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

impl KeyPlace {
    /// The file that the config file names, else one in the pipeline's folder.
    pub(super) fn of_folder(config: &Config, folder: &Path) -> Result<Self, Fault> {
        let path = config.secret_file(SETTING).map_or_else(|| folder.join(FILE), Path::to_owned);
        let in_file = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unusable(&path, &error)),
        };
        // What is in force may be in the environment, and would be lost with it.
        let in_force = config.get(SETTING).unwrap_or_default().to_owned();
        let list = [in_file.trim(), in_force.as_str()];
        let mut merged: Vec<&str> = Vec::new();
        for part in list.iter().flat_map(|list| list.split(',')).map(str::trim) {
            if !part.is_empty() && !merged.contains(&part) {
                merged.push(part);
            }
        }
        Ok(Self::File { path, list: merged.join(","), in_force })
    }

    /// The keys that are there.
    pub(super) async fn present(&self) -> Result<Keys, Fault> {
        match self {
            Self::Secret(secret) => secret.present().await,
            Self::File { list, .. } => Keys::parse(list).map_err(|error| bad(self, &error.to_string())),
        }
    }

    /// Adds a subscription's key. Whether it was not there yet.
    pub(super) async fn keep(&self, subscription: &str, key: &str) -> Result<bool, Fault> {
        match self {
            Self::Secret(secret) => secret.keep(subscription, key).await,
            Self::File { path, list, .. } => {
                let merged = with_key(list, subscription, key);
                let Some(merged) = merged.map_err(|error| bad(self, &error.to_string()))? else {
                    return Ok(false);
                };
                write(path, &merged).map_err(|error| unusable(path, &error))?;
                Ok(true)
            }
        }
    }

    /// Whether the key of a subscription, or one that may be it where `key` is not known, is used with the present
    /// configuration: it may have been kept in a file that nothing points at.
    pub(super) fn is_in_force(&self, subscription: &str, key: Option<&str>) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::File { in_force, .. } => Keys::parse(in_force).is_ok_and(|keys| match key {
                Some(key) => keys.has(subscription, key),
                None => keys.has_own(subscription) || keys.has_general(),
            }),
        }
    }

    /// What a person has to do for a key to be used.
    pub(super) fn what_next(&self, config: &Config) -> Option<String> {
        let Self::File { path, .. } = self else { return None };
        let in_file = config.secret_file(SETTING).is_some();
        let hidden = matches!(config.source(SETTING), Some(Source::Environment));
        let set = match (in_file, &config.file) {
            (true, _) => String::new(),
            (false, Some(file)) => format!(
                "put close_signature_key_file = {:?} into {}, ",
                path.display().to_string(),
                file.display()
            ),
            (false, None) => format!("set {SETTING} to what is in {}, ", path.display()),
        };
        let unset =
            if hidden { format!("unset {SETTING}, which goes before the file, ") } else { String::new() };
        let and = if set.is_empty() && unset.is_empty() { "" } else { "and " };
        Some(format!("{set}{unset}{and}restart `leadops up`"))
    }
}

/// Writes a file for its owner alone, in one step.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{text}")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn unusable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Code::FileUnusable, format!("{}: {error}", path.display()))
}

fn bad(place: &KeyPlace, what: &str) -> Fault {
    Fault::new(Code::SignatureKeyBad, format!("{place}: {what}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_key_joins_those_in_force_in_a_file_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ['a', 'b'].map(|digit| digit.to_string().repeat(64));
        let file = folder.path().join("config.toml");
        fs::write(&file, "").unwrap();
        let config = Config::load(|name| match name {
            "LEADOPS_CONFIG" => Some(file.display().to_string()),
            SETTING => Some(a.clone()),
            _ => None,
        })
        .unwrap();
        let data = folder.path().join("data");
        let keys = KeyPlace::of_folder(&config, &data).unwrap();
        assert!(keys.keep("whsub_1", &b).await.unwrap());
        let path = data.join(FILE);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("whsub_1={b},{a}\n"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = KeyPlace::of_folder(&config, &data).unwrap();
        assert_eq!(again.present().await.unwrap().len(), 2);
        assert!(!again.keep("whsub_1", &b).await.unwrap());
        let next = again.what_next(&config).unwrap();
        assert!(next.contains("close_signature_key_file") && next.contains("unset"), "{next}");
        let in_force =
            |subscription, key: Option<&String>| again.is_in_force(subscription, key.map(String::as_str));
        // Nothing points at the file; the key of the environment may be any subscription's.
        assert_eq!((in_force("whsub_1", Some(&b)), in_force("whsub_1", Some(&a))), (false, true));
        assert!(in_force("whsub_1", None));
    }
}
