//! The internet in front of a webhook: whatever host is asked for, this answers it over TLS.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

/// A proxy for `HTTPS_PROXY` that carries nothing on: it is the server that it is asked for itself.
pub(crate) struct Front {
    address: String,
    certificate: PathBuf,
    answers: Arc<Mutex<Answers>>,
    server: JoinHandle<()>,
    _folder: TempDir,
}

/// What is answered, and what to requests with a signature, where that is something else.
#[derive(Clone, Default)]
struct Answers {
    to_all: String,
    to_signed: Option<String>,
}

impl Front {
    /// One with a certificate for this host.
    pub(crate) async fn start(host: &str) -> Self {
        let signed = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("certificate.pem");
        std::fs::write(&certificate, signed.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![signed.cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::<Mutex<Answers>>::default();
        let shared = Arc::clone(&answers);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, shared) = (acceptor.clone(), shared.lock().unwrap().clone());
                // A client that does not like the certificate goes away.
                tokio::spawn(async move { serve(stream, acceptor, &shared).await.ok() });
            }
        });
        Self { address, certificate, answers, server, _folder: folder }
    }

    /// Answers every request with this status line, headers and body from now on.
    pub(crate) fn answer_with(&self, status: &str, headers: &str, body: &str) {
        *self.answers.lock().unwrap() = Answers { to_all: answer(status, headers, body), to_signed: None };
    }

    /// Answers as a leadops with this key's holder behind it does: `signed` to what has a signature.
    pub(crate) fn is_leadops(&self, signed: (&str, &str)) {
        let refused =
            |code: &str| format!("{{\"status\":\"refused\",\"code\":\"{code}\",\"error\":\"why\"}}");
        *self.answers.lock().unwrap() = Answers {
            to_all: answer("401 Unauthorized", "", &refused("LO101")),
            to_signed: Some(answer(signed.0, "", &refused(signed.1))),
        };
    }

    /// For `HTTPS_PROXY`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// For `SSL_CERT_FILE` of whoever is to trust it.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, answers: &Answers) -> std::io::Result<()> {
    read_head(&mut stream).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut stream = acceptor.accept(stream).await?;
    let head = String::from_utf8_lossy(&read_head(&mut stream).await?).to_lowercase();
    let to_signed = answers.to_signed.as_ref().filter(|_| head.contains("close-sig-hash:"));
    stream.write_all(to_signed.unwrap_or(&answers.to_all).as_bytes()).await?;
    stream.shutdown().await
}

/// Reads up to the end of a request's headers.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}
