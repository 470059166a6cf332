//! Every command on a stack whose functions run: the same documents as of an embedded pipeline.

use std::{collections::BTreeSet, path::Path};

use demo::{Answer, SlackMode};
use serde_json::{Value, json};
use tests::{
    lambda::AwsTestbed,
    operator::Operator,
    process::{KEY, PATIENCE, Testbed, text, until},
};

/// The names of a document's fields, at every depth, as paths; of rows those of the first.
fn shape(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let path = format!("{path}.{name}");
                    into.insert(path.clone());
                    walk(field, &path, into);
                }
            }
            Value::Array(rows) => {
                if let Some(first) = rows.first() {
                    walk(first, &format!("{path}[]"), into);
                }
            }
            _ => {}
        }
    }
    let mut paths = BTreeSet::new();
    walk(value, "", &mut paths);
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_print_of_a_stack_what_they_print_of_a_folder() {
    let mut testbed = AwsTestbed::new().await;
    let variables = testbed.stack.moto.variables();
    let operator = Operator::new(variables).with(&[("LEADOPS_ALLOW_UNSIGNED", "true")]);
    operator.write(
        "config.toml",
        &format!("[env.prod]\nstack = {:?}\nregion = \"us-east-1\"\ncolor = \"red\"\n", testbed.stack.name),
    );
    let mut embedded = Testbed::new().await;
    let up = embedded.up(&["--delay", "0"]).await;
    let on = ["--env", "prod"];
    let with = |args: &[&'static str]| [args, &on].concat();

    // Posted by the command itself, signed with the key in the stack's secret.
    let webhook = testbed.host.gateway.webhook.to_string();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/lead_created_01_oauth_app.json");
    let file = file.display().to_string();
    let sent = operator.json(&["send", &file, "--to", &webhook, "--env", "prod"]).await;
    assert_eq!((&sent[0]["http"], &sent[0]["status"]), (&json!(200), &json!("accepted")));
    let sample: lead::LeadId = sent[0]["lead_id"].as_str().unwrap().parse().unwrap();
    let dry = operator.run(&["send", &file, "--dry-run", "--stack", &testbed.stack.name]).await;
    assert!(text(&dry.stderr).contains(&testbed.stack.outputs.webhook_url));

    let notified = testbed.accept().await;
    testbed.until_notified(&[sample.clone(), notified.clone()]).await;
    // One that Slack does not take, and dies.
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE * 10);
    let dead = testbed.accept().await;
    until("the lead is dead", || async {
        !operator.json(&with(&["dead", "list"])).await.as_array().unwrap().is_empty()
    })
    .await;

    let status = operator.json(&with(&["status"])).await;
    assert_eq!(status["queues"]["notification"]["dead"], 1, "{status}");
    let list = operator.json(&with(&["dead", "list"])).await;
    assert_eq!((&list[0]["code"], &list[0]["lead_id"]), (&json!("LO204"), &json!(dead.as_str())));
    let id = list[0]["id"].as_str().unwrap().to_owned();
    let shown = operator.json(&["dead", "show", &id, "--env", "prod"]).await;
    assert!(shown["body"].as_str().unwrap().contains(dead.as_str()), "{shown}");
    let exported = operator.print(&with(&["dead", "export"])).await;
    assert_eq!(exported.lines().count(), 1);
    let dry = operator.json(&with(&["dead", "redrive", "--all", "--dry-run"])).await;
    assert_eq!(dry[0]["result"], "would redrive");

    // Mended, and put back.
    testbed.slack.set_mode(SlackMode::Normal, PATIENCE);
    let redriven = operator.json(&with(&["dead", "redrive", "--all", "--yes"])).await;
    assert_eq!(redriven[0]["result"], "redriven", "{redriven}");
    testbed.until_notified(std::slice::from_ref(&dead)).await;
    let resent = operator.json(&["resend", notified.as_str(), "--yes", "--env", "prod"]).await;
    assert_eq!((&resent[0]["result"], &resent[0]["channel"]), (&json!("sent"), &json!("slack")));
    let requeued = operator.json(&["requeue", notified.as_str(), "--yes", "--env", "prod"]).await;
    assert_eq!(requeued[0]["result"], "requeued");

    let story = operator.json(&["lead", dead.as_str(), "--env", "prod"]).await;
    let stages: Vec<&str> =
        story["timeline"].as_array().unwrap().iter().map(|step| step["stage"].as_str().unwrap()).collect();
    for stage in ["received", "enriched", "dead", "redriven", "notified"] {
        assert!(stages.contains(&stage), "{stages:?}");
    }
    until("the log has the lead", || async {
        let lines = operator.json(&["logs", "--lead", dead.as_str(), "--env", "prod"]).await;
        !lines.as_array().unwrap().is_empty()
    })
    .await;
    let config = operator.json(&with(&["config"])).await;
    let delay = config["settings"].as_array().unwrap().iter().find(|row| row["name"] == "DELAY_SECONDS");
    assert_eq!(delay.unwrap()["source"], "stack leads");

    // The same documents as of a folder.
    let lead = embedded.sample();
    assert_eq!(up.sender().send(&lead).await.pop(), Some(Answer::Accepted));
    embedded.until_notified(std::slice::from_ref(&lead.lead_id)).await;
    for args in [&["status"][..], &["leads", "--limit", "1"], &["pending"], &["logs", "--level", "info"]] {
        let there = operator.json(&[args, &on].concat()).await;
        let here = embedded.json(args).await;
        let there = shape(&there);
        if args[0] != "logs" {
            assert_eq!(there, shape(&here), "{args:?}");
        }
        assert!(!there.iter().any(|path| path.contains("secret")), "{there:?}");
    }

    // All that was printed, without any secret in it.
    let doctor = operator.run(&with(&["doctor"])).await;
    let output = text(&doctor.stdout);
    for part in [
        "✓ identity",
        "✓ stack",
        "✓ bucket notification",
        "✓ schedule",
        "✓ loop detection",
        "✓ signature",
        "✓ slack",
        "✓ log groups",
    ] {
        assert!(output.contains(part), "{part}: {output}");
    }
    // A scheduler that does not do what is due.
    let lead = embedded.sample().lead_id;
    testbed.write(&format!("scheduled/00000000060/{lead}/0000000000000000.json"), "{}").await;
    let output = text(&operator.run(&with(&["doctor"])).await.stdout);
    assert!(output.contains("✗ schedule") && output.contains("1970-01-01T00:01:00Z"), "{output}");
    for all in [&with(&["config"])[..], &with(&["doctor"]), &with(&["logs"]), &with(&["status"])] {
        let output = operator.run(all).await;
        let printed = text(&output.stdout) + &text(&output.stderr);
        let slack = testbed.slack.url();
        let secret_path = slack.rsplit('/').next().unwrap();
        assert!(!printed.contains(KEY) && !printed.contains(secret_path), "{all:?}: {printed}");
    }
    up.kill().await;
}
