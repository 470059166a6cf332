//! The webhook listener: HTTP/1.1 on a TCP socket.
//!
//! An attacker can neither lock others out nor take much memory. A new connection is always accepted, and
//! another is closed for it (`connections` says which); bodies share one limit in size, at the expense of the
//! largest; heads, bodies, unread answers and idle connections have a time limit.

mod connections;
mod files;
mod protocol;

use std::{error::Error as _, io, net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use close::{headers, signature::SignatureHeaders};
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::{Body as _, Incoming},
    header::{ALLOW, CONNECTION, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use pipeline::{
    Code, Fault,
    ingest::{BODY_LIMIT, GENUINE, Ingest, Outcome, Webhook, is_expected_by_a_probe},
    ports::{Level, Upkeep},
    unsigned::Head,
    webhook::{self, HEALTH, Health, Signature},
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use crate::Refusals;
use connections::{ConnectionGuard, ConnectionLimits, ConnectionState, OpenConnections, TrackedStream};
use protocol::{FIRST, Protocol};

/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// How many bytes of bodies are held at most while they arrive, all connections together.
const BODIES: usize = 32 * BODY_LIMIT;
/// What is set aside for a body at first; more as it comes.
const FIRST_PART: usize = 4 * 1024;
/// How much of a body that is too large is read, and thrown away, so that the sender, who only listens
/// when it has sent all, gets its answer.
const DISCARDED: u64 = 8 * BODY_LIMIT as u64;
/// The longest head of a request, and how much is read from the socket at once. Close's have less than
/// 1 KiB, and a proxy adds little.
const BUFFER: usize = 16 * 1024;
/// How much of its answers the system buffers for a client that does not read them.
const SEND_BUFFER: usize = 32 * 1024;
/// How long requests may take to finish once the listener is to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after an error of the system's no further connection is taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many evicted connections may have their sockets open still while others are accepted.
const LEAVING_AT_ONCE: usize = 128;
/// How long a new connection waits for those before one more is evicted.
const LEAVING: Duration = Duration::from_millis(50);

/// Answers webhooks until `shutdown`, then takes no more and finishes those that have begun.
///
/// Requests that are refused are counted in `refusals`. What came again and is in no entry of the journal yet
/// is written down at the end.
///
/// Raises the process's limit on open files where that is too low for the connections it allows.
///
/// # Errors
/// None so far: trouble with connections is logged and waited out.
pub async fn serve(
    listener: TcpListener,
    ingest: Arc<Ingest>,
    store: Arc<dyn Upkeep>,
    refusals: Refusals,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve_in(files::limits(), listener, ingest, store, refusals, shutdown).await
}

async fn serve_in(
    limits: ConnectionLimits,
    listener: TcpListener,
    ingest: Arc<Ingest>,
    store: Arc<dyn Upkeep>,
    refusals: Refusals,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let all_seats = limits.all + LEAVING_AT_ONCE;
    let seats = Arc::new(Semaphore::new(all_seats));
    let connections = Arc::new(OpenConnections::new(limits, BODIES));
    let server = Arc::new(Server { ingest, store, refusals, connections });
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = server.accept(&listener, &seats, &shutdown) => {}
        () = server.connections.look_after_time() => {}
        () = server.refusals.write_as_they_come() => {}
    }
    drop(listener);
    // What is not done by then is cut off.
    let all_seats = u32::try_from(all_seats).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, seats.acquire_many(all_seats)).await;
    server.refusals.write().await;
    server.ingest.finish().await;
    Ok(())
}

type Answer = Response<Full<Bytes>>;

struct Server {
    ingest: Arc<Ingest>,
    /// Says whether it could take webhooks.
    store: Arc<dyn Upkeep>,
    refusals: Refusals,
    connections: Arc<OpenConnections>,
}

impl Server {
    /// Takes connections for ever.
    async fn accept(
        self: &Arc<Self>,
        listener: &TcpListener,
        seats: &Arc<Semaphore>,
        shutdown: &CancellationToken,
    ) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Some((guard, seat)) = self.enter(seats).await else { return };
                    let server = Arc::clone(self);
                    tokio::spawn(server.connection(stream, peer.ip(), guard, seat, shutdown.clone()));
                }
                // Of one connection, not of the listener.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // There may be no file left to open.
                    self.connections.evict_one();
                    self.is_full(format!("no connection could be taken: {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Gives a new connection a place. Where all are taken, another connection is evicted.
    async fn enter(&self, seats: &Arc<Semaphore>) -> Option<(ConnectionGuard, OwnedSemaphorePermit)> {
        let guard = self.connections.enter();
        self.log_eviction(guard.evict_for());
        loop {
            let seat = Arc::clone(seats).acquire_owned();
            match tokio::time::timeout(LEAVING, seat).await {
                Ok(seat) => return Some((guard, seat.ok()?)),
                // All are being served, or take their time to leave.
                Err(_) => self.log_eviction(self.connections.evict_one()),
            }
        }
    }

    fn log_eviction(&self, evicted: bool) {
        if evicted {
            self.is_full("all places were taken: a connection was closed to make room for a new one");
        }
    }

    fn is_full(&self, what: impl Into<String>) {
        self.ingest.log_refusal(Level::Warn, &Fault::new(Code::ListenerFull, what), "");
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        guard: ConnectionGuard,
        _seat: OwnedSemaphorePermit,
        shutdown: CancellationToken,
    ) {
        // Before its first byte it takes next to no memory.
        let mut first = [0; FIRST];
        let begins = tokio::select! {
            begins = stream.peek(&mut first) => begins.unwrap_or_default(),
            () = guard.evicted() => 0,
            () = shutdown.cancelled() => 0,
        };
        if begins > 0 {
            self.log_eviction(guard.speaks());
            let first = &first[..begins];
            Box::pin(self.requests(stream, first, peer, guard, shutdown)).await;
        }
    }

    /// Answers what comes over a connection.
    async fn requests(
        self: Arc<Self>,
        stream: TcpStream,
        first: &[u8],
        peer: IpAddr,
        guard: ConnectionGuard,
        shutdown: CancellationToken,
    ) {
        // An answer is one small packet. Where one of these fails, it is only sent later, or buffered for longer.
        let _ = stream.set_nodelay(true);
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
        let guard = Arc::new(guard);
        let service = service_fn(|request| {
            let (server, guard) = (Arc::clone(&self), Arc::clone(&guard));
            async move { Ok::<_, std::convert::Infallible>(server.answer(request, peer, &guard).await) }
        });
        let connection = http1::Builder::new()
            // Its own knows only of heads.
            .header_read_timeout(None)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(TrackedStream::new(stream, Arc::clone(&guard))), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => {
                // What else goes wrong on a connection is the client's.
                if let Some(error) = ended.err().filter(hyper::Error::is_parse) {
                    self.not_read(&error, first);
                }
            }
            () = guard.evicted() => {}
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, connection).await;
            }
        }
    }

    /// What hyper has answered by itself, or closed the connection at.
    fn not_read(&self, error: &hyper::Error, first: &[u8]) {
        let (status, what, kind) = if error.is_parse_too_large() {
            (431, format!("the head of a request is longer than {BUFFER} bytes"), "head")
        } else {
            let protocol = Protocol::of(first);
            (400, protocol.description(first), protocol.kind())
        };
        self.ingest.log_refusal(Level::Warn, &Fault::new(Code::NotHttp, what), kind);
        self.refusals.count(status, None);
    }

    async fn answer(&self, request: Request<Incoming>, peer: IpAddr, guard: &ConnectionGuard) -> Answer {
        // Of requests that come in one piece, each takes its turn with those of other connections.
        tokio::task::yield_now().await;
        let answer = match (request.uri().path(), request.method()) {
            (path, &Method::POST) if webhook::is_at(path) => {
                let signed = presented(request.headers()).is_any();
                match AssertUnwindSafe(self.webhook(request, peer, guard)).catch_unwind().await {
                    Ok(answer) => answer,
                    Err(_) => {
                        let fault = Fault::new(Code::Internal, "the webhook stage panicked");
                        self.refused(&fault, 500, signed)
                    }
                }
            }
            // A health check is no webhook, so its refusal is not counted.
            (HEALTH, &Method::GET | &Method::HEAD) => self.health(),
            (HEALTH, _) => {
                not_allowed("GET, HEAD", &json!({"status": "refused", "error": "only GET works here"}))
            }
            _ => self.elsewhere(request, guard).await,
        };
        guard.release();
        guard.is(ConnectionState::Idle);
        answer
    }

    /// Whether a webhook would be accepted, for a supervisor.
    fn health(&self) -> Answer {
        // Where the files are is nobody's business here.
        let failed = |code: Code| Health::Failed { code, error: code.cause().to_owned() };
        let health = self.store.intact().map_or_else(|fault| failed(fault.code), |()| Health::Ok);
        respond(health.status(), &health.json())
    }

    async fn webhook(&self, request: Request<Incoming>, peer: IpAddr, guard: &ConnectionGuard) -> Answer {
        let (head, body) = request.into_parts();
        let presented = presented(&head.headers);
        let body = match receive_in_time(&head.headers, body, guard).await {
            Ok(body) => body,
            Err(BodyError::Refused(fault, status)) => {
                return self.refused(&fault, status, presented.is_any());
            }
            // An unsigned one is no loss. A webhook's may be cut off by what is in front, each time.
            Err(BodyError::BrokeOff) if presented.is_any() => {
                let fault = Fault::new(Code::NotHttp, "the body of a signed webhook broke off");
                return self.refused(&fault, 400, true);
            }
            // Nobody is there to be answered.
            Err(BodyError::BrokeOff) => return respond(400, &json!({"status": "refused"})),
        };
        guard.is(ConnectionState::Handling);
        let webhook = Webhook { presented, head: head_of(&head, peer), body };
        let (seems_genuine, is_probe) = (webhook.seems_genuine(), webhook.is_probe());
        let outcome = self.ingest.handle(webhook).await;
        match &outcome {
            Outcome::Accepted(_) => guard.is_proven(),
            Outcome::Refused(fault) if is_probe && is_expected_by_a_probe(fault.code) => {}
            Outcome::Refused(fault) => self.count(outcome.status(), fault, seems_genuine),
            Outcome::Duplicate(_) | Outcome::Ignored { .. } => {}
        }
        respond(outcome.status(), &outcome.json())
    }

    /// Refuses a request that is no POST to the webhook.
    async fn elsewhere(&self, request: Request<Incoming>, guard: &ConnectionGuard) -> Answer {
        let (head, body) = request.into_parts();
        let (method, path) = (head.method.as_str(), head.uri.path());
        let presented = presented(&head.headers);
        let mut signature = Signature::claimed(presented);
        if signature == Signature::Claimed && head.method == Method::POST {
            let body = receive_in_time(&head.headers, body, guard).await;
            if body.is_ok_and(|body| self.ingest.is_signed(presented, &body)) {
                signature = Signature::Holds;
            }
        }
        let fault = webhook::elsewhere(method, path, signature);
        // Where Close's webhooks go astray, that needs a person.
        let (level, kind) = match (signature, webhook::is_at(path)) {
            (Signature::Holds, _) => (Level::Error, GENUINE),
            (Signature::Claimed, false) => (Level::Warn, "claimed"),
            (Signature::Claimed, true) => (Level::Error, "redirected"),
            (Signature::None, false) => (Level::Warn, ""),
            (Signature::None, true) => (Level::Warn, "method"),
        };
        self.ingest.log_refusal(level, &fault, kind);
        let json = Outcome::Refused(fault.clone()).json();
        let answer = if webhook::is_at(path) { not_allowed("POST", &json) } else { respond(404, &json) };
        self.count(answer.status().as_u16(), &fault, signature != Signature::None);
        answer
    }

    /// Refuses a request that never reached the stage, and hangs up.
    fn refused(&self, fault: &Fault, status: u16, signed: bool) -> Answer {
        let level = if status >= 500 { Level::Error } else { Level::Warn };
        self.ingest.log_refusal(level, fault, if signed { GENUINE } else { "" });
        self.count(status, fault, signed);
        let mut answer = respond(status, &Outcome::Refused(fault.clone()).json());
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    fn count(&self, status: u16, fault: &Fault, seems_genuine: bool) {
        self.refusals.count(status, seems_genuine.then_some(fault.code));
    }
}

