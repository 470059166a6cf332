//! Making text from outside harmless: cleaning, shortening, escaping.
//!
//! A lead's name is written by strangers. It may hold control and bidirectional characters, Slack
//! markup, or ten thousand letters. All such text in alerts, mail headers and terminals
//! passes through these functions.

use std::{borrow::Cow, error::Error, iter};

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// The mark where text was cut.
pub const ELLIPSIS: char = '…';

/// An error with its causes, each once, on one line. Not yet clean.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in causes(error) {
        let of_cause = cause.to_string();
        if !text.contains(&of_cause) {
            text = format!("{text}: {of_cause}");
        }
    }
    text
}

/// The chain of an error's causes.
pub fn causes<'a>(error: &'a dyn Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(error.source(), |&inner| inner.source())
}

/// One line without control, bidirectional or invisible formatting characters.
///
/// White space of any kind, line breaks and blank letters included, becomes one space; the ends are
/// trimmed. The line begins with the first visible character, so that one without any is empty.
/// The joiner U+200D stays behind others, because emoji are made with it, and so do combining marks.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut space = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        // Most texts are plain: their words are copied whole.
        let plain = rest.bytes().take_while(u8::is_ascii_graphic).count();
        let (part, after) = rest.split_at(plain.max(first.len_utf8()));
        rest = after;
        if plain == 0 && (first.is_whitespace() || first.is_control() || is_blank(first)) {
            space = true;
        } else if plain > 0 || !(is_formatting(first) || cleaned.is_empty() && is_invisible(first)) {
            if space && !cleaned.is_empty() {
                cleaned.push(' ');
            }
            space = false;
            cleaned.push_str(part);
        }
    }
    cleaned
}

/// [`clean`], keeping the spaces that a line of laid-out JSON begins with.
pub fn clean_indented(line: &str) -> String {
    let indent = line.chars().take_while(|c| *c == ' ').count().min(200);
    " ".repeat(indent) + &clean(line)
}

/// One line that is safe to print: nothing in it controls a terminal, and everything else is unchanged, including the
/// spaces that make columns.
///
/// For lines laid out from several texts, each of which [`clean`] could have handled. Control characters, C1 and line
/// breaks included, become a space each; formatting ones are removed.
pub fn printable(line: &str) -> Cow<'_, str> {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    // Most lines are.
    if line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Cow::Borrowed(line);
    }
    let shown = line.chars().filter(|c| is_break(*c) || !is_formatting(*c));
    Cow::Owned(shown.map(|c| if is_break(c) { ' ' } else { c }).collect())
}

/// Invisible characters that change how their neighbours are shown.
///
/// Bidirectional controls (UAX #9), zero-width spaces, soft hyphen, interlinear annotations, language
/// tags, variation selectors of the supplement, and the byte order mark.
pub fn is_formatting(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e0fff}')
}

/// Letters and symbols that only look like white space.
///
/// The braille pattern without dots, the Hangul fillers that stand by themselves, the note without a head
/// and the blanks of Egyptian quadrats. None of them has the property White_Space.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{13441}' | '\u{13442}' | '\u{1d159}')
}

/// Characters that are invisible without another before them: joiners, combining marks, variation
/// selectors, whatever else Unicode calls default ignorable, and the fillers for parts of Hangul syllables.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}') || c.width() == Some(0)
}

/// `text` cleaned, or `instead` where nothing is left of it.
pub fn clean_or(text: &str, instead: &str) -> String {
    let cleaned = clean(text);
    if cleaned.is_empty() { instead.to_owned() } else { cleaned }
}

/// The longest value, in characters, that is taken from an event or an owner document. More of a name is not read, and a
/// listing of a hundred leads must not need a hundred megabytes.
pub const VALUE_LIMIT: usize = 1_000;

/// `text` cleaned and of at most `longest` characters, the last one an ellipsis where it was cut.
///
/// Cuts between grapheme clusters, so that no accent is lost and no emoji is split.
pub fn shorten(text: &str, longest: usize) -> String {
    shorten_with(&clean(text), longest, |cluster| cluster.chars().count(), str::to_owned)
}

