//! Dead letters in a file: one a line as JSON, with its message.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use host::private;
use pipeline::{Code, Fault, ports::DeadLetter};
use serde_json::Value;

/// A dead letter and its message, as one line has them.
///
/// # Errors
/// [`Code::Internal`].
pub fn row(letter: &DeadLetter, body: &str) -> Result<Value, Fault> {
    let mut row = serde_json::to_value(letter).map_err(|e| Fault::new(Code::Internal, e.to_string()))?;
    row["body"] = body.into();
    Ok(row)
}

/// A new file for them.
pub struct Export<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> Export<'a> {
    /// Creates a file that only its owner can read, as messages contain leads.
    ///
    /// # Errors
    /// [`Code::FileUnusable`], also if anything with this name exists.
    pub fn create(path: &'a Path) -> Result<Self, Fault> {
        private::create(path).map(|file| Self { path, file }).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let what = format!(
                    "{}: something with this name already exists and was not changed; choose another file, or \
                     delete it first",
                    path.display()
                );
                Fault::new(Code::FileUnusable, what)
            }
            _ => unusable(path, &error),
        })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// [`Code::FileUnusable`].
    pub fn write(&mut self, letter: &DeadLetter, body: &str) -> Result<(), Fault> {
        // In one write: the file has no buffer, so that a full disk is known of at the letter that it befell.
        let line = format!("{}\n", row(letter, body)?);
        self.file.write_all(line.as_bytes()).map_err(|error| unusable(self.path, &error))
    }

    /// Syncs the file to the disk.
    ///
    /// # Errors
    /// [`Code::FileUnusable`].
    pub fn finish(self) -> Result<(), Fault> {
        self.file.sync_all().map_err(|error| unusable(self.path, &error))
    }
}

fn unusable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Code::FileUnusable, format!("{}: {error}", path.display()))
}
