//! A mail server's reply: as <https://www.rfc-editor.org/rfc/rfc5321#section-4.2> specifies it, and as servers write it.

use outside::text;

/// The longest line and the longest reply in bytes: a few times what is needed
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.5>).
const LONGEST_LINE: usize = 16 * 1024;
const LONGEST_REPLY: usize = 64 * 1024;
/// How much of a line is passed on to lettre, which gives up on one of more than 1000 bytes.
const PASSED_ON: usize = 500;

/// A reply, in ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Its lines, without the status and the separator. There is at least one.
    pub(super) lines: Vec<String>,
}

/// Why a reply cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReplyError {
    #[error("its reply has no end")]
    NoEnd,
    #[error("this is not a mail server's greeting: it begins with {0:?}")]
    NoGreeting(String),
    #[error("this is not a mail server's reply: it begins with {0:?}")]
    NoReply(String),
    #[error("its reply is {0} and {1} at once")]
    TwoAtOnce(u16, u16),
    /// Nothing has been sent since the last expected reply.
    #[error("the server answers out of step: unsolicited reply {0:?}")]
    Unsolicited(String),
}

impl Reply {
    /// On one line, with its status, as lettre shows replies.
    pub(super) fn said(&self) -> String {
        format!("{} {}", self.status, self.lines.join(" ")).trim_end().to_owned()
    }

    /// In the form that lettre understands, which needs a space after a status without text and does not know a status
    /// above 559. Of an unknown status the first digit counts (<https://www.rfc-editor.org/rfc/rfc5321#section-4.3.2>).
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

/// Parses replies from bytes as they are received.
#[derive(Debug, Default)]
pub(super) struct ReplyParser {
    bytes: Vec<u8>,
    /// The lines so far of a reply that is not complete, and how many bytes they had.
    begun: Option<Reply>,
    taken: usize,
    is_greeted: bool,
}

impl ReplyParser {
    /// Adds received bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether all bytes have been returned in replies.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.begun.is_none()
    }

    /// The next reply, once it is complete.
    ///
    /// # Errors
    /// Where it is not valid, whatever follows.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, ReplyError> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            self.taken += end + 1;
            if end > LONGEST_LINE || self.taken > LONGEST_REPLY {
                return Err(ReplyError::NoEnd);
            }
            let line = self.bytes.drain(..=end).collect::<Vec<u8>>();
            let line = ascii(line.trim_ascii_end());
            let Some((status, is_last, words)) = split(&line) else {
                // Not shortened yet: secrets have to be redacted first.
                let begins = text::clean(&line);
                return Err(if self.is_greeted { ReplyError::NoReply } else { ReplyError::NoGreeting }(
                    begins,
                ));
            };
            let reply = self.begun.get_or_insert_with(|| Reply { status, lines: Vec::new() });
            if reply.status != status {
                return Err(ReplyError::TwoAtOnce(reply.status, status));
            }
            reply.lines.push(words.to_owned());
            if is_last {
                (self.taken, self.is_greeted) = (0, true);
                return Ok(self.begun.take());
            }
        }
        if self.bytes.len() > LONGEST_LINE || self.taken + self.bytes.len() > LONGEST_REPLY {
            return Err(ReplyError::NoEnd);
        }
        Ok(None)
    }

    /// What was received after the last reply, unsolicited.
    pub(super) fn surplus(&self) -> Option<ReplyError> {
        if self.is_empty() {
            return None;
        }
        let line = self.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Some(ReplyError::Unsolicited(text::clean(&ascii(line.trim_ascii_end()))))
    }

    /// The same, unless it is a 421, which a server may send at any time
    /// (<https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3>).
    pub(super) fn unsolicited(&self) -> Option<ReplyError> {
        let is_goodbye = self.bytes.iter().zip(b"421").all(|(one, other)| one == other);
        self.surplus().filter(|_| !is_goodbye)
    }
}

/// Bytes as text. Replies are ASCII (<https://www.rfc-editor.org/rfc/rfc5321#section-2.3.7>), and other bytes must not
/// prevent reading the rest.
pub(super) fn ascii(bytes: &[u8]) -> String {
    let bytes = bytes.iter();
    bytes.map(|byte| if byte.is_ascii() { char::from(*byte) } else { '?' }).collect()
}

/// The status, whether the line is the last, and its text.
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

    fn read(bytes: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let mut parser = ReplyParser::default();
        parser.push(bytes);
        parser.next()
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
            assert_eq!(read(greeting.as_bytes()), Err(ReplyError::NoGreeting(line.to_owned())));
        }
        let mut parser = ReplyParser::default();
        parser.push(b"220 ready\r\nhello\r\n");
        assert_eq!(parser.next(), Ok(Some(reply(220, &["ready"]))));
        assert_eq!(parser.next(), Err(ReplyError::NoReply("hello".to_owned())));
        assert_eq!(read(b"250-ok\r\n550 no\r\n"), Err(ReplyError::TwoAtOnce(250, 550)));
    }

    #[test]
    fn a_reply_without_end_is_given_up() {
        let endless_line = vec![b'x'; LONGEST_LINE + 1];
        assert_eq!(read(&endless_line), Err(ReplyError::NoEnd));
        let endless_lines = b"220-x\r\n".repeat(LONGEST_REPLY / 7 + 1);
        assert_eq!(read(&endless_lines), Err(ReplyError::NoEnd));
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
            let mut parser = ReplyParser::default();
            parser.push(came.as_bytes());
            assert_eq!(parser.unsolicited().is_none(), is_fine, "{came:?}");
        }
    }
}
