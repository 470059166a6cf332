//! A whole pipeline of the real `leadops up`, from samples to alerts, operated by the real commands.

use std::path::Path;

use close::signature::Keys;
use demo::{Answer, SlackMode};
use serde_json::{Value, json};
use tests::process::{KEY, PATIENCE, Testbed, text, until};

fn sample_file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name).display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_in_alerts_out_and_the_commands_show_the_history() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "1"]).await;
    let names = [
        "lead_created_01_oauth_app.json",
        "lead_created_02_other_key_order.json",
        "lead_created_03_api_key_company.json",
        "lead_created_05_unicode_and_markup.json",
    ];
    let files: Vec<String> = names.iter().map(|name| sample_file(name)).collect();
    let mut args = vec!["send"];
    args.extend(files.iter().map(String::as_str));
    let sent = testbed.json(&args).await;
    let leads: Vec<_> = sent
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["lead_id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(
        sent.as_array().unwrap().iter().all(|row| row["status"] == "accepted" && row["http"] == 200),
        "{sent}"
    );
    let again = testbed.json(&["send", &files[0], &sample_file("other_lead_updated.json")]).await;
    assert_eq!([&again[0]["status"], &again[1]["status"]], ["duplicate", "ignored"]);

    testbed.until_notified(&leads).await;
    for lead in &leads {
        assert_eq!(testbed.alert_counts(lead), (1, 1), "{lead}");
    }
    until("the last alert is journalled and acknowledged", || async {
        let status = testbed.json(&["status"]).await;
        status["last_24h"]["notified"] == 4 && status["queues"]["notification"]["in_flight"] == 0
    })
    .await;

    let status = testbed.json(&["status"]).await;
    assert_eq!(
        (&status["pending"], &status["processing"], &status["overdue"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!(status["last_24h"], json!({"accepted": 4, "enriched": 4, "notified": 4, "failed": 0}));
    assert_eq!(
        status["queues"]["notification"],
        json!({"waiting": 0, "ready": 0, "in_flight": 0, "dead": 0})
    );
    assert!(
        status["speed"]["p99_ms"].is_u64()
            && status["as_of"].is_string()
            && status["oldest_dead_seconds"].is_null()
    );

    let rows = testbed.json(&["leads", "--match", "harbourline"]).await;
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    let row = &rows[0];
    for (field, value) in [
        ("lead_id", "lead_PqLYKQ8MBRhpPwSFdoXashbmxJOpNCVCyTSSOTwqpdD"),
        ("display_name", "Harbourline Instruments (sample)"),
        ("status_label", "Potential"),
        ("date_created", "2026-09-15T08:30:00.101000+00:00"),
        ("lead_email", "unknown@example.com"),
        ("lead_owner", "Unassigned"),
        ("funnel", "Unknown"),
        ("event_id", "ev_3FdpchN88fWYWqmYkvzuOR"),
        ("owner_status", "missing"),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    assert_eq!(
        row["custom"]["cf_KRzo7QHqOxKrH39ZkUH4gquqJcEdFoK0DhkRmE6pDiD"],
        json!(["Choice 1", "Choice 2"])
    );
    assert_eq!(row["notifications"][0]["state"], "sent");
    assert_eq!(row["notifications"][0]["channel"], "slack");

    let story = testbed.json(&["lead", leads[0].as_str()]).await;
    let stages: Vec<&str> =
        story["timeline"].as_array().unwrap().iter().map(|step| step["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["received", "duplicate", "enriched", "notified"]);
    assert_eq!(story["raw_key"], format!("source/crm_event_{}.json", leads[0]));
    assert_eq!(story["target_key"], format!("target/enriched_{}.json", leads[0]));

    until("the log lines are written", || async {
        let logs = testbed.json(&["logs", "--lead", leads[0].as_str()]).await;
        let functions: Vec<String> = logs
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["function"].as_str().unwrap().to_owned())
            .collect();
        ["webhook-ingestion", "lead-processor", "notification"]
            .iter()
            .all(|f| functions.iter().any(|found| found == f))
    })
    .await;
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_with_line_breaks_is_printed_as_one_line_of_json() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "0"]).await;
    let event = r#"{"event": {"object_type": "lead", "action": "created", "lead_id": "lead_a", "data": {
        "custom.list": [
            1.50,
            {"b": "x  y",\t"a": [ ]}
        ]}}}"#;
    let file = testbed.data().with_file_name("event.json");
    std::fs::write(&file, event.replace("\\t", "\t")).unwrap();
    testbed.json(&["send", &file.display().to_string()]).await;
    testbed.until_notified(&["lead_a".parse().unwrap()]).await;
    for args in [&["leads", "--json"][..], &["lead", "lead_a", "--json"]] {
        let output = testbed.run(args).await;
        let printed = text(&output.stdout);
        assert!(printed.contains(r#""list":[1.50,{"b":"x  y","a":[]}]"#), "{printed}");
        assert!(serde_json::from_str::<Value>(&printed).is_ok(), "{printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_refuses_what_it_must_and_says_why() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "1"]).await;
    let client = reqwest::Client::new();
    let keys = Keys::parse(KEY).unwrap();
    let post = async |body: Vec<u8>, signed: bool| {
        let mut request = client.post(up.webhook.clone());
        if signed {
            let timestamp = jiff::Timestamp::now().as_second().to_string();
            request = request
                .header("Close-Sig-Hash", keys.sign(&timestamp, &body).unwrap())
                .header("Close-Sig-Timestamp", timestamp);
        }
        let answer = request.body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let event = |id: &str| {
        json!({"event": {"object_type": "lead", "action": "created", "lead_id": id, "data": {}}})
            .to_string()
            .into_bytes()
    };
    for (body, signed, status, code) in [
        (event("lead_a"), false, 401, "LO101"),
        (b"not json".to_vec(), true, 400, "LO104"),
        (event("../../etc/passwd"), true, 400, "LO105"),
        (vec![b' '; 1024 * 1024 + 1], true, 413, "LO106"),
    ] {
        let (found, answer) = post(body, signed).await;
        assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{answer}");
        // The first one can be seen at once.
        until("it is counted", || async {
            testbed.json(&["status"]).await["refused"]["last_hour"].as_u64() > Some(0)
        })
        .await;
    }
    let (status, answer) = post(event("lead_a"), true).await;
    assert_eq!((status, answer), (200, json!({"status": "accepted", "lead_id": "lead_a"})));
    let mut large = json!({"event": {"object_type": "lead", "action": "created", "lead_id": "lead_b", "data": {"custom.cf_x": "x".repeat(1024 * 1024 - 200)}}}).to_string();
    large += &" ".repeat(1024 * 1024 - large.len());
    assert_eq!(post(large.into_bytes(), true).await.0, 200);
    let health = up.webhook.join("/healthz").unwrap();
    assert_eq!(client.get(health).send().await.unwrap().status(), 200);
    assert_eq!(client.get(up.webhook.clone()).send().await.unwrap().status(), 405);
    assert_eq!(client.post(up.webhook.join("/elsewhere").unwrap()).send().await.unwrap().status(), 404);
    // What was not written yet is at the end, and the next one goes on from there.
    assert!(up.terminate().await.success());
    let refused = json!({"last_hour": 6, "by_code": {"400": 2, "401": 1, "404": 1, "405": 1, "413": 1}});
    assert_eq!(testbed.json(&["status"]).await["refused"], refused);
    let up = testbed.up(&["--delay", "1"]).await;
    assert_eq!(client.get(up.webhook.clone()).send().await.unwrap().status(), 405);
    assert!(up.terminate().await.success());
    let status = testbed.json(&["status"]).await;
    assert_eq!(
        (&status["refused"]["last_hour"], &status["refused"]["by_code"]["405"]),
        (&7.into(), &2.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_seen_redriven_from_another_process_and_sent() {
    let mut testbed = Testbed::new().await;
    let sample = testbed.sample();
    testbed.slack.set_mode(SlackMode::Gone, PATIENCE * 10);
    let up = testbed.up(&["--delay", "0"]).await;
    assert_eq!(up.sender().send(&sample).await, [Answer::Accepted]);
    until("it is dead", || async { !testbed.json(&["dead", "list"]).await.as_array().unwrap().is_empty() })
        .await;

    let listed = testbed.json(&["dead", "list", "--queue", "notification"]).await;
    let row = &listed[0];
    assert_eq!(
        (row["code"].as_str(), row["lead_id"].as_str()),
        (Some("LO204"), Some(sample.lead_id.as_str())),
        "{row}"
    );
    assert!(row["reason"].as_str().unwrap().contains("no_service") && row["attempts"] == 1);
    assert_eq!(testbed.json(&["dead", "list", "--queue", "delay"]).await, json!([]));
    let id = row["id"].as_str().unwrap();
    until("its log lines are written", || async {
        !testbed.json(&["dead", "show", id]).await["logs"].as_array().unwrap().is_empty()
    })
    .await;
    let shown = testbed.json(&["dead", "show", id]).await;
    assert!(shown["body"].as_str().unwrap().contains(sample.lead_id.as_str()));

    let (code, line) = testbed.refused(&["dead", "redrive", id]).await;
    assert!(code == Some(1) && line.contains("LO507"), "{line}");
    let file = sample_file("lead_created_01_oauth_app.json");
    for args in [&["dead", "redrive", id, "--yes"][..], &["send", &file], &["up"]] {
        let (_, line) = testbed.refused(&[args, &["--read-only"]].concat()).await;
        assert!(line.contains("LO501"), "{args:?}: {line}");
    }
    // An edit that would take the message away from its lead.
    let editor = testbed.folder.path().join("editor");
    std::fs::write(&editor, format!("#!/bin/sh\nsed -i s/{}/lead_other/ \"$1\"\n", sample.lead_id)).unwrap();
    std::fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let edit = ["dead", "redrive", id, "--edit", "--yes"];
    let edited = testbed.command(&edit).env("EDITOR", &editor).output().await.unwrap();
    assert!(text(&edited.stderr).contains("LO5") && !edited.status.success(), "{}", text(&edited.stderr));
    assert!(text(&edited.stdout).contains("LO506"), "{}", text(&edited.stdout));
    assert_eq!(testbed.json(&["dead", "redrive", "--all", "--dry-run"]).await[0]["result"], "would redrive");
    assert_eq!(testbed.json(&["dead", "list"]).await.as_array().unwrap().len(), 1);

    testbed.slack.set_mode(SlackMode::Normal, PATIENCE);
    assert_eq!(testbed.json(&["dead", "redrive", "--code", "LO204", "--yes"]).await[0]["result"], "redriven");
    testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
    until("the lead has ended", || async {
        testbed.json(&["lead", sample.lead_id.as_str()]).await["state"] == "notified"
    })
    .await;
    assert_eq!(testbed.json(&["dead", "list"]).await, json!([]));
    assert_eq!(testbed.alert_counts(&sample.lead_id), (1, 1));
    let (_, line) = testbed.refused(&["dead", "redrive", id, "--yes"]).await;
    assert!(line.contains("LO502"), "{line}");
    drop(up);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_resends_requeues_exports_and_deletes() {
    let mut testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "0"]).await;
    let (sample, ownerless) = (testbed.sample(), testbed.ownerless());
    for sample in [&sample, &ownerless] {
        assert_eq!(up.sender().send(sample).await, [Answer::Accepted]);
    }
    testbed.until_notified(&[sample.lead_id.clone(), ownerless.lead_id.clone()]).await;

    let resent = testbed.json(&["resend", sample.lead_id.as_str(), "--yes"]).await;
    assert_eq!(resent[0]["result"], "sent", "{resent}");
    assert_eq!(testbed.alert_counts(&sample.lead_id), (2, 1));

    testbed.owners.add_lead(&ownerless);
    assert_eq!(
        testbed.json(&["requeue", ownerless.lead_id.as_str(), "--yes"]).await[0]["result"],
        "requeued"
    );
    until("the follow-up is sent", || async { testbed.alert_counts(&ownerless.lead_id) == (2, 1) }).await;
    until("the owner is known", || async {
        testbed.json(&["lead", ownerless.lead_id.as_str()]).await["owner_status"] == "assigned"
    })
    .await;

    testbed.slack.set_mode(SlackMode::Gone, PATIENCE);
    let (_, line) = testbed.refused(&["resend", sample.lead_id.as_str(), "--yes"]).await;
    assert!(line.contains("LO510"), "{line}");
    let exported = testbed.folder.path().join("dead.ndjson");
    assert!(testbed.run(&["dead", "export", exported.to_str().unwrap()]).await.status.success());
    let exported: Value = serde_json::from_str(&std::fs::read_to_string(exported).unwrap()).unwrap();
    assert!(exported["body"].as_str().unwrap().contains("resend"));
    let id = exported["id"].as_str().unwrap();
    // One that is named twice is one.
    let redriven = testbed.json(&["dead", "redrive", id, id, "--dry-run"]).await;
    assert_eq!(redriven.as_array().unwrap().len(), 1, "{redriven}");
    let deleted = testbed.json(&["dead", "delete", id, id, "--yes"]).await;
    assert_eq!(deleted.as_array().unwrap().len(), 1, "{deleted}");
    assert!(deleted[0]["detail"].as_str().unwrap().contains("deleted/"), "{deleted}");
    let copies = testbed.json(&["dead", "deleted"]).await;
    assert_eq!((&copies[0]["dead_letter"]["id"], copies.as_array().unwrap().len()), (&deleted[0]["id"], 1));
    assert!(
        !copies[0]["body"].as_str().unwrap().is_empty() && copies[0]["deleted_by"].is_string(),
        "{copies}"
    );
    assert_eq!(testbed.json(&["dead", "list"]).await, json!([]));

    for (args, code) in [
        (&["resend", "lead_unknown", "--yes"][..], "LO503"),
        (&["requeue", "lead_unknown", "--yes"], "LO503"),
        (&["lead", "lead_unknown"], "LO503"),
        (&["dead", "show", "999999"], "LO502"),
        (&["dead", "delete", "nonsense", "--yes"], "LO502"),
    ] {
        let (status, line) = testbed.refused(args).await;
        assert!(status == Some(1) && line.contains(code), "{args:?}: {line}");
    }
    drop(up);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_input_is_one_line_with_its_code() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "1"]).await;
    let taken = format!("127.0.0.1:{}", up.webhook.port().unwrap());
    let elsewhere = testbed.folder.path().join("other");
    let elsewhere = elsewhere.to_str().unwrap();
    for (args, status, code) in [
        (&["up", "--listen", "127.0.0.1:0"][..], 1, "LO407"),
        (&["up", "--data", elsewhere, "--listen", &taken], 1, "LO904"),
        (&["up", "--data", elsewhere, "--listen", "nonsense"], 1, "LO904"),
        (&["up", "--data", "/dev/null/leadops"], 1, "LO905"),
        (&["up", "--delay", "-1"], 2, "LO901"),
        (&["up", "--delay", "901"], 2, "LO901"),
        (&["nonsense"], 2, "LO901"),
        (&["status", "--data", "/nowhere"], 1, "LO408"),
        (&["status", "--env", "prod"], 1, "LO908"),
        (&["demo"], 1, "LO910"),
    ] {
        let (found, line) = testbed.refused(args).await;
        assert!(found == Some(status) && line.contains(code), "{args:?}: {found:?} {line}");
    }
    for (name, value, code) in [
        ("CLOSE_SIGNATURE_KEY", "hunter2", "LO902"),
        ("CLOSE_SIGNATURE_KEY", "", "LO903"),
        ("DELAY_SECONDS", "901", "LO906"),
        ("SLACK_WEBHOOK_URL", "hunter2", "LO906"),
    ] {
        let output = testbed.command(&["up", "--data", elsewhere]).env(name, value).output().await.unwrap();
        let stderr = text(&output.stderr);
        assert!(
            output.status.code() == Some(1) && stderr.contains(code) && !stderr.contains("hunter2"),
            "{stderr}"
        );
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    }
    drop(up);
}
