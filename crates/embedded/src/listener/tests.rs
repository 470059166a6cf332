use std::{collections::BTreeMap, net::SocketAddr};

use pipeline::{
    Recorder, Settings,
    ingest::{LogThrottles, Trust},
    ports::{Accepted, Clock, History, Inbox, Intake, NewEvent, Queue},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

use pipeline::webhook::PATH;

use super::*;
use system::{SystemClock, SystemRandom};

use sqlite::{Options, Store};

struct TestServer {
    _dir: TempDir,
    store: Store,
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<io::Result<()>>,
}

async fn serving() -> TestServer {
    serving_in(files::limits()).await
}

async fn serving_in(limits: ConnectionLimits) -> TestServer {
    serving_with(limits, None).await
}

async fn serving_with(limits: ConnectionLimits, intake: Option<Arc<dyn Intake>>) -> TestServer {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::creating()).unwrap();
    let ports = Arc::new(store.clone());
    let recorder =
        Recorder { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), journal: ports.clone() };
    let ingest = Ingest {
        settings: Arc::new(Settings::default()),
        trust: Trust::Anyone,
        intake: intake.unwrap_or(ports),
        recorder,
        repeats: LogThrottles::default(),
    };
    let refusals = Refusals::of(Arc::new(store.clone()), Arc::new(SystemClock)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let served =
        serve_in(limits, listener, Arc::new(ingest), Arc::new(store.clone()), refusals, stop.clone());
    let served = tokio::spawn(served);
    TestServer { _dir: dir, store, address, stop, served }
}

