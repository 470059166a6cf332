//! What people write into settings and secrets, with the real binary: what is no key stops the start, what stops alerts
//! alone stops the first one, and whoever may not read a secret can use what needs none.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use tests::{
    http,
    process::{KEY, PATIENCE, Testbed, Up, text, until},
};
use tokio::{process::Command, time::timeout};

const SUBSCRIPTION: &str = "whsub_2l329YJ4Ds2RiLBHVBGS55";

/// What is other than usual in an environment: a value, or none.
type Changes<'a> = [(&'a str, Option<&'a str>)];

/// `leadops` in a test bed, its environment changed.
fn changed(testbed: &Testbed, args: &[&str], changes: &Changes<'_>) -> Command {
    let mut command = testbed.command(args);
    for (name, value) in changes {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// The line with which `leadops up` refuses to start.
async fn refusal(testbed: &Testbed, changes: &Changes<'_>) -> String {
    let mut command = changed(testbed, &["up", "--listen", "127.0.0.1:0"], changes);
    let output = timeout(PATIENCE, command.output()).await.expect("it does not start").unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{changes:?}: {stderr}");
    stderr.lines().last().unwrap_or_default().to_owned()
}

async fn start(testbed: &Testbed, changes: &Changes<'_>) -> Up {
    Up::start(changed(testbed, &["up", "--listen", "127.0.0.1:0", "--delay", "600"], changes)).await
}

async fn run(testbed: &Testbed, args: &[&str], changes: &Changes<'_>) -> (bool, String, String) {
    let output = timeout(PATIENCE, changed(testbed, args, changes).output()).await.expect("it ends").unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn file(testbed: &Testbed, name: &str, content: &str) -> String {
    let path: PathBuf = testbed.folder.path().join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_stops_the_start_and_is_a_failure_of_doctor() {
    let testbed = Testbed::new().await;
    for (value, part) in [
        (format!("CLOSE_SIGNATURE_KEY={KEY}"), "\"CLOSE_SIGNATURE_KEY\""),
        (format!("={KEY}"), "nothing in front"),
        (format!("wsub_2l329YJ4Ds2RiLBHVBGS55={KEY}"), "whsub_…"),
        (format!("{SUBSCRIPTION}:{KEY}"), "64 hex digits"),
        ("0".repeat(64), "placeholder"),
        (format!("{{\"prod\":\"{KEY}\"}}"), "whsub_…"),
        (KEY.trim_start_matches('3').to_owned(), "63 characters"),
    ] {
        let changes = [("CLOSE_SIGNATURE_KEY", Some(value.as_str()))];
        let line = refusal(&testbed, &changes).await;
        assert!(line.contains("LO902") && line.contains(part) && !line.contains(KEY), "{value}: {line}");
        let (is_well, checks, _) = run(&testbed, &["doctor"], &changes).await;
        assert!(!is_well && checks.contains("LO902") && !checks.contains(KEY), "{value}: {checks}");
    }
    let line = refusal(&testbed, &[("CLOSE_SIGNATURE_KEY", Some(" \"\" "))]).await;
    assert!(line.contains("LO903"), "{line}");
    assert!(!testbed.data().exists(), "no start has made a folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_in_every_form_in_which_it_is_pasted() {
    let testbed = Testbed::new().await;
    let credentials = testbed.folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("close_signature_key"), format!("{KEY}\n")).unwrap();
    let named = file(&testbed, "key", &format!("\u{feff}\"{KEY}\"\r\n"));
    let quoted = format!("'{KEY}'");
    let list = format!("{SUBSCRIPTION}={}\n{KEY}", "0f".repeat(32));
    let json = format!("{{\"CLOSE_SIGNATURE_KEY\":\"{KEY}\"}}");
    let credentials = credentials.display().to_string();
    let unset = ("CLOSE_SIGNATURE_KEY", None);
    for (number, changes) in [
        &[("CLOSE_SIGNATURE_KEY", Some(quoted.as_str()))][..],
        &[("CLOSE_SIGNATURE_KEY", Some(list.as_str()))],
        &[("CLOSE_SIGNATURE_KEY", Some(json.as_str()))],
        &[unset, ("CLOSE_SIGNATURE_KEY_FILE", Some(named.as_str()))],
        &[unset, ("CREDENTIALS_DIRECTORY", Some(credentials.as_str()))],
    ]
    .into_iter()
    .enumerate()
    {
        let up = start(&testbed, changes).await;
        let (status, answer) = http::post_lead(&up.webhook, &format!("lead_form{number}")).await;
        assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{changes:?}: {answer}");
        assert!(up.terminate().await.success());
    }
    let twice = [("CLOSE_SIGNATURE_KEY_FILE", Some(named.as_str()))];
    let line = refusal(&testbed, &twice).await;
    assert!(line.contains("set twice") && line.contains("CLOSE_SIGNATURE_KEY_FILE"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_alerts_alone_stops_the_first_start_and_is_reported_at_every_other() {
    let testbed = Testbed::new().await;
    let mail = |to| {
        [
            ("USE_EMAIL", Some("true")),
            ("SMTP_URL", Some("smtp://127.0.0.1:9")),
            ("EMAIL_FROM", Some("a@example.com")),
            ("EMAIL_TO", to),
        ]
    };
    let cases: [(&Changes<'_>, &str, &str); 6] = [
        (
            &[("SLACK_WEBHOOK_URL", Some("hooks.slack.com/services/T0/B0/hunter2"))],
            "LO906",
            "SLACK_WEBHOOK_URL",
        ),
        (&[("SLACK_WEBHOOK_URL", None)], "LO208", "SLACK_WEBHOOK_URL"),
        (
            &[("SLACK_WEBHOOK_URL", None), ("SLACK_WEBHOOK_URL_FILE", Some("/nonexistent/url"))],
            "LO512",
            "/nonexistent/url",
        ),
        (&[("USE_EMAIL", Some("true"))], "LO228", "SMTP_URL"),
        (&mail(None), "LO228", "EMAIL_TO"),
        (&mail(Some("nobody")), "LO906", "EMAIL_TO"),
    ];
    for (changes, code, part) in &cases {
        let line = refusal(&testbed, changes).await;
        let parts = [code, part, "a new pipeline does not start with this error"];
        assert!(parts.iter().all(|part| line.contains(part)) && !line.contains("hunter2"), "{line}");
        assert!(!testbed.data().exists(), "no start has made a folder");
    }
    // One that was started, and has no lead yet, is new as well.
    let up = start(&testbed, &[]).await;
    assert!(up.terminate().await.success());
    let line = refusal(&testbed, cases[0].0).await;
    assert!(line.contains("a new pipeline"), "{line}");

    let up = start(&testbed, &[]).await;
    assert_eq!(http::post_lead(&up.webhook, "lead_first").await.0, 200);
    assert!(up.terminate().await.success());
    for (number, (changes, code, part)) in cases.iter().enumerate() {
        let up = start(&testbed, changes).await;
        let lead = format!("lead_case{number}");
        let accepted = http::post_lead(&up.webhook, &lead).await;
        assert_eq!(accepted.0, 200, "{changes:?}");
        // Whoever looks has the settings of the first start.
        let status = testbed.json(&["status"]).await;
        let condition = &status["health"][0];
        assert_eq!((&condition["state"], &condition["code"]), (&"fail".into(), &(*code).into()), "{status}");
        assert!(
            condition["reason"].as_str().unwrap().contains(part) && condition["since"].is_string(),
            "{status}"
        );
        let (_, lines, _) = run(&testbed, &["status"], &[]).await;
        assert!(lines.contains("✗") && lines.contains(code) && lines.contains(part), "{lines}");
        let (is_well, checks, _) = run(&testbed, &["doctor"], &[]).await;
        assert!(!is_well && checks.contains("✗ set-up") && checks.contains(code), "{checks}");
        // And the same of whoever has the new ones.
        let (is_well, checks, _) = run(&testbed, &["doctor"], changes).await;
        assert!(!is_well && checks.contains(code), "{checks}");
        // And a dead letter, which does not say that there is no such destination.
        testbed.json(&["requeue", &lead, "--yes"]).await;
        let dead = || testbed.json(&["dead", "list"]);
        until("the alert has died", || async { dead().await != serde_json::json!([]) }).await;
        let letter = &dead().await[0];
        assert_eq!(
            (&letter["code"], &letter["lead_id"]),
            (&(*code).into(), &lead.as_str().into()),
            "{letter}"
        );
        assert!(letter["reason"].as_str().unwrap().contains(part), "{letter}");
        testbed.json(&["dead", "delete", letter["id"].as_str().unwrap(), "--yes"]).await;
        assert!(up.terminate().await.success());
    }
    let up = start(&testbed, &[]).await;
    assert_eq!(testbed.json(&["status"]).await["health"], serde_json::json!([]));
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_may_not_be_read_keeps_nobody_from_what_needs_none() {
    let testbed = Testbed::new().await;
    let up = start(&testbed, &[]).await;
    // A folder in the place of the file cannot be read by anybody, root included.
    let unreadable = testbed.folder.path().join("unreadable");
    fs::create_dir(&unreadable).unwrap();
    let unreadable = unreadable.display().to_string();
    fs::write(
        testbed.folder.path().join("config.toml"),
        "close_signature_key_file = \"unreadable\"\nslack_webhook_url_file = \"missing\"\n",
    )
    .unwrap();
    let changes = [("CLOSE_SIGNATURE_KEY", None), ("SLACK_WEBHOOK_URL", None)];
    for args in [&["status"][..], &["pending"], &["leads"], &["dead", "list"], &["logs"], &["keys"]] {
        let (is_well, _, stderr) = run(&testbed, args, &changes).await;
        assert!(is_well, "{args:?}: {stderr}");
    }
    let (is_well, shown, _) = run(&testbed, &["config"], &changes).await;
    assert!(is_well && shown.contains("(unusable) ") && shown.contains(&unreadable), "{shown}");
    let line = refusal(&testbed, &changes).await;
    assert!(line.contains("LO512") && line.contains(&unreadable), "{line}");
    let (is_well, checks, _) = run(&testbed, &["doctor"], &changes).await;
    assert!(!is_well && checks.contains("LO512") && checks.contains(&unreadable), "{checks}");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/lead_created_01_oauth_app.json");
    let (is_well, _, stderr) = run(&testbed, &["send", sample, "--yes"], &changes).await;
    assert!(!is_well && stderr.contains("LO512") && stderr.contains(&unreadable), "{stderr}");
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_that_look_like_settings_are_named_with_what_is_meant() {
    let testbed = Testbed::new().await;
    let changes = [("LOOKUP_URL", Some("http://hunter2")), ("CLOSE_SIGNATURE_KEYS", Some("hunter2"))];
    // In the line that says what is missing, and among the warnings where nothing is.
    let line = refusal(&testbed, &[changes[0], changes[1], ("CLOSE_SIGNATURE_KEY", None)]).await;
    let expected = "CLOSE_SIGNATURE_KEY is not set; CLOSE_SIGNATURE_KEYS is set, but is not a setting";
    assert!(line.contains("LO903") && line.contains(expected) && !line.contains("hunter2"), "{line}");
    let mut command = changed(&testbed, &["up", "--listen", "127.0.0.1:0"], &changes);
    let log = testbed.folder.path().join("stderr");
    command.stderr(fs::File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    let expected = [
        "LOOKUP_URL is not a setting; did you mean LOOKUP_BASE_URL?",
        "CLOSE_SIGNATURE_KEYS is not a setting; did you mean CLOSE_SIGNATURE_KEY?",
    ];
    until("it names them", || async {
        let written = fs::read_to_string(&log).unwrap();
        expected.iter().all(|part| written.contains(part))
    })
    .await;
    child.kill().await.unwrap();
    for args in [&["doctor"][..], &["config"]] {
        let (_, stdout, _) = run(&testbed, args, &changes).await;
        let is_reported = expected.iter().all(|part| stdout.contains(part)) && stdout.contains("LO913");
        assert!(is_reported && !stdout.contains("hunter2"), "{args:?}: {stdout}");
    }
    let (_, json, _) = run(&testbed, &["config", "--json"], &changes).await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["unknown"][1], serde_json::json!({"name": "LOOKUP_URL", "meant": "LOOKUP_BASE_URL"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_lose_their_quotes_and_a_folder_may_begin_at_home() {
    let testbed = Testbed::new().await;
    let folder = |value: &'static str| [("LEADOPS_DATA", Some(value)), ("DELAY_SECONDS", Some("\"7\""))];
    for (value, folder_at) in [("\"~/quoted\"", "quoted"), ("~/home", "home")] {
        let up = start(&testbed, &folder(value)).await;
        assert!(up.terminate().await.success());
        let made = testbed.folder.path().join(folder_at);
        assert!(made.join("leadops.db").exists(), "{value}");
        assert_eq!(fs::metadata(made.join("leadops.db")).unwrap().permissions().mode() & 0o077, 0);
    }
    assert!(!std::path::Path::new("~").exists() && !std::path::Path::new("\"~").exists());
    let (_, shown, _) = run(&testbed, &["config", "--json"], &folder("'~/x'")).await;
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json["data"], testbed.folder.path().join("x").display().to_string());
}
