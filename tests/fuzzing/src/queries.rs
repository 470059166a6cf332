//! What is typed after `/`.

use tui::find::{Filter, Searchable};

use super::texts;

struct Row<'a> {
    name: &'a str,
    owner: &'a str,
}

impl Searchable for Row<'_> {
    fn fields() -> &'static [&'static str] {
        &["name", "owner"]
    }

    fn texts(&self, see: &mut dyn FnMut(&'static str, &str) -> bool) -> bool {
        see("name", self.name) || see("owner", self.owner)
    }
}

/// * Any query is read, and read again from its own text is the same.
/// * Words find what contains them in any case; several have to hold together, `!` turns one around, and
///   a field's name leaves the other fields out.
pub fn queries(data: &[u8]) {
    let texts = texts(data);
    let text = |place: usize| texts.get(place).map(String::as_str).unwrap_or_default();
    let row = Row { name: text(1), owner: text(2) };
    let read = |query: &str| Filter::parse(query, Row::fields());
    let matches = |query: &str| read(query).matches(&row);

    let query = text(0);
    let filter = read(query);
    assert_eq!(filter.text(), query);
    assert_eq!(read(filter.text()), filter);
    let found = (filter.matches(&row), filter.matches_line(row.name));
    if filter.is_empty() {
        assert_eq!(found, (true, true));
    }

    let query = query.replace('"', "");
    let words: Vec<&str> = query.split_whitespace().collect();
    assert_eq!(matches(&query), words.iter().all(|word| matches(word)));
    for word in words.into_iter().filter(|word| !word.contains(['!', ':'])) {
        let found = matches(word);
        assert_eq!(matches(&format!("!{word}")), !found);
        let named = ["name", "owner"].map(|field| matches(&format!("{field}:{word}")));
        assert_eq!(named[0] || named[1], found);
        assert_eq!(named[0], read(word).matches_line(row.name));
        let (lower, line) = (word.to_ascii_lowercase(), row.name.to_ascii_lowercase());
        if word.is_ascii() || line.contains(&lower) {
            assert_eq!(named[0], line.contains(&lower), "{word:?} in {:?}", row.name);
        }
    }
}
