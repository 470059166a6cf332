//! As much of HTTP/1.1 as the client and the null server need.

/// A message that has come completely.
pub(crate) struct Message<'a> {
    head: &'a str,
    /// Its body.
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message that these bytes begin with; `None` while some of it is missing.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let (head, rest) = (std::str::from_utf8(&bytes[..end]).unwrap(), &bytes[end + 4..]);
        let length = header(head, "content-length").unwrap().parse().unwrap();
        Some(Self { head, body: rest.get(..length)? })
    }

    /// Whether it is an answer with status 200.
    pub(crate) fn is_ok(&self) -> bool {
        self.head.starts_with("HTTP/1.1 200 ")
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
