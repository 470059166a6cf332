//! Where the alerts of a real `leadops up` go: trials, mail that reaches some, and what `doctor` finds out without an alert.

use std::time::Duration;

use demo::SlackMode;
use serde_json::{Value, json};
use tests::{
    doubles::SmtpStandIn,
    http,
    process::{Testbed, Up, text, until},
};
use tokio::process::Command;

/// Has a command alert by mail as well.
fn by_mail<'a>(command: &'a mut Command, mail: &SmtpStandIn) -> &'a mut Command {
    command.env("USE_EMAIL", "true").env("SMTP_URL", mail.url());
    command.env("EMAIL_FROM", "alerts@example.com").env("EMAIL_TO", "a@example.com, b@example.org")
}

async fn up(testbed: &Testbed, mail: &SmtpStandIn) -> Up {
    let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "0"]);
    by_mail(&mut command, mail);
    Up::start(command).await
}

/// What `doctor` says of one thing.
async fn checked(mut command: Command, check: &str) -> Value {
    let output = command.output().await.unwrap();
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = checks.as_array().unwrap().iter().find(|one| one["check"] == check);
    found.unwrap_or_else(|| panic!("{check}: {checks:#}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_arrives_everywhere_and_is_seen_nowhere_else() {
    let (testbed, mail) = (Testbed::new().await, SmtpStandIn::start().await);
    let up = up(&testbed, &mail).await;
    let tried = testbed.json(&["try"]).await;
    let rows: Vec<(&Value, &Value)> =
        tried.as_array().unwrap().iter().map(|row| (&row["channel"], &row["result"])).collect();
    assert_eq!(rows, [(&json!("slack"), &json!("sent")), (&json!("email"), &json!("sent"))], "{tried:#}");
    let messages = testbed.slack.messages();
    assert_eq!((messages.len(), messages[0].title.as_str()), (1, "Trial Alert"));
    let mails = mail.mails();
    assert!(mails.len() == 1 && mails[0].contains("Subject: Trial Alert: Trial of leadops"), "{mails:?}");

    let status = testbed.json(&["status"]).await;
    for (what, count) in [("accepted", 0), ("enriched", 0), ("notified", 0), ("failed", 0)] {
        assert_eq!(status["last_24h"][what], count, "{status:#}");
    }
    assert_eq!(status["speed"]["p50_ms"], Value::Null);
    for listing in ["leads", "pending"] {
        assert_eq!(testbed.json(&[listing]).await, json!([]), "{listing}");
    }
    assert_eq!(testbed.json(&["dead", "list"]).await, json!([]));

    let one = testbed.json(&["try", "--to", "email", "--yes"]).await;
    assert_eq!(
        (one.as_array().unwrap().len(), mail.mails().len(), testbed.slack.messages().len()),
        (1, 2, 1)
    );
    assert_eq!(testbed.json(&["try", "--dry-run"]).await[0]["result"], "would try");
    for (args, code) in [
        (&["try", "--read-only"][..], "LO501"),
        (&["--read-only", "try", "--to", "slack"], "LO501"),
        (&["try", "--to", "pager"], "LO532"),
    ] {
        let (_, line) = testbed.refused(args).await;
        assert!(line.contains(code), "{args:?}: {line}");
    }
    assert_eq!((mail.mails().len(), testbed.slack.messages().len()), (2, 1));

    testbed.slack.set_mode(SlackMode::Gone, Duration::from_secs(60));
    let failed = testbed.run(&["try", "--to", "slack", "--json"]).await;
    let tried: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!((failed.status.code(), &tried[0]["code"]), (Some(1), &json!("LO534")), "{tried:#}");
    let error = tried[0]["error"].as_str().unwrap();
    assert!(error.contains("given up: Slack says 404 no_service (LO204)"), "{error}");
    assert_eq!(testbed.json(&["dead", "list"]).await, json!([]));
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_whom_the_mail_server_refuses_is_named_and_gets_the_alert_later_alone() {
    let (testbed, mail) = (Testbed::new().await, SmtpStandIn::start().await);
    let up = up(&testbed, &mail).await;
    mail.answer("RCPT TO:<b@example.org>", "550 5.1.1 no such user");
    assert_eq!(http::post_lead(&up.webhook, "lead_a").await.0, 200);
    let notification = || async {
        let lead = testbed.json(&["lead", "lead_a"]).await;
        let alerts = lead["notifications"].as_array().cloned().unwrap_or_default();
        alerts.into_iter().find(|alert| alert["channel"] == "email").unwrap_or_default()
    };
    until("the mail has reached one of two", || async { notification().await["state"] == "partly_sent" })
        .await;
    let left_out = json!([{"recipient": "b@example.org", "reason": "550 5.1.1 no such user"}]);
    let found = notification().await;
    assert_eq!((&found["left_out"], &found["code"]), (&left_out, &json!("LO235")));
    let mails = mail.mails();
    assert!(mails.len() == 1 && mails[0].contains("\nTo: a@example.com\n"), "{mails:?}");
    assert_eq!(testbed.json(&["dead", "list"]).await, json!([]));
    let status = testbed.json(&["status"]).await;
    let health = status["health"].as_array().unwrap();
    let named = |condition: &&Value| condition["reason"].as_str().unwrap().contains("b@example.org");
    assert!(health.iter().any(|condition| condition["what"] == "email" && named(&condition)), "{status:#}");
    let mut doctor = testbed.command(&["doctor", "--json"]);
    by_mail(&mut doctor, &mail);
    let check = checked(doctor, "e-mail").await;
    assert_eq!((&check["result"], &check["code"]), (&json!("warning"), &json!("LO235")), "{check:#}");
    let story = text(&testbed.run(&["lead", "lead_a"]).await.stdout);
    assert!(story.contains("not for b@example.org"), "{story}");

    mail.recover();
    let dry_run = ["resend", "lead_a", "--to", "email", "--left-out", "--dry-run"];
    assert!(text(&testbed.run(&dry_run).await.stdout).contains("would resend"));
    let asked = testbed.run(&["resend", "lead_a", "--to", "email", "--left-out"]).await;
    assert!(text(&asked.stderr).contains("left out were: b@example.org"), "{}", text(&asked.stderr));
    let resend = ["resend", "lead_a", "--to", "email", "--left-out", "--yes"];
    assert_eq!(testbed.json(&resend).await[0]["result"], "sent");
    let mails = mail.mails();
    assert!(mails.len() == 2 && mails[1].contains("\nTo: b@example.org\n"), "{mails:?}");
    let (status, line) = testbed.refused(&resend).await;
    assert!(status == Some(1) && line.contains("LO533"), "{line}");
    // One that cannot go stops no other, and one that is named twice is one.
    assert_eq!(http::post_lead(&up.webhook, "lead_b").await.0, 200);
    testbed.until_notified(&["lead_b".parse().unwrap()]).await;
    let several =
        ["resend", "lead_a", "lead_no", "lead_a", "lead_b", "--to", "email", "--left-out", "--yes", "--json"];
    let output = testbed.run(&several).await;
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["code"]).collect();
    assert_eq!(codes, ["LO533", "LO503", "LO533"], "{rows:#}");
    assert!(text(&output.stderr).contains("LO535 3 of 3 failed"), "{}", text(&output.stderr));
    for twice in [
        ["resend", "lead_a", "lead_a", "--to=email", "--dry-run"],
        ["requeue", "lead_a", "lead_a", "--dry-run", "--yes"],
    ] {
        assert_eq!(testbed.json(&twice).await.as_array().unwrap().len(), 1, "{twice:?}");
    }
    assert!(testbed.json(&["status"]).await["health"].as_array().unwrap().is_empty());
    assert!(up.terminate().await.success());
}

/// The address was mistyped: whoever it should have been has not got the alert, and gets it alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_corrected_gets_what_the_wrong_one_was_refused() {
    let (testbed, mail) = (Testbed::new().await, SmtpStandIn::start().await);
    mail.answer("RCPT TO:<b@example.org>", "550 5.1.1 no such user");
    let up = up(&testbed, &mail).await;
    assert_eq!(http::post_lead(&up.webhook, "lead_a").await.0, 200);
    until("the mail has reached one of two", || async { mail.mails().len() == 1 }).await;
    let is_partly_sent = || async {
        let lead = testbed.json(&["lead", "lead_a"]).await;
        lead["notifications"].as_array().unwrap().iter().any(|alert| alert["state"] == "partly_sent")
    };
    until("that is written down", is_partly_sent).await;
    assert!(up.terminate().await.success());

    let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "0"]);
    by_mail(&mut command, &mail).env("EMAIL_TO", "a@example.com, bob@example.org");
    let up = Up::start(command).await;
    let resent = testbed.json(&["resend", "lead_a", "--to", "email", "--left-out", "--yes"]).await;
    assert_eq!(resent[0]["result"], "sent", "{resent:#}");
    let mails = mail.mails();
    assert!(mails.len() == 2 && mails[1].contains("\nTo: bob@example.org\n"), "{mails:?}");
    let story = text(&testbed.run(&["lead", "lead_a"]).await.stdout);
    assert!(story.contains("e-mail took the alert again for bob@example.org"), "{story}");
    assert!(up.terminate().await.success());
}

