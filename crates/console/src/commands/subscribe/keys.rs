//! Where a pipeline stores the keys that Close signs with.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use close::signature::{Keys, merged, with_key};
use host::private;
use pipeline::{Code, Fault};

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
    /// A file that only its owner can read.
    File {
        /// Its path.
        path: PathBuf,
        /// The keys in it, and those in use now.
        list: String,
        /// Those that `leadops up` would use with this configuration.
        in_use: String,
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
        let named = config.secret_file(SETTING);
        let path = named.map_or_else(|| folder.join(FILE), Path::to_owned);
        let in_file = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unusable(&path, &error)),
        };
        // The keys in use may be in the environment, and would be lost with it.
        let in_use = match named {
            // Empty before the first subscription, which is not an error.
            Some(_) => in_file.clone(),
            None => config.secret(SETTING)?.map_or_else(String::new, |secret| secret.expose().to_owned()),
        };
        let list = merged(&in_file, &in_use).map_err(|error| {
            let what = format!("{} or {SETTING}: {error}", path.display());
            Fault::new(Code::SignatureKeyBad, what)
        })?;
        Ok(Self::File { path, list, in_use })
    }

    /// The current keys.
    pub(super) async fn present(&self) -> Result<Keys, Fault> {
        match self {
            Self::Secret(secret) => secret.present().await,
            Self::File { list, .. } => Keys::parse(list).map_err(|error| bad(self, &error.to_string())),
        }
    }

    /// Adds a subscription's key. Returns whether it was not there yet.
    pub(super) async fn store(&self, subscription: &str, key: &str) -> Result<bool, Fault> {
        match self {
            Self::Secret(secret) => secret.store(subscription, key).await,
            Self::File { path, list, .. } => {
                let merged = with_key(list, subscription, key);
                let Some(merged) = merged.map_err(|error| bad(self, &error.to_string()))? else {
                    return Ok(false);
                };
                private::replace(path, &merged).map_err(|error| unusable(path, &error))?;
                Ok(true)
            }
        }
    }

    /// Whether the key of a subscription, or one that may be it where `key` is not known, is used with the present
    /// configuration: it may have been stored in a file that nothing points at.
    pub(super) fn is_in_use(&self, subscription: &str, key: Option<&str>) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::File { in_use, .. } => Keys::parse(in_use).is_ok_and(|keys| match key {
                Some(key) => keys.has(subscription, key),
                None => keys.has_own(subscription) || keys.has_general(),
            }),
        }
    }

    /// What a person has to do before a key is used.
    pub(super) fn next_steps(&self, config: &Config) -> Option<String> {
        let Self::File { path, .. } = self else { return None };
        let in_file = config.secret_file(SETTING).is_some();
        let hidden = match config.secret_source(SETTING) {
            Some(Source::Environment(_)) if !in_file => Some(SETTING.to_owned()),
            Some(source @ Source::Credential(_)) => Some(format!("the {source}")),
            _ => None,
        };
        let set = match (in_file, &config.file) {
            (true, _) => String::new(),
            (false, Some(file)) => format!(
                "put close_signature_key_file = {:?} into {}, ",
                path.display().to_string(),
                file.display()
            ),
            (false, None) => format!("set {SETTING} to what is in {}, ", path.display()),
        };
        let unset = hidden.map_or_else(String::new, |hidden| {
            format!("remove {hidden}, which takes precedence over the file, ")
        });
        let and = if set.is_empty() && unset.is_empty() { "" } else { "and " };
        Some(format!("{set}{unset}{and}restart `leadops up`"))
    }
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
    async fn a_key_is_added_to_those_in_use_in_a_file_only_its_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a1", "b2"].map(|pair| pair.repeat(32));
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
        assert!(keys.store("whsub_1", &b).await.unwrap());
        let path = data.join(FILE);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("whsub_1={b},{a}\n"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&data)), (private::FILE, private::FOLDER));
        let again = KeyPlace::of_folder(&config, &data).unwrap();
        assert_eq!(again.present().await.unwrap().len(), 2);
        assert!(!again.store("whsub_1", &b).await.unwrap());
        let next = again.next_steps(&config).unwrap();
        assert!(
            next.contains("close_signature_key_file") && next.contains("remove CLOSE_SIGNATURE_KEY"),
            "{next}"
        );
        let in_use =
            |subscription, key: Option<&String>| again.is_in_use(subscription, key.map(String::as_str));
        // Nothing points at the file; the key of the environment may be any subscription's.
        assert_eq!((in_use("whsub_1", Some(&b)), in_use("whsub_1", Some(&a))), (false, true));
        assert!(in_use("whsub_1", None));
    }
}
