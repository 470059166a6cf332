//! Paths as people write them.

use std::path::{Path, PathBuf};

/// The path that `text` names: `~` in front is the home folder, as in a shell, which sees neither the values of env
/// files nor what follows `=` in an argument.
pub(super) fn expanded(text: &str) -> PathBuf {
    with_home(text, directories::BaseDirs::new().as_ref().map(directories::BaseDirs::home_dir))
}

/// The same of what is a path already.
pub(super) fn expanded_path(path: &Path) -> PathBuf {
    path.to_str().map_or_else(|| path.to_owned(), expanded)
}

fn with_home(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_is_meant_by_a_tilde_in_front_alone() {
        for (text, path) in [
            ("~", "/home/u"),
            ("~/leads", "/home/u/leads"),
            ("~//leads", "/home/u/leads"),
            ("/srv/~", "/srv/~"),
            ("./~", "./~"),
            ("~other/leads", "~other/leads"),
            ("leads", "leads"),
        ] {
            assert_eq!(with_home(text, Some(Path::new("/home/u"))), Path::new(path), "{text}");
        }
        assert_eq!(with_home("~/leads", None), Path::new("~/leads"));
    }
}
