//! The ports on AWS: S3, SQS, SNS, Secrets Manager, and for operators CloudWatch and CloudFormation.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clients;
mod fault;
mod fresh;
#[cfg(feature = "operator")]
mod logs;
pub mod metrics;
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
#[cfg(feature = "operator")]
pub use logs::CloudWatchLogs;
pub use metrics::{Measurement, MetricsSink, NoMetrics};
pub use s3::{Bucket, ReleaseOutcome, S3Store, Schedule};
pub use secrets::{NamedSecret, Secrets};
pub use sns::SnsTopic;
pub use sqs::{QueueUrls, Queues, SqsActions, SystemAttributes};
