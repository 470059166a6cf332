//! The Lambda function `lead-processor`: looks the owner up.

use std::process::ExitCode;

use lambdas::{processor::Processor, start};

fn main() -> ExitCode {
    start::run::<Processor>()
}
