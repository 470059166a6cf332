//! The stages over the ports, without a process: what each makes of everything that its neighbours answer.

#![allow(clippy::unwrap_used)]

mod bucket_rules;
mod driver;
mod ingest;
mod notify;
mod operator;
mod owners_close;
mod process;
mod requests;
mod secrets;
