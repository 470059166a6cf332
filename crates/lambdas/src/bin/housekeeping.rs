//! The Lambda function `housekeeping`: sends what is due.

use std::process::ExitCode;

use lambdas::{housekeeping::Housekeeping, start};

fn main() -> ExitCode {
    start::run::<Housekeeping>()
}
