//! Whether other users of this machine have access to leads or keys, and the pipeline's own user to its files.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use host::private::{self, Owner};
use pipeline::{Code, Fault};

use super::{Check, Grade};
use crate::config::{Config, SETTINGS};

/// The files in a pipeline's folder.
const FILES: [&str; 5] = ["leadops.db", "leadops.db-wal", "leadops.db-shm", "leadops.lock", "close.key"];

/// The checks of a folder, of its files, and of the files that hold the settings' secrets; none if there is nothing yet.
pub(super) fn checks(config: &Config, folder: &Path) -> Vec<Check> {
    let inside: Vec<FileInfo> = FILES.iter().filter_map(|name| FileInfo::at(folder.join(name))).collect();
    let secrets = SETTINGS.iter().filter_map(|setting| config.secret_file(setting.name));
    let secrets = secrets.filter(|path| path.parent() != Some(folder));
    let (folder, secrets) =
        (FileInfo::at(folder.to_owned()), secrets.filter_map(|path| FileInfo::at(path.to_owned())));
    let mut all: Vec<&FileInfo> = folder.iter().chain(&inside).collect();
    let secrets: Vec<FileInfo> = secrets.filter(|secret| !secret.is_service_secret()).collect();
    all.extend(&secrets);
    let mut checks = Vec::from_iter(access(&all));
    checks.extend(folder.and_then(|folder| owners(&folder, &inside)));
    checks
}

/// Whether others have access to one of these.
fn access(all: &[&FileInfo]) -> Option<Check> {
    let name = "permissions";
    let open: Vec<&FileInfo> =
        all.iter().copied().filter(|found| private::is_open(&found.metadata)).collect();
    if open.is_empty() {
        let [first, ..] = all else { return None };
        return Some(Check::ok(name, format!("nobody else has access to {}", first.path.display())));
    }
    let commands =
        [(private::FOLDER, true), (private::FILE, false)].into_iter().filter_map(|(mode, is_dir)| {
            let found = open.iter().filter(|found| found.metadata.is_dir() == is_dir);
            let paths: Vec<String> = found.map(|found| quoted(&found.path)).collect();
            (!paths.is_empty()).then(|| format!("`chmod {mode:o} {}`", paths.join(" ")))
        });
    let commands: Vec<String> = commands.collect();
    let modes: Vec<String> = open.iter().map(|found| found.mode()).collect();
    let what = format!(
        "other users of this machine have access to {}: {}",
        modes.join(", "),
        commands.join(" and ")
    );
    Some(Check::bad(name, Grade::Warning, &Fault::new(Code::OthersHaveAccess, what)))
}

/// Whether files in a folder belong to another user than the folder.
fn owners(folder: &FileInfo, inside: &[FileInfo]) -> Option<Check> {
    let Owner { user, group } = Owner::of(&folder.metadata);
    let others: Vec<&FileInfo> =
        inside.iter().filter(|found| Owner::of(&found.metadata).user != user).collect();
    let paths = |show: fn(&FileInfo) -> String| others.iter().map(|found| show(found)).collect::<Vec<_>>();
    if others.is_empty() {
        return None;
    }
    let what = format!(
        "{}, but the folder to uid {user}, whose `leadops up` may not use them: `chown {user}:{group} {}`",
        paths(|found| format!("{} belongs to uid {}", found.path.display(), found.metadata.uid())).join(", "),
        paths(|found| quoted(&found.path)).join(" "),
    );
    Some(Check::bad("file owners", Grade::Warning, &Fault::new(Code::OwnerOfFileWrong, what)))
}

/// An existing file or folder.
struct FileInfo {
    path: PathBuf,
    metadata: Metadata,
}

impl FileInfo {
    fn at(path: PathBuf) -> Option<Self> {
        let metadata = fs::metadata(&path).ok()?;
        Some(Self { path, metadata })
    }

    /// Whether it belongs to root and only one group may read it: how a secret is given to a service.
    fn is_service_secret(&self) -> bool {
        let Owner { user, group } = Owner::of(&self.metadata);
        (user, self.metadata.mode() & 0o037) == (0, 0) && group != 0
    }

    fn mode(&self) -> String {
        format!("{} (mode {:04o})", self.path.display(), self.metadata.mode() & 0o7777)
    }
}

/// A path quoted as one word for a shell.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_have_access_to_is_named_with_what_to_do() {
        let base = tempfile::tempdir().unwrap();
        let (data, secret) = (base.path().join("the data"), base.path().join("slack.url"));
        private::make_folder(&data).unwrap();
        let config = base.path().join("config.toml");
        fs::write(&config, "slack_webhook_url_file = \"slack.url\"").unwrap();
        for path in [&secret, &data.join("leadops.db"), &data.join("leadops.lock")] {
            fs::write(path, "https://hooks.slack.com/services/T0/B0/x").unwrap();
            set(path, 0o600);
        }
        let config =
            Config::load(|name| (name == "LEADOPS_CONFIG").then(|| config.display().to_string())).unwrap();
        let found = || checks(&config, &data);
        let good = found();
        assert_eq!((good.len(), good[0].result, good[0].check.as_ref()), (1, Grade::Ok, "permissions"));

        for (path, mode, command) in [
            (data.clone(), 0o755, "`chmod 700 '"),
            (data.join("leadops.db"), 0o644, "`chmod 600 '"),
            (data.join("leadops.lock"), 0o620, "`chmod 600 '"),
            (secret.clone(), 0o604, "`chmod 600 /"),
        ] {
            let before = fs::metadata(&path).unwrap().mode();
            set(&path, mode);
            let [Check { result: Grade::Warning, code: Some(Code::OthersHaveAccess), detail, .. }] =
                &found()[..]
            else {
                panic!("{path:?}")
            };
            let shown = format!("{} (mode {mode:04o})", path.display());
            assert!(detail.contains(&shown) && detail.contains(command), "{detail}");
            set(&path, before);
        }
        assert!(checks(&config, &base.path().join("none"))[0].detail.ends_with("slack.url"));
    }

    #[test]
    fn a_path_is_one_word_to_a_shell() {
        assert_eq!(quoted(Path::new("/srv/leadops")), "/srv/leadops");
        assert_eq!(quoted(Path::new("/a b/$(c)'d")), r"'/a b/$(c)'\''d'");
    }
}
