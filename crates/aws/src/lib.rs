//! The ports on AWS: S3, SQS, SNS, Secrets Manager, and for operators CloudWatch and CloudFormation.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clients;
mod fault;
mod sqs;

pub use clients::Clients;
pub use sqs::{Move, MoveState, QueueUrls, Queues, Settled};
