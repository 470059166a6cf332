//! The ports on AWS: S3, SQS, SNS, Secrets Manager, and for operators CloudWatch and CloudFormation.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clients;
pub mod counts;
mod fault;
#[cfg(feature = "operator")]
pub mod operator;
mod s3;
pub mod s3event;
mod sqs;

pub use clients::Clients;
pub use counts::{Counts, Measured, Uncounted};
pub use s3::{S3Names, S3Store};
pub use sqs::{Move, MoveState, QueueUrls, Queues, Settled};
