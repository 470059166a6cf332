//! The person's own editor.

use std::{path::Path, process::Command};

use pipeline::{Code, Fault};

/// Opens a file in `$VISUAL` or `$EDITOR` and waits until it is closed.
///
/// # Errors
/// [`Code::EditorFailed`] where neither is set or the editor fails.
pub fn open(path: &Path) -> Result<(), Fault> {
    let named = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()));
    let editor = named.ok_or_else(|| Fault::new(Code::EditorFailed, "neither VISUAL nor EDITOR is set"))?;
    // The variable may hold arguments, as in `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let status = Command::new(program).args(words).arg(path).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Fault::new(Code::EditorFailed, format!("{program} ended with {status}"))),
        Err(error) => Err(Fault::new(Code::EditorFailed, format!("{program} cannot be started: {error}"))),
    }
}
