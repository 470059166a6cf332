//! [`Proxy`]: what goes wrong between a program and AWS.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::HOST, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use pipeline::lock;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::http;

/// A request to AWS, as far as it says what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service by its name in signatures: `s3`, `sqs`, `secretsmanager`.
    pub service: String,
    /// The operation: `SendMessage`; of S3 the method.
    pub operation: String,
    /// Of S3 the path, `/bucket/key`; of others the body.
    pub about: String,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyFault {
    /// S3 is asked too often: 503 `SlowDown`. Nothing is done.
    SlowDown,
    /// Two write one key at once: 409 `ConditionalRequestConflict`. Nothing is done.
    Conflict,
    /// The service is asked too often: 400 `ThrottlingException`. Nothing is done.
    Throttled,
    /// The service is broken: 500 `InternalError`. Nothing is done.
    Broken,
    /// There is no answer. Nothing is done.
    Hangs,
    /// The request is carried out, and the connection breaks before its answer.
    AnswerLost,
    /// The request is carried out, and there is no answer.
    DoneAndHangs,
    /// The request is carried out, and answered as if two had written at once.
    DoneAndConflict,
    /// The request is carried out as it should, this time later.
    Slow(Duration),
}

/// An AWS with injected faults, over HTTP. It ends when it is dropped.
pub struct Proxy {
    /// Its address, for `AWS_ENDPOINT_URL`.
    pub endpoint: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    rules: Mutex<Vec<Rule>>,
    calls: Mutex<Vec<Call>>,
}

struct Rule {
    concerns: Box<dyn Fn(&Call) -> bool + Send>,
    fault: ProxyFault,
    left: usize,
    done: usize,
}

impl Proxy {
    /// Starts one before the AWS at `upstream`. Nothing goes wrong until it is asked for.
    pub async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client: http::client(),
            rules: Mutex::default(),
            calls: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { endpoint, shared, server }
    }

    /// Has the next `times` requests that `concerns` is true of go wrong in this way.
    pub fn next(&self, times: usize, fault: ProxyFault, concerns: impl Fn(&Call) -> bool + Send + 'static) {
        lock(&self.shared.rules).push(Rule { concerns: Box::new(concerns), fault, left: times, done: 0 });
    }

    /// Whether everything that was to go wrong has.
    pub fn is_done(&self) -> bool {
        lock(&self.shared.rules).iter().all(|rule| rule.left == 0)
    }

    /// What went wrong so far, how often, and what is yet to.
    pub fn account(&self) -> Vec<(ProxyFault, usize, usize)> {
        lock(&self.shared.rules).iter().map(|rule| (rule.fault, rule.done, rule.left)).collect()
    }

    /// All requests so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted: io::Result<(_, SocketAddr)> = listener.accept().await;
        let Ok((stream, _)) = accepted else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&shared), request));
            // An error is a connection that breaks, which is what some faults are.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let call = Call::of(&parts, &body);
    let fault = shared.fault(&call);
    lock(&shared.calls).push(call);
    match fault {
        Some(ProxyFault::SlowDown) => Ok(s3_error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")),
        Some(ProxyFault::Conflict) => Ok(s3_error(StatusCode::CONFLICT, "ConditionalRequestConflict")),
        Some(ProxyFault::Throttled) => Ok(json_error(StatusCode::BAD_REQUEST, "ThrottlingException")),
        Some(ProxyFault::Broken) => Ok(json_error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")),
        Some(ProxyFault::Hangs) => std::future::pending().await,
        Some(ProxyFault::AnswerLost) => {
            shared.forward(parts, body).await?;
            Err(io::Error::other("the connection breaks"))
        }
        Some(ProxyFault::DoneAndHangs) => {
            shared.forward(parts, body).await?;
            std::future::pending().await
        }
        Some(ProxyFault::DoneAndConflict) => {
            shared.forward(parts, body).await?;
            Ok(s3_error(StatusCode::CONFLICT, "ConditionalRequestConflict"))
        }
        Some(ProxyFault::Slow(wait)) => {
            tokio::time::sleep(wait).await;
            shared.forward(parts, body).await
        }
        None => shared.forward(parts, body).await,
    }
}

impl Shared {
    fn fault(&self, call: &Call) -> Option<ProxyFault> {
        let mut rules = lock(&self.rules);
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && (rule.concerns)(call))?;
        rule.left -= 1;
        rule.done += 1;
        Some(rule.fault)
    }

    async fn forward(&self, parts: hyper::http::request::Parts, body: Bytes) -> Result<Answer, io::Error> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = parts.headers;
        headers.remove(HOST);
        let request = self.client.request(parts.method, format!("{}{path}", self.upstream));
        let answer = request.headers(headers).body(body).send().await.map_err(io::Error::other)?;
        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = answer.headers().clone();
            // The body comes in one piece here.
            headers.remove(hyper::header::TRANSFER_ENCODING);
            headers.remove(hyper::header::CONNECTION);
        }
        let body = answer.bytes().await.map_err(io::Error::other)?;
        response.body(Full::new(body)).map_err(io::Error::other)
    }
}

impl Call {
    fn of(parts: &hyper::http::request::Parts, body: &[u8]) -> Self {
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Credential=KEY/DAY/REGION/SERVICE/aws4_request
        let service = header("authorization").split('/').nth(3).unwrap_or_default().to_owned();
        let text = String::from_utf8_lossy(body).into_owned();
        let target = header("x-amz-target").rsplit('.').next().unwrap_or_default();
        let (operation, about) = if service == "s3" {
            (parts.method.to_string(), parts.uri.path().to_owned())
        } else if target.is_empty() {
            let action = text.split('&').find_map(|pair| pair.strip_prefix("Action="));
            (action.unwrap_or_default().to_owned(), text)
        } else {
            (target.to_owned(), text)
        };
        Self { service, operation, about }
    }

    /// Whether it writes an object under a folder of a bucket.
    pub fn writes(&self, folder: &str) -> bool {
        self.service == "s3" && self.operation == Method::PUT.as_str() && self.is_under(folder)
    }

    /// Whether it reads an object under a folder of a bucket.
    pub fn reads(&self, folder: &str) -> bool {
        self.service == "s3" && self.operation == Method::GET.as_str() && self.is_under(folder)
    }

    fn is_under(&self, folder: &str) -> bool {
        self.about.split('/').nth(2).is_some_and(|part| format!("{part}/") == folder)
    }
}

fn s3_error(status: StatusCode, code: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>injected</Message></Error>"
    );
    error(status, "application/xml", body)
}

fn json_error(status: StatusCode, code: &str) -> Answer {
    error(status, "application/x-amz-json-1.0", format!(r#"{{"__type":"{code}","message":"injected"}}"#))
}

fn error(status: StatusCode, kind: &str, body: String) -> Answer {
    let answer = Response::builder().status(status).header("content-type", kind);
    answer.body(Full::new(body.into())).unwrap_or_else(|error| unreachable!("{error}"))
}
