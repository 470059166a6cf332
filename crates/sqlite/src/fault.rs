//! What is said of the store's files.

use std::{fmt::Display, path::Path};

use pipeline::{Code, Fault};

/// What is the matter with a file or a folder, by its name.
pub(crate) fn fault_of(path: &Path, code: Code, what: impl Display) -> Fault {
    Fault::new(code, outside::text::shorten(&format!("{}: {what}", path.display()), 500))
}
