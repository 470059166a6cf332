//! Dead letters in a file: one a line as JSON, with its message.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use host::private;
use pipeline::{Code, Fault, ports::DeadLetter};
use serde_json::Value;

/// Creates a file that only its owner can read, as messages contain leads.
///
/// # Errors
/// [`Code::FileUnusable`], also if anything with this name exists.
pub fn create(path: &Path) -> Result<File, Fault> {
    private::create(path).map_err(|error| match error.kind() {
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

/// A dead letter and its message, as one line has them.
///
/// # Errors
/// [`Code::Internal`].
pub fn row(letter: &DeadLetter, body: &str) -> Result<Value, Fault> {
    let mut row = serde_json::to_value(letter).map_err(|e| Fault::new(Code::Internal, e.to_string()))?;
    row["body"] = body.into();
    Ok(row)
}

/// Writes all of them, and syncs the file to disk.
///
/// # Errors
/// [`Code::FileUnusable`].
pub fn write(file: File, path: &Path, exported: &[(DeadLetter, String)]) -> Result<(), Fault> {
    let mut file = io::BufWriter::new(file);
    for (letter, body) in exported {
        writeln!(file, "{}", row(letter, body)?).map_err(|error| unusable(path, &error))?;
    }
    let written = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    written.map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Code::FileUnusable, format!("{}: {error}", path.display()))
}
