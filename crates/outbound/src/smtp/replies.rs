//! A server's side of the dialogue, read reply by reply: first by us, then by lettre, which is told what it understands.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::reply::{Reading, Reply};

/// How many bytes are read at once.
const CHUNK: usize = 4096;

/// A connection on which a reply follows whatever is sent. One that nobody asked for keeps from sending more, as each
/// that follows would be taken for the answer to something else.
#[derive(Debug)]
pub(super) struct Replies<S> {
    stream: S,
    peer: SocketAddr,
    reading: Reading,
    /// Whether a reply is to come: the greeting, at first.
    is_asked: bool,
    is_heard: bool,
    /// What lettre has not read yet.
    passed_on: Vec<u8>,
    /// Whether lettre has yet to greet a server that has been greeted.
    is_to_greet: bool,
}

impl<S> Replies<S> {
    /// Those of a server that has said nothing yet, its greeting the first.
    pub(super) fn of(stream: S, peer: SocketAddr) -> Self {
        Self {
            stream,
            peer,
            reading: Reading::default(),
            is_asked: true,
            is_heard: false,
            passed_on: Vec::new(),
            is_to_greet: false,
        }
    }

    /// Those of one that has greeted before the stream was what it is.
    pub(super) fn greeted(stream: S, peer: SocketAddr) -> Self {
        Self { is_asked: false, ..Self::of(stream, peer) }
    }

    /// Those of a server that has been greeted, for lettre, which hears the greeting and this answer to its own, of which
    /// the server hears nothing.
    pub(super) fn introduced(mut self, offers: &Reply) -> Self {
        self.passed_on = b"220 ready\r\n".to_vec();
        self.passed_on.extend(offers.for_lettre());
        self.is_to_greet = true;
        self
    }

    /// Whether a single byte came from the server.
    pub(super) fn is_heard(&self) -> bool {
        self.is_heard
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl<S: AsyncRead + Unpin> Replies<S> {
    /// The reply to what was sent last.
    ///
    /// # Errors
    /// The connection's, [`Trouble`](super::reply::Trouble) in one, and that there is no reply to come.
    pub(super) async fn reply(&mut self) -> io::Result<Reply> {
        poll_fn(|context| self.poll_reply(context)).await
    }

    /// What lies beneath, where nothing came but the replies that have been read.
    ///
    /// # Errors
    /// Where something came that nobody asked for.
    pub(super) fn into_stream(self) -> io::Result<S> {
        self.reading.surplus().map_or(Ok(self.stream), |trouble| Err(io::Error::other(trouble)))
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Reply>> {
        loop {
            if let Some(reply) = self.reading.next().map_err(io::Error::other)? {
                self.is_asked = false;
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
        self.is_heard = true;
        self.reading.push(chunk.filled());
        Poll::Ready(Ok(()))
    }

    /// That nothing came since the last reply, as far as one can know without waiting.
    fn nothing_unasked(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.reading.is_empty()
            && let Poll::Ready(Err(error)) = self.poll_more(context)
        {
            return Err(error);
        }
        self.reading.unasked().map_or(Ok(()), |trouble| Err(io::Error::other(trouble)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Replies<S> {
    /// Says a line, and hears the reply to it.
    ///
    /// # Errors
    /// As [`Replies::reply`].
    pub(super) async fn ask(&mut self, command: &str) -> io::Result<Reply> {
        self.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.flush().await?;
        self.reply().await
    }
}

impl<S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Sync + Unpin> AsyncTokioStream for Replies<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replies<S> {
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Replies<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_to_greet {
            self.is_to_greet = false;
            return Poll::Ready(Ok(bytes.len()));
        }
        if !self.is_asked {
            self.nothing_unasked(context)?;
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.is_asked = true;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
