use async_trait::async_trait;
use bytes::Bytes;
use lead::Timestamp;

use crate::{Code, Fault};

/// An object store: byte strings under keys, with conditional writes.
///
/// * No reader ever sees part of a write.
/// * A finished write is durable and is seen by every later read and listing.
/// * Of several conditional writes racing for one key, exactly one succeeds.
///
/// ```
/// # use conformance::{clock::VirtualClock, memory::Memory};
/// use pipeline::ports::{Objects, PutError, WriteCondition};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let clock = VirtualClock::start();
/// # let store = Memory::new(clock.clone());
/// let first = store.put("a", "1".into(), WriteCondition::Absent).await?;
/// // Whoever has read the version before is not let replace what has been written since.
/// store.put("a", "2".into(), WriteCondition::Unchanged(first.clone())).await?;
/// let late = store.put("a", "3".into(), WriteCondition::Unchanged(first)).await;
/// assert_eq!(late, Err(PutError::Precondition));
/// assert_eq!(store.get("a").await?.unwrap().body, "2");
/// assert_eq!(store.list("", None, 10).await?, ["a"]);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Objects: Send + Sync {
    /// The object under `key`, or `None`.
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault>;

    /// Writes `body` under `key` if `when` holds, and returns the new version.
    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError>;

    /// Up to `limit` keys that start with `prefix` and sort after `after`, in ascending order of bytes.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault>;
}

/// An object as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The content.
    pub body: Bytes,
    /// What [`WriteCondition::Unchanged`] compares with.
    pub version: Version,
    /// When it was written.
    pub stored_at: Timestamp,
}

/// Identifies what was written under one key. Meaningful only to the store that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// The condition of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteCondition {
    /// Whatever is there is replaced.
    Always,
    /// Only if there is no object under the key.
    Absent,
    /// Only if the object is still this version. A store may take one that was rewritten with equal bytes
    /// for unchanged, as S3 does, so whatever is written by turns has to say when.
    Unchanged(Version),
}

/// Why a write did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// The condition does not hold. Nothing was written.
    #[error("the object was written by somebody else")]
    Precondition,
    /// The store failed. The write may or may not have happened.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<PutError> for Fault {
    /// For a write whose condition holds in any case, as [`WriteCondition::Always`] does.
    fn from(error: PutError) -> Self {
        match error {
            PutError::Precondition => {
                Self::new(Code::Internal, "a write without a condition was refused for one")
            }
            PutError::Fault(fault) => fault,
        }
    }
}
