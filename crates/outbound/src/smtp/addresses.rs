//! Who mail is from and who it is for, as `EMAIL_FROM` and `EMAIL_TO` name them.

use lettre::message::{Mailbox, Mailboxes};
use outside::text;

/// How much of what is no address is shown, in characters.
const SHOWN: usize = 80;

/// The one address that mail is from.
///
/// # Errors
/// What is wrong with it, for the operator.
pub(super) fn sender(written: &str) -> Result<Mailbox, String> {
    let found = pieces(written);
    let [one] = found.as_slice() else {
        let what = if found.is_empty() { "no address" } else { "more than one address" };
        return Err(format!("EMAIL_FROM: it has {what}, and mail is from one"));
    };
    read(one).map_err(|error| format!("EMAIL_FROM: {error}"))
}

/// Those whom mail is for, each once, however often it is named.
///
/// # Errors
/// Which of them is no address, and what is expected, for the operator.
pub(super) fn recipients(written: &str) -> Result<Mailboxes, String> {
    let mut known: Vec<Mailbox> = Vec::new();
    for piece in pieces(written) {
        let mailbox = read(piece).map_err(|error| format!("EMAIL_TO: {error}"))?;
        let address: &str = mailbox.email.as_ref();
        if !known.iter().any(|one| address.eq_ignore_ascii_case(one.email.as_ref())) {
            known.push(mailbox);
        }
    }
    if known.is_empty() {
        return Err("EMAIL_TO names nobody".to_owned());
    }
    Ok(known.into_iter().collect())
}

/// What stands between commas that are in no quotes, without what is empty.
fn pieces(written: &str) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let split = written.split(|letter| {
        let parts = letter == ',' && !is_quoted;
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        parts
    });
    split.map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

fn read(piece: &str) -> Result<Mailbox, String> {
    let shown = text::shorten(piece, SHOWN);
    let mailbox: Mailbox =
        piece.parse().map_err(|_| format!("{shown:?} is no address: {}", expected(piece)))?;
    let address: &str = mailbox.email.as_ref();
    if address.is_ascii() { Ok(mailbox) } else { Err(format!("{shown} is not ASCII")) }
}

/// What an operator may have meant.
fn expected(piece: &str) -> &'static str {
    let starts_with = |start: &str| piece.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start));
    match () {
        () if starts_with("mailto:") => "it stands without mailto:",
        () if piece.contains([';', '\n']) || piece.matches('@').count() > 1 => {
            "addresses are separated by commas"
        }
        () if !piece.contains('@') => {
            "one is name@example.com or Name <name@example.com>, where a name with a comma in it stands in quotes"
        }
        () => "one is name@example.com or Name <name@example.com>",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_lists() {
        for (written, addresses) in [
            ("a@x.example", vec!["a@x.example"]),
            ("a@x.example,", vec!["a@x.example"]),
            (" a@x.example ,, b@y.example,\n", vec!["a@x.example", "b@y.example"]),
            ("a@x.example,\nb@y.example\n", vec!["a@x.example", "b@y.example"]),
            ("A@x.example, a@X.example", vec!["A@x.example"]),
            (r#""Last, First" <a@x.example>, b@y.example"#, vec!["a@x.example", "b@y.example"]),
            (r#""Last \", First" <a@x.example>"#, vec!["a@x.example"]),
        ] {
            let found = recipients(written).unwrap();
            let found: Vec<String> = found.iter().map(|one| one.email.to_string()).collect();
            assert_eq!(found, addresses, "{written:?}");
        }
        assert_eq!(sender("Leads <leads@x.example>").unwrap().email.to_string(), "leads@x.example");
    }

    #[test]
    fn which_is_no_address_is_said_and_what_is_expected() {
        for (written, words) in [
            (
                "a@x.example; b@y.example",
                "\"a@x.example; b@y.example\" is no address: addresses are separated by",
            ),
            ("a@x.example b@y.example", "addresses are separated by commas"),
            ("a@x.example\nb@y.example", "addresses are separated by commas"),
            (
                "a@x.example, mailto:b@y.example",
                "\"mailto:b@y.example\" is no address: it stands without mailto:",
            ),
            ("a@x.example, Bob", "\"Bob\" is no address: one is name@example.com or Name <name@example.com>"),
            ("Last, First <a@x.example>", "\"Last\" is no address: one is name@example.com or Name"),
            ("a@x.example, a..b@", "\"a..b@\" is no address: one is name@example.com"),
            ("zoë@x.example", "is not ASCII"),
            (" , ", "names nobody"),
        ] {
            let error = recipients(written).unwrap_err();
            assert!(error.starts_with("EMAIL_TO") && error.contains(words), "{error}");
        }
        for (written, words) in [
            ("a@x.example, b@y.example", "more than one address"),
            ("", "no address"),
            ("noreply", "\"noreply\" is no address"),
        ] {
            let error = sender(written).unwrap_err();
            assert!(error.starts_with("EMAIL_FROM: ") && error.contains(words), "{error}");
        }
    }
}
