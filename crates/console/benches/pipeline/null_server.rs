//! The least that keeps the promise of a durable answer: check the signature, append the body to a log, sync
//! once for whatever has come, answer. One thread and one file; no duplicates are recognised and nothing is
//! indexed.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use close::signature::{Keys, SignatureHeaders};
use lead::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};

use crate::{http::Message, webhooks::KEY};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n\
    {\"status\":\"accepted\"}";

/// A null server in a process of its own.
pub(crate) struct NullServer {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl NullServer {
    /// Starts one that writes into a folder.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--null-server")
            .arg(folder.join("null.log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the null server until stdin is closed, which happens when the benchmark ends. Prints its address.
pub(crate) fn serve(file: &Path) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut log = Log::create(file);
    let mut clients = Clients { keys: Keys::parse(KEY).unwrap(), connections: Vec::new() };
    println!("{}", listener.local_addr().unwrap());
    loop {
        let ready = Ready::wait(&listener, &clients.connections);
        if ready.is_end {
            return;
        }
        let (complete, bodies) = clients.receive(ready.connections);
        if !complete.is_empty() {
            log.append(&bodies);
        }
        clients.answer(complete);
        if ready.is_newcomer {
            clients.connections.push(Connection::new(listener.accept().unwrap().0));
        }
    }
}

struct Clients {
    keys: Keys,
    connections: Vec<Connection>,
}

impl Clients {
    /// Reads from connections. Those on which a request is complete, and the bodies of these requests.
    fn receive(&mut self, ready: Vec<usize>) -> (Vec<usize>, Vec<u8>) {
        let (mut complete, mut bodies) = (Vec::new(), Vec::new());
        for index in ready {
            let connection = &mut self.connections[index];
            connection.read();
            if let Some(request) = Message::parse(&connection.received) {
                check(&self.keys, &request);
                bodies.extend_from_slice(request.body);
                bodies.push(b'\n');
                complete.push(index);
            }
        }
        (complete, bodies)
    }

    /// Answers requests that are durable, and drops connections that were closed.
    fn answer(&mut self, complete: Vec<usize>) {
        for index in complete {
            let connection = &mut self.connections[index];
            connection.received.clear();
            connection.stream.write_all(ANSWER).unwrap();
        }
        self.connections.retain(|connection| !connection.is_closed);
    }
}

/// A file that has its full size from the start and is overwritten from the beginning when it is full, as a
/// write-ahead log is. In a growing file each sync would also wait for the file system's journal.
struct Log {
    file: File,
    end: usize,
}

impl Log {
    /// In bytes.
    const SIZE: usize = 16 * 1_024 * 1_024;

    fn create(path: &Path) -> Self {
        let file = File::create(path).unwrap();
        file.write_all_at(&vec![0; Self::SIZE], 0).unwrap();
        file.sync_all().unwrap();
        Self { file, end: 0 }
    }

    /// Makes bytes durable.
    fn append(&mut self, bytes: &[u8]) {
        if self.end + bytes.len() > Self::SIZE {
            self.end = 0;
        }
        self.file.write_all_at(bytes, self.end as u64).unwrap();
        self.file.sync_data().unwrap();
        self.end += bytes.len();
    }
}

fn check(keys: &Keys, request: &Message<'_>) {
    let presented = SignatureHeaders {
        hash: request.header("close-sig-hash"),
        timestamp: request.header("close-sig-timestamp"),
    };
    keys.verify(presented, request.body, Timestamp::now(), Duration::from_secs(3_600)).unwrap();
}

/// What poll reports.
struct Ready {
    /// Stdin was closed.
    is_end: bool,
    /// A client is connecting.
    is_newcomer: bool,
    /// The connections that can be read.
    connections: Vec<usize>,
}

impl Ready {
    /// Waits until there is something to do.
    fn wait(listener: &TcpListener, connections: &[Connection]) -> Self {
        let stdin = std::io::stdin();
        let mut polled = vec![PollFd::new(&stdin, PollFlags::IN), PollFd::new(listener, PollFlags::IN)];
        polled.extend(connections.iter().map(|connection| PollFd::new(&connection.stream, PollFlags::IN)));
        poll(&mut polled, None).unwrap();
        let is_ready = |polled: &PollFd<'_>| !polled.revents().is_empty();
        let connections = polled[2..].iter().enumerate();
        Self {
            is_end: is_ready(&polled[0]),
            is_newcomer: is_ready(&polled[1]),
            connections: connections.filter(|(_, polled)| is_ready(polled)).map(|(index, _)| index).collect(),
        }
    }
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    is_closed: bool,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new(), is_closed: false }
    }

    /// Reads what has come.
    fn read(&mut self) {
        let mut part = [0; 16 * 1_024];
        // A client that is gone may leave an error instead of an end.
        let length = self.stream.read(&mut part).unwrap_or(0);
        self.received.extend_from_slice(&part[..length]);
        self.is_closed = length == 0;
    }
}
