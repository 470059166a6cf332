//! `infrastructure/deploy`, with an AWS CLI that answers what a test says.

use std::{
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

/// What it prints, without changing anything, for a stack with these values.
fn dry_run(age: &str, receives: &str, parameters: &[&str]) -> String {
    let run = run(age, receives, parameters);
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

/// Runs it with `--dry-run`. The stack has the prefixes `in/` and `target/`.
fn run(age: &str, receives: &str, parameters: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let answers = format!(
        "#!/bin/sh\ncase \"$*\" in\n*get-caller-identity*) echo 123456789012 ;;\n*StackStatus*) echo \
         UPDATE_COMPLETE ;;\n*SignatureMaxAgeSeconds*) echo {age} ;;\n*DelayMaxReceives*) echo {receives} ;;\n*SourcePrefix*) echo in/ ;;\nesac\n"
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
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../infrastructure/deploy"))
        .args(["leads", "--dry-run", "CodeBucket=artefacts"])
        .args(keys)
        .args(parameters)
        .env("PATH", path)
        .env("AWS_REGION", "eu-central-1")
        .output()
        .unwrap()
}

#[test]
fn it_says_where_a_stack_keeps_a_wider_window_than_the_templates() {
    let output = dry_run("31536000", "120", &[]);
    let note = output.lines().find(|line| line.starts_with("note:")).unwrap_or_else(|| panic!("{output}"));
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
        let output = dry_run(age, "120", parameters);
        assert!(!output.contains("note:"), "{age} {parameters:?}: {output}");
    }
}

#[test]
fn it_says_where_a_stack_keeps_fewer_receives_than_the_templates() {
    let output = dry_run("604800", "10", &[]);
    let notes: Vec<&str> = output.lines().filter(|line| line.starts_with("note:")).collect();
    let [note] = notes[..] else { panic!("{output}") };
    assert!(
        note.contains("DelayMaxReceives stays 10") && note.contains("DelayMaxReceives=120 changes it"),
        "{note}"
    );
    for (receives, parameters) in
        [("120", &[][..]), ("1000", &[]), ("None", &[]), ("", &[]), ("10", &["DelayMaxReceives=120"])]
    {
        let output = dry_run("604800", receives, parameters);
        assert!(!output.contains("note:"), "{receives} {parameters:?}: {output}");
    }
}

#[test]
fn no_prefix_begins_with_the_other_whichever_is_given() {
    for parameters in [
        &["SourcePrefix=a/", "TargetPrefix=a/done/"][..],
        &["SourcePrefix=out/raw/", "TargetPrefix=out/"],
        // The stack's own value, and the template's.
        &["TargetPrefix=in/done/"],
        &["SourcePrefix=t"],
    ] {
        let refused = run("604800", "120", parameters);
        let output = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{parameters:?}: {output}");
        assert!(
            output.contains("begins with the other") && output.contains("nothing was changed"),
            "{output}"
        );
    }
    for parameters in [&[][..], &["SourcePrefix=a/", "TargetPrefix=b/"], &["TargetPrefix=out/in/"]] {
        dry_run("604800", "120", parameters);
    }
}

#[test]
fn it_prints_no_secret() {
    let secrets =
        ["SlackWebhookUrl=https://hooks.slack.com/services/T0/B0/hunter2", "CloseApiKey=api_hunter2"];
    let output = dry_run("604800", "120", &secrets);
    assert!(
        output.contains("CloseApiKey=(not shown)") && output.contains("SlackWebhookUrl=(not shown)"),
        "{output}"
    );
    assert!(!output.contains("hunter2"), "{output}");
}
