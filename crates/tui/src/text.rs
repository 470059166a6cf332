//! Text that cannot leave its cell, and the glyphs that a terminal can show.
//!
//! Names, reasons and log lines come from outside. What a terminal makes of a control character,
//! a joiner or a stack of accents differs from terminal to terminal; what is left here is shown alike by
//! all, and is as wide as ratatui believes.

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// How many combining marks of a letter are kept: enough for every living script, too few to climb out of
/// its line.
const MARKS: usize = 2;

macro_rules! glyphs {
    (spark $utf8_spark:tt $ascii_spark:tt; $($name:ident $utf8:literal $ascii:literal;)*) => {
        /// The glyphs of the console. A glyph is one column wide; [`Glyphs::arrow`] is what it takes.
        #[derive(Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "named by what they mark")]
        pub struct Glyphs {
            pub utf8: bool,
            $(pub $name: &'static str,)*
            pub spark: [&'static str; 9],
        }

        /// For terminals that speak UTF-8.
        pub static UTF8: Glyphs = Glyphs { utf8: true, $($name: $utf8,)* spark: $utf8_spark };

        /// For those that do not.
        pub static ASCII: Glyphs = Glyphs { utf8: false, $($name: $ascii,)* spark: $ascii_spark };
    };
}

// Each in UTF-8 and in ASCII.
glyphs! {
    spark [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] [" ", ".", ".", ":", ":", "+", "+", "#", "#"];
    ellipsis "…" "~";
    overdue "▲" "!";
    working "▸" ">";
    warning "▲" "!";
    bad "✗" "x";
    good "✓" "+";
    queued "◌" "o";
    live "●" "*";
    stale "◐" "?";
    marker "▌" ">";
    mark "◆" "*";
    paused "‖" "=";
    vertical "│" "|";
    cross "┬" "+";
    heavy "━" "=";
    dot "·" "-";
    rule "─" "-";
    bar "━" "=";
    bar_half "╸" "-";
    bar_rest "─" ".";
    arrow "→" "->";
    up "↑" "^";
    down "↓" "v";
    enter "↵" "Enter";
    tab "⇥" "Tab";
    times "×" "x";
}

impl Default for &Glyphs {
    fn default() -> Self {
        &UTF8
    }
}

impl Glyphs {
    /// Those that the locale allows, by the variables that decide it.
    pub fn of_locale(var: impl Fn(&str) -> Option<String>) -> &'static Self {
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| var(name).filter(|v| !v.is_empty()));
        let locale = locale.unwrap_or_default().to_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { &UTF8 } else { &ASCII }
    }

    /// `text` as one harmless line. Cleaning twice changes nothing.
    pub fn safe(&self, text: &str) -> String {
        if !self.utf8 {
            return outside::text::ascii(text);
        }
        let cleaned = outside::text::clean(text);
        if cleaned.is_ascii() {
            return cleaned;
        }
        let mut safe = String::with_capacity(cleaned.len());
        for cluster in cleaned.graphemes(true) {
            push_safe(&mut safe, cluster);
        }
        // What was taken away may have stood at an end, and what it left may begin a new cluster.
        outside::text::clean(&safe)
    }

    /// The same for a text that is being written, whose spaces at the ends stay.
    pub fn safe_as_is(&self, text: &str) -> String {
        let inner = self.safe(text);
        let (before, after) =
            (text.len() - text.trim_start_matches(' ').len(), text.len() - text.trim_end_matches(' ').len());
        if inner.is_empty() {
            return " ".repeat(before);
        }
        format!("{}{inner}{}", " ".repeat(before), " ".repeat(after))
    }

    /// `text` made safe and of at most `columns`, with an ellipsis if it was cut.
    pub fn fit(&self, text: &str, columns: usize) -> String {
        let safe = self.safe(text);
        if width(&safe) <= columns {
            return safe;
        }
        self.cut(&safe, columns)
    }

    /// The same with the ends kept and the middle left out, for ids.
    pub fn fit_middle(&self, text: &str, columns: usize) -> String {
        let safe = self.safe(text);
        let total = width(&safe);
        if total <= columns || columns < 5 {
            return self.fit(&safe, columns);
        }
        let tail = (columns - 1) / 3;
        let head = take(&safe, columns - 1 - tail);
        let mut skipped = 0;
        let tail: String = safe
            .graphemes(true)
            .skip_while(|cluster| {
                let skip = total - skipped > tail;
                skipped += width(cluster);
                skip
            })
            .collect();
        format!("{head}{}{tail}", self.ellipsis)
    }

    /// Safe text broken into lines of at most `columns`, between words where there are any.
    pub fn wrap(&self, text: &str, columns: usize) -> Vec<String> {
        let safe = self.safe(text);
        let columns = columns.max(1);
        let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
        for word in safe.split(' ') {
            let needed = width(word);
            if used > 0 && used + 1 + needed > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            for cluster in word.graphemes(true) {
                let wide = width(cluster);
                if used + wide > columns && used > 0 {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                if wide <= columns {
                    line.push_str(cluster);
                    used += wide;
                }
            }
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// [`Glyphs::wrap`] with at most `most` lines, the last of them marked where there were more.
    pub fn wrap_at_most(&self, text: &str, columns: usize, most: usize) -> Vec<String> {
        let mut lines = self.wrap(text, columns);
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                let marked = format!("{last}{}", self.ellipsis);
                *last = if width(&marked) <= columns { marked } else { self.cut(last, columns) };
            }
        }
        lines
    }

    /// What fits beside the ellipsis, and it.
    fn cut(&self, safe: &str, columns: usize) -> String {
        match columns {
            0 => String::new(),
            _ => format!("{}{}", take(safe, columns - 1).trim_end(), self.ellipsis),
        }
    }
}

/// How many columns safe text takes, as ratatui counts.
pub fn width(safe: &str) -> usize {
    safe.graphemes(true).map(|cluster| usize::from(cluster.cell_width())).sum()
}

/// The clusters that fit into `columns`.
fn take(safe: &str, columns: usize) -> String {
    let mut used = 0;
    safe.graphemes(true)
        .take_while(|cluster| {
            used += width(cluster);
            used <= columns
        })
        .collect()
}

fn push_safe(safe: &mut String, cluster: &str) {
    // Flags are two letters in disguise, and few terminals agree on their width.
    if let Some(letters) = flag(cluster) {
        safe.push_str(&letters);
        return;
    }
    let Some(base) = cluster.chars().find(|c| c.width().unwrap_or(0) > 0) else { return };
    let mut limited = String::from(base);
    // A joined, toned or keycapped emoji is shown as its first part.
    if !cluster.chars().any(is_emoji_glue) {
        let marks = cluster.chars().skip_while(|c| *c != base).skip(1);
        let (mut zero_width, start) = (0, limited.len());
        for mark in marks {
            zero_width += usize::from(mark.width() == Some(0));
            if zero_width > MARKS {
                break;
            }
            limited.push(mark);
        }
        if width(&limited) > 2 {
            limited.truncate(start);
        }
    }
    match width(&limited) {
        1 | 2 => safe.push_str(&limited),
        _ => safe.push('□'),
    }
}

fn is_emoji_glue(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// The letters of a flag, or of half of one, whatever hangs on it.
fn flag(cluster: &str) -> Option<String> {
    let letter = |c: char| {
        let index = u32::from(c).checked_sub(0x1f1e6).filter(|index| *index < 26)?;
        char::from_u32(u32::from('A') + index)
    };
    cluster.chars().filter(|c| c.width().unwrap_or(0) > 0).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn emoji_flags_and_stacks_of_accents_come_down_to_what_every_terminal_shows_alike() {
        assert_eq!(UTF8.safe("👩\u{200d}🚀 crew"), "👩 crew");
        assert_eq!(UTF8.safe("❤\u{fe0f} 👍🏽 1\u{fe0f}\u{20e3}"), "❤ 👍 1");
        assert_eq!(UTF8.safe("🇩🇪 GmbH"), "DE GmbH");
        assert_eq!(UTF8.safe("🇩\u{fe0f} GmbH 🇩\u{301}"), "D GmbH D");
        assert_eq!(UTF8.safe("e\u{301}\u{302}\u{303}\u{304}!"), "e\u{301}\u{302}!");
        assert_eq!(UTF8.safe("\u{1b}[2J\u{202e}x\u{200d}\u{200d}"), "[2Jx");
        assert_eq!(ASCII.safe("Zoë & Söhne"), "Zoe & Sohne");
    }

    #[test]
    fn what_is_cut_is_marked_and_wide_letters_are_not_halved() {
        assert_eq!(UTF8.fit("Harbour Logistics", 10), "Harbour L…");
        assert_eq!(UTF8.fit("株式会社", 4), "株…");
        assert_eq!(UTF8.fit("株式会社", 5), "株式…");
        assert_eq!(UTF8.fit("abc", 0), "");
        assert_eq!(UTF8.fit_middle("lead_8fJ2k4Lm9Pq2", 11), "lead_8f…Pq2");
        assert_eq!(
            UTF8.wrap("put the URL into SLACK_WEBHOOK_URL", 12),
            ["put the URL", "into", "SLACK_WEBHOO", "K_URL"]
        );
        assert_eq!(UTF8.wrap_at_most("one two three", 4, 2), ["one", "two…"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_cell(text in any::<String>(), columns in 0usize..40) {
            for glyphs in [&UTF8, &ASCII] {
                let safe = glyphs.safe(&text);
                prop_assert_eq!(glyphs.safe(&safe), safe.clone());
                let harmless = |c: char| !c.is_control() && c != '\u{200d}' && !outside::text::is_formatting(c);
                prop_assert!(safe.chars().all(harmless), "{:?}", safe);
                prop_assert!(width(&glyphs.fit(&text, columns)) <= columns);
                prop_assert!(width(&glyphs.fit_middle(&text, columns)) <= columns);
                for line in glyphs.wrap(&text, columns) {
                    prop_assert!(width(&line) <= columns.max(1));
                }
            }
        }
    }
}
