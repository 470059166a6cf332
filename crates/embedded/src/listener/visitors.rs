//! Who is connected, and who has to go when somebody else needs the room.
//!
//! Behind a TLS proxy every peer has the same address, so what a stranger may take cannot be counted by
//! address. It is made worthless instead: whoever comes always gets in, and room is made at the expense of
//! others: of strangers while they are more than half, of who has been idle for longest among those who have
//! proven themselves, of who holds most. What proves is a new lead, which nobody can send twice.
//!
//! Somebody far away connects some time before its request arrives, and nothing tells it apart from strangers
//! until then. So there are more places for connections that have sent nothing than for others, which cost
//! little, and each lasts as long as it takes to open as many more.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
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
/// How long nobody goes for others' sake who has begun a request, its head or its body: what comes in one
/// piece is here by then, and so are some more from far away.
const BEGINNING: Duration = Duration::from_secs(1);
/// How long an answer may wait for the other side to read what it has been sent.
const UNREAD: Duration = Duration::from_secs(10);
/// How often that is looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What somebody is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing: connected, or between two requests. Idle.
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

/// How many may be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    /// In all.
    pub(super) all: usize,
    /// Of those, how many that have sent something. More only while their requests are under way.
    pub(super) speaking: usize,
}

struct Visitor {
    doing: Doing,
    /// Since when.
    since: Instant,
    /// Whether it has sent anything.
    spoke: bool,
    /// Whether a new lead has been accepted from it.
    proven: bool,
    /// Since when an answer waits to be read.
    unread: Option<Instant>,
    /// What is kept of its body, in bytes.
    held: usize,
    away: CancellationToken,
}

/// Everybody who is connected.
pub(super) struct Visitors {
    places: Places,
    /// How many bytes of bodies are held at most, all connections together.
    room: usize,
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    /// By number, so in the order in which they came.
    visitors: BTreeMap<u64, Visitor>,
    next: u64,
    /// How many there are, those who are leaving apart.
    here: usize,
    /// How many of them have sent something.
    speaking: usize,
    /// How many of those are proven.
    proven: usize,
    /// How many bytes of bodies are held.
    held: usize,
}

impl Visitors {
    pub(super) fn new(places: Places, room: usize) -> Self {
        Self { places, room, present: Mutex::default() }
    }

    /// Somebody has connected.
    pub(super) fn enter(self: &Arc<Self>) -> Visit {
        let away = CancellationToken::new();
        let visitor = Visitor {
            doing: Doing::Waiting,
            since: Instant::now(),
            spoke: false,
            proven: false,
            unread: None,
            held: 0,
            away: away.clone(),
        };
        let mut present = self.lock();
        let number = present.next;
        present.next += 1;
        present.here += 1;
        present.visitors.insert(number, visitor);
        Visit { visitors: Arc::clone(self), number, away }
    }