/// Why there is no body.
enum BodyError {
    /// It is not wanted, with the HTTP status that says so.
    Refused(Fault, u16),
    /// The other side has gone.
    BrokeOff,
}

fn not_wanted<T>(code: Code, status: u16, what: impl Into<String>) -> Result<T, BodyError> {
    Err(BodyError::Refused(Fault::new(code, what), status))
}

fn presented(headers: &HeaderMap) -> SignatureHeaders<'_> {
    // One that is no text is there, and none that can hold.
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    SignatureHeaders { hash: text(headers::HASH), timestamp: text(headers::TIMESTAMP) }
}

fn head_of(head: &Parts, peer: IpAddr) -> Head<'_> {
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let target = head.uri.authority().map(|authority| authority.as_str());
    Head { peer: Some(peer), target, is_old: head.version == Version::HTTP_10, headers }
}

/// The whole body, where it comes in [`BODY_TIMEOUT`].
async fn receive_in_time(
    headers: &HeaderMap,
    body: Incoming,
    guard: &ConnectionGuard,
) -> Result<Bytes, BodyError> {
    guard.is(ConnectionState::ReadingBody);
    tokio::time::timeout(BODY_TIMEOUT, receive(headers, body, guard)).await.unwrap_or_else(|_| {
        let what = format!("the body took longer than {} s", BODY_TIMEOUT.as_secs());
        not_wanted(Code::NotHttp, 408, what)
    })
}

