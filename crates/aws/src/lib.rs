//! The ports on AWS: S3, SQS, SNS, Secrets Manager, and for operators CloudWatch and CloudFormation.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clients;
pub mod counts;
mod fault;
#[cfg(feature = "operator")]
mod logs;
#[cfg(feature = "operator")]
pub mod operator;
mod s3;
pub mod s3event;
pub mod secrets;
#[cfg(test)]
mod sleeping;
mod sns;
mod sqs;

pub use clients::Clients;
pub use counts::{Counts, Measured, Uncounted};
#[cfg(feature = "operator")]
pub use logs::CloudWatchLogs;
pub use s3::{Bucket, Released, S3Names, S3Store, Schedule};
pub use secrets::{NamedSecret, Secrets};
pub use sns::SnsTopic;
pub use sqs::{QueueUrls, Queues};
