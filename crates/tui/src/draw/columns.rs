//! The columns of a table: which fit, and how wide each is.

/// How a text stands in its cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// On the left.
    Left,
    /// On the right: a number or a time.
    Right,
    /// On the left, its middle left out if it is too long.
    Id,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name, also that of what it is sorted by.
    pub title: &'static str,
    /// How wide it is at least, and at most.
    pub width: (usize, usize),
    /// Its share of what is left.
    pub share: usize,
    /// From which width of the table on it is shown.
    pub from: usize,
    /// How its texts stand in it.
    pub align: Align,
}

/// A column of text.
pub const fn text(title: &'static str, least: usize, most: usize, share: usize, from: usize) -> Column {
    Column { title, width: (least, most), share, from, align: Align::Left }
}

/// A column of ids.
pub const fn id(title: &'static str, least: usize, most: usize, share: usize, from: usize) -> Column {
    Column { align: Align::Id, ..text(title, least, most, share, from) }
}

/// A column of numbers, of one width.
pub const fn number(title: &'static str, width: usize, from: usize) -> Column {
    Column { title, width: (width, width), share: 0, from, align: Align::Right }
}

/// How wide each column is in a table of `total`; 0 if it is not shown. A gap of one between them.
pub fn widths(columns: &[Column], total: usize) -> Vec<usize> {
    let shown = |column: &Column| column.from <= total;
    let mut widths: Vec<usize> =
        columns.iter().map(|column| if shown(column) { column.width.0 } else { 0 }).collect();
    let gaps = widths.iter().filter(|width| **width > 0).count().saturating_sub(1);
    let mut left = total.saturating_sub(gaps + widths.iter().sum::<usize>());
    // The others share what one does not need.
    while left > 0 {
        let hungry: Vec<usize> = (0..columns.len())
            .filter(|at| widths[*at] > 0 && columns[*at].share > 0 && widths[*at] < columns[*at].width.1)
            .collect();
        let shares: usize = hungry.iter().map(|at| columns[*at].share).sum();
        if shares == 0 {
            break;
        }
        let before = left;
        for at in hungry {
            let most = columns[at].width.1 - widths[at];
            let given = (before * columns[at].share / shares).max(1).min(most).min(left);
            widths[at] += given;
            left -= given;
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_share_what_is_left_and_go_where_there_is_no_room() {
        let columns = [text("name", 6, 20, 2, 0), text("reason", 6, 90, 1, 30), number("age", 4, 0)];
        assert_eq!(widths(&columns, 20), [15, 0, 4]);
        assert_eq!(widths(&columns, 40), [20, 14, 4]);
        assert_eq!(widths(&columns, 0), [6, 0, 4]);
    }
}
