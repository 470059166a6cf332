//! What strangers can do to the listener of a running `leadops up`, and what Close notices of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use close::signature::Keys;
use lead::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::process::{KEY, PATIENCE, Up};

/// A way to keep others out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// None, for comparison.
    None,
    /// Connections that say nothing.
    Idle,
    /// Connections opened one after another as fast as it goes, and left open.
    Churn,
    /// A request's head, a byte now and then.
    SlowHead,
    /// A head that does not end.
    EndlessHead,
    /// A body that does not end.
    EndlessBody,
    /// A body of 1 MiB of which the last byte does not come.
    StalledBody,
    /// Requests one after another without reading an answer.
    Unread,
    /// Whole requests with a wrong signature, as fast as they are answered.
    Unsigned,
    /// A genuine webhook, seen before, once on each connection, which then says nothing more.
    Replay,
    /// The same as fast as it is answered.
    Replays,
}

/// A sender that has its request ready as it connects, and one with 200 ms of way before it arrives.
pub const NEAR: Duration = Duration::ZERO;
/// See [`NEAR`].
pub const FAR: Duration = Duration::from_millis(200);

/// The lead whose webhook is repeated. It has to be accepted before.
pub const SEEN: usize = 0;

impl Attack {
    /// Each of them.
    pub const ALL: [Self; 11] = [
        Self::None,
        Self::Idle,
        Self::Churn,
        Self::SlowHead,
        Self::EndlessHead,
        Self::EndlessBody,
        Self::StalledBody,
        Self::Unread,
        Self::Unsigned,
        Self::Replay,
        Self::Replays,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Idle => "idle connections",
            Self::Churn => "new connections without end",
            Self::SlowHead => "slow heads",
            Self::EndlessHead => "endless heads",
            Self::EndlessBody => "endless bodies",
            Self::StalledBody => "stalled bodies of 1 MiB",
            Self::Unread => "pipelining, answers unread",
            Self::Unsigned => "unsigned flood",
            Self::Replay => "a replay each, then silence",
            Self::Replays => "flood of replays",
        }
    }

    /// Attacks from `connections` connections at once, again and again, until the answer is dropped.
    pub fn begin(self, up: &Up, connections: usize) -> RunningAttack {
        let (end, steps) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let address = address(up);
        let connections = match self {
            Self::None => 0,
            // Each of them opens many.
            Self::Churn => connections / 20,
            _ => connections,
        };
        for _ in 0..connections {
            let (end, steps, address) = (end.clone(), steps.clone(), address.clone());
            tokio::spawn(async move {
                let attack = async {
                    loop {
                        // Whoever is disconnected soon connects again.
                        let _ = self.once(&address, &steps).await;
                        sleep(Duration::from_millis(if self == Self::Churn { 1 } else { 100 })).await;
                    }
                };
                end.run_until_cancelled(attack).await;
            });
        }
        RunningAttack { end, steps, connections: connections as u64 }
    }

    /// One connection's attack, until it is disconnected.
    async fn once(self, address: &str, steps: &AtomicU64) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        let step = || steps.fetch_add(1, Ordering::Relaxed);
        step();
        let head = "POST /crm/webhook HTTP/1.1\r\nhost: x\r\n";
        match self {
            Self::None => {}
            Self::Idle => _ = stream.read(&mut [0]).await?,
            Self::Churn => {
                // It stays open until room is made; meanwhile the next one comes.
                let _ = timeout(Duration::from_millis(20), stream.read(&mut [0])).await;
                tokio::spawn(async move { timeout(Duration::from_secs(2), stream.read(&mut [0])).await });
            }
            Self::SlowHead => {
                stream.write_all(head.as_bytes()).await?;
                loop {
                    stream.write_all(b"x").await?;
                    sleep(Duration::from_millis(200)).await;
                }
            }
            Self::EndlessHead => {
                stream.write_all(head.as_bytes()).await?;
                loop {
                    stream.write_all(format!("x-{}: {}\r\n", step(), "y".repeat(1_000)).as_bytes()).await?;
                }
            }
            Self::EndlessBody => {
                stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
                let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
                loop {
                    stream.write_all(chunk.as_bytes()).await?;
                    step();
                }
            }
            Self::StalledBody => {
                let most = 1024 * 1024;
                stream.write_all(format!("{head}content-length: {most}\r\n\r\n").as_bytes()).await?;
                stream.write_all(&vec![b'x'; most - 1]).await?;
                step();
                _ = stream.read(&mut [0]).await?;
            }
            Self::Unread => loop {
                stream.write_all("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100).as_bytes()).await?;
                step();
            },
            Self::Replay | Self::Replays => {
                let request = request(&Keys::parse(KEY).unwrap(), SEEN, "keep-alive");
                let mut answer = [0; 1_024];
                loop {
                    stream.write_all(request.as_bytes()).await?;
                    if stream.read(&mut answer).await? == 0 {
                        return Ok(());
                    }
                    step();
                    if self == Self::Replay {
                        _ = stream.read(&mut answer).await?;
                        return Ok(());
                    }
                }
            }
            Self::Unsigned => {
                let body = "x".repeat(2_000);
                let signature =
                    format!("close-sig-hash: {}\r\nclose-sig-timestamp: 1789398131", "ab".repeat(32));
                let request = format!("{head}{signature}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                let mut answer = [0; 1_024];
                loop {
                    stream.write_all(request.as_bytes()).await?;
                    if stream.read(&mut answer).await? == 0 {
                        return Ok(());
                    }
                    step();
                }
            }
        }
        Ok(())
    }
}

