//! `leadops send` proves that an event was taken, or says why it was not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use lead::LeadId;
use serde_json::{Value, json};
use tests::process::{Testbed, text};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server that answers each request in the same way, its address, and how many it was sent.
async fn stranger(answer: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                // To its end: closed over what was not read, a connection is reset.
                let mut request = Vec::new();
                while !request.ends_with(b"}") && stream.read_buf(&mut request).await.unwrap() > 0 {}
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (address, asked)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn lead() -> LeadId {
    "lead_a1".parse().unwrap()
}

struct Sent {
    row: Value,
    status: Option<i32>,
    line: String,
}

async fn send(testbed: &Testbed, event: &[u8], to: &str) -> Sent {
    let file = testbed.folder.path().join("event.json");
    std::fs::write(&file, event).unwrap();
    let output = testbed.run(&["send", &file.display().to_string(), "--to", to, "--json"]).await;
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    Sent { row: rows[0].clone(), status: output.status.code(), line: text(&output.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_reported_and_not_followed() {
    let testbed = Testbed::new().await;
    let event = tests::harness::Harness::event(&lead());
    let (elsewhere, followed) = stranger(answer("200 OK", "", r#"{"status":"ignored","event":"x"}"#)).await;
    let absolute = format!("location: {elsewhere}/hook?token=s3cret#s3cret\r\n");
    let absolute_shown = format!("{elsewhere}/hook?…");
    for (status, headers, to) in [
        ("301 Moved Permanently", "location: /login\r\n", Some("{own}/login")),
        ("302 Found", "location: https://user:s3cret@example.com/x\r\n", Some("https://…@example.com/x")),
        ("307 Temporary Redirect", &absolute, Some(absolute_shown.as_str())),
        ("308 Permanent Redirect", &absolute, Some(absolute_shown.as_str())),
        ("301 Moved Permanently", "", None),
        ("308 Permanent Redirect", "location: http://[\r\n", None),
    ] {
        let (own, asked) = stranger(answer(status, headers, "")).await;
        let sent = send(&testbed, &event, &format!("{own}/crm/webhook")).await;
        let code = status.split(' ').next().unwrap();
        assert_eq!((sent.status, &sent.row["http"]), (Some(1), &json!(code.parse::<u16>().unwrap())));
        assert_eq!(sent.row["status"], "redirected");
        let expected = match to.map(|to| to.replace("{own}", &own)) {
            Some(to) => {
                assert_eq!(sent.row["location"], to);
                format!("answered {code} and points to {to}; Close has to be given the final address")
            }
            None => {
                assert_eq!(sent.row["location"], Value::Null);
                format!("answered {code} and does not say where to; Close has to be given the final address")
            }
        };
        assert_eq!(sent.row["error"], expected);
        assert!(sent.line.contains("LO508") && sent.line.contains(&expected), "{}", sent.line);
        assert!(!sent.line.contains("s3cret") && !sent.row.to_string().contains("s3cret"), "{}", sent.line);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
    assert_eq!(followed.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_leadopss_own_answer_is_a_success() {
    let testbed = Testbed::new().await;
    let event = tests::harness::Harness::event(&lead());
    let other = r#"{"status":"accepted","lead_id":"lead_other"}"#;
    let own = format!(r#"{{"status":"accepted","lead_id":"{}"}}"#, lead());
    for (status, body, expected) in [
        (
            "200 OK",
            "<!doctype html>\n<title>Sign in</title>",
            "answered 200, and not as leadops does: it begins with `<!doctype html>",
        ),
        ("200 OK", "ok", "answered 200, and not as leadops does: it begins with `ok`"),
        ("200 OK", "{\"ok\":true}", "answered 200, and not as leadops does: it begins with `{\"ok\":true}`"),
        ("200 OK", "[]", "answered 200, and not as leadops does: it is JSON, but no object"),
        ("200 OK", "{\"status\":\"success\"}", "answered 200, and not as leadops does: it begins with"),
        ("200 OK", "", "answered 200, and not as leadops does: it is empty"),
        (
            "202 Accepted",
            &own,
            "answered 202, and not as leadops does: it begins with `{\"status\":\"accepted\"",
        ),
        ("204 No Content", "", "answered 204, and not as leadops does: it is empty"),
        (
            "502 Bad Gateway",
            "<html>Bad gateway",
            "answered 502, and not as leadops does: it begins with `<html>Bad gateway`",
        ),
        (
            "401 Unauthorized",
            "{\"message\":\"Unauthorized\"}",
            "answered 401, and not as leadops does: it begins with",
        ),
        ("200 OK", other, "the answer is about lead_other, and the event about"),
        (
            "200 OK",
            "{\"status\":\"ignored\",\"event\":\"lead.updated\"}",
            "it was ignored, though it is about the new lead",
        ),
    ] {
        let (address, _) = stranger(answer(status, "", body)).await;
        let sent = send(&testbed, &event, &format!("{address}/crm/webhook?token=s3cret")).await;
        assert_eq!(sent.status, Some(1), "{status} {body}");
        assert!(sent.row["error"].as_str().unwrap().starts_with(expected), "{}", sent.row);
        assert!(sent.line.contains("LO508") && sent.line.contains(expected), "{}", sent.line);
        assert!(
            sent.line.contains("1 of 1 not accepted by http://") && !sent.line.contains("s3cret"),
            "{}",
            sent.line
        );
    }
    let (address, _) = stranger(answer("200 OK", "", &own)).await;
    let sent = send(&testbed, &event, &address).await;
    assert_eq!((sent.status, &sent.row["status"]), (Some(0), &json!("accepted")), "{}", sent.line);
    let refused =
        answer("401 Unauthorized", "", r#"{"status":"refused","code":"LO102","error":"no key fits"}"#);
    let (address, _) = stranger(refused).await;
    let sent = send(&testbed, &event, &address).await;
    assert_eq!(
        (sent.status, &sent.row["status"], &sent.row["code"]),
        (Some(1), &json!("refused"), &json!("LO102"))
    );
    assert!(sent.line.contains("LO102 no key fits"), "{}", sent.line);

    // Nobody listens there.
    let sent = send(&testbed, &event, "http://127.0.0.1:1/crm/webhook").await;
    assert_eq!(
        (sent.status, &sent.row["status"], &sent.row["http"]),
        (Some(1), &json!("unreachable"), &Value::Null)
    );
    assert!(sent.line.contains("LO509"), "{}", sent.line);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_event_is_printed_byte_for_byte_and_can_be_sent_again() {
    let mut testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "900"]).await;
    let sample = testbed.sample();
    assert_eq!(up.sender().send(&sample).await, [demo::Answer::Accepted]);
    let lead = sample.lead_id.as_str();
    let raw = testbed.command(&["lead", lead, "--raw"]).output().await.unwrap();
    assert!(raw.status.success() && raw.stdout == sample.event, "{}", text(&raw.stdout));
    for (args, status, code) in [
        (&["lead", lead, "--raw", "--json"][..], 2, "LO901"),
        (&["lead", "lead_nobody", "--raw"], 1, "LO503"),
    ] {
        let refused = testbed.command(args).output().await.unwrap();
        assert_eq!(refused.status.code(), Some(status));
        let said = text(&refused.stderr) + &text(&refused.stdout);
        assert!(said.contains(code), "{said}");
    }
    assert!(up.terminate().await.success());
}
