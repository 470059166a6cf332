//! Objects, with conditional writes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    operation::put_object::PutObjectError,
    primitives::{ByteStream, DateTime},
    types::EncodingType,
};
use bytes::Bytes;
use lead::Timestamp;
use outside::text::with_causes;
use pipeline::{
    Code, Fault,
    ports::{Clock, Object, Objects, PutError, Random, Version, WriteCondition},
};

use super::{Bucket, PAGE};
use crate::{fault::fault, s3event::decoded};

/// When an object was written, to the microsecond: S3's own time has whole seconds.
const STORED_AT: &str = "stored-at";
/// Which write an object is from, so that a write whose answer was lost is recognised.
const WRITE: &str = "write";
/// How often a write is tried that met another one on its way (409).
const CONFLICTS: u32 = 8;

/// A bucket of S3's.
pub(super) struct S3Objects {
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) bucket: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
}

#[async_trait]
impl Objects for S3Objects {
    /// Objects that others wrote have S3's time, in whole seconds.
    async fn get(&self, key: &str) -> Result<Option<Object>, Fault> {
        // There is no object without a name.
        if key.is_empty() {
            return Ok(None);
        }
        let doing = || format!("reading {}", self.place(key));
        let got = match self.s3.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(got) => got,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(fault(&doing(), &error)),
        };
        let metadata = got.metadata.unwrap_or_default();
        let stored_at = metadata.get(STORED_AT).and_then(|at| at.parse().ok());
        let version = version(got.e_tag.as_deref(), metadata.get(WRITE).map(String::as_str));
        let stored_at = stored_at.or_else(|| timestamp(got.last_modified?)).unwrap_or_default();
        let body = got.body.collect().await.map_err(|error| {
            Fault::new(Code::AwsUnreachable, format!("{}: {}", doing(), with_causes(&error)))
        })?;
        Ok(Some(Object { body: body.into_bytes(), version, stored_at }))
    }

    async fn put(&self, key: &str, body: Bytes, when: WriteCondition) -> Result<Version, PutError> {
        self.put_as_of(key, body, when, self.clock.now()).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Fault> {
        let mut keys: Vec<String> = Vec::new();
        while keys.len() < limit {
            let page = (limit - keys.len()).min(PAGE);
            let after = keys.last().map(String::as_str).or(after).map(str::to_owned);
            let listed = self
                .s3
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_start_after(after.filter(|after| !after.is_empty()))
                .max_keys(i32::try_from(page).unwrap_or(i32::MAX))
                // Some characters of keys cannot stand in XML.
                .encoding_type(EncodingType::Url)
                .send()
                .await
                .map_err(|error| fault(&format!("listing {}", self.place(prefix)), &error))?;
            let found = listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
            keys.extend(found.filter_map(|key| decoded(&key)));
            if listed.is_truncated != Some(true) {
                break;
            }
        }
        Ok(keys)
    }
}

impl S3Objects {
    async fn put_once(
        &self,
        key: &str,
        body: &Bytes,
        when: &WriteCondition,
        write: &str,
        stored_at: Timestamp,
    ) -> Result<Version, SdkError<PutObjectError>> {
        let put = self.s3.put_object().bucket(&self.bucket).key(key);
        let put = put
            .body(ByteStream::from(body.clone()))
            .content_type("application/json")
            .metadata(STORED_AT, stored_at.to_string())
            .metadata(WRITE, write);
        let put = match when {
            WriteCondition::Always => put,
            WriteCondition::Absent => put.if_none_match("*"),
            WriteCondition::Unchanged(Version(version)) => {
                let (tag, _) = version.split_once(' ').unwrap_or((version, ""));
                put.if_match(tag)
            }
        };
        let put = put.send().await?;
        Ok(version(put.e_tag.as_deref(), Some(write)))
    }

    /// The present version, if it is of this write.
    async fn written_by(&self, key: &str, write: &str) -> Result<Option<Version>, Fault> {
        let found = match self.s3.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(found) => found,
            // Without a body an error has no code: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>.
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(fault(&format!("looking at {}", self.place(key)), &error)),
        };
        let by = found.metadata.as_ref().and_then(|metadata| metadata.get(WRITE));
        let ours = by.is_some_and(|by| by == write);
        Ok(ours.then(|| version(found.e_tag.as_deref(), Some(write))))
    }
}

#[async_trait]
impl Bucket for S3Objects {
    async fn put_as_of(
        &self,
        key: &str,
        body: Bytes,
        when: WriteCondition,
        stored_at: Timestamp,
    ) -> Result<Version, PutError> {
        let write = format!("{:016x}", self.random.bits());
        let mut conflicts = 0;
        loop {
            let error = match self.put_once(key, &body, &when, &write, stored_at).await {
                Ok(version) => return Ok(version),
                Err(error) => error,
            };
            match status(&error) {
                // The condition does not hold; or it held before, for a first try of ours whose answer was lost.
                Some(412) => return self.written_by(key, &write).await?.ok_or(PutError::Precondition),
                // What was to be replaced is gone.
                Some(404) if error.code() == Some("NoSuchKey") => return Err(PutError::Precondition),
                // Another write is under way, and may or may not come to anything.
                Some(409) if conflicts < CONFLICTS => {
                    conflicts += 1;
                    let pause = Duration::from_millis(20 << conflicts.min(5));
                    self.clock.sleep(pause.mul_f64(0.5 + self.random.fraction())).await;
                }
                _ => return Err(fault(&format!("writing {}", self.place(key)), &error).into()),
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<(), Fault> {
        let deleted = self.s3.delete_object().bucket(&self.bucket).key(key).send().await;
        deleted.map(drop).map_err(|error| fault(&format!("deleting {}", self.place(key)), &error))
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

fn version(tag: Option<&str>, write: Option<&str>) -> Version {
    Version(format!("{} {}", tag.unwrap_or_default(), write.unwrap_or_default()))
}

fn timestamp(at: DateTime) -> Option<Timestamp> {
    at.to_millis().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok())
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
