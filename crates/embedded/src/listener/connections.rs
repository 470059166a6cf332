//! The open connections, and which is closed when another needs its place.
//!
//! Behind a TLS proxy every peer has the same address, so what a stranger may take cannot be counted by
//! address. It is made worthless instead: a new connection is always accepted, and another is closed for
//! it: an unproven one while those are more than half, else the proven one that has been idle for longest; for
//! memory, the one that holds most. A connection is proven by a new lead, which nobody can send twice.
//!
//! A distant client connects some time before its request arrives, and until then nothing distinguishes it from
//! an attacker. So there are more places for connections that have sent nothing, which cost little, and each
//! lasts as long as it takes to open as many more.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use pipeline::lock;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How long a connection may be open without a request: longer than proxies keep theirs, so that it is
/// they who close it and none is closed under a request on its way.
const IDLE: Duration = Duration::from_secs(75);
/// How long a request's head may take from its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection that has begun a request, its head or its body, is not closed for another: what comes
/// in one piece is here by then, and so is some of what comes from far away.
const BEGINNING: Duration = Duration::from_secs(1);
/// How long an answer may wait for the other side to read what it has been sent.
const UNREAD: Duration = Duration::from_secs(10);
/// How often the time limits are checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionState {
    /// Nothing: connected, or between two requests. Idle.
    Idle,
    /// Sending a request's head.
    ReadingHead,
    /// Sending its body.
    ReadingBody,
    /// Being answered: all of the request is here. It is never evicted in this state.
    Handling,
    /// Evicted.
    Closing,
}

/// How many connections may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionLimits {
    /// In all.
    pub(super) all: usize,
    /// Of those, how many that have sent something. More only while their requests are under way.
    pub(super) speaking: usize,
}

struct Connection {
    doing: ConnectionState,
    /// Since when.
    since: Instant,
    /// Whether it has sent anything.
    spoke: bool,
    /// Whether a new lead has been accepted from it.
    proven: bool,
    /// Since when an answer waits to be read.
    unread: Option<Instant>,
    /// How much of its body is held, in bytes.
    held: usize,
    evicted: CancellationToken,
}

/// All open connections.
pub(super) struct OpenConnections {
    limits: ConnectionLimits,
    /// How many bytes of bodies are held at most, all connections together.
    room: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By number, so in the order in which they came.
    connections: BTreeMap<u64, Connection>,
    next: u64,
    /// How many there are, without those that are closing.
    here: usize,
    /// How many of them have sent something.
    speaking: usize,
    /// How many of those are proven.
    proven: usize,
    /// How many bytes of bodies are held.
    held: usize,
}

impl OpenConnections {
    pub(super) fn new(limits: ConnectionLimits, room: usize) -> Self {
        Self { limits, room, state: Mutex::default() }
    }

    /// Adds a new connection.
    pub(super) fn enter(self: &Arc<Self>) -> ConnectionGuard {
        let evicted = CancellationToken::new();
        let connection = Connection {
            doing: ConnectionState::Idle,
            since: Instant::now(),
            spoke: false,
            proven: false,
            unread: None,
            held: 0,
            evicted: evicted.clone(),
        };
        let mut state = lock(&self.state);
        let number = state.next;
        state.next += 1;
        state.here += 1;
        state.connections.insert(number, connection);
        ConnectionGuard { connections: Arc::clone(self), number, evicted }
    }

    /// Evicts the one that the rule of [`State::eviction_candidate`] finds. False where it finds none.
    pub(super) fn evict_one(&self) -> bool {
        let mut state = lock(&self.state);
        state.eviction_candidate(false, None).is_some_and(|number| state.evict(number))
    }

    /// Evicts connections whose time is over, for ever.
    pub(super) async fn look_after_time(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = Instant::now();
            let mut state = lock(&self.state);
            let overdue = state.connections.iter().filter(|(_, v)| v.is_overdue(now));
            let overdue: Vec<u64> = overdue.map(|(number, _)| *number).collect();
            for number in overdue {
                state.evict(number);
            }
        }
    }
}

impl Connection {
    fn begins(&mut self, doing: ConnectionState) {
        (self.doing, self.since) = (doing, Instant::now());
    }

    fn can_go(&self) -> bool {
        !matches!(self.doing, ConnectionState::Handling | ConnectionState::Closing)
    }

    fn has_just_begun(&self, now: Instant) -> bool {
        matches!(self.doing, ConnectionState::ReadingHead | ConnectionState::ReadingBody)
            && now - self.since < BEGINNING
    }

