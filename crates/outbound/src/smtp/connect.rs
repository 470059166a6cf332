//! The connection to a mail server, made here and not by lettre, which leaves Nagle's algorithm on: a mail's
//! end is a small segment of its own, and would wait some 40 ms for the acknowledgement of what came before.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};

/// The least that an address is waited for, however many there are.
const LEAST: Duration = Duration::from_secs(1);

/// Trust in the certificates that this machine trusts.
///
/// # Errors
/// Where the machine has none.
pub(super) fn trust() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        return Err(format!("this machine has no certificates to trust{why}"));
    }
    config(roots)
}

/// TLS 1.2 or later with the one provider of cryptography that the project has.
pub(super) fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let versions = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()))
}

/// How long a server is waited for until it is connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// One of its addresses at the most: one that does not answer must not use up the time of the others.
    pub(super) address: Duration,
    /// All of them.
    pub(super) all: Duration,
    /// Whether the server speaks first, so that an address where nobody does is as good as none.
    pub(super) is_greeted: bool,
}

/// A connection on which nothing waits to be sent, with the first address of a host that answers, each in its time.
///
/// # Errors
/// What each of its addresses said.
pub(super) async fn connect(host: &str, port: u16, limits: Limits) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    connect_to_any(&addresses, limits).await
}

async fn connect_to_any(addresses: &[SocketAddr], limits: Limits) -> io::Result<TcpStream> {
    let share = limits.all / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let each = limits.address.min(share.max(LEAST));
    let mut failures = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        // Nothing is better than the last.
        let waits_for_a_word = limits.is_greeted && index + 1 < addresses.len();
        match tokio::time::timeout(each, connect_to(address, waits_for_a_word)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => failures.push(format!("{address}: {error}")),
            Err(_) => failures.push(format!("{address} does not answer within {} s", each.as_secs_f32())),
        }
    }
    if failures.is_empty() {
        failures.push("its name has no address".to_owned());
    }
    Err(io::Error::other(failures.join("; ")))
}

async fn connect_to(address: &SocketAddr, waits_for_a_word: bool) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    if waits_for_a_word && tcp.peek(&mut [0]).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(tcp)
}

/// TLS with the host of this name.
pub(super) async fn encrypt(
    host: &str,
    tcp: TcpStream,
    config: &Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::clone(config)).connect(name, tcp).await
}

/// A server's side of the dialogue as lettre takes it: ASCII, which is all that its replies may be
/// (<https://www.rfc-editor.org/rfc/rfc5321#section-2.3.7>), and which some are not. lettre gives up on the first other
/// byte, be it in the middle of the word that a mail was taken.
#[derive(Debug)]
pub(super) struct Replies<S> {
    stream: S,
    peer: SocketAddr,
    /// What it says before anything that comes.
    head: &'static [u8],
}

impl<S> Replies<S> {
    /// Those of a server that has said nothing yet, or, where `is_greeted`, whose greeting somebody has heard: then
    /// another stands in its place.
    pub(super) fn of(stream: S, peer: SocketAddr, is_greeted: bool) -> Self {
        Self { stream, peer, head: if is_greeted { b"220 ready\r\n" } else { b"" } }
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
        if !self.head.is_empty() {
            let (now, later) = self.head.split_at(self.head.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.head = later;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let came = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        came.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replies<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    const PLAIN: Limits =
        Limits { address: Duration::from_millis(200), all: Duration::from_secs(10), is_greeted: false };

    #[tokio::test]
    async fn nothing_waits_for_an_acknowledgement_of_what_was_sent_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let limits = Limits { address: Duration::from_secs(10), ..PLAIN };
        let tcp = connect("127.0.0.1", port, limits).await.unwrap();
        assert!(tcp.nodelay().unwrap());
    }

    /// An address that lets whoever connects wait: its queue is full.
    async fn black_hole() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(connected) =
            tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
        {
            waiting.push(connected.unwrap());
        }
        (address, listener, waiting)
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_uses_up_its_own_time_alone() {
        let (silent, _listener, _waiting) = black_hole().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answering = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let tcp = connect_to_any(&[silent, closed, answering], PLAIN).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), answering);
        let error = connect_to_any(&[silent, closed], PLAIN).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{silent} does not answer within 0.2 s")), "{error}");
        assert!(error.contains(&format!("{closed}: ")), "{error}");
        assert!(connect_to_any(&[], PLAIN).await.unwrap_err().to_string().contains("no address"));
    }

    #[tokio::test]
    async fn an_address_where_nobody_greets_is_passed_over_unless_it_is_the_last() {
        let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let greeting = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let [silent, speaking] = [&mute, &greeting].map(|listener| listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = greeting.accept().await.unwrap();
                let _ = stream.write_all(b"220 ready\r\n").await;
            }
        });
        let greeted = Limits { is_greeted: true, ..PLAIN };
        let tcp = connect_to_any(&[silent, speaking], greeted).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), speaking);
        assert_eq!(connect_to_any(&[silent], greeted).await.unwrap().peer_addr().unwrap(), silent);
        assert_eq!(connect_to_any(&[silent, speaking], PLAIN).await.unwrap().peer_addr().unwrap(), silent);
    }
}
