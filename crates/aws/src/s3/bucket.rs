//! What the rules about leads need of a bucket.

use async_trait::async_trait;
use bytes::Bytes;
use lead::Timestamp;
use pipeline::{
    Code, Fault,
    ports::{Objects, PutError, Version, WriteCondition},
};

/// A bucket: objects that can be deleted, too, and that can say another time of writing than the clock does.
///
/// [`super::S3Store`] says what is written when, whatever the bucket is: S3's own, or a simulated one.
#[async_trait]
pub trait Bucket: Objects {
    /// [`Objects::put`], saying that the object was written at `stored_at`.
    async fn put_as_of(
        &self,
        key: &str,
        body: Bytes,
        when: WriteCondition,
        stored_at: Timestamp,
    ) -> Result<Version, PutError>;

    /// Deletes an object. One that does not exist is deleted already.
    async fn delete(&self, key: &str) -> Result<(), Fault>;

    /// Where a key is, for messages: `s3://bucket/key`.
    fn place(&self, key: &str) -> String;

    /// Writes an object, whatever is there.
    async fn write(&self, key: &str, body: Bytes) -> Result<(), Fault> {
        if was_written(self.put(key, body, WriteCondition::Always).await)? {
            return Ok(());
        }
        let what = format!("writing {}: refused for a condition that it has not", self.place(key));
        Err(Fault::new(Code::AwsFailed, what))
    }
}

/// Whether the condition of a write held.
pub(super) fn was_written(put: Result<Version, PutError>) -> Result<bool, Fault> {
    match put {
        Ok(_) => Ok(true),
        Err(PutError::Precondition) => Ok(false),
        Err(PutError::Fault(fault)) => Err(fault),
    }
}
