//! The ports on AWS: S3, SQS, SNS, Secrets Manager, and for operators CloudWatch and CloudFormation.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clients;
mod fault;
#[cfg(feature = "operator")]
mod logs;
#[cfg(feature = "operator")]
pub mod operator;
pub mod secrets;
mod sns;
mod sqs;

pub use clients::Clients;
#[cfg(feature = "operator")]
pub use logs::CloudWatchLogs;
pub use secrets::{SecretText, Secrets};
pub use sns::SnsMailer;
pub use sqs::{Move, MoveState, QueueUrls, Queues, Settled};
