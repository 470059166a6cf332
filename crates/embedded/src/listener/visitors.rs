//! Who is connected, and who has to go when somebody else needs the room.
//!
//! Behind a TLS proxy every peer has the same address, so what a stranger may take cannot be counted by
//! address. It is made worthless instead: whoever comes always gets in, and room is made at the expense
//! of who has been here longest without a genuine webhook, or who holds most.

use std::{
    cmp::Reverse,
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

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
/// How long an answer may wait for the other side to read what it has been sent.
const UNREAD: Duration = Duration::from_secs(10);
/// How often that is looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What somebody is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing: connected, or between two requests.
    Waiting,
    /// Sending a request's head.
    Asking,
    /// Sending its body.
    Sending,
    /// Being served: all of the request is here. Nobody is sent away in this state.
    Served,
    /// Sent away.
    Leaving,
}

struct Visitor {
    doing: Doing,
    /// Since when.
    since: Instant,
    /// Whether a genuine webhook has come this way.
    proven: bool,
    /// When the last one did, else the connection.
    came: Instant,
    /// Since when an answer waits to be read.
    unread: Option<Instant>,
    /// What is kept of its body, in bytes.
    held: usize,
    away: CancellationToken,
}

/// Everybody who is connected.
pub(super) struct Visitors {
    /// How many may be here, those who are leaving apart.
    places: usize,
    /// How many bytes of bodies are held at most, all connections together.
    room: usize,
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    visitors: HashMap<u64, Visitor>,
    next: u64,
    /// How many of them are leaving.
    leaving: usize,
    /// How many bytes of bodies are held.
    held: usize,
}

impl Visitors {
    pub(super) fn new(places: usize, room: usize) -> Self {
        Self { places, room, present: Mutex::default() }
    }

    /// Whether more are here than there are places for.
    pub(super) fn is_crowded(&self) -> bool {
        let present = self.lock();
        present.visitors.len() - present.leaving > self.places
    }

    /// Somebody has connected.
    pub(super) fn enter(self: &Arc<Self>) -> Visit {
        let (now, away) = (Instant::now(), CancellationToken::new());
        let visitor = Visitor {
            doing: Doing::Waiting,
            since: now,
            proven: false,
            came: now,
            unread: None,
            held: 0,
            away: away.clone(),
        };
        let mut present = self.lock();
        let number = present.next;
        present.next += 1;
        present.visitors.insert(number, visitor);
        Visit { visitors: Arc::clone(self), number, away }
    }

    /// Sends one away: of those without a genuine webhook, else of all, the one that has been here the
    /// longest since. False where all are being served.
    pub(super) fn send_one_away(&self) -> bool {
        let mut present = self.lock();
        let candidates = present.visitors.iter().filter(|(_, v)| v.can_go());
        let longest = candidates.min_by_key(|(_, v)| (v.proven, v.came)).map(|(number, _)| *number);
        longest.is_some_and(|number| present.send_away(number))
    }

