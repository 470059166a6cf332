use async_trait::async_trait;
use aws::Bucket;
use bytes::Bytes;
use lead::Timestamp;
use pipeline::{
    Fault,
    ports::{PutError, Version, WriteCondition},
};

use super::Memory;

#[async_trait]
impl Bucket for Memory {
    async fn put_as_of(
        &self,
        key: &str,
        body: Bytes,
        when: WriteCondition,
        stored_at: Timestamp,
    ) -> Result<Version, PutError> {
        self.state().put(key, body, &when, stored_at)
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        self.state().objects.remove(key);
        Ok(())
    }

    fn place(&self, key: &str) -> String {
        format!("memory://{key}")
    }
}
