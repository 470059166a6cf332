//! The fields of an object that is not quite JSON.
//!
//! Other programs write `NaN`, half a surrogate pair or a line break in a string, and people leave trailing
//! commas. Values are separated only by their quotation marks and brackets, in one pass, and each is read by itself.

use std::borrow::Cow;

use super::{Unreadable, Value, string};
use crate::text;

/// The fields of a text that begins with `{`.
pub(super) fn fields(object: &str) -> Result<Vec<(Cow<'_, str>, Value<'_>)>, Unreadable> {
    let mut scan = Scan { text: object, at: 1 };
    let mut fields = Vec::new();
    loop {
        match scan.peek().ok_or_else(|| scan.truncated())? {
            b'}' => break,
            b',' | b']' => scan.at += 1,
            b'"' => {
                let key = scan.string()?;
                if scan.peek() == Some(b':') {
                    scan.at += 1;
                    let value = scan.value()?;
                    // A field whose name cannot be read is ignored.
                    fields.extend(string::decode(key).map(|key| (key, Value::of(value))));
                }
            }
            // A name without quotation marks, say: that field is lost.
            _ => drop(scan.value()?),
        }
    }
    scan.at += 1;
    match scan.peek() {
        None => Ok(fields),
        Some(_) => Err(scan.trailing_data()),
    }
}

/// A position in the text.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// Moves to the next byte that is not white space, and returns it.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at = self.text.len() - rest.trim_ascii_start().len();
        self.text.as_bytes().get(self.at).copied()
    }

    fn from(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Reads a string, and returns it with its quotation marks.
    ///
    /// An unescaped quotation mark is distinguished from the closing one by what follows.
    fn string(&mut self) -> Result<&'a str, Unreadable> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.text.as_bytes().get(self.at).ok_or_else(|| self.truncated())? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    let end = self.at;
                    let ends = matches!(self.peek(), None | Some(b',' | b':' | b'}' | b']'));
                    self.at = end;
                    if ends {
                        return Ok(self.from(start));
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// Reads whatever is in place of a value, up to the comma or bracket after it.
    fn value(&mut self) -> Result<&'a str, Unreadable> {
        self.peek();
        let (start, mut depth) = (self.at, 0usize);
        loop {
            match self.text.as_bytes().get(self.at).ok_or_else(|| self.truncated())? {
                b',' | b'}' | b']' if depth == 0 => return Ok(self.from(start).trim_ascii_end()),
                b'"' => drop(self.string()?),
                byte => {
                    match byte {
                        b'[' | b'{' => depth += 1,
                        b']' | b'}' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                }
            }
        }
    }

    fn truncated(&self) -> Unreadable {
        Unreadable(format!("it is a JSON object that breaks off after {} bytes", self.text.len()))
    }

    fn trailing_data(&self) -> Unreadable {
        let rest = self.text.get(self.at..).unwrap_or_default();
        Unreadable(format!("it goes on after the end of its JSON object, with `{}`", text::shorten(rest, 40)))
    }
}
