use std::sync::{Arc, Mutex};

use lead::LeadId;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A mail server, spoken to over SMTP, that takes every mail. It ends when it is dropped.
pub struct SmtpStandIn {
    address: std::net::SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl SmtpStandIn {
    /// Starts one on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mails = Arc::<Mutex<Vec<String>>>::default();
        let taken = Arc::clone(&mails);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                // Whoever hangs up early has sent nothing.
                tokio::spawn(async move { converse(stream, &taken).await });
            }
        });
        Self { address, mails, server }
    }

    /// What `SMTP_URL` would be.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The mails that were taken, in their order: headers and text.
    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

impl Drop for SmtpStandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn converse(mut stream: TcpStream, taken: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 ready\r\n").await?;
    let mut content: Option<String> = None;
    while let Some(line) = lines.next_line().await? {
        let reply: &[u8] = match (&mut content, line.as_str()) {
            (Some(_), ".") => {
                taken.lock().unwrap().extend(content.take());
                b"250 queued\r\n"
            }
            (Some(content), line) => {
                content.push_str(line);
                content.push('\n');
                continue;
            }
            (None, "DATA") => {
                content = Some(String::new());
                b"354 go ahead\r\n"
            }
            (None, "QUIT") => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        writer.write_all(reply).await?;
    }
    Ok(())
}

/// The leads that a mail is about, by its text.
pub fn leads_of_mail(text: &str) -> Vec<LeadId> {
    text.lines().filter_map(|line| line.strip_prefix("Lead ID: ")?.trim().parse().ok()).collect()
}
