//! Lines of text with roles, which is all that is drawn and all that is searched.

use super::{text, theme::Role};

/// A line: pieces of safe text with their roles.
pub type Line = Vec<(Role, String)>;

/// How many columns a line takes.
pub fn width(line: &[(Role, String)]) -> usize {
    line.iter().map(|(_, text)| text::width(text)).sum()
}

/// The text of a line.
pub fn plain(line: &Line) -> String {
    line.iter().map(|(_, text)| text.as_str()).collect()
}
