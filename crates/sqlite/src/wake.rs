//! Waking those who wait for messages.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use pipeline::{lock, ports::Queue};
use tokio::sync::Notify;

/// Everybody who waits for a message of either queue.
///
/// A waiter is notified of every commit with a message that becomes visible sooner than it waits anyway.
/// It registers before it looks, and a notification that comes while it looks is remembered: none is missed.
#[derive(Debug, Default)]
pub(crate) struct Wakeups(Mutex<Vec<Arc<Waiter>>>);

#[derive(Debug)]
struct Waiter {
    queue: Queue,
    /// Messages from this time on, in milliseconds since 1970, are of no interest.
    until: AtomicI64,
    notify: Notify,
}

/// A place among the waiters, for as long as it lives.
pub(crate) struct WaitGuard {
    wakes: Arc<Wakeups>,
    waiter: Arc<Waiter>,
}

impl Wakeups {
    pub(crate) fn register(self: &Arc<Self>, queue: Queue) -> WaitGuard {
        let waiter = Arc::new(Waiter { queue, until: AtomicI64::new(i64::MAX), notify: Notify::new() });
        lock(&self.0).push(Arc::clone(&waiter));
        WaitGuard { wakes: Arc::clone(self), waiter }
    }

    /// A message of this queue that becomes visible at `visible_at` has been committed.
    pub(crate) fn announce(&self, queue: Queue, visible_at: i64) {
        for waiter in lock(&self.0).iter() {
            if waiter.queue == queue && visible_at < waiter.until.load(Ordering::SeqCst) {
                waiter.notify.notify_one();
            }
        }
    }

    /// Somebody else has committed something.
    pub(crate) fn announce_anything(&self) {
        for waiter in lock(&self.0).iter() {
            waiter.notify.notify_one();
        }
    }
}

impl WaitGuard {
    /// About to look: from now on everything is of interest.
    pub(crate) fn look(&self) {
        self.waiter.until.store(i64::MAX, Ordering::SeqCst);
    }

    /// Looked: nothing from `visible_at` on is.
    pub(crate) fn until(&self, visible_at: i64) {
        self.waiter.until.store(visible_at, Ordering::SeqCst);
    }

    pub(crate) async fn woken(&self) {
        self.waiter.notify.notified().await;
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        lock(&self.wakes.0).retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
    }
}