/// The whole body, for which `guard` has taken room.
async fn receive(
    headers: &HeaderMap,
    mut body: Incoming,
    guard: &ConnectionGuard,
) -> Result<Bytes, BodyError> {
    let said = body.size_hint().lower();
    if said > BODY_LIMIT as u64 {
        // A client that asks first whether to send has its answer at once.
        if said <= DISCARDED && !headers.contains_key(EXPECT) {
            discard(body).await;
        }
        return too_large(&format!("{said} bytes"));
    }
    // One buffer, grown as the body comes: neither a body sent a byte at a time nor a length that is only
    // said must cost much.
    let mut whole: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.or_else(|error| broken(&error))?;
        let Ok(part) = frame.into_data() else { continue };
        let length = whole.len() + part.len();
        if length > BODY_LIMIT {
            drop(whole);
            guard.release();
            discard(body).await;
            return too_large(&format!("more than {BODY_LIMIT} bytes"));
        }
        if length > whole.capacity() {
            let capacity = length.next_power_of_two().clamp(FIRST_PART, BODY_LIMIT);
            if !guard.hold(capacity - whole.capacity()) {
                return not_wanted(Code::NotStored, 503, "too many large bodies are arriving at once");
            }
            whole.reserve_exact(capacity - whole.len());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.into())
}

/// Reads on and throws away what comes.
async fn discard(mut body: Incoming) {
    let mut left = DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// What has become of a body that cannot be read on.
fn broken<T>(error: &hyper::Error) -> Result<T, BodyError> {
    use io::ErrorKind::{InvalidData, InvalidInput};
    match error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) if matches!(cause.kind(), InvalidData | InvalidInput) => {
            not_wanted(Code::NotHttp, 400, format!("the body is not sent as HTTP/1.1 wants it: {cause}"))
        }
        _ => Err(BodyError::BrokeOff),
    }
}

fn too_large<T>(length: &str) -> Result<T, BodyError> {
    not_wanted(Code::BodyTooLarge, 413, format!("the body has {length}, the limit is {BODY_LIMIT}"))
}

fn not_allowed(methods: &'static str, body: &Value) -> Answer {
    let mut answer = respond(405, body);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    answer
}

fn respond(status: u16, body: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests;
