//! From bytes to text.

use std::borrow::Cow;

use super::{Document, Unreadable};
use crate::gzip;

/// The byte order mark of UTF-8, which several editors and PowerShell write.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a document, without white space around it.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    if bytes.starts_with(gzip::BEGIN) {
        return Ok(Cow::Owned(plain(&decoded(bytes)?)?.into_owned()));
    }
    plain(bytes)
}

fn plain(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    if let Some(name) = wide(bytes) {
        return Err(Unreadable(format!("it is {name}, not UTF-8")));
    }
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii();
    if bytes.is_empty() {
        return Err(Unreadable("it is empty".to_owned()));
    }
    if !bytes.starts_with(b"{") && is_binary(bytes) {
        let first: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        return Err(Unreadable(format!("it begins with the bytes {}", first.join(" "))));
    }
    Ok(lossy(bytes))
}

/// Bytes as text, with invalid UTF-8 replaced by U+FFFD. Valid UTF-8 is not copied.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// The encoding of UTF-16 or UTF-32, by its byte order mark or by the zero bytes beside an ASCII letter.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    let first = bytes.first_chunk::<2>()?;
    match (first, bytes.get(2..4)) {
        ([0xff, 0xfe] | [b' '..=b'~', 0], Some([0, 0])) | ([0, 0], Some([0xfe, 0xff] | [0, b' '..=b'~'])) => {
            Some("UTF-32")
        }
        ([0xff, 0xfe] | [0xfe, 0xff] | [0, b'\t'..=b'~'] | [b'\t'..=b'~', 0], _) => Some("UTF-16"),
        _ => None,
    }
}

/// Whether the beginning is binary.
fn is_binary(bytes: &[u8]) -> bool {
    let begin = bytes.get(..16).unwrap_or(bytes);
    let text = match std::str::from_utf8(begin) {
        Ok(text) => text,
        // The last character may be truncated.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(begin.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return true,
    };
    text.chars().any(|c| c.is_control() && !c.is_whitespace())
}

/// The content of a gzip file, up to [`Document::LIMIT`].
fn decoded(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let (decoded, read) = gzip::decoded(bytes, Document::LIMIT.saturating_add(1));
    match read {
        Err(error) => Err(Unreadable(format!("it is gzip that cannot be decoded ({error})"))),
        Ok(_) if decoded.len() > Document::LIMIT => {
            Err(Unreadable(format!("it is gzip of more than {} bytes", Document::LIMIT)))
        }
        Ok(_) if decoded.starts_with(gzip::BEGIN) => Err(Unreadable("it is gzip within gzip".to_owned())),
        Ok(_) => Ok(decoded),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const OBJECT: &str = r#"{"lead_owner":"Zoë Field"}"#;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn utf16(text: &str, unit: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    fn why(bytes: &[u8]) -> String {
        let read = Document::read(bytes).and_then(|document| document.fields().map(|_| ()));
        read.unwrap_err().to_string()
    }

    #[test]
    fn a_mark_gzip_and_white_space_are_taken_off() {
        let marked = [MARK, OBJECT.as_bytes()].concat();
        let two = OBJECT.split_at(9);
        for bytes in [
            OBJECT.as_bytes().to_vec(),
            marked.clone(),
            format!("\r\n {OBJECT} \n").into_bytes(),
            gzip(OBJECT.as_bytes()),
            gzip(&marked),
            [gzip(two.0.as_bytes()), gzip(two.1.as_bytes())].concat(),
        ] {
            assert_eq!(Document::read(&bytes).unwrap().as_str(), OBJECT);
        }
        let borrowed = Document::read(&marked).unwrap();
        assert!(matches!(borrowed.0, Cow::Borrowed(_)), "text is not copied");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let compressed = gzip(OBJECT.as_bytes());
        let broken = &compressed[..compressed.len() - 9];
        for (bytes, name) in [
            (b"".to_vec(), "it is empty"),
            (b" \r\n".to_vec(), "it is empty"),
            (MARK.to_vec(), "it is empty"),
            (gzip(b""), "it is empty"),
            (
                b"<!doctype html>\n<title>Sign in</title>".to_vec(),
                "it begins with `<!doctype html> <title>Sign in</title>`",
            ),
            (gzip(b"<html>"), "it begins with `<html>`"),
            (b"Zo\xc3\xab \x1b[2J".to_vec(), "it begins with the bytes 5a 6f c3 ab 20 1b 5b 32"),
            (b"\x28\xb5\x2f\xfd".to_vec(), "it begins with the bytes 28 b5 2f fd"),
            (b"\0\0\0".to_vec(), "it begins with the bytes 00 00 00"),
            (b"\xff".to_vec(), "it begins with the bytes ff"),
            (gzip(&compressed), "it is gzip within gzip"),
            (utf16("\u{feff}{}", u16::to_le_bytes), "it is UTF-16, not UTF-8"),
            (utf16("\u{feff}{}", u16::to_be_bytes), "it is UTF-16, not UTF-8"),
            (utf16("{}", u16::to_le_bytes), "it is UTF-16, not UTF-8"),
            (utf16("\n{}", u16::to_be_bytes), "it is UTF-16, not UTF-8"),
            (b"\xff\xfe".to_vec(), "it is UTF-16, not UTF-8"),
            (gzip(&utf16(OBJECT, u16::to_le_bytes)), "it is UTF-16, not UTF-8"),
            (b"\xff\xfe\0\0{\0\0\0".to_vec(), "it is UTF-32, not UTF-8"),
            (b"\0\0\0{\0\0\0}".to_vec(), "it is UTF-32, not UTF-8"),
            (b"[{}]".to_vec(), "it is JSON, but no object (a list)"),
            (b"\"{}\"".to_vec(), "it is JSON, but no object (a string)"),
            (b"null".to_vec(), "it is JSON, but no object (null)"),
            (b"false".to_vec(), "it is JSON, but no object (true or false)"),
            (b"-7e5".to_vec(), "it is JSON, but no object (a number)"),
            (b"NaN".to_vec(), "it begins with `NaN`"),
            (b"[1,".to_vec(), "it begins with `[1,`"),
            (b"{\"a\":\"b".to_vec(), "it is a JSON object that breaks off after 7 bytes"),
            (b"{\"a\":NaN,".to_vec(), "it is a JSON object that breaks off after 9 bytes"),
            (
                b"{\"a\":1} {\"b\":2}".to_vec(),
                "it goes on after the end of its JSON object, with `{\"b\":2}`",
            ),
        ] {
            assert_eq!(why(&bytes), name);
        }
        for bytes in [broken, b"\x1f\x8b", &[gzip::BEGIN, b"{}"].concat(), &[&compressed[..], b"{}"].concat()]
        {
            assert!(why(bytes).starts_with("it is gzip that cannot be decoded ("), "{bytes:?}");
        }
    }

    #[test]
    fn a_bomb_is_named_and_not_decoded() {
        let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(Document::LIMIT - 8));
        assert!(Document::read(&gzip(fits.as_bytes())).is_ok());
        for held in [fits + " ", "x".repeat(64 * Document::LIMIT)] {
            assert_eq!(why(&gzip(held.as_bytes())), "it is gzip of more than 1048576 bytes");
        }
    }
}
