//! The client: one thread, 64 connections, requests that are ready to be sent.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, poll};

use crate::http::Message;

const CONNECTIONS: usize = 64;
/// How long the client waits for any answer before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// When requests are due.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as a connection is idle.
    FullLoad,
    /// So many per second, however slowly they are answered.
    PerSecond(f64),
}

impl Pace {
    fn due(self, started: Instant, number: usize) -> Instant {
        match self {
            Self::FullLoad => Instant::now(),
            Self::PerSecond(rate) => started + Duration::from_secs_f64(number as f64 / rate),
        }
    }
}

/// How a server coped with a load.
pub(crate) struct Served {
    /// Of each request, from the time it was due to its answer, in milliseconds.
    pub(crate) latencies: Vec<f64>,
    /// Requests accepted per second.
    pub(crate) rate: f64,
    /// CPU time of this client per request, in microseconds.
    pub(crate) client_cpu: f64,
}

/// Sends all requests. Panics where one is not answered 200 and accepted.
pub(crate) fn load(address: SocketAddr, requests: &[&[u8]], pace: Pace) -> Served {
    let streams: Vec<TcpStream> = (0..CONNECTIONS.min(requests.len())).map(|_| connect(address)).collect();
    let mut client = Client::new(&streams);
    let mut latencies = Vec::with_capacity(requests.len());
    let mut sent = 0;
    let (cpu, started) = (cpu_time(), Instant::now());
    while latencies.len() < requests.len() {
        let wait = loop {
            if sent == requests.len() || client.idle.is_empty() {
                break PATIENCE;
            }
            let due = pace.due(started, sent);
            let early = due.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                break early;
            }
            client.send(requests[sent], due);
            sent += 1;
        };
        client.receive(wait, &mut latencies);
    }
    let (seconds, count) = (started.elapsed().as_secs_f64(), requests.len() as f64);
    Served { latencies, rate: count / seconds, client_cpu: (cpu_time() - cpu) / count }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The connections of a load.
struct Client<'a> {
    connections: Vec<Connection<'a>>,
    polled: Vec<PollFd<'a>>,
    /// The connections without a request, the one that has been idle for longest first.
    idle: VecDeque<usize>,
}

struct Connection<'a> {
    stream: &'a TcpStream,
    /// When its last request was due.
    due: Instant,
    received: Vec<u8>,
}

impl<'a> Client<'a> {
    fn new(streams: &'a [TcpStream]) -> Self {
        let connection = |stream| Connection { stream, due: Instant::now(), received: Vec::new() };
        Self {
            connections: streams.iter().map(connection).collect(),
            polled: streams.iter().map(|stream| PollFd::new(stream, PollFlags::IN)).collect(),
            idle: (0..streams.len()).collect(),
        }
    }

    /// Sends a request on an idle connection.
    fn send(&mut self, request: &[u8], due: Instant) {
        let connection = &mut self.connections[self.idle.pop_front().unwrap()];
        connection.due = due;
        connection.stream.write_all(request).unwrap();
    }

    /// Waits for answers, no longer than `wait`, and adds the latencies of those that have come.
    fn receive(&mut self, wait: Duration, latencies: &mut Vec<f64>) {
        let ready = poll(&mut self.polled, Some(&wait.try_into().unwrap())).unwrap();
        assert!(ready > 0 || wait < PATIENCE, "no answer within {PATIENCE:?}");
        for (index, polled) in self.polled.iter().enumerate() {
            let connection = &mut self.connections[index];
            if !polled.revents().is_empty() && connection.read_answer() {
                latencies.push(connection.due.elapsed().as_secs_f64() * 1e3);
                self.idle.push_back(index);
            }
        }
    }
}

impl Connection<'_> {
    /// Reads what has come. Whether the answer is complete.
    fn read_answer(&mut self) -> bool {
        let mut part = [0; 4_096];
        let length = self.stream.read(&mut part).unwrap();
        assert!(length > 0, "the server closed a connection");
        self.received.extend_from_slice(&part[..length]);
        let Some(answer) = Message::parse(&self.received) else { return false };
        let body = String::from_utf8_lossy(answer.body);
        assert!(answer.is_ok() && body.contains(r#""status":"accepted""#), "not accepted: {body}");
        self.received.clear();
        true
    }
}

/// CPU time of this thread, in microseconds.
fn cpu_time() -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e3
}
