//! Paths as people write them.

use std::path::{Path, PathBuf};

use outside::text;
use pipeline::{Code, Fault};

/// The path that `text` names: a leading `~` is the home folder, as in a shell, which expands neither values in env
/// files nor what follows `=` in an argument.
pub(super) fn expand(text: &str) -> PathBuf {
    with_home(text, directories::BaseDirs::new().as_ref().map(directories::BaseDirs::home_dir))
}

/// The folder of a pipeline that `text` names. Unexpanded shell syntax is refused: it would become a new, empty folder in
/// the current directory.
///
/// # Errors
/// [`Code::FolderUnusable`] for a leading quotation mark, `$`, `%` or `~name`.
pub(super) fn folder(text: &str) -> Result<PathBuf, Fault> {
    let path = expand(text);
    let is_raw = path.to_str().is_some_and(|path| path.starts_with(['"', '\'', '$', '%', '~', '`', '<']));
    if is_raw {
        let shown = text::shorten(text, 80);
        let what = format!("{shown} is not a folder: its beginning has not been expanded");
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
    fn unexpanded_shell_syntax_is_not_a_folder() {
        for text in ["\"/tmp/x", "$HOME/q", "%h/q", "~other/q", "<folder>", "'"] {
            assert!(folder(text).is_err_and(|fault| fault.code == Code::FolderUnusable), "{text}");
        }
        for text in ["/srv/$x", "./~x", "leads"] {
            assert_eq!(folder(text).unwrap(), Path::new(text));
        }
    }

    #[test]
    fn only_a_leading_tilde_is_the_home_folder() {
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
