//! [`Fixture`]: a folder of `tests/upgrade`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lead::Timestamp;
use serde::{Deserialize, Serialize};

use super::Outputs;

/// Where they are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/upgrade");
const OUTPUTS: &str = "said.json";

/// What a version left in one place.
pub struct Fixture {
    /// Its files.
    pub folder: PathBuf,
    /// When it was left so.
    pub at: Timestamp,
    /// What that version's commands printed about it.
    pub outputs: Outputs,
}

#[derive(Deserialize, Serialize)]
struct File {
    at: Timestamp,
    #[serde(rename = "said")]
    outputs: Outputs,
}

impl Fixture {
    /// The folder of a version and a place.
    pub fn folder(version: &str, place: &str) -> PathBuf {
        Path::new(FOLDER).join(version).join(place)
    }

    /// All versions that have a folder, in the order of their names.
    pub fn versions() -> Vec<String> {
        let entries = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap());
        let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        let mut names: Vec<String> =
            folders.map(|folder| folder.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What a version left in a place.
    pub fn of(version: &str, place: &str) -> Self {
        let folder = Self::folder(version, place);
        let text = fs::read_to_string(folder.join(OUTPUTS)).unwrap();
        let File { at, outputs } = serde_json::from_str(&text).unwrap();
        Self { folder, at, outputs }
    }

    /// Writes what goes with the files of the folder.
    pub fn write(folder: &Path, at: Timestamp, outputs: Outputs) {
        let text = serde_json::to_string_pretty(&File { at, outputs }).unwrap();
        fs::write(folder.join(OUTPUTS), text + "\n").unwrap();
    }
}
