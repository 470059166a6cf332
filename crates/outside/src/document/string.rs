//! Decoding JSON strings.

use std::borrow::Cow;

/// The text of a string in its quotation marks; `None` for anything else.
///
/// Valid JSON is decoded by its rules. Anything else is taken literally: a line break is one, a needlessly escaped letter is
/// itself. Half a surrogate pair and an escape without its digits become U+FFFD.
pub(super) fn decode(json: &str) -> Option<Cow<'_, str>> {
    let mut rest = json.strip_prefix('"')?;
    let mut decoded = String::new();
    loop {
        let (plain, special) = rest.split_at(rest.find(['"', '\\'])?);
        let mut chars = special.chars();
        if chars.next() == Some('"') {
            return match chars.as_str() {
                "" if decoded.is_empty() => Some(Cow::Borrowed(plain)),
                "" => Some(Cow::Owned(decoded + plain)),
                // An unescaped quotation mark: it is not known where the text ends.
                _ => None,
            };
        }
        decoded.push_str(plain);
        let escape = chars.next()?;
        rest = chars.as_str();
        decoded.push(match escape {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => unicode(&mut rest),
            other => other,
        });
    }
}

/// The character of the digits after `\u`, and of the second half of a surrogate pair where it follows.
fn unicode(rest: &mut &str) -> char {
    let Some((first, after)) = unit(rest) else { return char::REPLACEMENT_CHARACTER };
    *rest = after;
    let second = after.strip_prefix("\\u").and_then(unit);
    if let Some((second, after)) = second
        && let Some(Ok(c)) = char::decode_utf16([first, second]).next()
        && !matches!(first, 0..0xd800 | 0xe000..)
    {
        *rest = after;
        return c;
    }
    char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Four hexadecimal digits.
fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    // The parser would accept a sign as well.
    let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all.then(|| u16::from_str_radix(digits, 16).ok()).flatten().map(|unit| (unit, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_broken_in_a_text_is_replaced_or_taken_as_it_stands() {
        for (json, text) in [
            (r#""A\ud800B""#, "A\u{fffd}B"),
            (r#""\udc00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\ude80""#, "🚀"),
            (r#""\u12""#, "\u{fffd}12"),
            (r#""\u+123\x41\'""#, "\u{fffd}+123x41'"),
            ("\"a\nb\u{1}\"", "a\nb\u{1}"),
        ] {
            assert_eq!(decode(json).as_deref(), Some(text), "{json}");
        }
        for json in ["", "\"", "x", "\"a", "\"a\\\"", "\"a\"b\"", "\"a\" ", "7", "[\"a\"]"] {
            assert_eq!(decode(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn json_is_read_as_json_says(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(decode(&json), Some(Cow::Borrowed(text.as_str())));
            // As Python's encoder writes it.
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = format!("\"{escaped}\"");
            prop_assert_eq!(decode(&json), Some(Cow::Borrowed(text.as_str())));
        }
    }
}
