//! Printing: the same rows as a table for people or as JSON for scripts.
//!
//! Whatever a command says goes through here, and no text of somebody else's steers the terminal that it is
//! printed on: not from an object that others can write, and not from an answer.

use std::io::{self, IsTerminal, Write};

use lead::text::printable;
use pipeline::{Code, Fault};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::owner_cell::OwnerCell;

/// Writes one line to stdout; a line break in it becomes a space, so that no text passes for a line of ours.
///
/// # Errors
/// [`Code::OutputUnwritable`]; where it is only a closed pipe, that of the stream, see [`is_closed_pipe`].
pub fn line(text: &str) -> anyhow::Result<()> {
    document(&printable(text))
}

/// Writes several lines to stdout, each as [`line`] does.
///
/// # Errors
/// As [`line`].
pub fn lines(lines: &[String]) -> anyhow::Result<()> {
    let printable: Vec<_> = lines.iter().map(|line| printable(line)).collect();
    document(&printable.join("\n"))
}

/// Writes a text that is ours alone to stdout as it is, such as a script for a shell, and ends it.
///
/// # Errors
/// As [`line`].
pub fn document(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").map_err(unwritten)
}

/// What it means that stdout could not be written.
pub fn unwritten(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => anyhow::Error::new(error).context("stdout"),
        _ => Fault::new(Code::OutputUnwritable, format!("standard output: {error}")).into(),
    }
}

/// Writes one line to stderr, for people, as [`line`] does. Where it cannot be written there is nobody to hear
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
            if c.is_control() || lead::text::is_formatting(c) {
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

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Whether it holds numbers.
    pub right: bool,
    /// Whether it gives way where the terminal is too narrow.
    pub shrinks: bool,
}

/// A column of text.
pub const fn text(title: &'static str) -> Column {
    Column { title, right: false, shrinks: false }
}

/// A column of text that gives way.
pub const fn wide(title: &'static str) -> Column {
    Column { title, right: false, shrinks: true }
}

/// A column of numbers.
pub const fn number(title: &'static str) -> Column {
    Column { title, right: true, shrinks: false }
}

/// A cell.
#[derive(Debug, Clone)]
pub enum Cell {
    /// A text, whose end gives way.
    Text(String),
    /// A lead's owners.
    Owners(OwnerCell),
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Cell {
    fn clean(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(lead::text::clean(&text)),
            Self::Owners(owners) => Self::Owners(owners),
        }
    }

    /// How wide it is where nothing is cut.
    fn width(&self) -> usize {
        match self {
            Self::Text(text) => text.width(),
            Self::Owners(owners) => owners.all().width(),
        }
    }

    /// Its text in at most `width` columns.
    fn fit(&self, width: usize) -> String {
        match self {
            Self::Text(text) => fit(text, width),
            Self::Owners(owners) => owners.fit(width, UnicodeWidthStr::width, fit),
        }
    }
}

/// Prints a table; `empty` where it has no rows.
///
/// # Errors
/// That of the stream.
pub fn table<C: Into<Cell>>(columns: &[Column], rows: Vec<Vec<C>>, empty: &str) -> anyhow::Result<()> {
    if rows.is_empty() {
        return line(empty);
    }
    lines(&layout(columns, rows, terminal_width()))
}

/// The width to keep to: the terminal's, or none where stdout is no terminal.
fn terminal_width() -> Option<usize> {
    let (columns, _) = io::stdout().is_terminal().then(|| crossterm::terminal::size().ok()).flatten()?;
    Some(usize::from(columns))
}

fn layout<C: Into<Cell>>(columns: &[Column], rows: Vec<Vec<C>>, width: Option<usize>) -> Vec<String> {
    let titles: Vec<Cell> = columns.iter().map(|column| column.title.to_uppercase().into()).collect();
    let cells: Vec<Vec<Cell>> = std::iter::once(titles)
        .chain(rows.into_iter().map(|row| row.into_iter().map(|cell| cell.into().clean()).collect()))
        .collect();
    let mut widths: Vec<usize> = (0..columns.len())
        .map(|index| cells.iter().filter_map(|row| row.get(index)).map(Cell::width).max().unwrap_or(0))
        .collect();
    if let Some(width) = width {
        let gaps = 2 * columns.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        for (column, size) in columns.iter().zip(&mut widths).rev() {
            if column.shrinks {
                let give = excess.min(size.saturating_sub(12));
                *size -= give;
                excess -= give;
            }
        }
    }
    let lines = cells.iter().map(|row| {
        let padded = columns
            .iter()
            .zip(&widths)
            .zip(row)
            .map(|((column, width), cell)| pad(cell, *width, column.right));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect()
}

/// A cell in exactly `width` columns.
fn pad(cell: &Cell, width: usize, right: bool) -> String {
    let text = cell.fit(width);
    let space = " ".repeat(width.saturating_sub(text.width()));
    if right { space + &text } else { text + &space }
}

/// `text` in at most `width` cells, cut with a mark where it is longer.
fn fit(text: &str, width: usize) -> String {
    use unicode_segmentation::UnicodeSegmentation;
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for cluster in text.graphemes(true) {
        if kept.width() + cluster.width() + 1 > width {
            break;
        }
        kept.push_str(cluster);
    }
    if width > 0 {
        kept.push(lead::text::ELLIPSIS);
    }
    kept
}

/// A time span as people say it: `850 ms` is for measures, this is for ages: `12 s`, `4 min`, `3 h`, `2 d`.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner_cell::tests::departed;

    #[test]
    fn columns_align_whatever_is_in_them() {
        let rows = vec![
            vec!["株式会社みなと".to_owned(), "7".to_owned()],
            vec!["Zoë\u{1b}[31m & So\u{308}hne".to_owned(), "1234".to_owned()],
        ];
        let table = layout(&[wide("name"), number("n")], rows.clone(), None).join("\n");
        let ends: Vec<usize> = table.lines().map(UnicodeWidthStr::width).collect();
        assert_eq!(ends, [ends[0]; 3], "{table}");
        assert!(!table.contains('\u{1b}'));
        let narrow = layout(&[wide("name"), number("n")], rows, Some(18)).join("\n");
        assert!(narrow.lines().all(|line| line.width() <= 18) && narrow.contains('…'), "{narrow}");
    }

    #[test]
    fn owners_give_way_before_what_has_to_be_read_behind_them() {
        let long = "The Department of Forms";
        let row = |lead| vec![Cell::from("x".repeat(8)), Cell::Owners(OwnerCell::of(&lead))];
        let rows = vec![row(departed(long)), row(departed("Renewals Desk"))];
        let columns = [text("id"), wide("owner")];
        assert_eq!(
            layout(&columns, rows.clone(), Some(8 + 2 + 20)),
            ["ID        OWNER", "xxxxxxxx  The Depa… (departed)", "xxxxxxxx  Renewals… (departed)"]
        );
        let whole = layout(&columns, rows, None).join("\n");
        assert!(whole.contains("The Department of Forms (departed)\nxxxxxxxx  Renewals Desk (departed)"));
    }

    #[test]
    fn json_is_harmless_and_means_the_same() {
        let hostile = serde_json::json!({"name": "a\u{9b}2J\u{202e}b\u{1b}[31m\u{e0001}株🚀"});
        let text = escaped(&hostile.to_string());
        assert!(!text.chars().any(|c| c.is_control() || lead::text::is_formatting(c)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), hostile);
    }

    #[test]
    fn ages_are_short() {
        assert_eq!([age(5), age(300), age(10_000), age(200_000)], ["5 s", "5 min", "2 h", "2 d"]);
    }
}