/// An attack under way. Ends when dropped.
pub struct RunningAttack {
    end: CancellationToken,
    steps: Arc<AtomicU64>,
    connections: u64,
}

impl RunningAttack {
    /// Waits until each connection has been made, or others in its place.
    pub async fn until_under_way(&self) {
        let begun = Instant::now();
        while self.steps.load(Ordering::Relaxed) < self.connections && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// How many connections and further steps there were.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}

impl Drop for RunningAttack {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// How Close's webhooks fared.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// How long each webhook took to be accepted, further attempts included.
    pub delays: Vec<Duration>,
    /// How many attempts were not answered 200.
    pub failures: usize,
}

impl Observed {
    /// The longest wait.
    pub fn longest(&self) -> Duration {
        self.delays.iter().max().copied().unwrap_or_default()
    }

    /// The wait that half of them did not have.
    pub fn median(&self) -> Duration {
        let mut delays = self.delays.clone();
        delays.sort();
        delays.get(delays.len() / 2).copied().unwrap_or_default()
    }
}

/// Sends genuine webhooks of new leads as Close does, each on a connection of its own, and again until it
/// is accepted. Between connecting and sending the time `away` passes, as from far away.
///
/// # Panics
/// Where one is not accepted within [`PATIENCE`].
pub async fn send_genuine(
    up: &Up,
    leads: impl IntoIterator<Item = usize>,
    pause: Duration,
    away: Duration,
) -> Observed {
    let (address, keys, mut observed) = (address(up), Keys::parse(KEY).unwrap(), Observed::default());
    for lead in leads {
        let begun = Instant::now();
        while !is_accepted(&address, &keys, lead, away).await {
            observed.failures += 1;
            assert!(begun.elapsed() < PATIENCE, "a genuine webhook was kept out for {PATIENCE:?}");
            sleep(Duration::from_millis(10)).await;
        }
        observed.delays.push(begun.elapsed());
        sleep(pause).await;
    }
    observed
}

/// The request of a genuine webhook.
fn request(keys: &Keys, lead: usize, connection: &str) -> String {
    let event = format!(
        r#"{{"event":{{"object_type":"lead","action":"created","lead_id":"lead_{lead:08}","data":{{"display_name":"Lead {lead}"}}}}}}"#
    );
    let timestamp = Timestamp::now().as_second().to_string();
    let hash = keys.sign(&timestamp, event.as_bytes()).unwrap();
    format!(
        "POST /crm/webhook HTTP/1.1\r\nhost: x\r\nconnection: {connection}\r\nclose-sig-hash: {hash}\r\n\
         close-sig-timestamp: {timestamp}\r\ncontent-length: {}\r\n\r\n{event}",
        event.len()
    )
}

async fn is_accepted(address: &str, keys: &Keys, lead: usize, away: Duration) -> bool {
    let request = request(keys, lead, "close");
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        sleep(away).await;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    matches!(timeout(PATIENCE, answer).await, Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200 "))
}

fn address(up: &Up) -> String {
    let (host, port) = (up.webhook.host_str().unwrap(), up.webhook.port().unwrap());
    format!("{host}:{port}")
}

/// Lets this process open as many connections as the system allows.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

/// The most memory that a process has had, in MiB.
pub fn peak_memory(up: &Up) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", up.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}
