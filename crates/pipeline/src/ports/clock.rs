use std::{pin::pin, time::Duration};

use async_trait::async_trait;
use futures_util::future::{Either, select};
use lead::Timestamp;

/// The time, and waiting for it.
///
/// ```
/// # use conformance::clock::VirtualClock;
/// # use std::time::Duration;
/// use pipeline::ports::Clock;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(600));
/// assert_eq!((clock.now() - before).as_secs(), 600);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall-clock time. It may step back and forth between two calls.
    fn now(&self) -> Timestamp;

    /// Waits for `duration`, which wall-clock steps do not change.
    async fn sleep(&self, duration: Duration);
}

/// The outcome of `work`, or `None` where it takes longer than `limit`.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    limit: Option<Duration>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let work = pin!(work);
    let Some(limit) = limit else { return Some(work.await) };
    match select(work, pin!(clock.sleep(limit))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

/// Unpredictability, for identifiers and jitter. Not for secrets.
pub trait Random: Send + Sync {
    /// 64 random bits.
    fn bits(&self) -> u64;

    /// A factor in `0.0..1.0`.
    fn fraction(&self) -> f64 {
        // 53 bits are what an f64 holds.
        #[allow(clippy::cast_precision_loss)]
        let fraction = (self.bits() >> 11) as f64 / (1u64 << 53) as f64;
        fraction
    }

    /// A duration of about this length, between 75 % and 125 % of it, so that those who begin to wait together do
    /// not end together.
    fn around(&self, duration: Duration) -> Duration {
        duration.mul_f64(0.75 + 0.5 * self.fraction())
    }
}
