//! Text on its way into a terminal's cells.

use outside::text;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use tui::text::{ASCII, UTF8, width};

use super::harmless;

/// * No control, bidirectional or invisible character and no escape sequence survives, in either set
///   of glyphs, and cleaning twice changes nothing.
/// * What fits a number of columns takes no more, and touches no cell beside its own.
/// * Texts for messages keep their limits and are escaped.
pub fn cells(data: &[u8]) {
    let (columns, data) = match data.split_first() {
        Some((first, rest)) => (usize::from(*first % 80), rest),
        None => (0, data),
    };
    let text = String::from_utf8_lossy(data);
    for glyphs in [&UTF8, &ASCII] {
        let safe = glyphs.safe(&text);
        harmless(&safe);
        assert!(!safe.contains('\u{200d}'));
        assert_eq!(glyphs.safe(&safe), safe);
        if !glyphs.utf8 {
            assert!(safe.is_ascii());
        }
        let lines = glyphs.wrap_at_most(&text, columns, 3);
        assert!(lines.len() <= 3);
        for line in lines {
            assert!(width(&line) <= columns.max(1), "{line:?}");
            harmless(&line);
        }
        for line in [glyphs.fit(&text, columns), glyphs.fit_middle(&text, columns)] {
            assert!(width(&line) <= columns, "{line:?}");
            harmless(&line);
            stays(&line, columns);
        }
    }
    let line = text::clean(&text);
    harmless(&line);
    assert_eq!(text::clean(&line), line);
    harmless(&text::clean_indented(&text));
    let ascii = text::ascii(&text);
    assert!(ascii.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let short = text::shorten(&text, columns);
    assert!(short.chars().count() <= columns);
    harmless(&short);
    let slack = text::slack(&text, columns);
    assert!(text::utf16(&slack) <= columns && !slack.contains(['<', '>']));
}

/// Drawn between two marks, the line leaves both as they were.
fn stays(line: &str, columns: usize) {
    let wide = u16::try_from(columns).unwrap() + 2;
    let mut buffer = Buffer::empty(Rect::new(0, 0, wide, 1));
    buffer.set_string(0, 0, "[", Style::new());
    buffer.set_string(wide - 1, 0, "]", Style::new());
    buffer.set_stringn(1, 0, line, columns, Style::new());
    let symbol = |x: u16| buffer.cell((x, 0)).unwrap().symbol().to_owned();
    assert_eq!((symbol(0).as_str(), symbol(wide - 1).as_str()), ("[", "]"));
    let drawn: String = (1..wide - 1).map(symbol).collect();
    assert!(!drawn.chars().any(char::is_control), "{drawn:?}");
}
