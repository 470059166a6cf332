//! The webhook listener: HTTP/1.1 on a TCP socket.
//!
//! A stranger can hold neither much memory nor many connections for long: heads, bodies and idle
//! connections have a time limit, and all bodies that are being received share one limit in size.

use std::{io, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{ALLOW, CONNECTION, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use pipeline::{
    Code, Fault, Function,
    ingest::{BODY_LIMIT, Ingest, Outcome, Webhook},
    ports::Level,
    recorder,
    signature::Presented,
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

/// Where webhooks are posted to.
pub const PATH: &str = "/crm/webhook";

/// How many connections are open at most; more wait in the system's queue.
const CONNECTIONS: u32 = 1_024;
/// How long a request's head may take, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// How many bytes of bodies are held at most while they arrive, all connections together.
const BODIES: usize = 32 * BODY_LIMIT;
/// How much of a body that is too large is read, and thrown away, so that the sender, who only listens
/// when it has sent all, gets its answer.
const DISCARDED: u64 = 8 * BODY_LIMIT as u64;
/// The longest head of a request, and how much is read from the socket at once.
const BUFFER: usize = 64 * 1024;
/// How long requests may take to finish once the listener is to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long after an error of the system's no further connection is taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers webhooks until `shutdown`, then takes no more and finishes those that have begun.
///
/// # Errors
/// None so far: trouble with connections is logged and waited out.
pub async fn serve(
    listener: TcpListener,
    ingest: Arc<Ingest>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let connections = Arc::new(Semaphore::new(CONNECTIONS as usize));
    let server = Arc::new(Server { ingest, bodies: Arc::new(Semaphore::new(BODIES)) });
    loop {
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
        };
        match (permit, accepted) {
            (Ok(permit), Ok((stream, _))) => {
                tokio::spawn(Arc::clone(&server).connection(stream, permit, shutdown.clone()));
            }
            (_, Err(error)) => {
                let what = format!("no connection could be taken: {error}");
                recorder::line(Function::WebhookIngestion, Level::Warn, &what, None, None);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (Err(_), _) => break,
        }
    }
    drop(listener);
    // Whoever is not done by then is cut off.
    let _ = tokio::time::timeout(FAREWELL, connections.acquire_many(CONNECTIONS)).await;
    Ok(())
}

type Answer = Response<Full<Bytes>>;

struct Server {
    ingest: Arc<Ingest>,
    /// The bytes that bodies may take still.
    bodies: Arc<Semaphore>,
}

impl Server {
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        _permit: OwnedSemaphorePermit,
        shutdown: CancellationToken,
    ) {
        // An answer is one small packet. Where this fails, it is only later.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // What goes wrong on a connection is the other side's affair.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(FAREWELL, connection).await;
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match (request.uri().path(), request.method()) {
            (PATH, &Method::POST) => match AssertUnwindSafe(self.webhook(request)).catch_unwind().await {
                Ok(answer) => answer,
                Err(_) => refused(&Fault::new(Code::Internal, "the webhook stage panicked"), 500),
            },
            ("/healthz", &Method::GET | &Method::HEAD) => respond(200, &json!({"status": "ok"})),
            (PATH, _) => not_allowed("POST"),
            ("/healthz", _) => not_allowed("GET, HEAD"),
            _ => respond(
                404,
                &json!({"status": "refused", "error": "there is nothing here; webhooks go to POST /crm/webhook"}),
            ),
        }
    }

    async fn webhook(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let received = match tokio::time::timeout(BODY_TIMEOUT, self.receive(&head.headers, body)).await {
            Ok(received) => received,
            Err(_) => {
                let what = format!("the body took longer than {} s", BODY_TIMEOUT.as_secs());
                Err((Fault::new(Code::EventMalformed, what), 408))
            }
        };
        match received {
            Ok((body, _held)) => {
                let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
                let presented =
                    Presented { hash: text("close-sig-hash"), timestamp: text("close-sig-timestamp") };
                let outcome = self.ingest.handle(Webhook { presented, body }).await;
                respond(outcome.status(), &outcome.json())
            }
            Err((fault, status)) => refused(&fault, status),
        }
    }

    /// The whole body, and its share of what bodies may take.
    async fn receive(
        &self,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), (Fault, u16)> {
        let said = body.size_hint().lower();
        if said > BODY_LIMIT as u64 {
            // Who asks first whether to send is simply told.
            if said <= DISCARDED && !headers.contains_key(EXPECT) {
                discard(body).await;
            }
            return Err(too_large(&format!("{said} bytes")));
        }
        // One buffer: a body sent a byte at a time must not cost an allocation a byte.
        let (mut whole, mut held): (BytesMut, Option<OwnedSemaphorePermit>) = (BytesMut::new(), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                (Fault::new(Code::EventMalformed, format!("the body broke off: {error}")), 400)
            })?;
            let Ok(part) = frame.into_data() else { continue };
            if whole.len() + part.len() > BODY_LIMIT {
                drop((whole, held));
                discard(body).await;
                return Err(too_large(&format!("more than {BODY_LIMIT} bytes")));
            }
            let share = u32::try_from(part.len()).unwrap_or(u32::MAX);
            let share = Arc::clone(&self.bodies).try_acquire_many_owned(share).map_err(|_| {
                (Fault::new(Code::NotStored, "too many large bodies are arriving at once"), 503)
            })?;
            match &mut held {
                Some(held) => held.merge(share),
                None => held = Some(share),
            }
            whole.extend_from_slice(&part);
        }
        Ok((whole.freeze(), held))
    }
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

fn too_large(length: &str) -> (Fault, u16) {
    (Fault::new(Code::BodyTooLarge, format!("the body has {length}, the limit is {BODY_LIMIT}")), 413)
}

/// Refuses a request that never reached the stage, and hangs up.
fn refused(fault: &Fault, status: u16) -> Answer {
    let level = if status >= 500 { Level::Error } else { Level::Warn };
    let what = format!("refused: {}", fault.what);
    recorder::line(Function::WebhookIngestion, level, &what, None, Some(fault.code.as_str()));
    let mut answer = respond(status, &Outcome::Refused(fault.clone()).json());
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
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
