//! `infrastructure/cloudformation.yaml`, and what of it neither cfn-lint nor an emulator proves.
//!
//! What the roles allow is tried out where the functions run with them (`--test aws lambda`); here it is looked
//! through for what is too wide.

#![allow(clippy::unwrap_used)]

mod alarms;
mod api;
mod deploy;
mod functions;
mod permissions;
mod prefixes;
mod queues;
mod retention;
mod slack_addresses;
