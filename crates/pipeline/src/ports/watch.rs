use async_trait::async_trait;

use crate::Fault;

/// A cheap look at a pipeline, so that nothing is read again that has not changed.
///
/// ```
/// use pipeline::ports::{Unwatched, Watch};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// assert_eq!(Unwatched.look().await?.version, None);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Watch: Send + Sync {
    /// Looks whether anything has changed, whether anybody works, and whether the store is still there. So cheap that
    /// it can be done every second.
    ///
    /// # Errors
    /// Where the pipeline itself is gone.
    async fn look(&self) -> Result<Seen, Fault>;

    /// Releases what watching needs; nobody watches any more.
    async fn let_go(&self) {}
}

/// What a cheap look shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Another number after every change by anybody; `None` where that cannot be seen.
    pub version: Option<u64>,
    /// Whether a worker runs; `None` where that cannot be seen.
    pub worked: Option<bool>,
}

/// The look at a pipeline of which nothing can be seen cheaply.
pub struct Unwatched;

#[async_trait]
impl Watch for Unwatched {
    async fn look(&self) -> Result<Seen, Fault> {
        Ok(Seen::default())
    }
}
