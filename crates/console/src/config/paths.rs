//! Paths as people write them.

use std::path::{Path, PathBuf};

use outside::text;
use pipeline::{Code, Fault};

/// The path that `text` names: `~` in front is the home folder, as in a shell, which sees neither the values of env
/// files nor what follows `=` in an argument.
pub(super) fn expanded(text: &str) -> PathBuf {
    with_home(text, directories::BaseDirs::new().as_ref().map(directories::BaseDirs::home_dir))
}

/// The folder of a pipeline that `text` names: one that a shell was to make something of is none, and would be made anew
/// and empty where the program happens to stand.
///
/// # Errors
/// [`Code::FolderUnusable`] for a quotation mark, `$`, `%` or `~name` in front.
pub(super) fn folder(text: &str) -> Result<PathBuf, Fault> {
    let path = expanded(text);
    let is_raw = path.to_str().is_some_and(|path| path.starts_with(['"', '\'', '$', '%', '~', '`', '<']));
    if is_raw {
        let shown = text::shorten(text, 80);
        let what = format!("{shown} is no folder: nothing has replaced what stands in front of it");
        return Err(Fault::new(Code::FolderUnusable, what));
    }
    Ok(path)
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
    fn what_a_shell_was_to_replace_is_no_folder() {
        for text in ["\"/tmp/x", "$HOME/q", "%h/q", "~other/q", "<folder>", "'"] {
            assert!(folder(text).is_err_and(|fault| fault.code == Code::FolderUnusable), "{text}");
        }
        for text in ["/srv/$x", "./~x", "leads"] {
            assert_eq!(folder(text).unwrap(), Path::new(text));
        }
    }

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
