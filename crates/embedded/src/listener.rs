//! The webhook listener: HTTP/1.1 on a TCP socket.
//!
//! A stranger can keep nobody out and take little memory. Whoever connects gets in, at the expense of
//! others ([`visitors`] says of whom); bodies share one limit in size, at the expense of the largest; heads,
//! bodies, unread answers and idle connections have a time limit.

mod files;
mod visitors;

use std::{io, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{ALLOW, CONNECTION, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use pipeline::{
    Code, Fault,
    ingest::{BODY_LIMIT, Ingest, Outcome, Webhook},
    ports::Level,
    signature::Presented,
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use crate::store::{Refusals, Store};
use visitors::{Doing, Places, Visit, Visitors, Watched};

/// Where webhooks are posted to.
pub const PATH: &str = "/crm/webhook";

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
/// How much of its answers the system keeps for somebody who does not read them.
const SEND_BUFFER: usize = 32 * 1024;
/// How long requests may take to finish once the listener is to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long after an error of the system's no further connection is taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many may be on their way out, their sockets open still, while others come in.
const LEAVING_AT_ONCE: usize = 128;
/// How long somebody who comes in waits for them before one more has to go.
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
    store: Store,
    refusals: Refusals,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve_in(files::places(), listener, ingest, store, refusals, shutdown).await
}

async fn serve_in(
    places: Places,
    listener: TcpListener,
    ingest: Arc<Ingest>,
    store: Store,
    refusals: Refusals,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let everybody = places.all + LEAVING_AT_ONCE;
    let seats = Arc::new(Semaphore::new(everybody));
    let visitors = Arc::new(Visitors::new(places, BODIES));
    let server = Arc::new(Server { ingest, store, refusals, visitors });
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = server.accept(&listener, &seats, &shutdown) => {}
        () = server.visitors.look_after_time() => {}
        () = server.refusals.write_as_they_come() => {}
    }
    drop(listener);
    // Whoever is not done by then is cut off.
    let everybody = u32::try_from(everybody).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(FAREWELL, seats.acquire_many(everybody)).await;
    server.refusals.write().await;
    server.ingest.finish().await;
    Ok(())
}

type Answer = Response<Full<Bytes>>;

struct Server {
    ingest: Arc<Ingest>,
    /// Says whether it could take webhooks.
    store: Store,
    refusals: Refusals,
    visitors: Arc<Visitors>,
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
                Ok((stream, _)) => {
                    let Some((visit, seat)) = self.enter(seats).await else { return };
                    tokio::spawn(Arc::clone(self).connection(stream, visit, seat, shutdown.clone()));
                }
                // Of one connection, not of the listener.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // There may be no file left to open.
                    self.visitors.send_one_away();
                    let what = format!("no connection could be taken: {error}");
                    self.ingest.log_refusal(Level::Warn, &Fault::new(Code::ListenerFull, what));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Lets somebody in who has come. Where all places are taken, somebody else has to go.
    async fn enter(&self, seats: &Arc<Semaphore>) -> Option<(Visit, OwnedSemaphorePermit)> {
        let visit = self.visitors.enter();
        self.log_room(visit.makes_room());
        loop {
            let seat = Arc::clone(seats).acquire_owned();
            match tokio::time::timeout(LEAVING, seat).await {
                Ok(seat) => return Some((visit, seat.ok()?)),
                // All are being served, or take their time to leave.
                Err(_) => self.log_room(self.visitors.send_one_away()),
            }
        }
    }

    fn log_room(&self, somebody_went: bool) {
        if somebody_went {
            let what = "all places were taken: a connection was closed to make room for a new one";
            self.ingest.log_refusal(Level::Warn, &Fault::new(Code::ListenerFull, what));
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        visit: Visit,
        _seat: OwnedSemaphorePermit,
        shutdown: CancellationToken,
    ) {
        // Before its first byte it takes next to no memory.
        let begins = async { matches!(stream.peek(&mut [0]).await, Ok(1..)) };
        let begins = tokio::select! {
            begins = begins => begins,
            () = visit.sent_away() => false,
            () = shutdown.cancelled() => false,
        };
        if begins {
            self.log_room(visit.speaks());
            Box::pin(self.requests(stream, visit, shutdown)).await;
        }
    }

    /// Answers what comes over a connection.
    async fn requests(self: Arc<Self>, stream: TcpStream, visit: Visit, shutdown: CancellationToken) {
        // An answer is one small packet. Where one of these fails, it is only later, or kept for longer.
        let _ = stream.set_nodelay(true);
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER);
        let visit = Arc::new(visit);
        let service = service_fn(|request| {
            let (server, visit) = (Arc::clone(&self), Arc::clone(&visit));
            async move { Ok::<_, std::convert::Infallible>(server.answer(request, &visit).await) }
        });
        let connection = http1::Builder::new()
            // Its own knows only of heads.
            .header_read_timeout(None)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(Watched::new(stream, Arc::clone(&visit))), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => {
                // What else goes wrong on a connection is the other side's affair.
                if let Some(status) = ended.err().and_then(|error| answered_by_hyper(&error)) {
                    self.refusals.count(status);
                }
            }
            () = visit.sent_away() => {}
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(FAREWELL, connection).await;
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        // Of requests that come in one piece, each takes its turn with those of other connections.
        tokio::task::yield_now().await;
        // Of those who ask how it is, none is refused a webhook.
        let is_probe = request.uri().path() == "/healthz";
        let answer = match (request.uri().path(), request.method()) {
            (PATH, &Method::POST) => {
                match AssertUnwindSafe(self.webhook(request, visit)).catch_unwind().await {
                    Ok(answer) => answer,
                    Err(_) => self.refused(&Fault::new(Code::Internal, "the webhook stage panicked"), 500),
                }
            }
            ("/healthz", &Method::GET | &Method::HEAD) => self.health(),
            (PATH, _) => not_allowed("POST"),
            ("/healthz", _) => not_allowed("GET, HEAD"),
            _ => respond(
                404,
                &json!({"status": "refused", "error": "there is nothing here; webhooks go to POST /crm/webhook"}),
            ),
        };
        visit.let_go();
        visit.is(Doing::Waiting);
        if !is_probe && (answer.status().is_client_error() || answer.status().is_server_error()) {
            self.refusals.count(answer.status().as_u16());
        }
        answer
    }

    /// Whether a webhook would be accepted, for whoever supervises us.
    fn health(&self) -> Answer {
        match self.store.standing() {
            Ok(()) => respond(200, &json!({"status": "ok"})),
            // Where the files are is nobody's business here.
            Err(fault) => {
                respond(503, &json!({"status": "failed", "code": fault.code, "error": fault.code.cause()}))
            }
        }
    }

    async fn webhook(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        let (head, body) = request.into_parts();
        visit.is(Doing::Sending);
        let received = match tokio::time::timeout(BODY_TIMEOUT, receive(&head.headers, body, visit)).await {
            Ok(received) => received,
            Err(_) => {
                let what = format!("the body took longer than {} s", BODY_TIMEOUT.as_secs());
                Err((Fault::new(Code::EventMalformed, what), 408))
            }
        };
        match received {
            Ok(body) => {
                visit.is(Doing::Served);
                let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
                let presented =
                    Presented { hash: text("close-sig-hash"), timestamp: text("close-sig-timestamp") };
                let outcome = self.ingest.handle(Webhook { presented, body }).await;
                if matches!(outcome, Outcome::Accepted(_)) {
                    visit.is_proven();
                }
                respond(outcome.status(), &outcome.json())
            }
            Err((fault, status)) => self.refused(&fault, status),
        }
    }

    /// Refuses a request that never reached the stage, and hangs up.
    fn refused(&self, fault: &Fault, status: u16) -> Answer {
        let level = if status >= 500 { Level::Error } else { Level::Warn };
        self.ingest.log_refusal(level, fault);
        let mut answer = respond(status, &Outcome::Refused(fault.clone()).json());
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}

/// The whole body, for which `visit` has taken room.
async fn receive(headers: &HeaderMap, mut body: Incoming, visit: &Visit) -> Result<Bytes, (Fault, u16)> {
    let said = body.size_hint().lower();
    if said > BODY_LIMIT as u64 {
        // Who asks first whether to send is simply told.
        if said <= DISCARDED && !headers.contains_key(EXPECT) {
            discard(body).await;
        }
        return Err(too_large(&format!("{said} bytes")));
    }
    // One buffer, grown as the body comes: neither a body sent a byte at a time nor a length that is only
    // said must cost much.
    let mut whole: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            (Fault::new(Code::EventMalformed, format!("the body broke off: {error}")), 400)
        })?;
        let Ok(part) = frame.into_data() else { continue };
        let length = whole.len() + part.len();
        if length > BODY_LIMIT {
            drop(whole);
            visit.let_go();
            discard(body).await;
            return Err(too_large(&format!("more than {BODY_LIMIT} bytes")));
        }
        if length > whole.capacity() {
            let capacity = length.next_power_of_two().clamp(FIRST_PART, BODY_LIMIT);
            if !visit.hold(capacity - whole.capacity()) {
                let what = "too many large bodies are arriving at once";
                return Err((Fault::new(Code::NotStored, what), 503));
            }
            whole.reserve_exact(capacity - whole.len());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.into())
}

/// Reads on without keeping anything.
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

/// The status with which hyper answers what is no request to it, or what is too long for one.
fn answered_by_hyper(error: &hyper::Error) -> Option<u16> {
    match () {
        () if error.is_parse_too_large() => Some(431),
        () if error.is_parse() => Some(400),
        () => None,
    }
}

fn too_large(length: &str) -> (Fault, u16) {
    (Fault::new(Code::BodyTooLarge, format!("the body has {length}, the limit is {BODY_LIMIT}")), 413)
}

fn not_allowed(methods: &'static str) -> Answer {
    let what = format!("only {methods} works here");
    let mut answer = respond(405, &json!({"status": "refused", "error": what}));
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
