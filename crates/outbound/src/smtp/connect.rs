//! The connection to a mail server, made here and not by lettre, which leaves Nagle's algorithm on: a mail's
//! end is a small segment of its own, and would wait some 40 ms for the acknowledgement of what came before.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};

/// TLS that trusts the certificates that this machine trusts.
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

/// TLS 1.2 or later with the project's only provider of cryptography.
pub(super) fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let versions = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()))
}

/// A connection without Nagle's algorithm.
pub(super) async fn to(address: &SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn nothing_waits_for_an_acknowledgement_of_what_was_sent_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = to(&listener.local_addr().unwrap()).await.unwrap();
        assert!(tcp.nodelay().unwrap());
    }
}
