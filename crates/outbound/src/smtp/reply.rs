//! A mail server's reply: as <https://www.rfc-editor.org/rfc/rfc5321#section-4.2> has it, and as servers write it.

use outside::text;

/// How many bytes a line has at the most, and a reply: a few times what anybody needs
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.5>).
const LONGEST_LINE: usize = 16 * 1024;
const LONGEST_REPLY: usize = 64 * 1024;
/// How much of a line is passed on to lettre, which gives up on one of more than 1000 bytes.
const PASSED_ON: usize = 500;

/// A reply, of ASCII alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Its lines, without the status and what parts them from it. There is at least one.
    pub(super) lines: Vec<String>,
}

/// What keeps from reading a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("its reply has no end")]
    NoEnd,
    #[error("this is no mail server's greeting: it begins with {0:?}")]
    NoGreeting(String),
    #[error("this is no mail server's reply: it begins with {0:?}")]
    NoReply(String),
    #[error("its reply is {0} and {1} at once")]
    TwoAtOnce(u16, u16),
    /// Nothing has been sent since the last reply that was asked for.
    #[error("the server answers out of step: nobody asked for {0:?}")]
    Unasked(String),
}

impl Reply {
    /// In one line, with its status, as lettre shows those that it reads.
    pub(super) fn said(&self) -> String {
        format!("{} {}", self.status, self.lines.join(" ")).trim_end().to_owned()
    }

    /// As lettre understands it, which wants a space behind a status that stands alone, and knows no status above 559.
    /// Of an unknown one the first digit counts (<https://www.rfc-editor.org/rfc/rfc5321#section-4.3.2>).
    pub(super) fn for_lettre(&self) -> Vec<u8> {
        let is_known = self.status % 100 < 60;
        let status = if is_known { self.status } else { self.status / 100 * 100 + 50 };
        let last = self.lines.len().saturating_sub(1);
        let mut written = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            let parting = if index == last { ' ' } else { '-' };
            let unknown = if is_known { String::new() } else { format!("{} ", self.status) };
            let line: String = format!("{unknown}{line}").chars().take(PASSED_ON).collect();
            written.push_str(&format!("{status}{parting}{line}\r\n"));
        }
        written.into_bytes()
    }
}

/// Bytes as they come, until they are a reply.
#[derive(Debug, Default)]
pub(super) struct Reading {
    bytes: Vec<u8>,
    /// What there is of the reply that has begun, and how many bytes that was.
    begun: Option<Reply>,
    taken: usize,
    is_greeted: bool,
}

impl Reading {
    /// Takes what came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether there is nothing that has not been given out.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.begun.is_none()
    }

    /// The next reply, once all of it is there.
    ///
    /// # Errors
    /// Where it will be none, whatever follows.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, Trouble> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            self.taken += end + 1;
            if end > LONGEST_LINE || self.taken > LONGEST_REPLY {
                return Err(Trouble::NoEnd);
            }
            let line = self.bytes.drain(..=end).collect::<Vec<u8>>();
            let line = ascii(line.trim_ascii_end());
            let Some((status, is_last, words)) = split(&line) else {
                // Whole: it is shortened only once what is secret is hidden in it.
                let begins = text::clean(&line);
                return Err(if self.is_greeted { Trouble::NoReply } else { Trouble::NoGreeting }(begins));
            };
            let reply = self.begun.get_or_insert_with(|| Reply { status, lines: Vec::new() });
            if reply.status != status {
                return Err(Trouble::TwoAtOnce(reply.status, status));
            }
            reply.lines.push(words.to_owned());
            if is_last {
                (self.taken, self.is_greeted) = (0, true);
                return Ok(self.begun.take());
            }
        }
        if self.bytes.len() > LONGEST_LINE || self.taken + self.bytes.len() > LONGEST_REPLY {
            return Err(Trouble::NoEnd);
        }
        Ok(None)
    }

    /// What came behind the last reply without being asked for.
    pub(super) fn surplus(&self) -> Option<Trouble> {
        if self.is_empty() {
            return None;
        }
        let line = self.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Some(Trouble::Unasked(text::clean(&ascii(line.trim_ascii_end()))))
    }

    /// The same, where it is anything but a goodbye, which a server may say at any time
    /// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>).
    pub(super) fn unasked(&self) -> Option<Trouble> {
        let is_goodbye = self.bytes.iter().zip(b"421").all(|(one, other)| one == other);
        self.surplus().filter(|_| !is_goodbye)
    }
}

