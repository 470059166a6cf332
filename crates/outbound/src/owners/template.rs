//! The place of a lead in an address: `{lead_id}`.

use outside::text;

/// The placeholder for the lead's id, once in the path of an address.
pub(super) const PLACEHOLDER: &str = "{lead_id}";
/// The same, percent-encoded.
pub(super) const ENCODED: &str = "%7Blead_id%7D";
/// How much of an invalid placeholder is shown.
const SHOWN: usize = 30;

/// Whether an address has a placeholder.
///
/// # Errors
/// A line for the operator where it has another placeholder, several, or one that is not in its path. It shows nothing
/// of the address but the placeholder: a password, or a key in a query, may contain any character.
pub(super) fn check(address: &str) -> Result<bool, String> {
    let (path, beyond) = path_of(address);
    if beyond.contains(PLACEHOLDER) || beyond.to_ascii_lowercase().contains(&ENCODED.to_ascii_lowercase()) {
        return Err(format!(
            "{PLACEHOLDER} is in its host, query or fragment; it is allowed only in its path"
        ));
    }
    if let Some(other) = other_placeholder(path) {
        let other = text::shorten(&other, SHOWN);
        return Err(format!("{other} in its path is not understood; a lead's id is written {PLACEHOLDER}"));
    }
    match path.matches(PLACEHOLDER).count() {
        0 => Ok(false),
        1 => Ok(true),
        more => Err(format!("{PLACEHOLDER} is in its path {more} times; it is allowed once")),
    }
}

/// The path of an address as it was written, and its host, query and fragment as one text.
fn path_of(address: &str) -> (&str, String) {
    let (scheme, rest) = address.split_once(':').unwrap_or_default();
    // Except for a file, a host follows, however many slashes there are.
    let rest = match scheme.eq_ignore_ascii_case("file") {
        true => rest.strip_prefix("//").unwrap_or(rest),
        false => rest.trim_start_matches(['/', '\\']),
    };
    let start = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(start);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, beyond) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (path, format!("{host} {beyond}"))
}

/// A placeholder in the style of other templates: `{id}`, `{{lead_id}}`, `${lead_id}`, `%7Blead_id%7D`,
/// `<lead_id>`, `[lead_id]`, `:lead_id`, `$lead_id`, `%s`, `*`.
fn other_placeholder(path: &str) -> Option<String> {
    let lower = path.to_ascii_lowercase();
    for (open, close) in [("%7b", "%7d"), ("%3c", "%3e"), ("<", ">"), ("[", "]")] {
        if lower.contains(open) || lower.contains(close) {
            return Some(between(path, &lower, open, close));
        }
    }
    for around in ["{{lead_id}}", "${lead_id}", "#{lead_id}"] {
        if path.contains(around) {
            return Some(around.to_owned());
        }
    }
    let others = path.replace(PLACEHOLDER, "");
    if others.contains(['{', '}']) {
        return Some(between(&others, &others, "{", "}"));
    }
    let named = |segment: &&str| {
        let name = segment.strip_prefix([':', '$']);
        name.is_some_and(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()))
            || segment.contains('*')
    };
    if let Some(segment) = path.split(['/', '\\']).find(named) {
        return Some(segment.to_owned());
    }
    let is_encoded = |rest: &&str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let format = path.split('%').skip(1).find(|rest| !is_encoded(rest))?;
    Some(format!("%{}", format.split(['/', '.']).next().unwrap_or_default()))
}

/// From the first `open` to the next `close`, as found in `lower`.
fn between(path: &str, lower: &str, open: &str, close: &str) -> String {
    let start = lower.find(open).or_else(|| lower.find(close)).unwrap_or_default();
    let (rest, lower) = (path.get(start..).unwrap_or(path), lower.get(start..).unwrap_or(lower));
    let length = lower.find(close).map_or(rest.len(), |length| length + close.len());
    rest.get(..length).unwrap_or(rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_told_from_a_base() {
        for address in [
            "https://h/{lead_id}.json",
            "https://h/{lead_id}",
            "https://h/owners/{lead_id}/owner.json",
            "https://h/o-{lead_id}-x",
            "https://u:p{id}%s@h/{lead_id}.json",
            "file:///srv/owners/{lead_id}.json",
        ] {
            assert_eq!(check(address), Ok(true), "{address}");
        }
        for address in [
            "https://h",
            "https://h/a%20b/c",
            "https://u:{lead}@h/a",
            "https://[::1]:8080/a",
            "https://h:8080/a:b/$",
        ] {
            assert_eq!(check(address), Ok(false), "{address}");
        }
    }

    #[test]
    fn another_placeholder_is_refused_by_its_name() {
        for (path, name) in [
            ("{id}.json", "{id}"),
            ("{leadId}.json", "{leadId}"),
            ("{LEAD_ID}.json", "{LEAD_ID}"),
            ("{ lead_id }.json", "{ lead_id }"),
            ("{}.json", "{}"),
            ("{lead_id", "{lead_id"),
            ("{base}/{lead_id}.json", "{base}"),
            ("{{lead_id}}.json", "{{lead_id}}"),
            ("${lead_id}.json", "${lead_id}"),
            ("%7Blead_id%7D.json", "%7Blead_id%7D"),
            ("%7blead_id%7d.json", "%7blead_id%7d"),
            ("%7Bid%7D/{lead_id}", "%7Bid%7D"),
            ("<lead_id>.json", "<lead_id>"),
            ("%3Clead_id%3E.json", "%3Clead_id%3E"),
            ("[lead_id].json", "[lead_id]"),
            (":lead_id", ":lead_id"),
            (":id.json", ":id.json"),
            ("$lead_id.json", "$lead_id.json"),
            ("%s.json", "%s"),
            ("%(lead_id)s.json", "%(lead_id)s"),
            ("*.json", "*.json"),
        ] {
            for scheme in ["https://u:hunter2@h/x/", "file:///srv/"] {
                let why = check(&format!("{scheme}{path}")).unwrap_err();
                let expected =
                    format!("{name} in its path is not understood; a lead's id is written {{lead_id}}");
                assert_eq!(why, expected, "{path}");
            }
        }
        for address in
            ["https:/u:p{hunter2}@h/{id}", "https:///u:p{hunter2}@h/{id}", "https:u:p{hunter2}@h/{id}"]
        {
            assert!(check(address).unwrap_err().starts_with("{id} "), "{address}");
        }
        let twice = check("https://h/{lead_id}/{lead_id}.json").unwrap_err();
        assert_eq!(twice, "{lead_id} is in its path 2 times; it is allowed once");
        for address in [
            "https://{lead_id}.h/",
            "https://h/?lead={lead_id}",
            "https://h/a?%7blead_id%7d",
            "https://h/#{lead_id}",
        ] {
            assert!(check(address).unwrap_err().contains("only in its path"), "{address}");
        }
    }
}
