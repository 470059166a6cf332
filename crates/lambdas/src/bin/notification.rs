//! The Lambda function `notification`: tells the team.

use std::process::ExitCode;

use lambdas::{notification::Notification, start};

fn main() -> ExitCode {
    start::run::<Notification>()
}
