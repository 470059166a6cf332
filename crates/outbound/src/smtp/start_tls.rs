//! TLS after the greeting: <https://www.rfc-editor.org/rfc/rfc3207>. Here and not by lettre, so that both ways to TLS have
//! the same trust, the same errors, and replies that lettre can read.

use std::{io, sync::Arc};

use lettre::transport::smtp::extension::ClientId;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{client::TlsStream, rustls::ClientConfig};

use super::connect;

/// How many bytes a reply has at the most.
const LONGEST_REPLY: usize = 16 * 1024;

/// What came of it.
pub(super) enum Started {
    /// It is encrypted.
    Encrypted(Box<TlsStream<TcpStream>>),
    /// The server offers nothing of the kind. It has been greeted.
    NotOffered(TcpStream),
}

/// Why there is no TLS.
pub(super) enum Failure {
    /// The connection broke.
    Lost(io::Error),
    /// The server says something else than to go on.
    Says {
        /// The status of its reply.
        status: u16,
        /// The reply.
        reply: String,
        /// Whether that is about STARTTLS, and not about being greeted.
        is_about_tls: bool,
    },
    /// It goes on, and there is no TLS.
    NoTls(io::Error),
}

/// Hears the greeting, asks for TLS where it is offered, and begins with it.
pub(super) async fn start(
    mut tcp: TcpStream,
    host: &str,
    hello: &ClientId,
    config: &Arc<ClientConfig>,
) -> Result<Started, Failure> {
    expect(&mut tcp, 220, false).await?;
    let offered = ask(&mut tcp, &format!("EHLO {hello}"), 250, false).await?;
    let offers = |line: &str| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"));
    if !offered.lines().any(offers) {
        return Ok(Started::NotOffered(tcp));
    }
    ask(&mut tcp, "STARTTLS", 220, true).await?;
    let stream = connect::encrypt(host, tcp, config).await.map_err(Failure::NoTls)?;
    Ok(Started::Encrypted(Box::new(stream)))
}

async fn ask(
    tcp: &mut TcpStream,
    command: &str,
    expected: u16,
    is_about_tls: bool,
) -> Result<String, Failure> {
    tcp.write_all(format!("{command}\r\n").as_bytes()).await.map_err(Failure::Lost)?;
    expect(tcp, expected, is_about_tls).await
}

/// Reads one reply, and not a byte more: what somebody may have put behind it in the clear would count as said within
/// TLS (<https://www.rfc-editor.org/rfc/rfc3207#section-6>). Replies before TLS are few and short.
async fn expect(tcp: &mut TcpStream, expected: u16, is_about_tls: bool) -> Result<String, Failure> {
    let mut reply = Vec::new();
    while !is_whole(&reply) {
        if reply.len() > LONGEST_REPLY {
            return Err(Failure::Lost(io::Error::other("its reply does not end")));
        }
        reply.push(tcp.read_u8().await.map_err(Failure::Lost)?);
    }
    let reply = String::from_utf8_lossy(&reply).into_owned();
    let status = reply.lines().last().and_then(|line| line.get(..3)?.parse().ok()).unwrap_or_default();
    if status == expected {
        return Ok(reply);
    }
    Err(Failure::Says { status, reply: reply.trim_end().to_owned(), is_about_tls })
}

/// Whether the last line is one that ends a reply: nothing, or a space, follows its status.
fn is_whole(reply: &[u8]) -> bool {
    let Some(lines) = reply.strip_suffix(b"\n") else { return false };
    let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    last.get(3).is_none_or(|byte| *byte != b'-')
}
