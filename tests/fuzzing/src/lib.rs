//! What must hold for any bytes from outside, as functions that panic where it does not.
//!
//! `cargo test` runs each over its seeds and some thousand damaged copies of them; `fuzz/run` lets
//! libFuzzer look for worse.

#![allow(clippy::unwrap_used, reason = "a panic is a finding")]

use std::{fs, path::PathBuf, sync::LazyLock, thread};

use tempfile::TempDir;

mod cells;
mod envelopes;
mod gateway;
mod keys;
mod messages;
mod owner;
mod queries;
mod secrets;
mod settings;
#[cfg(test)]
mod tests;
mod webhook;

pub use cells::cells;
pub use envelopes::envelopes;
pub use gateway::gateway;
pub use keys::keys;
pub use messages::messages;
pub use owner::owner;
pub use queries::queries;
pub use secrets::secrets;
pub use settings::settings;
pub use webhook::webhook;

/// A target: its name and what it demands of any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("cells", cells),
    ("envelopes", envelopes),
    ("gateway", gateway),
    ("keys", keys),
    ("messages", messages),
    ("owner", owner),
    ("queries", queries),
    ("secrets", secrets),
    ("settings", settings),
    ("webhook", webhook),
];

/// This thread's folder for a target, the same each time.
fn folder(target: &str) -> PathBuf {
    static ALL: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    let folder = ALL.path().join(target).join(format!("{:?}", thread::current().id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// One line that can steer no terminal.
#[track_caller]
fn harmless(line: &str) {
    let found = line.chars().find(|c| c.is_control() || outside::text::is_formatting(*c));
    assert!(found.is_none(), "{found:?} in {line:?}");
}

/// As [`harmless`], and of a length that a person reads.
#[track_caller]
fn readable(line: &str, longest: usize) {
    harmless(line);
    assert!(line.chars().count() <= longest, "{} characters: {line:?}", line.chars().count());
}

/// The bytes as texts, cut at each zero byte.
fn texts(data: &[u8]) -> Vec<String> {
    data.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}
