//! What runs on AWS, with moto as AWS: the adapters, the functions and the operator's commands.
//!
//! `LEADOPS_SKIP_AWS=1` leaves all of it out.

#![allow(clippy::unwrap_used)]

#[cfg(not(skip_aws))]
mod conformance;
#[cfg(not(skip_aws))]
mod lambda;
#[cfg(not(skip_aws))]
mod moto;
#[cfg(not(skip_aws))]
mod operator;

/// So that nobody takes what was left out for what has passed.
#[cfg(skip_aws)]
#[test]
#[ignore = "LEADOPS_SKIP_AWS leaves out everything on AWS"]
fn everything_on_aws() {}