    fn is_overdue(&self, now: Instant) -> bool {
        let over = match self.doing {
            ConnectionState::Idle => now - self.since > IDLE,
            ConnectionState::ReadingHead => now - self.since > HEAD,
            // A body that takes too long gets an answer.
            ConnectionState::ReadingBody | ConnectionState::Handling | ConnectionState::Closing => false,
        };
        over || self.unread.is_some_and(|since| now - since > UNREAD)
    }
}

impl State {
    /// The connection to evict for `newcomer`, among all or among those `speaking`, which have sent something.
    ///
    /// Where more than half are unproven, the oldest of them: so a new one has as long for its request as
    /// there are places, and no number of unproven ones costs a proven connection its place. Else the proven
    /// one that has been idle for longest.
    ///
    /// None whose request is being answered, and never the newcomer itself. One that has just begun a request
    /// may finish it: where there is no other, more are speaking than there are places for, until there is no
    /// place at all.
    fn eviction_candidate(&self, speaking: bool, newcomer: Option<u64>) -> Option<u64> {
        let now = Instant::now();
        self.one_of(speaking, newcomer, |v| !v.has_just_begun(now))
            .or_else(|| if speaking { None } else { self.one_of(speaking, newcomer, |_| true) })
    }

    fn one_of(
        &self,
        speaking: bool,
        newcomer: Option<u64>,
        may: impl Fn(&Connection) -> bool,
    ) -> Option<u64> {
        let among = if speaking { self.speaking } else { self.here };
        let can_go = || {
            let others =
                self.connections.iter().filter(|(number, v)| v.can_go() && Some(**number) != newcomer);
            others.filter(|(_, v)| (v.spoke || !speaking) && may(v))
        };
        let stranger = || can_go().find(|(_, v)| !v.proven);
        let proven = |idle: bool| {
            let proven = can_go().filter(|(_, v)| v.proven && (v.doing == ConnectionState::Idle) == idle);
            proven.min_by_key(|(_, v)| v.since)
        };
        let found = if 2 * (among - self.proven) > among {
            stranger().or_else(|| proven(true))
        } else {
            proven(true).or_else(stranger)
        };
        // One whose request is still on its way last: it may be a genuine one.
        found.or_else(|| proven(false)).map(|(number, _)| *number)
    }

    /// Evicts one for `newcomer`.
    fn replace(&mut self, speaking: bool, newcomer: u64) -> bool {
        self.eviction_candidate(speaking, Some(newcomer)).is_some_and(|number| self.evict(number))
    }

    /// A connection that is not closing.
    fn open(&mut self, number: u64) -> Option<&mut Connection> {
        self.connections.get_mut(&number).filter(|one| one.doing != ConnectionState::Closing)
    }

    fn evict(&mut self, number: u64) -> bool {
        let Some(connection) = self.open(number) else { return false };
        connection.doing = ConnectionState::Closing;
        connection.evicted.cancel();
        let (spoke, proven, held) =
            (connection.spoke, connection.proven, std::mem::take(&mut connection.held));
        self.is_gone(spoke, proven, held);
        true
    }

    /// Counts one less.
    fn is_gone(&mut self, spoke: bool, proven: bool, held: usize) {
        self.here -= 1;
        self.speaking -= usize::from(spoke);
        self.proven -= usize::from(proven);
        self.held -= held;
    }
}

/// One connection. The place is free again when this is dropped.
pub(super) struct ConnectionGuard {
    connections: Arc<OpenConnections>,
    number: u64,
    evicted: CancellationToken,
}

impl ConnectionGuard {
    /// Notes what it is doing from now on.
    pub(super) fn is(&self, doing: ConnectionState) {
        if let Some(own) = lock(&self.connections.state).open(self.number) {
            own.begins(doing);
        }
    }

    /// Evicts another for it where there are more than there are places for. True where one was evicted.
    pub(super) fn evict_for(&self) -> bool {
        let mut state = lock(&self.connections.state);
        state.here > self.connections.limits.all && state.replace(false, self.number)
    }

    /// Notes that it has begun to send, and evicts another where more do than there are places for. True where
    /// one was evicted.
    pub(super) fn speaks(&self) -> bool {
        let mut state = lock(&self.connections.state);
        let Some(own) = state.open(self.number) else { return false };
        if std::mem::replace(&mut own.spoke, true) {
            return false;
        }
        state.speaking += 1;
        state.speaking > self.connections.limits.speaking && state.replace(true, self.number)
    }

