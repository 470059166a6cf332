//! The real binaries, started as Lambda starts them: what is wrong with their environment is said by
//! name, in one JSON line, before anything is handled.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use serde_json::Value;

const INGESTION: &str = env!("CARGO_BIN_EXE_webhook-ingestion");
const PROCESSOR: &str = env!("CARGO_BIN_EXE_lead-processor");
const NOTIFICATION: &str = env!("CARGO_BIN_EXE_notification");

/// What all of them need. Nothing answers at these addresses.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
    ("AWS_LAMBDA_FUNCTION_NAME", "f"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2hunter2"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("BUCKET_NAME", "leads"),
    ("CLOSE_SIGNATURE_SECRET_NAME", "close"),
    ("SLACK_SECRET_NAME", "slack"),
    ("NOTIFICATION_QUEUE_URL", "http://127.0.0.1:9/1/notification"),
    ("LEADOPS_WARM_UP", "false"),
];

fn start(binary: &str, without: &str, with: (&str, &str)) -> Output {
    let environment = ENVIRONMENT.iter().filter(|(name, _)| *name != without);
    Command::new(binary).env_clear().envs(environment.copied()).env(with.0, with.1).output().unwrap()
}

#[test]
fn a_missing_or_malformed_variable_stops_the_start_and_is_named() {
    let missing = |name| (name, ("X", ""));
    let wrong = |name, value| ("", (name, value));
    for (binary, (without, with), named) in [
        (INGESTION, missing("BUCKET_NAME"), "BUCKET_NAME"),
        (INGESTION, missing("CLOSE_SIGNATURE_SECRET_NAME"), "CLOSE_SIGNATURE_SECRET_NAME"),
        (INGESTION, missing("AWS_REGION"), "AWS_REGION"),
        (INGESTION, wrong("DELAY_SECONDS", "901"), "DELAY_SECONDS"),
        (PROCESSOR, missing("BUCKET_NAME"), "BUCKET_NAME"),
        (PROCESSOR, wrong("USE_SLACK", "maybe"), "USE_SLACK"),
        (PROCESSOR, wrong("LOOKUP_BASE_URL", "ftp://x"), "LOOKUP_BASE_URL"),
        (PROCESSOR, wrong("LOOKUP_BUCKET", "No_Bucket"), "LOOKUP_BUCKET"),
        (NOTIFICATION, wrong("TARGET_PREFIX", "../x"), "TARGET_PREFIX"),
        (PROCESSOR, wrong("SOURCE_PREFIX", "r"), "receipts/"),
        (INGESTION, wrong("TARGET_PREFIX", "source/done/"), "SOURCE_PREFIX"),
        (NOTIFICATION, wrong("SSL_CERT_FILE", "/nowhere.pem"), "SSL_CERT_FILE"),
        (NOTIFICATION, wrong("SSL_CERT_FILE", "/dev/null"), "SSL_CERT_FILE"),
    ] {
        let Output { status, stdout, stderr } = start(binary, without, with);
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert!(!status.success(), "{binary} without {without:?}, with {with:?}");
        let last = stdout.lines().last().unwrap_or_else(|| panic!("{named}: nothing is said; {stderr}"));
        let line: Value = serde_json::from_str(last).unwrap();
        let message = line["message"].as_str().unwrap();
        assert!(message.contains(named), "{named}: {message}");
        assert_eq!((&line["level"], &line["code"]), (&"ERROR".into(), &"LO906".into()), "{message}");
        assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"));
    }
}

/// It ends all the same, as no Runtime API answers.
#[test]
fn what_alerts_alone_need_is_named_and_stops_no_start() {
    for (binary, without, with, named) in [
        (NOTIFICATION, "SLACK_SECRET_NAME", ("X", ""), "SLACK_SECRET_NAME is not set"),
        (NOTIFICATION, "", ("USE_EMAIL", "true"), "SNS_TOPIC_ARN is not set"),
        (NOTIFICATION, "", ("SLACK_BURST", "0"), "SLACK_BURST"),
        // Without a notification queue it sends the alerts itself.
        (PROCESSOR, "NOTIFICATION_QUEUE_URL", ("SLACK_SECRET_NAME", ""), "SLACK_SECRET_NAME is not set"),
    ] {
        let stdout = String::from_utf8(start(binary, without, with).stdout).unwrap();
        let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let is_named =
            |line: &&Value| line["message"].as_str().is_some_and(|message| message.contains(named));
        let line = lines.iter().find(is_named).unwrap_or_else(|| panic!("{named}: {stdout}"));
        assert_eq!((&line["level"], &line["code"]), (&"ERROR".into(), &"LO906".into()));
        assert!(!line["message"].as_str().unwrap().contains("stops"), "{stdout}");
    }
}
