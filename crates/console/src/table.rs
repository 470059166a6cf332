//! Tables for people, as wide as the terminal.

use std::io::{self, IsTerminal};

use host::output::{line, lines};
use lead::Timestamp;
use ops::OwnerCell;
use unicode_width::UnicodeWidthStr;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its title.
    pub(crate) title: &'static str,
    /// Whether it holds numbers.
    pub(crate) right: bool,
    /// Whether it shrinks if the terminal is too narrow.
    pub(crate) shrinks: bool,
}

/// A column of text.
pub(crate) const fn text(title: &'static str) -> Column {
    Column { title, right: false, shrinks: false }
}

/// A column of text that shrinks.
pub(crate) const fn wide(title: &'static str) -> Column {
    Column { title, right: false, shrinks: true }
}

/// A column of numbers.
pub(crate) const fn number(title: &'static str) -> Column {
    Column { title, right: true, shrinks: false }
}

/// A cell.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// A text, cut at its end.
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
            Self::Text(text) => Self::Text(outside::text::clean(&text)),
            Self::Owners(owners) => Self::Owners(owners),
        }
    }

    /// Its width if nothing is cut.
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

/// Prints a table, or `empty` if it has no rows.
///
/// # Errors
/// That of the stream.
pub(crate) fn table<C: Into<Cell>>(columns: &[Column], rows: Vec<Vec<C>>, empty: &str) -> anyhow::Result<()> {
    if rows.is_empty() {
        return line(empty);
    }
    lines(&layout(columns, rows, terminal_width()))
}

/// Prints a table, and how many more there are than its rows.
///
/// # Errors
/// That of the stream.
pub(crate) fn table_of(
    count: u64,
    columns: &[Column],
    rows: Vec<Vec<String>>,
    empty: &str,
) -> anyhow::Result<()> {
    let more = count.saturating_sub(rows.len() as u64);
    table(columns, rows, empty)?;
    if more > 0 { line(&format!("and {more} more")) } else { Ok(()) }
}

/// The maximal width: the terminal's, or none if stdout is not a terminal.
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
        kept.push(outside::text::ELLIPSIS);
    }
    kept
}

/// How long before `now` that was; see [`age`].
pub(crate) fn age_since(now: Timestamp, at: Timestamp) -> String {
    age(tui::format::since(now, at))
}

/// A time span as people say it: `850 ms` is for measures, this is for ages: `12 s`, `4 min`, `3 h`, `2 d`.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use lead::{EnrichedLead, OwnerStatus};
    use serde_json::json;

    /// A lead whose only owner has left.
    fn departed(name: &str) -> EnrichedLead {
        lead(OwnerStatus::Departed, &[(name, false)])
    }

    /// A lead with these owners, each active or not.
    pub(crate) fn lead(status: OwnerStatus, owners: &[(&str, bool)]) -> EnrichedLead {
        let first = owners.iter().find(|(_, active)| *active).or(owners.first());
        let all: Vec<_> =
            owners.iter().map(|(name, active)| json!({"name": name, "active": active})).collect();
        let at = "2026-03-02T12:00:00Z";
        let lead = json!({
            "lead_id": "lead_a", "display_name": "Unknown", "status_label": "Unknown", "date_created": "Unknown",
            "lead_email": "unknown@example.com", "lead_owner": first.map_or("Unassigned", |(name, _)| name),
            "funnel": "Unknown", "received_at": at, "enriched_at": at, "owner_status": status, "owners": all,
        });
        serde_json::from_value(lead).unwrap()
    }

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
    fn ages_are_short() {
        assert_eq!([age(5), age(300), age(10_000), age(200_000)], ["5 s", "5 min", "2 h", "2 d"]);
    }
}