/// What is read of bytes. Replies are ASCII (<https://www.rfc-editor.org/rfc/rfc5321#section-2.3.7>), and what is not must
/// not keep from reading the rest.
pub(super) fn ascii(bytes: &[u8]) -> String {
    let bytes = bytes.iter();
    bytes.map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect()
}

/// Status, whether the line is the last, and words.
fn split(line: &str) -> Option<(u16, bool, &str)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let status: u16 = digits.parse().ok().filter(|status| (200..600).contains(status))?;
    let mut rest = rest.chars();
    match rest.next() {
        None => Some((status, true, "")),
        Some('-') => Some((status, false, rest.as_str())),
        Some(parting) if parting.is_ascii_whitespace() => Some((status, true, rest.as_str())),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<Reply>, Trouble> {
        let mut reading = Reading::default();
        reading.push(bytes);
        reading.next()
    }

    fn reply(status: u16, lines: &[&str]) -> Reply {
        Reply { status, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }

    #[test]
    fn a_reply_is_read_however_its_lines_end_and_whatever_is_in_them() {
        for (bytes, expected) in [
            (b"250 ok\r\n".as_slice(), reply(250, &["ok"])),
            (b"250\r\n", reply(250, &[""])),
            (b"250 \r\n", reply(250, &[""])),
            (b"250\n", reply(250, &[""])),
            (b"250\tok\n", reply(250, &["ok"])),
            (b"250-a\n250-\n250 b\n", reply(250, &["a", "", "b"])),
            (b"250-a\r\n250\r\n", reply(250, &["a", ""])),
            (b"550 Empf\xc3\xa4nger\r\n", reply(550, &["Empf??nger"])),
        ] {
            assert_eq!(read(bytes), Ok(Some(expected)), "{}", String::from_utf8_lossy(bytes));
        }
        for part in [b"2".as_slice(), b"250", b"250 ok\r", b"250-a\r\n", b"250-a\r\n250 b"] {
            assert_eq!(read(part), Ok(None));
        }
    }

    #[test]
    fn what_is_no_reply_is_said() {
        for line in [
            "* OK ready",
            "+OK ready",
            "SSH-2.0-OpenSSH",
            "HTTP/1.1 400",
            "2500 x",
            "199 x",
            "600 x",
            "+25",
            "",
        ] {
            let greeting = format!("{line}\r\n");
            assert_eq!(read(greeting.as_bytes()), Err(Trouble::NoGreeting(line.to_owned())));
        }
        let mut reading = Reading::default();
        reading.push(b"220 ready\r\nhello\r\n");
        assert_eq!(reading.next(), Ok(Some(reply(220, &["ready"]))));
        assert_eq!(reading.next(), Err(Trouble::NoReply("hello".to_owned())));
        assert_eq!(read(b"250-ok\r\n550 no\r\n"), Err(Trouble::TwoAtOnce(250, 550)));
    }

    #[test]
    fn a_reply_without_end_is_given_up() {
        let endless_line = vec![b'x'; LONGEST_LINE + 1];
        assert_eq!(read(&endless_line), Err(Trouble::NoEnd));
        let endless_lines = b"220-x\r\n".repeat(LONGEST_REPLY / 7 + 1);
        assert_eq!(read(&endless_lines), Err(Trouble::NoEnd));
        let long = [b"220-x\r\n".repeat(LONGEST_REPLY / 14), b"220 x\r\n".to_vec()].concat();
        assert!(matches!(read(&long), Ok(Some(_))));
    }

    #[test]
    fn lettre_gets_what_it_understands() {
        for (said, passed_on) in [
            (reply(250, &[""]), "250 \r\n"),
            (reply(250, &["a", "b"]), "250-a\r\n250 b\r\n"),
            (reply(571, &["5.7.1 no"]), "550 571 5.7.1 no\r\n"),
            (reply(299, &["hm"]), "250 299 hm\r\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&said.for_lettre()), passed_on);
        }
        assert!(reply(250, &["x".repeat(5000).as_str()]).for_lettre().len() < 1000);
    }

    #[test]
    fn a_goodbye_needs_no_asking_and_anything_else_does() {
        for (came, is_fine) in
            [("", true), ("4", true), ("421 bye\r\n", true), ("250 ok\r\n", false), ("45", false)]
        {
            let mut reading = Reading::default();
            reading.push(came.as_bytes());
            assert_eq!(reading.unasked().is_none(), is_fine, "{came:?}");
        }
    }
}
