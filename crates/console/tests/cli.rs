//! What the binary says without a pipeline.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use pipeline::RetryState;

fn leadops(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leadops")).args(args).env("LEADOPS_CONFIG", "").output().unwrap()
}

fn stdout(args: &[&str]) -> String {
    let output = leadops(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A text with its lines joined.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_code_is_explained() {
    for code in pipeline::Code::ALL {
        let text = joined(&stdout(&["explain", code.as_str()]));
        assert!(text.contains(code.cause()));
        let json: serde_json::Value =
            serde_json::from_str(&stdout(&["explain", code.as_str(), "--json"])).unwrap();
        assert_eq!(json["code"], code.as_str());
        for (field, standing) in [
            ("remedy", RetryState::Reported),
            ("remedy_while_tried_again", RetryState::Retrying),
            ("remedy_when_dead", RetryState::Dead),
        ] {
            assert!(text.contains(code.remedy(standing)), "{code}: {standing:?}");
            assert_eq!(json[field], code.remedy(standing));
        }
    }
}

#[test]
fn completions_and_the_man_page_know_every_command() {
    let man = stdout(&["man"]);
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&["completions", shell]);
        for command in ["demo", "up", "status", "redrive", "requeue", "resend", "doctor"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    assert!(man.contains("leadops"));
}

#[test]
fn help_and_version_are_no_errors() {
    assert!(stdout(&["--help"]).contains("Commands:"));
    assert!(stdout(&["--version"]).starts_with("leadops "));
    assert!(stdout(&["dead", "--help"]).contains("redrive"));
}