impl TestServer {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request that closes the connection, and reads all that comes back.
    async fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// What a program on this machine says.
const LOCAL: &str = "host: localhost\r\ncontent-type: application/json\r\n";

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\n{LOCAL}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

const EVENT: &str =
    r#"{"event":{"object_type":"lead","action":"created","lead_id":"lead_a1","data":{"name":"A"}}}"#;

#[tokio::test]
async fn a_webhook_is_kept_and_its_second_delivery_is_a_duplicate() {
    let served = serving().await;
    for status in ["accepted", "duplicate"] {
        let answer = served.ask(&post(PATH, EVENT.as_bytes())).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("content-type: application/json"), "{answer}");
        let json: Value = serde_json::from_str(answer.rsplit("\r\n").next().unwrap()).unwrap();
        assert_eq!((json["status"].as_str(), json["lead_id"].as_str()), (Some(status), Some("lead_a1")));
    }
    assert_eq!(served.store.depth(Queue::Delay).await.unwrap().waiting, 1);
    assert_eq!(served.store.of_lead(&"lead_a1".parse().unwrap()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn everything_else_is_answered_in_json_as_well() {
    let served = serving().await;
    for (request, status) in [
        (post(PATH, b"junk"), "400"),
        (post("/", b"{}"), "404"),
        (b"GET /crm/webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), "405"),
        (post("/healthz", b""), "405"),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), "200"),
        (b"GET /healthz?a=b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), "200"),
    ] {
        let answer = served.ask(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        serde_json::from_str::<Value>(answer.rsplit("\r\n").next().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn whatever_is_refused_is_counted_by_its_status_and_nothing_else_is() {
    let served = serving().await;
    let long_head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    let get =
        |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").into_bytes();
    for (request, status) in [
        (post(PATH, EVENT.as_bytes()), "200"),
        (post(PATH, EVENT.as_bytes()), "200"),
        (get("/healthz"), "200"),
        (post(PATH, b"junk"), "400"),
        (post("/", b"{}"), "404"),
        (b"GET /x HTTP/1.1\r\nhost: x\r\nclose-sig-hash: x\r\nconnection: close\r\n\r\n".to_vec(), "404"),
        (
            String::from_utf8(post(PATH, EVENT.as_bytes())).unwrap().replace("localhost", "x").into_bytes(),
            "401",
        ),
        (get(PATH), "405"),
        (post(PATH, &vec![b' '; BODY_LIMIT + 1]), "413"),
        // These hyper answers by itself.
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /healthz HTTP/1.1\r\n\r\n".to_vec(), "400"),
        (b"\x16\x03\x01\x02\x00\x01\x00".to_vec(), "400"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec(), "400"),
        (long_head.into_bytes(), "431"),
    ] {
        let answer = served.ask(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    served.stop.cancel();
    served.served.await.unwrap().unwrap();
    let expected = [("400", 4), ("401", 1), ("404", 2), ("405", 1), ("413", 1), ("431", 1)];
    let expected = expected.map(|(status, count)| (status.to_owned(), count)).into();
    assert_eq!(refused(&served.store).await, expected);
    // Those with a header of the signature, and what is an event.
    let webhooks = served.store.refused_webhooks(hour_ago()).await.unwrap();
    assert_eq!(webhooks, [(Code::NotTheWebhook, 1), (Code::UnsignedExposed, 1)].into());
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_however_its_length_is_told() {
    let served = serving().await;
    let most = [vec![b' '; BODY_LIMIT - EVENT.len()], EVENT.as_bytes().to_vec()].concat();
    let answer = served.ask(&post(PATH, &most)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let too_large = vec![b' '; BODY_LIMIT + 1];
    let told = post(PATH, &too_large);
    let chunked = [
        &b"POST /crm/webhook HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
            [..],
        format!("{:x}\r\n", too_large.len()).as_bytes(),
        &too_large,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let asking =
        b"POST /crm/webhook HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2000000\r\n\r\n";
    let huge = b"POST /crm/webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999999\r\n\r\n";
    for request in [&told[..], &chunked, asking, huge] {
        let answer = served.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("LO106"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let served = serving().await;
    let mut stream = served.connect().await;
    for _ in 0..3 {
        let request = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1_000];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].ends_with(br#"{"status":"ok"}"#));
    }
}

#[tokio::test]
async fn who_stops_sending_is_cut_off() {
    for (start, expected) in [
        ("POST /crm/webhook HT", ""),
        ("POST /crm/webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{", "HTTP/1.1 408 "),
    ] {
        let served = serving().await;
        let mut stream = served.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        // Let the server read it in real time, then let its patience pass at once.
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::pause();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with(expected), "{answer}");
        tokio::time::resume();
        served.stop.cancel();
        served.served.await.unwrap().unwrap();
        // Only who has been answered was refused.
        let expected = if expected.is_empty() { BTreeMap::new() } else { [("408".to_owned(), 1)].into() };
        assert_eq!(refused(&served.store).await, expected);
    }
}

/// A store that fails.
struct Failing;

#[async_trait::async_trait]
impl Intake for Failing {
    async fn accept(&self, _: NewEvent) -> Result<Accepted, Fault> {
        Err(Fault::new(Code::StorageFailed, "the disk is broken"))
    }
}

#[tokio::test]
async fn what_could_not_be_stored_is_counted_as_a_webhook_that_was_refused() {
    let served = serving_with(files::limits(), Some(Arc::new(Failing))).await;
    let answer = served.ask(&post(PATH, EVENT.as_bytes())).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    served.stop.cancel();
    served.served.await.unwrap().unwrap();
    assert_eq!(refused(&served.store).await, [("503".to_owned(), 1)].into());
    let webhooks = served.store.refused_webhooks(hour_ago()).await.unwrap();
    assert_eq!(webhooks, [(Code::NotStored, 1)].into());
}

fn hour_ago() -> lead::Timestamp {
    SystemClock.now() - jiff::SignedDuration::from_mins(59)
}

async fn refused(store: &Store) -> BTreeMap<String, u64> {
    store.refused(hour_ago()).await.unwrap()
}

#[tokio::test]
async fn a_shutdown_finishes_what_has_begun_and_takes_nothing_new() {
    let served = serving().await;
    let (mut idle, mut begun) = (served.connect().await, served.connect().await);
    let request = post(PATH, EVENT.as_bytes());
    let (first, rest) = request.split_at(request.len() - 10);
    begun.write_all(first).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).await.unwrap();
    served.stop.cancel();
    let mut left = Vec::new();
    idle.read_to_end(&mut left).await.unwrap();
    begun.write_all(rest).await.unwrap();
    let mut answer = String::new();
    begun.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    served.served.await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

/// A request that leaves the connection open.
fn posted(event: &str) -> Vec<u8> {
    let length = event.len();
    format!("POST {PATH} HTTP/1.1\r\n{LOCAL}content-length: {length}\r\n\r\n{event}").into_bytes()
}

fn event_of(lead: usize) -> String {
    EVENT.replace("lead_a1", &format!("lead_{lead:06}"))
}

/// Posts, and waits for the answer's first line.
async fn first_line(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; 1_000];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn however_many_are_proven_and_idle_each_newcomer_gets_in() {
    let served = serving().await;
    let limits = files::limits();
    let mut proven = Vec::new();
    for lead in 0..limits.speaking {
        let mut stream = served.connect().await;
        assert_eq!(first_line(&mut stream, &posted(&event_of(lead))).await, "HTTP/1.1 200 OK");
        proven.push(stream);
    }
    let mut newcomers = Vec::new();
    for lead in 0..50 {
        let mut stream = served.connect().await;
        let request = posted(&event_of(limits.speaking + lead));
        assert_eq!(first_line(&mut stream, &request).await, "HTTP/1.1 200 OK");
        newcomers.push(stream);
    }
    // Those that had been idle for longest made room, in order.
    for (number, stream) in proven.iter_mut().enumerate() {
        let gone = matches!(
            tokio::time::timeout(
                Duration::from_millis(if number < 50 { 5_000 } else { 0 }),
                stream.read(&mut [0])
            )
            .await,
            Ok(Ok(0) | Err(_))
        );
        assert_eq!(gone, number < 50, "{number}");
    }
    let accepted = limits.speaking + 50;
    assert_eq!(served.store.depth(Queue::Delay).await.unwrap().waiting, accepted as u64);
}

#[tokio::test]
async fn whoever_repeats_a_webhook_stays_a_stranger() {
    let served = serving().await;
    let mut genuine = served.connect().await;
    assert_eq!(first_line(&mut genuine, &posted(EVENT)).await, "HTTP/1.1 200 OK");
    let mut repeating = Vec::new();
    let other = r#"{"event":{"object_type":"lead","action":"updated","lead_id":"lead_a1","data":{}}}"#;
    let request = [posted(EVENT), posted(other)];
    // As many as there are places, and twice as many.
    for number in 0..files::limits().speaking * 2 {
        let mut stream = served.connect().await;
        assert_eq!(first_line(&mut stream, &request[number % 2]).await, "HTTP/1.1 200 OK");
        repeating.push(stream);
    }
    let mut newcomer = served.connect().await;
    assert_eq!(first_line(&mut newcomer, &posted(&event_of(1))).await, "HTTP/1.1 200 OK");
    // The one that was accepted first has its place still.
    assert_eq!(first_line(&mut genuine, &posted(&event_of(2))).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn whoever_connects_has_time_for_its_request_whatever_others_send() {
    let limits = ConnectionLimits { all: 64, speaking: 16 };
    let served = serving_in(limits).await;
    let mut far = served.connect().await;
    let mut others = Vec::new();
    for _ in 0..limits.speaking * 3 {
        let mut stream = served.connect().await;
        first_line(&mut stream, &posted(EVENT)).await;
        others.push(stream);
    }
    for _ in limits.speaking + 1..limits.all {
        others.push(served.connect().await);
    }
    assert_eq!(first_line(&mut far, &posted(&event_of(1))).await, "HTTP/1.1 200 OK");
}
