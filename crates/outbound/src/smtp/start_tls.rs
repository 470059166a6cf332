//! TLS after the greeting: <https://www.rfc-editor.org/rfc/rfc3207>. Done here and not by lettre, so that both ways to
//! TLS have the same trust, the same errors, and replies that lettre can read.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::{client::TlsStream, rustls::ClientConfig};

use super::{
    connect,
    greeting::{Failure, Handshake},
    reply_stream::ReplyStream,
};

/// Starts TLS with a server that offers it.
///
/// Data in the clear after the reply to STARTTLS would count as received within TLS, and is refused
/// (<https://www.rfc-editor.org/rfc/rfc3207#section-6>).
pub(super) async fn start(
    mut replies: ReplyStream<TcpStream>,
    host: &str,
    config: &Arc<ClientConfig>,
) -> Result<ReplyStream<TlsStream<TcpStream>>, Failure> {
    let reply = replies.ask("STARTTLS").await.map_err(Failure::Lost)?;
    if reply.status != 220 {
        return Err(Failure::Rejected(Handshake::StartTls, reply));
    }
    let peer = replies.peer();
    let tcp = replies.into_stream().map_err(Failure::Lost)?;
    let stream = connect::encrypt(host, tcp, config).await.map_err(Failure::NoTls)?;
    Ok(ReplyStream::greeted(stream, peer))
}
