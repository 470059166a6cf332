//! What the rules about leads need of a bucket.

use async_trait::async_trait;
use pipeline::{Fault, ports::Objects};

/// A bucket: objects that can be deleted, too.
///
/// [`super::S3Store`] says what is written when, whatever the bucket is: S3's own, or a simulated one.
#[async_trait]
pub trait Bucket: Objects {
    /// Deletes an object. One that does not exist is deleted already.
    async fn delete(&self, key: &str) -> Result<(), Fault>;

    /// Where a key is, for messages: `s3://bucket/key`.
    fn place(&self, key: &str) -> String;
}
