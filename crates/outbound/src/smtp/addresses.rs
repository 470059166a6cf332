//! Sender and recipients, read from `EMAIL_FROM` and `EMAIL_TO`.

use lettre::message::{Mailbox, Mailboxes};
use outside::text;

/// How much of an invalid address is shown, in characters.
const SHOWN: usize = 80;

/// The sender's address.
///
/// # Errors
/// What is wrong with it, for the operator.
pub(super) fn sender(written: &str) -> Result<Mailbox, String> {
    let found = pieces(written);
    let [one] = found.as_slice() else {
        let what = if found.is_empty() { "no address" } else { "more than one address" };
        return Err(format!("EMAIL_FROM: it has {what}, but mail has exactly one sender"));
    };
    read(one).map_err(|error| format!("EMAIL_FROM: {error}"))
}

/// The recipients, each once, even where one is named several times.
///
/// # Errors
/// Which of them is not an address, and what is expected, for the operator.
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
        return Err("EMAIL_TO has no address".to_owned());
    }
    Ok(known.into_iter().collect())
}

/// The parts between commas outside quotes, without empty ones.
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
        piece.parse().map_err(|_| format!("{shown:?} is not an address: {}", expected(piece)))?;
    let address: &str = mailbox.email.as_ref();
    if address.is_ascii() { Ok(mailbox) } else { Err(format!("{shown} is not ASCII")) }
}

/// What was probably meant.
fn expected(piece: &str) -> &'static str {
    let starts_with = |start: &str| piece.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start));
    match () {
        () if starts_with("mailto:") => "leave out mailto:",
        () if piece.contains([';', '\n']) || piece.matches('@').count() > 1 => {
            "addresses are separated by commas"
        }
        () if !piece.contains('@') => {
            "expected name@example.com or Name <name@example.com>, with a name that contains a comma in quotes"
        }
        () => "expected name@example.com or Name <name@example.com>",
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
    fn an_invalid_address_is_named_with_what_is_expected() {
        for (written, words) in [
            (
                "a@x.example; b@y.example",
                "\"a@x.example; b@y.example\" is not an address: addresses are separated by",
            ),
            ("a@x.example b@y.example", "addresses are separated by commas"),
            ("a@x.example\nb@y.example", "addresses are separated by commas"),
            (
                "a@x.example, mailto:b@y.example",
                "\"mailto:b@y.example\" is not an address: leave out mailto:",
            ),
            (
                "a@x.example, Bob",
                "\"Bob\" is not an address: expected name@example.com or Name <name@example.com>",
            ),
            ("Last, First <a@x.example>", "\"Last\" is not an address: expected name@example.com or Name"),
            ("a@x.example, a..b@", "\"a..b@\" is not an address: expected name@example.com"),
            ("zoë@x.example", "is not ASCII"),
            (" , ", "has no address"),
        ] {
            let error = recipients(written).unwrap_err();
            assert!(error.starts_with("EMAIL_TO") && error.contains(words), "{error}");
        }
        for (written, words) in [
            ("a@x.example, b@y.example", "more than one address"),
            ("", "no address"),
            ("noreply", "\"noreply\" is not an address"),
        ] {
            let error = sender(written).unwrap_err();
            assert!(error.starts_with("EMAIL_FROM: ") && error.contains(words), "{error}");
        }
    }
}
