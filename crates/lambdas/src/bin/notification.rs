//! The Lambda function `notification`: sends alerts.

use std::process::ExitCode;

use lambdas::{notification::Notification, start};

fn main() -> ExitCode {
    start::run::<Notification>()
}
