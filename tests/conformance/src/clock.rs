//! Time that a test decides on.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use async_trait::async_trait;
use lead::Timestamp;
use pipeline::ports::Clock;
use tokio::sync::oneshot;

/// A clock that stands still until it is moved.
///
/// Wall-clock time ([`Clock::now`]) and elapsed time (what [`Clock::sleep`] waits for) are apart, as in
/// a real machine: [`VirtualClock::set`] steps the first and leaves the second alone.
pub struct VirtualClock {
    time: Mutex<Time>,
}

struct Time {
    now: Timestamp,
    elapsed: Duration,
    /// Sleepers by when they wake, in the order in which they lay down.
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    lain_down: u64,
    /// Notified of each change before anybody can read it here.
    listeners: Vec<Box<dyn Fn(Timestamp) + Send>>,
}

impl VirtualClock {
    /// Where [`VirtualClock::start`] begins: a little after the samples were signed.
    pub const START: i64 = 1_789_398_200;

    /// A clock at [`VirtualClock::START`].
    pub fn start() -> Arc<Self> {
        Self::at(Timestamp::from_second(Self::START).unwrap())
    }

    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Arc<Self> {
        let time = Time {
            now,
            elapsed: Duration::ZERO,
            sleepers: BTreeMap::new(),
            lain_down: 0,
            listeners: Vec::new(),
        };
        Arc::new(Self { time: Mutex::new(time) })
    }

    /// Has a listener notified of the time: now, and at each change before [`Clock::now`] says so and
    /// before anybody is woken. It must not ask this clock anything.
    pub fn on_change(&self, listener: impl Fn(Timestamp) + Send + 'static) {
        let mut time = self.time();
        listener(time.now);
        time.listeners.push(Box::new(listener));
    }

    /// Lets time pass. Whoever sleeps no longer than that is woken, the earliest first; none of them
    /// runs before this returns.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time();
        let now = time.now + by;
        time.set(now);
        time.elapsed += by;
        let elapsed = time.elapsed;
        while let Some(first) = time.sleepers.first_entry() {
            if first.key().0 > elapsed {
                break;
            }
            // A sleeper that was dropped meanwhile is not there to be woken.
            let _ = first.remove().send(());
        }
    }

    /// Steps the wall clock, back or forth. Wakes nobody.
    pub fn set(&self, now: Timestamp) {
        self.time().set(now);
    }

    /// Steps the wall clock back by so much. Wakes nobody.
    pub fn step_back(&self, by: Duration) {
        let mut time = self.time();
        let now = time.now - by;
        time.set(now);
    }

    /// How much time has passed since the clock was made, steps of the wall clock left out.
    pub fn elapsed(&self) -> Duration {
        self.time().elapsed
    }

    /// How long it is until the next sleeper wakes.
    pub fn next_wake(&self) -> Option<Duration> {
        let mut time = self.time();
        time.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let first = *time.sleepers.first_key_value()?.0;
        Some(first.0 - time.elapsed)
    }

    /// Runs a future to its end, passing time whenever it can do nothing but sleep.
    ///
    /// # Panics
    /// Where it waits for something else than this clock's time: that would be for ever. So it must
    /// not wait for other tasks or threads; join them into one future.
    pub async fn run<F: Future>(&self, future: F) -> F::Output {
        match self.drive(future, None).await {
            Some(output) => output,
            None => panic!("the future sleeps no more and does not end"),
        }
    }

    /// Like [`VirtualClock::run`], but for no longer than `limit`; the future is dropped then, also
    /// when it has nothing more to sleep for. Exactly `limit` has passed if it did not end before.
    pub async fn run_for<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let until = self.elapsed() + limit;
        let output = self.drive(future, Some(until)).await;
        if output.is_none() {
            self.advance(until - self.elapsed());
        }
        output
    }

    /// Polls a future until it ends, or cannot go on before `until`.
    async fn drive<F: Future>(&self, future: F, until: Option<Duration>) -> Option<F::Output> {
        // tokio would have the future yield now and then, to a runtime that it does not get back to here.
        let mut future = pin!(tokio::task::unconstrained(future));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        poll_fn(|_| {
            loop {
                while woken.0.swap(false, Ordering::SeqCst) {
                    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return Poll::Ready(Some(output));
                    }
                }
                match self.next_wake() {
                    Some(wait) if until.is_none_or(|until| self.elapsed() + wait <= until) => {
                        self.advance(wait);
                    }
                    _ => return Poll::Ready(None),
                }
            }
        })
        .await
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap()
    }
}

impl Time {
    fn set(&mut self, now: Timestamp) {
        self.now = now;
        for listener in &self.listeners {
            listener(now);
        }
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.time().now
    }

    async fn sleep(&self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let (sleeper, woken) = oneshot::channel();
        {
            let mut time = self.time();
            let place = (time.elapsed + duration, time.lain_down);
            time.lain_down += 1;
            time.sleepers.insert(place, sleeper);
        }
        // The clock is alive as long as `self` is borrowed here, so nobody but it drops the sender.
        let _ = woken.await;
    }
}

/// Remembers that a future wants to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn sleepers_wake_in_their_order_and_steps_of_the_wall_clock_wake_nobody() {
        let clock = VirtualClock::start();
        let woken = Mutex::new(Vec::new());
        let sleep = |seconds: u32| {
            let (clock, woken) = (&clock, &woken);
            async move {
                clock.sleep(SECOND * seconds).await;
                woken.lock().unwrap().push((seconds, clock.elapsed()));
            }
        };
        clock.set(Timestamp::UNIX_EPOCH);
        clock.run(join(join(sleep(5), sleep(2)), sleep(9))).await;
        assert_eq!(*woken.lock().unwrap(), [(2, SECOND * 2), (5, SECOND * 5), (9, SECOND * 9)]);
        assert_eq!(clock.now(), Timestamp::from_second(9).unwrap());
    }

    #[tokio::test]
    async fn a_limited_run_passes_its_time_and_drops_the_future() {
        let clock = VirtualClock::start();
        let endless = async {
            loop {
                clock.sleep(SECOND * 3).await;
            }
        };
        let never: Option<()> = clock.run_for(SECOND * 10, endless).await;
        assert_eq!((never, clock.elapsed(), clock.next_wake()), (None, SECOND * 10, None));
        assert_eq!(clock.run_for(SECOND, async { 1 }).await, Some(1));
        assert_eq!(clock.run_for(SECOND, std::future::pending::<()>()).await, None);
        assert_eq!(clock.elapsed(), SECOND * 11);
    }
}