    /// Sends those away whose time is over, for ever.
    pub(super) async fn look_after_time(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = Instant::now();
            let mut present = self.lock();
            let overdue = present.visitors.iter().filter(|(_, v)| v.is_overdue(now));
            let overdue: Vec<u64> = overdue.map(|(number, _)| *number).collect();
            for number in overdue {
                present.send_away(number);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    fn can_go(&self) -> bool {
        !matches!(self.doing, Doing::Served | Doing::Leaving)
    }

    fn is_overdue(&self, now: Instant) -> bool {
        let over = match self.doing {
            Doing::Waiting => now - self.since > IDLE,
            Doing::Asking => now - self.since > HEAD,
            // A body that takes too long gets an answer.
            Doing::Sending | Doing::Served | Doing::Leaving => false,
        };
        over || self.unread.is_some_and(|since| now - since > UNREAD)
    }
}

impl Present {
    fn send_away(&mut self, number: u64) -> bool {
        let Some(visitor) = self.visitors.get_mut(&number) else { return false };
        if visitor.doing == Doing::Leaving {
            return false;
        }
        visitor.doing = Doing::Leaving;
        visitor.away.cancel();
        self.leaving += 1;
        self.held -= std::mem::take(&mut visitor.held);
        true
    }
}

/// One connection. The place is free again when this is dropped.
pub(super) struct Visit {
    visitors: Arc<Visitors>,
    number: u64,
    away: CancellationToken,
}

impl Visit {
    /// Notes what it is doing from now on.
    pub(super) fn is(&self, doing: Doing) {
        self.change(|visitor| {
            if visitor.doing != Doing::Leaving {
                (visitor.doing, visitor.since) = (doing, Instant::now());
            }
        });
    }

    /// Notes that a genuine webhook has come this way.
    pub(super) fn is_proven(&self) {
        self.change(|visitor| (visitor.proven, visitor.came) = (true, Instant::now()));
    }

    /// Returns when it has to go.
    pub(super) async fn sent_away(&self) {
        self.away.cancelled().await;
    }

    /// Takes room for more bytes of its body, sending those away who hold more than it would. False
    /// where nobody holds more than it.
    ///
    /// So a body is always received that takes no more than each connection's equal share of the room.
    pub(super) fn hold(&self, more: usize) -> bool {
        let mut present = self.visitors.lock();
        let Some(own) = present.visitors.get(&self.number) else { return false };
        if own.doing == Doing::Leaving {
            return false;
        }
        let wanted = own.held + more;
        while present.held + more > self.visitors.room {
            let others =
                present.visitors.iter().filter(|(n, v)| **n != self.number && v.doing == Doing::Sending);
            let most = others.max_by_key(|(_, v)| (v.held, Reverse(v.came)));
            match most.map(|(number, v)| (*number, v.held)) {
                Some((number, held)) if held >= wanted && held > 0 => present.send_away(number),
                _ => return false,
            };
        }
        present.held += more;
        if let Some(own) = present.visitors.get_mut(&self.number) {
            own.held = wanted;
        }
        true
    }

    /// Gives all of the room back.
    pub(super) fn let_go(&self) {
        let mut present = self.visitors.lock();
        let held = present.visitors.get_mut(&self.number).map_or(0, |own| std::mem::take(&mut own.held));
        present.held -= held;
    }

    fn change(&self, change: impl FnOnce(&mut Visitor)) {
        if let Some(own) = self.visitors.lock().visitors.get_mut(&self.number) {
            change(own);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut present = self.visitors.lock();
        if let Some(own) = present.visitors.remove(&self.number) {
            present.held -= own.held;
            present.leaving -= usize::from(own.doing == Doing::Leaving);
        }
    }
}

/// The connection's bytes, noting when they begin to come and when they are not taken.
pub(super) struct Watched {
    stream: TcpStream,
    visit: Arc<Visit>,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, visit: Arc<Visit>) -> Self {
        Self { stream, visit }
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let unread = written.is_pending().then(Instant::now);
        self.visit.change(|visitor| visitor.unread = unread.map(|now| visitor.unread.unwrap_or(now)));
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.visit.change(|visitor| {
                if visitor.doing == Doing::Waiting {
                    (visitor.doing, visitor.since) = (Doing::Asking, Instant::now());
                }
            });
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
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

    fn three() -> (Arc<Visitors>, Visit, Visit, Visit) {
        let visitors = Arc::new(Visitors::new(4, 100));
        let (a, b, c) = (visitors.enter(), visitors.enter(), visitors.enter());
        for visit in [&a, &b, &c] {
            visit.is(Doing::Sending);
        }
        (visitors, a, b, c)
    }

    fn gone(visit: &Visit) -> bool {
        visit.away.is_cancelled()
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_here_goes_first_and_the_proven_and_the_served_stay() {
        let visitors = Arc::new(Visitors::new(4, 100));
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(visitors.enter());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(visitors.is_crowded());
        all[0].is_proven();
        all[1].is(Doing::Served);
        let went: Vec<usize> = (0..4)
            .map(|_| {
                let before: Vec<bool> = all.iter().map(gone).collect();
                assert!(visitors.send_one_away());
                all.iter().zip(before).position(|(visit, before)| gone(visit) && !before).unwrap()
            })
            .collect();
        assert_eq!(went, [2, 3, 4, 0]);
        assert!(!visitors.is_crowded());
        assert!(!visitors.send_one_away());
    }

    #[test]
    fn who_holds_most_makes_room_for_who_holds_less() {
        let (visitors, a, b, c) = three();
        assert!(a.hold(60) && b.hold(40));
        assert!(c.hold(20) && gone(&a) && !gone(&b));
        assert!(!a.hold(1));
        assert!(c.hold(40));
        // It is c that holds most now.
        assert!(!c.hold(1) && b.hold(10) && gone(&c));
        b.is(Doing::Served);
        let d = visitors.enter();
        assert!(d.hold(50) && !d.hold(1));
        b.let_go();
        assert!(d.hold(50));
        drop((a, b, c, d));
        let present = visitors.lock();
        assert_eq!((present.held, present.visitors.len(), present.leaving), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn everybodys_time_is_over_at_some_point() {
        let visitors = Arc::new(Visitors::new(4, 100));
        let (idle, asking, served, unread) =
            (visitors.enter(), visitors.enter(), visitors.enter(), visitors.enter());
        asking.is(Doing::Asking);
        served.is(Doing::Served);
        unread.is(Doing::Served);
        unread.change(|visitor| visitor.unread = Some(Instant::now()));
        let look = visitors.look_after_time();
        let _ = tokio::time::timeout(HEAD + LOOK_EVERY * 2, look).await;
        assert_eq!([&idle, &asking, &served, &unread].map(gone), [false, true, false, true]);
        let _ = tokio::time::timeout(IDLE, visitors.look_after_time()).await;
        assert_eq!([&idle, &served].map(gone), [true, false]);
    }
}