/// The address was taken off the list: nobody is left out any more, and no mail server is to blame.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_wrong_address_was_removed_nobody_is_left_out() {
    let (testbed, mail) = (Testbed::new().await, SmtpStandIn::start().await);
    mail.answer("RCPT TO:<b@example.org>", "550 5.1.1 no such user");
    let first = up(&testbed, &mail).await;
    assert_eq!(http::post_lead(&first.webhook, "lead_a").await.0, 200);
    until("status names who was left out", || async {
        testbed.json(&["status"]).await["health"] != json!([])
    })
    .await;
    assert!(first.terminate().await.success());

    let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "0"]);
    by_mail(&mut command, &mail).env("EMAIL_TO", "a@example.com");
    let up = Up::start(command).await;
    let resend = ["resend", "lead_a", "--to", "email", "--left-out", "--yes"];
    let output = testbed.run(&resend).await;
    let (row, line) = (text(&output.stdout), text(&output.stderr));
    assert!(row.contains("LO533 none of the recipients is left out"), "{row}");
    assert!(line.contains("LO533 1 of 1 failed"), "{line}");
    assert_eq!((mail.mails().len(), testbed.json(&["dead", "list"]).await), (1, json!([])));
    assert_eq!(testbed.json(&["status"]).await["health"], json!([]));
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_what_would_keep_alerts_from_arriving_and_sends_none() {
    let (testbed, mail) = (Testbed::new().await, SmtpStandIn::start().await);
    let doctor = |change: &dyn Fn(&mut Command)| {
        let mut command = testbed.command(&["doctor", "--json"]);
        by_mail(&mut command, &mail);
        change(&mut command);
        command
    };
    for check in ["slack", "e-mail"] {
        let check = checked(doctor(&|_| ()), check).await;
        assert_eq!(check["result"], "ok", "{check:#}");
    }
    testbed.slack.set_mode(SlackMode::Gone, Duration::from_secs(600));
    let check = checked(doctor(&|_| ()), "slack").await;
    assert_eq!((&check["result"], &check["code"]), (&json!("failed"), &json!("LO204")), "{check:#}");

    let at = mail.address();
    let url = |url: String| {
        move |command: &mut Command| {
            command.env("SMTP_URL", &url);
        }
    };
    let login = url(format!("smtp://user:hunter2@{at}"));
    mail.answer("EHLO", "250-ready\r\n250 AUTH PLAIN LOGIN");
    mail.answer("AUTH", "535 5.7.8 Username and Password not accepted");
    let mut found = vec![checked(doctor(&login), "e-mail").await];
    found.push(checked(doctor(&url(format!("smtp://{at}?tls=required"))), "e-mail").await);
    found.push(checked(doctor(&url(format!("smtps://{at}"))), "e-mail").await);
    mail.recover();
    mail.answer("EHLO", "504 need a name");
    found.push(checked(doctor(&|_| ()), "e-mail").await);
    mail.recover();
    mail.answer("RCPT", "554 5.7.1 relay access denied");
    found.push(checked(doctor(&|_| ()), "e-mail").await);
    let codes: Vec<&str> = found.iter().map(|check| check["code"].as_str().unwrap_or_default()).collect();
    assert_eq!(codes, ["LO224", "LO225", "LO225", "LO221", "LO221"], "{found:#?}");
    assert!(found.iter().all(|check| check["result"] == "failed"), "{found:#?}");
    assert!(!format!("{found:?}").contains("hunter2"));
    assert_eq!((mail.mails().len(), testbed.slack.messages().len()), (0, 0));

    let webhook = |address: String| {
        move |command: &mut Command| {
            command.env("USE_WEBHOOK", "true").env("WEBHOOK_URL", &address);
            command.env("WEBHOOK_SECRET", tests::receiver::SECRET);
        }
    };
    let receiver = tests::receiver::Receiver::start().await;
    let check = checked(doctor(&webhook(receiver.url.clone())), "signed webhook").await;
    assert_eq!((&check["result"], receiver.came().len()), (&json!("ok"), 0), "{check:#}");
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let check = checked(doctor(&webhook(format!("http://{closed}/x"))), "signed webhook").await;
    assert_eq!((&check["result"], &check["code"]), (&json!("failed"), &json!("LO232")), "{check:#}");
}
