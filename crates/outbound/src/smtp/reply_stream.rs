//! The server's side of the dialogue, read reply by reply: first by us, then by lettre, which gets replies in the form it
//! understands.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::reply::{Reply, ReplyParser};

/// How many bytes are read at once.
const CHUNK: usize = 4096;

/// A connection on which every command has one reply. After an unsolicited reply nothing more is sent, as each later reply
/// would be taken for the answer to another command.
#[derive(Debug)]
pub(super) struct ReplyStream<S> {
    stream: S,
    peer: SocketAddr,
    parser: ReplyParser,
    /// Whether a reply is expected: the greeting, at first.
    is_reply_expected: bool,
    has_received: bool,
    /// What lettre has not read yet.
    passed_on: Vec<u8>,
    /// Whether lettre's own EHLO, which is still to come, is not sent to the server.
    skips_greeting: bool,
}

impl<S> ReplyStream<S> {
    /// A new connection, on which the greeting comes first.
    pub(super) fn of(stream: S, peer: SocketAddr) -> Self {
        Self {
            stream,
            peer,
            parser: ReplyParser::default(),
            is_reply_expected: true,
            has_received: false,
            passed_on: Vec::new(),
            skips_greeting: false,
        }
    }

    /// A connection whose greeting was read before TLS began.
    pub(super) fn greeted(stream: S, peer: SocketAddr) -> Self {
        Self { is_reply_expected: false, ..Self::of(stream, peer) }
    }

    /// The same connection for lettre, which reads a made-up greeting and `capabilities` as the answer to its EHLO, which
    /// is not sent to the server.
    pub(super) fn introduced(mut self, capabilities: &Reply) -> Self {
        self.passed_on = b"220 ready\r\n".to_vec();
        self.passed_on.extend(capabilities.for_lettre());
        self.skips_greeting = true;
        self
    }

    /// Whether anything was received from the server.
    pub(super) fn has_received(&self) -> bool {
        self.has_received
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl<S: AsyncRead + Unpin> ReplyStream<S> {
    /// The reply to the last command.
    ///
    /// # Errors
    /// Those of the connection, and [`ReplyError`](super::reply::ReplyError) wrapped in one.
    pub(super) async fn reply(&mut self) -> io::Result<Reply> {
        poll_fn(|context| self.poll_reply(context)).await
    }

    /// The stream itself, where nothing was received but the replies that have been read.
    ///
    /// # Errors
    /// Where there is unsolicited data.
    pub(super) fn into_stream(self) -> io::Result<S> {
        self.parser.surplus().map_or(Ok(self.stream), |error| Err(io::Error::other(error)))
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Reply>> {
        loop {
            if let Some(reply) = self.parser.next().map_err(io::Error::other)? {
                self.is_reply_expected = false;
                return Poll::Ready(Ok(reply));
            }
            ready!(self.poll_more(context))?;
        }
    }

    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = [0; CHUNK];
        let mut chunk = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut chunk))?;
        if chunk.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.has_received = true;
        self.parser.push(chunk.filled());
        Poll::Ready(Ok(()))
    }

    /// Checks, without waiting, that nothing was received since the last reply.
    fn nothing_unsolicited(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.parser.is_empty()
            && let Poll::Ready(Err(error)) = self.poll_more(context)
        {
            return Err(error);
        }
        self.parser.unsolicited().map_or(Ok(()), |error| Err(io::Error::other(error)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ReplyStream<S> {
    /// Sends a command and reads the reply.
    ///
    /// # Errors
    /// As [`ReplyStream::reply`].
    pub(super) async fn ask(&mut self, command: &str) -> io::Result<Reply> {
        self.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.flush().await?;
        self.reply().await
    }
}

impl<S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Sync + Unpin> AsyncTokioStream for ReplyStream<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReplyStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.passed_on.is_empty() {
            self.passed_on = ready!(self.poll_reply(context))?.for_lettre();
        }
        let now = self.passed_on.len().min(buffer.remaining());
        buffer.put_slice(&self.passed_on.drain(..now).collect::<Vec<u8>>());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ReplyStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.skips_greeting {
            self.skips_greeting = false;
            return Poll::Ready(Ok(bytes.len()));
        }
        if !self.is_reply_expected {
            self.nothing_unsolicited(context)?;
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.is_reply_expected = true;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