    /// Sends one away, whom the rule of [`Present::victim`] finds. False where it finds nobody.
    pub(super) fn send_one_away(&self) -> bool {
        let mut present = self.lock();
        present.victim(false, None).is_some_and(|number| present.send_away(number))
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

    fn has_just_begun(&self, now: Instant) -> bool {
        matches!(self.doing, Doing::Asking | Doing::Sending) && now - self.since < BEGINNING
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
    /// Who has to go so that `newcomer` has room, among all or among those who have `spoken` alone.
    ///
    /// Where more than half are strangers, the one that came first: so whoever comes has as long for its
    /// request as there are places, and no number of strangers costs a proven connection its place. Else the
    /// proven one that has been idle for longest.
    ///
    /// Nobody goes whose request is being served, and never the newcomer itself. Whoever has just begun a
    /// request may finish it, at the expense of nobody: where there is no other, those who have spoken are
    /// more than there are places for, until there is no place at all.
    fn victim(&self, spoken: bool, newcomer: Option<u64>) -> Option<u64> {
        let now = Instant::now();
        self.one_of(spoken, newcomer, |v| !v.has_just_begun(now))
            .or_else(|| if spoken { None } else { self.one_of(spoken, newcomer, |_| true) })
    }

    fn one_of(&self, spoken: bool, newcomer: Option<u64>, may: impl Fn(&Visitor) -> bool) -> Option<u64> {
        let among = if spoken { self.speaking } else { self.here };
        let can_go = || {
            let others = self.visitors.iter().filter(|(number, v)| v.can_go() && Some(**number) != newcomer);
            others.filter(|(_, v)| (v.spoke || !spoken) && may(v))
        };
        let stranger = || can_go().find(|(_, v)| !v.proven);
        let proven = |idle: bool| {
            let proven = can_go().filter(|(_, v)| v.proven && (v.doing == Doing::Waiting) == idle);
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

    /// Sends somebody away for `newcomer`'s sake.
    fn replace(&mut self, spoken: bool, newcomer: u64) -> bool {
        self.victim(spoken, Some(newcomer)).is_some_and(|number| self.send_away(number))
    }

    fn send_away(&mut self, number: u64) -> bool {
        let Some(visitor) = self.visitors.get_mut(&number) else { return false };
        if visitor.doing == Doing::Leaving {
            return false;
        }
        visitor.doing = Doing::Leaving;
        visitor.away.cancel();
        let (spoke, proven, held) = (visitor.spoke, visitor.proven, std::mem::take(&mut visitor.held));
        self.is_gone(spoke, proven, held);
        true
    }

    /// Somebody is here no more.
    fn is_gone(&mut self, spoke: bool, proven: bool, held: usize) {
        self.here -= 1;
        self.speaking -= usize::from(spoke);
        self.proven -= usize::from(proven);
        self.held -= held;
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

    /// Makes room for it where more are here than there are places for. True where somebody else had to go.
    pub(super) fn makes_room(&self) -> bool {
        let mut present = self.visitors.lock();
        present.here > self.visitors.places.all && present.replace(false, self.number)
    }

    /// Notes that it has begun to send, and makes room for it where more do than there are places for. True
    /// where somebody else had to go.
    pub(super) fn speaks(&self) -> bool {
        let mut present = self.visitors.lock();
        let Some(own) = present.visitors.get_mut(&self.number) else { return false };
        if own.doing == Doing::Leaving || std::mem::replace(&mut own.spoke, true) {
            return false;
        }
        present.speaking += 1;
        present.speaking > self.visitors.places.speaking && present.replace(true, self.number)
    }

    /// Notes that a new lead has been accepted from it. Whatever else is answered with success proves
    /// nothing: a webhook that was seen once can be sent by anybody any number of times.
    pub(super) fn is_proven(&self) {
        let mut present = self.visitors.lock();
        let Some(own) = present.visitors.get_mut(&self.number) else { return };
        if own.doing != Doing::Leaving && !std::mem::replace(&mut own.proven, true) {
            present.proven += 1;
        }
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
            let most = others.max_by_key(|(number, v)| (v.held, Reverse(**number)));
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
        if let Some(own) = present.visitors.remove(&self.number)
            && own.doing != Doing::Leaving
        {
            present.is_gone(own.spoke, own.proven, own.held);
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

    const FOUR: Places = Places { all: 4, speaking: 4 };

    fn three() -> (Arc<Visitors>, Visit, Visit, Visit) {
        let visitors = Arc::new(Visitors::new(FOUR, 100));
        let (a, b, c) = (visitors.enter(), visitors.enter(), visitors.enter());
        for visit in [&a, &b, &c] {
            visit.is(Doing::Sending);
        }
        (visitors, a, b, c)
    }

    fn gone(visit: &Visit) -> bool {
        visit.away.is_cancelled()
    }

    /// Who of `all` goes, one after another, until nobody can.
    fn who_goes(visitors: &Visitors, all: &[Visit]) -> Vec<usize> {
        let mut went = Vec::new();
        loop {
            let before: Vec<bool> = all.iter().map(gone).collect();
            if !visitors.send_one_away() {
                return went;
            }
            went.push(all.iter().zip(before).position(|(visit, before)| gone(visit) && !before).unwrap());
        }
    }

    /// So many who have spoken, a second apart.
    async fn speaking(visitors: &Arc<Visitors>, number: usize) -> Vec<Visit> {
        let mut all = Vec::new();
        for _ in 0..number {
            all.push(visitors.enter());
            all.last().unwrap().speaks();
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_go_in_the_order_in_which_they_came_while_they_are_more_than_half() {
        let visitors = Arc::new(Visitors::new(Places { all: 9, speaking: 9 }, 100));
        let all = speaking(&visitors, 7).await;
        all[0].is_proven();
        all[1].is(Doing::Served);
        all[2].is_proven();
        all[2].is(Doing::Sending);
        tokio::time::advance(BEGINNING).await;
        // Then the proven one that is idle, strangers, and last the proven one whose request is on its way.
        assert_eq!(who_goes(&visitors, &all), [3, 4, 5, 0, 6, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_those_who_are_proven_the_longest_idle_goes() {
        let visitors = Arc::new(Visitors::new(FOUR, 100));
        let all = speaking(&visitors, 4).await;
        for visit in &all {
            visit.is_proven();
        }
        all[0].is(Doing::Asking);
        all[1].is(Doing::Waiting);
        all[3].is(Doing::Served);
        assert_eq!(who_goes(&visitors, &all), [2, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_has_begun_gives_way_to_none_that_begins_while_all_others_are_served() {
        let visitors = Arc::new(Visitors::new(Places { all: 6, speaking: 4 }, 100));
        let all = speaking(&visitors, 4).await;
        all.iter().for_each(|visit| visit.is(Doing::Served));
        let begun = [visitors.enter(), visitors.enter()];
        for visit in &begun {
            assert!(!visit.speaks());
            visit.is(Doing::Asking);
        }
        // Where there is no place at all, there is no other way.
        assert!(visitors.enter().makes_room() && gone(&begun[0]) && !gone(&begun[1]));
        tokio::time::advance(BEGINNING).await;
        assert!(visitors.enter().speaks() && gone(&begun[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_never_goes() {
        let visitors = Arc::new(Visitors::new(FOUR, 100));
        let all = speaking(&visitors, 4).await;
        for visit in &all {
            visit.is(Doing::Served);
        }
        let newcomer = visitors.enter();
        assert!(!newcomer.makes_room() && !newcomer.speaks() && !gone(&newcomer));
        all[2].is(Doing::Waiting);
        let next = visitors.enter();
        assert!(next.makes_room() && gone(&all[2]) && !gone(&next) && !gone(&newcomer));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_sent_nothing_takes_no_place_of_those_who_have() {
        let visitors = Arc::new(Visitors::new(Places { all: 6, speaking: 2 }, 100));
        let proven = speaking(&visitors, 2).await;
        proven.iter().for_each(Visit::is_proven);
        let silent: Vec<Visit> = (0..4).map(|_| visitors.enter()).collect();
        assert!(silent.iter().all(|visit| !visit.makes_room()));
        assert!(silent[3].speaks() && gone(&proven[0]));
        assert!(silent[2].speaks() && !gone(&proven[1]) && gone(&silent[3]));
        assert_eq!([&silent[0], &silent[1], &silent[2]].map(gone), [false; 3]);
    }

    #[test]
    fn who_is_proven_is_counted_once() {
        let visitors = Arc::new(Visitors::new(FOUR, 100));
        let (a, b) = (visitors.enter(), visitors.enter());
        for visit in [&a, &b, &a] {
            visit.speaks();
            visit.is_proven();
        }
        assert!(visitors.send_one_away());
        drop((a, b));
        let present = visitors.lock();
        assert_eq!((present.here, present.speaking, present.proven), (0, 0, 0));
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
        assert_eq!((present.held, present.visitors.len(), present.here), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn everybodys_time_is_over_at_some_point() {
        let visitors = Arc::new(Visitors::new(FOUR, 100));
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
