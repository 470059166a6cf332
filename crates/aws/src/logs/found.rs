//! A line that was found, and its position among the others.

use std::fmt;

use pipeline::ports::LogLine;

/// A line and its position.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// CloudWatch's time of the event, in milliseconds since 1970.
    pub(super) at: i64,
    /// CloudWatch's identity of the event.
    pub(super) id: String,
    pub(super) line: LogLine,
}

impl Found {
    pub(super) fn cursor(&self) -> String {
        Cursor { at: self.at, id: self.id.clone() }.to_string()
    }

    pub(super) fn into_line(self) -> LogLine {
        LogLine { cursor: self.cursor(), ..self.line }
    }
}

/// The position of a line, see [`pipeline::ports::LogLine::cursor`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// In milliseconds since 1970.
    pub(super) at: i64,
    /// The event's id.
    pub(super) id: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.id)
    }
}

impl Cursor {
    /// `None` for a cursor of another source.
    pub(super) fn parse(cursor: &str) -> Option<Self> {
        let (at, id) = cursor.split_once('.')?;
        Some(Self { at: at.parse().ok()?, id: id.to_owned() })
    }
}
