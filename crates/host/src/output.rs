//! Printing, for people or as JSON for scripts.
//!
//! Whatever a command says goes through here, and no text of somebody else's steers the terminal that it is
//! printed on: not from an object that others can write, and not from an answer.

use std::io::{self, IsTerminal as _, Write};

use outside::text::printable;
use pipeline::{Code, Fault};
use serde::Serialize;

/// Writes one line to stdout; a line break in it becomes a space, so that no text passes for a line of ours.
///
/// # Errors
/// [`Code::OutputUnwritable`]; where it is only a closed pipe, that of the stream, see [`is_closed_pipe`].
pub fn line(text: &str) -> anyhow::Result<()> {
    document(&printable(text))
}

/// Writes several lines to stdout, each as [`line()`] does.
///
/// # Errors
/// As [`line()`].
pub fn lines(lines: &[String]) -> anyhow::Result<()> {
    let printable: Vec<_> = lines.iter().map(|line| printable(line)).collect();
    document(&printable.join("\n"))
}

/// Writes a text that is ours alone to stdout as it is, such as a script for a shell, and ends it.
///
/// # Errors
/// As [`line()`].
pub fn document(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").map_err(unwritten)
}

/// Writes a document from outside to stdout: byte for byte, or, where stdout is a terminal, line by line as [`lines()`] does.
///
/// # Errors
/// As [`line()`].
pub fn verbatim(bytes: &[u8]) -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        let text = String::from_utf8_lossy(bytes);
        return lines(&text.lines().map(str::to_owned).collect::<Vec<_>>());
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(unwritten)
}

/// What it means that stdout could not be written.
pub fn unwritten(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => anyhow::Error::new(error).context("stdout"),
        _ => Fault::new(Code::OutputUnwritable, format!("standard output: {error}")).into(),
    }
}

/// Writes one line to stderr, for people, as [`line()`] does. Where it cannot be written there is nobody to hear
/// of that, and it is no reason to stop.
pub fn aside(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(text));
}

/// Writes a question to stderr, and leaves the cursor behind it.
pub fn prompt(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{} ", printable(text)).and_then(|()| stderr.flush());
}

/// Writes one JSON document on one line, harmless to a terminal: what could steer it is escaped.
///
/// # Errors
/// That of the stream.
pub fn json<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<()> {
    line(&escaped(&serde_json::to_string(value)?))
}

/// JSON escapes the control characters of ASCII by itself. Those of Latin-1 and the bidirectional and
/// invisible ones may stand in it as they are; as they can only stand in strings, escaping them changes
/// no value.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.bytes().position(|byte| !(b' '..0x7f).contains(&byte)) {
        let (plain, other) = rest.split_at(at);
        escaped.push_str(plain);
        let mut chars = other.chars();
        if let Some(c) = chars.next() {
            if c.is_control() || outside::text::is_formatting(c) {
                let mut units = [0; 2];
                escaped.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            } else {
                escaped.push(c);
            }
        }
        rest = chars.as_str();
    }
    escaped.push_str(rest);
    escaped
}

/// Whether an error is only that nobody reads our output any more, as in `leadops leads | head -1`.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_harmless_and_means_the_same() {
        let hostile = serde_json::json!({"name": "a\u{9b}2J\u{202e}b\u{1b}[31m\u{e0001}株🚀"});
        let text = escaped(&hostile.to_string());
        assert!(!text.chars().any(|c| c.is_control() || outside::text::is_formatting(c)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), hostile);
    }
}
