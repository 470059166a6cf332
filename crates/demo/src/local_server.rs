//! A server on this machine that lives as long as its handle.

use std::{io, net::SocketAddr};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct LocalServer {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
}

impl LocalServer {
    /// Serves on a free port of 127.0.0.1. It accepts connections when this returns.
    pub(crate) async fn start(router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, task })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
