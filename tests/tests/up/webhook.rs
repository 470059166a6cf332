//! The signed webhook of a real `leadops up`, as whoever receives it sees it.

use serde_json::{Value, json};
use tests::{
    http::post,
    process::{KEY, Testbed, Up, until},
    receiver::{Receiver, SECRET},
};

/// A test bed whose alerts go to `receiver` alone.
async fn up(testbed: &Testbed, receiver: &Receiver) -> Up {
    let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "0"]);
    command.env("USE_SLACK", "false").env("USE_WEBHOOK", "true");
    command.env("WEBHOOK_URL", &receiver.url).env("WEBHOOK_SECRET", SECRET);
    Up::start(command).await
}

fn event(lead: &str) -> Vec<u8> {
    let event = json!({"subscription_id": "whsub_1", "event": {
        "id": "ev_1", "object_type": "lead", "action": "created", "lead_id": lead, "object_id": lead,
        "date_created": "2026-09-14T15:02:11.642000",
        "data": {"id": lead, "display_name": "Zoë <b>", "status_label": "Potential", "custom.cf_1": {"a": [1, 2.50]}},
    }});
    event.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_lead_arrives_once_signed_and_with_the_same_identity_at_each_attempt() {
    let (testbed, receiver) = (Testbed::new().await, Receiver::start().await);
    let up = up(&testbed, &receiver).await;
    receiver.answer(&[503]);
    assert_eq!(post(&up.webhook, &event("lead_a"), KEY).await.0, 200);
    until("it is taken at the second attempt", || async { receiver.came().len() == 2 }).await;
    until("that is written down", || async {
        let rows = testbed.json(&["leads"]).await;
        rows[0]["notifications"][0]["state"] == "sent"
    })
    .await;
    let came = receiver.came();
    assert_eq!(came[0], came[1]);
    assert_eq!((came[0].id.as_str(), came[0].alert.as_str()), ("receipts/lead_a/webhook/new", "new"));
    let row = &testbed.json(&["leads"]).await[0];
    assert_eq!(row["notifications"][0]["channel"], "webhook");
    let mut shown = row.clone();
    shown.as_object_mut().unwrap().remove("notifications");
    assert_eq!(came[0].lead, shown, "what is shown is what is posted");
    assert_eq!(came[0].lead["custom"]["cf_1"], json!({"a": [1, 2.50]}));
    assert_eq!(receiver.refused(), 0);

    let resent: Value = testbed.json(&["resend", "lead_a", "--to", "webhook", "--yes"]).await;
    assert_eq!((&resent[0]["channel"], &resent[0]["result"]), (&"webhook".into(), &"sent".into()));
    let came = receiver.came();
    assert_eq!(came.len(), 3);
    assert!(came[2].alert == "resend" && came[2].id.starts_with("receipts/lead_a/webhook/resend-"));
    up.terminate().await;
}

/// `doctor` looks at what it can reach, and alerts do not go there all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_messages_that_is_asked_for_is_reported_everywhere() {
    let (testbed, receiver) = (Testbed::new().await, Receiver::start().await);
    let up = up(&testbed, &receiver).await;
    let doctor = async || {
        let mut command = testbed.command(&["doctor", "--json"]);
        command.env("USE_SLACK", "false").env("USE_WEBHOOK", "true");
        command.env("WEBHOOK_URL", &receiver.url).env("WEBHOOK_SECRET", SECRET);
        let checks: Vec<Value> = serde_json::from_slice(&command.output().await.unwrap().stdout).unwrap();
        checks.into_iter().find(|check| check["check"] == "signed webhook").unwrap()
    };
    assert_eq!(doctor().await["result"], "ok");
    receiver.ask_to_wait(86_400);
    assert_eq!(post(&up.webhook, &event("lead_a"), KEY).await.0, 200);
    until("that is written down", || async {
        testbed.json(&["status"]).await["health"].as_array().is_some_and(|health| !health.is_empty())
    })
    .await;
    let expected = "nothing is sent there before 20";
    let status = testbed.json(&["status"]).await;
    assert!(status["health"][0]["reason"].as_str().unwrap().starts_with(expected), "{status}");
    let check = doctor().await;
    assert_eq!((&check["result"], &check["code"]), (&"warning".into(), &"LO232".into()), "{check}");
    assert!(check["detail"].as_str().unwrap().contains(expected), "{check}");
    let tried = testbed.run(&["try", "--to", "webhook", "--wait", "0"]).await;
    let line = String::from_utf8([tried.stdout, tried.stderr].concat()).unwrap();
    assert!(!tried.status.success() && line.contains("LO505") && line.contains(expected), "{line}");
    up.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_set_up_starts_no_new_pipeline_and_is_named() {
    let testbed = Testbed::new().await;
    for (url, secret, part) in [
        (None, Some(SECRET), "WEBHOOK_URL is not set"),
        (Some("https://example.com/x"), None, "WEBHOOK_SECRET is not set"),
        (Some("http://example.com/hunter2"), Some(SECRET), "https://"),
        (Some("https://example.com/hunter2"), Some("hunter2"), "whsec_"),
    ] {
        for args in [&["up", "--listen", "127.0.0.1:0"][..], &["doctor"]] {
            let mut command = testbed.command(args);
            command.env("USE_SLACK", "false").env("USE_WEBHOOK", "true");
            for (name, value) in [("WEBHOOK_URL", url), ("WEBHOOK_SECRET", secret)] {
                if let Some(value) = value {
                    command.env(name, value);
                }
            }
            let output = command.output().await.unwrap();
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8(printed).unwrap();
            assert!(!output.status.success() && printed.contains(part), "{args:?}: {printed}");
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
}