    /// Notes that a new lead has been accepted from it. Whatever else is answered with success proves
    /// nothing: a webhook that was seen once can be sent by anybody any number of times.
    pub(super) fn is_proven(&self) {
        let mut state = lock(&self.connections.state);
        if state.open(self.number).is_some_and(|own| !std::mem::replace(&mut own.proven, true)) {
            state.proven += 1;
        }
    }

    /// Returns when it is evicted.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Reserves room for more bytes of its body, evicting connections that hold more than it would. False where
    /// none holds more than it.
    ///
    /// So a body is always received that takes no more than each connection's equal share of the room.
    pub(super) fn hold(&self, more: usize) -> bool {
        let mut state = lock(&self.connections.state);
        let Some(own) = state.open(self.number) else { return false };
        let wanted = own.held + more;
        while state.held + more > self.connections.room {
            let others = state
                .connections
                .iter()
                .filter(|(n, v)| **n != self.number && v.doing == ConnectionState::ReadingBody);
            let most = others.max_by_key(|(number, v)| (v.held, Reverse(**number)));
            match most.map(|(number, v)| (*number, v.held)) {
                Some((number, held)) if held >= wanted && held > 0 => state.evict(number),
                _ => return false,
            };
        }
        state.held += more;
        if let Some(own) = state.connections.get_mut(&self.number) {
            own.held = wanted;
        }
        true
    }

    /// Releases all of the room.
    pub(super) fn release(&self) {
        let mut state = lock(&self.connections.state);
        let held = state.connections.get_mut(&self.number).map_or(0, |own| std::mem::take(&mut own.held));
        state.held -= held;
    }

    fn change(&self, change: impl FnOnce(&mut Connection)) {
        if let Some(own) = lock(&self.connections.state).connections.get_mut(&self.number) {
            change(own);
        }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut state = lock(&self.connections.state);
        if let Some(own) = state.connections.remove(&self.number)
            && own.doing != ConnectionState::Closing
        {
            state.is_gone(own.spoke, own.proven, own.held);
        }
    }
}

/// The connection's bytes, noting when they begin to come and when they are not taken.
pub(super) struct TrackedStream {
    stream: TcpStream,
    guard: Arc<ConnectionGuard>,
}

impl TrackedStream {
    pub(super) fn new(stream: TcpStream, guard: Arc<ConnectionGuard>) -> Self {
        Self { stream, guard }
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let unread = written.is_pending().then(Instant::now);
        self.guard
            .change(|connection| connection.unread = unread.map(|now| connection.unread.unwrap_or(now)));
        written
    }
}

