//! A neighbour that takes a request and never answers, so that a process can be killed at that moment.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};

use crate::process::PATIENCE;

/// An HTTP server on loopback.
pub struct HangingServer {
    address: std::net::SocketAddr,
    asked: Arc<Notify>,
    served: JoinHandle<()>,
}

impl HangingServer {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Notify::new()));
        let notify = asked.clone();
        let served = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !is_whole(&request) && stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
                let _ = stream.flush().await;
                open.push(stream);
                notify.notify_one();
            }
        });
        Self { address, asked, served }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns once it has a whole request.
    pub async fn is_asked(&self) {
        timeout(PATIENCE, self.asked.notified()).await.expect("it is asked");
    }
}

impl Drop for HangingServer {
    fn drop(&mut self) {
        self.served.abort();
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
