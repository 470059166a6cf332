//! A web server in the place of an owner directory, which answers whatever a test says.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Response, Uri},
};
use lead::LeadId;
use tokio::{net::TcpListener, task::JoinHandle};

/// An answer, in which `{lead_id}` stands for the lead that was asked for.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A status and a body, without headers.
    pub fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    /// An error in S3's form.
    pub fn error(status: u16, code: &str) -> Self {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let body = format!("{head}<Error><Code>{code}</Code><Message>It is so.</Message></Error>");
        Self::new(status, &body).with("content-type", "application/xml")
    }

    /// The same with a header.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The server, on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct Directory {
    /// `http://127.0.0.1:…`, without a slash at the end.
    pub url: String,
    script: Arc<Script>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Script {
    reply: Mutex<Reply>,
    asked: Mutex<Vec<String>>,
}

impl Directory {
    /// Starts one that answers each question like this.
    pub async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Script { reply: Mutex::new(reply), asked: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, server }
    }

    /// Answers like this from now on.
    pub fn answer_with(&self, reply: Reply) {
        *self.script.reply.lock().unwrap() = reply;
    }

    /// The paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.script.asked.lock().unwrap().clone()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(script): State<Arc<Script>>, uri: Uri) -> Response<Body> {
    script.asked.lock().unwrap().push(uri.path().to_owned());
    let Reply { status, headers, body } = script.reply.lock().unwrap().clone();
    let lead: Option<LeadId> = uri.path().split(['/', '.']).find_map(|part| part.parse().ok());
    let body = body.replace("{lead_id}", lead.as_ref().map_or("lead_none", LeadId::as_str));
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}