impl AsyncRead for TrackedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.guard.change(|connection| {
                if connection.doing == ConnectionState::Idle {
                    connection.begins(ConnectionState::ReadingHead);
                }
            });
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TrackedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: ConnectionLimits = ConnectionLimits { all: 4, speaking: 4 };

    fn three() -> (Arc<OpenConnections>, ConnectionGuard, ConnectionGuard, ConnectionGuard) {
        let connections = Arc::new(OpenConnections::new(FOUR, 100));
        let (a, b, c) = (connections.enter(), connections.enter(), connections.enter());
        for guard in [&a, &b, &c] {
            guard.is(ConnectionState::ReadingBody);
        }
        (connections, a, b, c)
    }

    fn gone(guard: &ConnectionGuard) -> bool {
        guard.evicted.is_cancelled()
    }

    /// Who of `all` goes, one after another, until nobody can.
    fn who_goes(connections: &OpenConnections, all: &[ConnectionGuard]) -> Vec<usize> {
        let mut went = Vec::new();
        loop {
            let before: Vec<bool> = all.iter().map(gone).collect();
            if !connections.evict_one() {
                return went;
            }
            went.push(all.iter().zip(before).position(|(guard, before)| gone(guard) && !before).unwrap());
        }
    }

    /// So many who have spoken, a second apart.
    async fn speaking(connections: &Arc<OpenConnections>, number: usize) -> Vec<ConnectionGuard> {
        let mut all = Vec::new();
        for _ in 0..number {
            all.push(connections.enter());
            all.last().unwrap().speaks();
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_go_in_the_order_in_which_they_came_while_they_are_more_than_half() {
        let connections = Arc::new(OpenConnections::new(ConnectionLimits { all: 9, speaking: 9 }, 100));
        let all = speaking(&connections, 7).await;
        all[0].is_proven();
        all[1].is(ConnectionState::Handling);
        all[2].is_proven();
        all[2].is(ConnectionState::ReadingBody);
        tokio::time::advance(BEGINNING).await;
        // Then the proven one that is idle, strangers, and last the proven one whose request is on its way.
        assert_eq!(who_goes(&connections, &all), [3, 4, 5, 0, 6, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_those_who_are_proven_the_longest_idle_goes() {
        let connections = Arc::new(OpenConnections::new(FOUR, 100));
        let all = speaking(&connections, 4).await;
        for guard in &all {
            guard.is_proven();
        }
        all[0].is(ConnectionState::ReadingHead);
        all[1].is(ConnectionState::Idle);
        all[3].is(ConnectionState::Handling);
        assert_eq!(who_goes(&connections, &all), [2, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_has_begun_gives_way_to_none_that_begins_while_all_others_are_served() {
        let connections = Arc::new(OpenConnections::new(ConnectionLimits { all: 6, speaking: 4 }, 100));
        let all = speaking(&connections, 4).await;
        all.iter().for_each(|guard| guard.is(ConnectionState::Handling));
        let begun = [connections.enter(), connections.enter()];
        for guard in &begun {
            assert!(!guard.speaks());
            guard.is(ConnectionState::ReadingHead);
        }
        // Where there is no place at all, there is no other way.
        assert!(connections.enter().evict_for() && gone(&begun[0]) && !gone(&begun[1]));
        tokio::time::advance(BEGINNING).await;
        assert!(connections.enter().speaks() && gone(&begun[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_never_goes() {
        let connections = Arc::new(OpenConnections::new(FOUR, 100));
        let all = speaking(&connections, 4).await;
        for guard in &all {
            guard.is(ConnectionState::Handling);
        }
        let newcomer = connections.enter();
        assert!(!newcomer.evict_for() && !newcomer.speaks() && !gone(&newcomer));
        all[2].is(ConnectionState::Idle);
        let next = connections.enter();
        assert!(next.evict_for() && gone(&all[2]) && !gone(&next) && !gone(&newcomer));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_sent_nothing_takes_no_place_of_those_who_have() {
        let connections = Arc::new(OpenConnections::new(ConnectionLimits { all: 6, speaking: 2 }, 100));
        let proven = speaking(&connections, 2).await;
        proven.iter().for_each(ConnectionGuard::is_proven);
        let silent: Vec<ConnectionGuard> = (0..4).map(|_| connections.enter()).collect();
        assert!(silent.iter().all(|guard| !guard.evict_for()));
        assert!(silent[3].speaks() && gone(&proven[0]));
        assert!(silent[2].speaks() && !gone(&proven[1]) && gone(&silent[3]));
        assert_eq!([&silent[0], &silent[1], &silent[2]].map(gone), [false; 3]);
    }

    #[test]
    fn who_is_proven_is_counted_once() {
        let connections = Arc::new(OpenConnections::new(FOUR, 100));
        let (a, b) = (connections.enter(), connections.enter());
        for guard in [&a, &b, &a] {
            guard.speaks();
            guard.is_proven();
        }
        assert!(connections.evict_one());
        drop((a, b));
        let state = lock(&connections.state);
        assert_eq!((state.here, state.speaking, state.proven), (0, 0, 0));
    }

    #[test]
    fn who_holds_most_makes_room_for_who_holds_less() {
        let (connections, a, b, c) = three();
        assert!(a.hold(60) && b.hold(40));
        assert!(c.hold(20) && gone(&a) && !gone(&b));
        assert!(!a.hold(1));
        assert!(c.hold(40));
        // It is c that holds most now.
        assert!(!c.hold(1) && b.hold(10) && gone(&c));
        b.is(ConnectionState::Handling);
        let d = connections.enter();
        assert!(d.hold(50) && !d.hold(1));
        b.release();
        assert!(d.hold(50));
        drop((a, b, c, d));
        let state = lock(&connections.state);
        assert_eq!((state.held, state.connections.len(), state.here), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn everybodys_time_is_over_at_some_point() {
        let connections = Arc::new(OpenConnections::new(FOUR, 100));
        let (idle, asking, served, unread) =
            (connections.enter(), connections.enter(), connections.enter(), connections.enter());
        asking.is(ConnectionState::ReadingHead);
        served.is(ConnectionState::Handling);
        unread.is(ConnectionState::Handling);
        unread.change(|connection| connection.unread = Some(Instant::now()));
        let look = connections.look_after_time();
        let _ = tokio::time::timeout(HEAD + LOOK_EVERY * 2, look).await;
        assert_eq!([&idle, &asking, &served, &unread].map(gone), [false, true, false, true]);
        let _ = tokio::time::timeout(IDLE, connections.look_after_time()).await;
        assert_eq!([&idle, &served].map(gone), [true, false]);
    }
}
