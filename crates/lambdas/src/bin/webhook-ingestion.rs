//! The Lambda function `webhook-ingestion`: takes Close's webhooks in.

use std::process::ExitCode;

use lambdas::{ingestion::Ingestion, start};

fn main() -> ExitCode {
    start::run::<Ingestion>()
}
