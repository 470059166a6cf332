//! The filter syntax of `/`: words, `field:value`, `!not`, `"with spaces"`; all terms have to match.

/// Something with named texts.
pub trait Searchable {
    /// The names of its fields.
    fn fields() -> &'static [&'static str];

    /// Passes each text with the name of its field to `see` until that returns true; whether it did.
    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool;
}

/// What rows have to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    not: bool,
    field: Option<String>,
    needle: Needle,
}

/// A text to be found case-insensitively.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Needle {
    folded: String,
    ascii: bool,
}

impl Filter {
    /// Parses a filter. A prefix that is not a field's name is part of the text, so that any text is valid.
    pub fn parse(text: &str, fields: &[&str]) -> Self {
        let terms = words(text).into_iter().filter_map(|word| Term::parse(&word, fields)).collect();
        Self { text: text.to_owned(), terms }
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a row matches.
    pub fn matches<T: Searchable + ?Sized>(&self, row: &T) -> bool {
        self.terms.iter().all(|term| {
            let found = row.texts(&mut |field, text| {
                term.field.as_deref().is_none_or(|wanted| wanted == field) && term.needle.is_in(text)
            });
            found != term.not
        })
    }

    /// Whether a line without fields matches.
    pub fn matches_line(&self, line: &str) -> bool {
        self.terms.iter().all(|term| term.needle.is_in(line) != term.not)
    }
}

/// Splits at spaces outside of quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

impl Term {
    fn parse(word: &str, fields: &[&str]) -> Option<Self> {
        let (not, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
        let named = word.split_once(':').filter(|(field, _)| fields.contains(field));
        let (field, value) = named.unzip();
        let (field, value) = (field.map(str::to_owned), value.unwrap_or(word));
        // A half-typed term has no effect yet.
        (!value.is_empty()).then(|| {
            let needle = Needle { folded: fold(value), ascii: value.is_ascii() };
            Self { not, field, needle }
        })
    }
}

/// In lower case, letter by letter: a final sigma is treated like any other, so that the beginning
/// of a word finds it.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

impl Needle {
    fn is_in(&self, text: &str) -> bool {
        if !self.ascii {
            return fold(text).contains(&self.folded);
        }
        let needle = self.folded.as_bytes();
        let Some((first, rest)) = needle.split_first() else { return true };
        let text = text.as_bytes();
        let Some(last) = text.len().checked_sub(needle.len()) else { return false };
        (0..=last).any(|at| {
            text[at].to_ascii_lowercase() == *first
                && text[at + 1..at + needle.len()].eq_ignore_ascii_case(rest)
        })
    }
}

/// The order of two texts in a list, case-insensitively.
pub fn by_text(a: &str, b: &str) -> std::cmp::Ordering {
    a.to_lowercase().cmp(&b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Pair(&'static str, &'static str);

    impl Searchable for Pair {
        fn fields() -> &'static [&'static str] {
            &["name", "owner"]
        }

        fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
            see("name", self.0) || see("owner", self.1)
        }
    }

    #[test]
    fn a_word_finds_its_own_beginning_in_any_script() {
        for (word, line) in [
            ("\u{212a}", "\u{212a}elvin"),
            ("\u{39f}\u{3a3}", "\u{39f}\u{3a3}\u{391}"),
            ("\u{3c3}", "\u{3bf}\u{3c2}"),
        ] {
            assert!(Filter::parse(word, &[]).matches_line(line), "{word} in {line}");
        }
    }

    #[test]
    fn words_fields_negations_and_quotes() {
        let row = Pair("Zoë & Söhne", "Sales North");
        for (text, matches) in [
            ("", true),
            ("zoë north", true),
            ("ZOË", true),
            ("south", false),
            ("owner:north", true),
            ("name:north", false),
            ("!owner:north", false),
            ("!south !name:acme", true),
            ("\"sales north\"", true),
            ("\"north sales\"", false),
            ("owner:\"sales n\"", true),
            ("owner:", true),
            ("!", true),
            // No field's name: text.
            ("colour:red", false),
        ] {
            assert_eq!(Filter::parse(text, Pair::fields()).matches(&row), matches, "{text}");
        }
        assert!(Filter::parse("12:04", Pair::fields()).matches_line("at 12:04:31"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_and_a_row_contains_its_own_words(text in any::<String>(), line in "[a-zA-Z ]{0,20}") {
            let _ = Filter::parse(&text, Pair::fields()).matches_line(&line);
            prop_assert!(Filter::parse(&line.to_uppercase(), Pair::fields()).matches_line(&line));
        }
    }
}
