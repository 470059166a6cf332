use std::sync::{Arc, Mutex};

use lead::LeadId;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What is answered to lines that have this in them: to the part, the reply.
type Rules = Arc<Mutex<Vec<(String, String)>>>;

/// A mail server, spoken to over SMTP, that takes every mail unless scripted otherwise. It ends when it is dropped.
pub struct SmtpStandIn {
    address: std::net::SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    rules: Rules,
    server: JoinHandle<()>,
}

impl SmtpStandIn {
    /// Starts one on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mails = Arc::<Mutex<Vec<String>>>::default();
        let rules = Rules::default();
        let (taken, known) = (Arc::clone(&mails), Arc::clone(&rules));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (taken, rules) = (Arc::clone(&taken), Arc::clone(&known));
                // Whoever hangs up early has sent nothing.
                tokio::spawn(async move { converse(stream, &taken, &rules).await });
            }
        });
        Self { address, mails, rules, server }
    }

    /// Answers like this from now on to lines with `part` in them.
    pub fn answer(&self, part: &str, reply: &str) {
        self.rules.lock().unwrap().push((part.to_owned(), reply.to_owned()));
    }

    /// Takes everything again.
    pub fn recover(&self) {
        self.rules.lock().unwrap().clear();
    }

    /// Host and port.
    pub fn address(&self) -> std::net::SocketAddr {
        self.address
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

async fn converse(mut stream: TcpStream, taken: &Mutex<Vec<String>>, rules: &Rules) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 ready\r\n").await?;
    let mut content: Option<String> = None;
    while let Some(line) = lines.next_line().await? {
        let rule = rules.lock().unwrap().iter().find(|(part, _)| line.contains(part)).cloned();
        if let (None, Some((_, reply))) = (&content, rule) {
            writer.write_all(format!("{reply}\r\n").as_bytes()).await?;
            continue;
        }
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
