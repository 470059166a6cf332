//! `infrastructure/deploy`, with an AWS CLI that answers what a test says.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

/// What it prints, without changing anything, for a stack with these values.
fn dry_run(age: &str, receives: &str, parameters: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let answers = format!(
        "#!/bin/sh\ncase \"$*\" in\n*get-caller-identity*) echo 123456789012 ;;\n*StackStatus*) echo \
         UPDATE_COMPLETE ;;\n*SignatureMaxAgeSeconds*) echo {age} ;;\n*DelayMaxReceives*) echo {receives} ;;\nesac\n"
    );
    let aws = folder.path().join("aws");
    std::fs::write(&aws, answers).unwrap();
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let keys = [
        "WebhookIngestionCodeKey=a",
        "LeadProcessorCodeKey=b",
        "NotificationCodeKey=c",
        "HousekeepingCodeKey=d",
    ];
    let run = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../infrastructure/deploy"))
        .args(["leads", "--dry-run", "CodeBucket=artefacts"])
        .args(keys)
        .args(parameters)
        .env("PATH", path)
        .env("AWS_REGION", "eu-central-1")
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn it_says_where_a_stack_keeps_a_wider_window_than_the_templates() {
    let said = dry_run("31536000", "120", &[]);
    let note = said.lines().find(|line| line.starts_with("note:")).unwrap_or_else(|| panic!("{said}"));
    for part in
        ["SignatureMaxAgeSeconds stays 31536000 (365 days)", "SignatureMaxAgeSeconds=604800 changes it"]
    {
        assert!(note.contains(part), "{note}");
    }
    for (age, parameters) in [
        ("604800", &[][..]),
        ("3600", &[]),
        // A template from before there was the parameter.
        ("None", &[]),
        ("", &[]),
        ("31536000", &["SignatureMaxAgeSeconds=604800"]),
    ] {
        let said = dry_run(age, "120", parameters);
        assert!(!said.contains("note:"), "{age} {parameters:?}: {said}");
    }
}

#[test]
fn it_says_where_a_stack_keeps_fewer_receives_than_the_templates() {
    let said = dry_run("604800", "10", &[]);
    let notes: Vec<&str> = said.lines().filter(|line| line.starts_with("note:")).collect();
    let [note] = notes[..] else { panic!("{said}") };
    assert!(
        note.contains("DelayMaxReceives stays 10") && note.contains("DelayMaxReceives=120 changes it"),
        "{note}"
    );
    for (receives, parameters) in
        [("120", &[][..]), ("1000", &[]), ("None", &[]), ("", &[]), ("10", &["DelayMaxReceives=120"])]
    {
        let said = dry_run("604800", receives, parameters);
        assert!(!said.contains("note:"), "{receives} {parameters:?}: {said}");
    }
}
