//! The connection to a mail server, made here and not by lettre, which leaves Nagle's algorithm on: a mail's
//! end is a small segment of its own, and would wait some 40 ms for the acknowledgement of what came before.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
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

/// Trust in the certificates that this machine trusts, for TLS from the start.
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

/// A connection on which nothing waits to be sent, with the first address of a host that answers, each in its time: one
/// that does not must not use up that of the others.
///
/// # Errors
/// What each of its addresses said.
pub(super) async fn connect(host: &str, port: u16, each: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    connect_to_any(&addresses, each).await
}

async fn connect_to_any(addresses: &[SocketAddr], each: Duration) -> io::Result<TcpStream> {
    let mut failures = Vec::new();
    for address in addresses {
        match tokio::time::timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Ok(Err(error)) => failures.push(format!("{address}: {error}")),
            Err(_) => failures.push(format!("{address} does not answer within {} s", each.as_secs_f32())),
        }
    }
    if failures.is_empty() {
        failures.push("its name has no address".to_owned());
    }
    Err(io::Error::other(failures.join("; ")))
}

/// TLS from the start, with the host of this name.
pub(super) async fn encrypt(
    host: &str,
    tcp: TcpStream,
    config: &Arc<ClientConfig>,
) -> io::Result<Box<dyn AsyncTokioStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
    Ok(Box::new(Encrypted(stream)))
}

/// TLS from the start, as lettre takes it.
#[derive(Debug)]
struct Encrypted(TlsStream<TcpStream>);

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn nothing_waits_for_an_acknowledgement_of_what_was_sent_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tcp = connect("127.0.0.1", port, Duration::from_secs(10)).await.unwrap();
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
        let each = Duration::from_millis(200);
        let tcp = connect_to_any(&[silent, closed, answering], each).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), answering);
        let error = connect_to_any(&[silent, closed], each).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{silent} does not answer within 0.2 s")), "{error}");
        assert!(error.contains(&format!("{closed}: ")), "{error}");
        assert!(connect_to_any(&[], each).await.unwrap_err().to_string().contains("no address"));
    }
}
