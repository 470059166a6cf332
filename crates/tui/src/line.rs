//! Lines of text with roles, which is all that is drawn and all that is searched.

use super::theme::Role;

/// A line: pieces of safe text with their roles.
pub type Line = Vec<(Role, String)>;

/// The text of a line.
pub fn plain(line: &Line) -> String {
    line.iter().map(|(_, text)| text.as_str()).collect()
}