/// `text` cleaned, escaped for Slack (`&`, `<`, `>`) and of at most `longest` UTF-16 units.
///
/// Slack does not say which unit its limits are in; UTF-16 units are the most cautious that a
/// JavaScript or Java service would use. An entity is never cut in half.
/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>
pub fn slack(text: &str, longest: usize) -> String {
    shorten_with(&clean(text), longest, |cluster| utf16(&escape_slack(cluster)), escape_slack)
}

/// The number of UTF-16 units in `text`.
pub fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

fn escape_slack(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Takes clusters while they fit, leaving room for the ellipsis.
fn shorten_with(
    text: &str,
    longest: usize,
    size: impl Fn(&str) -> usize,
    write: impl Fn(&str) -> String,
) -> String {
    // Most texts fit.
    if size(text) <= longest {
        return write(text);
    }
    let mut written = String::new();
    let mut used = 0;
    // How much of `written` fits together with the ellipsis.
    let mut keep = 0;
    for cluster in text.graphemes(true) {
        used += size(cluster);
        if used > longest {
            written.truncate(keep);
            if longest > 0 {
                written.truncate(written.trim_end().len());
                written.push(ELLIPSIS);
            }
            return written;
        }
        written.push_str(&write(cluster));
        if used < longest {
            keep = written.len();
        }
    }
    written
}

/// The first few of many in one line, each as `name` has it, and how many more there are.
pub fn first_few<T>(all: &[T], most: usize, name: impl Fn(&T) -> String) -> String {
    let line = all.iter().take(most).map(name).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(most) {
        0 => line,
        more => format!("{line} and {more} more"),
    }
}

/// `text` in printable ASCII: letters lose their accents, other scripts are transliterated,
/// and what cannot be is removed.
pub fn ascii(text: &str) -> String {
    let folded = deunicode::deunicode_with_tofu(&clean(text), "");
    clean(&folded).chars().filter(|c| matches!(c, ' '..='~')).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn clean_leaves_one_harmless_line() {
        assert_eq!(
            clean("line one\nline two\twith tab \u{202e} reversed"),
            "line one line two with tab reversed"
        );
        assert_eq!(clean("\u{1b}[31mred\u{7}\u{9b}2J"), "[31mred 2J");
        assert_eq!(clean("  a\u{200b}b\u{feff}c  "), "abc");
        assert_eq!(clean("👩\u{200d}🚀"), "👩\u{200d}🚀");
    }

    #[test]
    fn what_is_laid_out_stays_so_and_steers_nothing() {
        let laid_out = "LEAD    NAME  株式会社  👩\u{200d}🚀";
        assert_eq!(printable(laid_out), laid_out);
        assert_eq!(printable("  a\u{1b}[2J  b\u{9b}31m\r\nc\td\u{7f}\u{2028}e"), "  a [2J  b 31m  c d  e");
        assert_eq!(printable("\u{202e}evil\u{2066}\u{200f}\u{feff}\u{e0041}"), "evil");
        assert!(matches!(printable("plain  text"), Cow::Borrowed(_)));
    }

    #[test]
    fn nothing_is_left_of_a_line_in_which_nothing_shows() {
        let alone = [
            "\u{3164}",
            "\u{2800}",
            "\u{115f}",
            "\u{1160}",
            "\u{ffa0}",
            "\u{200c}",
            "\u{200d}",
            "\u{301}",
            "\u{20dd}",
            "\u{fe0f}",
            "\u{fe00}",
            "\u{e0041}",
            "\u{e0100}",
            "\u{ad}",
            "\u{34f}",
            "\u{17b4}",
            "\u{17b5}",
            "\u{180b}",
            "\u{180e}",
            "\u{180f}",
            "\u{2060}",
            "\u{2064}",
            "\u{2065}",
            "\u{206f}",
            "\u{feff}",
            "\u{fff0}",
            "\u{1bca0}",
            "\u{1d159}",
            "\u{1d173}",
            "\u{13441}",
            "\u{3000}",
            "\u{a0}",
            "\u{2003}",
            "\u{85}",
            "\u{0}",
            "\u{7f}",
            "\n",
            "\u{16fe4}",
            "\u{e01ef}",
        ];
        for text in alone {
            assert_eq!(clean(text), "", "{text:?}");
            assert_eq!(clean_or(&text.repeat(5), "lead_a"), "lead_a", "{text:?}");
            assert_eq!((shorten(text, 9), slack(text, 9), ascii(text)), Default::default(), "{text:?}");
            assert_eq!(clean(&format!("{text}Dana")), "Dana", "{text:?}");
        }
        assert_eq!(clean(&alone.concat()), "");
        assert_eq!(clean("Dana\u{3164}\u{2800}Field\u{ffa0}"), "Dana Field");
        for text in [
            "e\u{301}",
            "❤\u{fe0f}",
            "👩\u{200d}🚀",
            "\u{1112}\u{1161}\u{11ab}",
            "की",
            "\u{fffd}",
            "ㅎ",
            "⠁",
            "\u{e000}",
        ] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn shorten_cuts_between_clusters_and_marks_the_cut() {
        assert_eq!(shorten("Harbour", 7), "Harbour");
        assert_eq!(shorten("Harbour", 6), "Harbo…");
        assert_eq!(shorten("e\u{301}e\u{301}e\u{301}", 4), "e\u{301}…");
        assert_eq!(shorten("abc", 1), "…");
        assert_eq!(shorten("abc", 0), "");
        assert_eq!(shorten("ab cd", 4), "ab…");
    }

    #[test]
    fn slack_escapes_before_it_cuts() {
        assert_eq!(slack("Zoë <!channel> & Söhne", 200), "Zoë &lt;!channel&gt; &amp; Söhne");
        assert_eq!(slack("a&b", 6), "a…");
        assert_eq!(slack("a&b", 7), "a&amp;b");
    }

    #[test]
    fn ascii_folds_to_letters() {
        assert_eq!(ascii("Zoë & Söhne\r\nBcc: x"), "Zoe & Sohne Bcc: x");
        assert_eq!(ascii("\u{7f}\u{0}"), "");
        assert!(ascii("株式会社 🚀").is_ascii());
    }

    /// What [`clean`] does, character by character.
    fn cleaned_slowly(text: &str) -> String {
        let shown = text.chars().filter(|c| !is_formatting(*c) || c.is_whitespace());
        let blank = |c: char| c.is_whitespace() || c.is_control() || is_blank(c);
        let spaced: String = shown.map(|c| if blank(c) { ' ' } else { c }).collect();
        let spaced = spaced.trim_start_matches(|c| c == ' ' || is_invisible(c));
        spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn clean_is_the_same_in_runs(text in "([ -~]|\\PC|\\p{C}|\\p{M}|\u{85}|\u{ad}|\u{200d}|\u{2028}|\u{3164}|\t){0,40}") {
            prop_assert_eq!(clean(&text), cleaned_slowly(&text));
        }

        #[test]
        fn no_text_breaks_out(text in any::<String>(), longest in 0usize..200) {
            let escaped = slack(&text, longest);
            prop_assert!(utf16(&escaped) <= longest);
            prop_assert!(!escaped.contains(['<', '>']));
            for (at, _) in escaped.match_indices('&') {
                let rest = escaped.get(at..).unwrap_or_default();
                prop_assert!(["&amp;", "&lt;", "&gt;"].iter().any(|e| rest.starts_with(e)), "{escaped:?}");
            }
            let short = shorten(&text, longest);
            prop_assert!(short.chars().count() <= longest);
            prop_assert!(!short.chars().any(|c| c.is_control() || is_formatting(c)));
            prop_assert!(!printable(&text).chars().any(|c| c.is_control() || is_formatting(c)));
            prop_assert!(ascii(&text).bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(clean(&clean(&text)), clean(&text));
            prop_assert_eq!(clean(&printable(&text)), clean(&text));
        }
    }
}
