//! What `leadops up` refuses: nothing of it is without a trace, and nothing through which no webhook can arrive is
//! called well.

use close::signature::Keys;
use embedded::Running;
use serde_json::{Value, json};
use sqlite::{Options, Store};
use tests::{
    http::{client, post},
    process::{KEY, Testbed, Up, text, until},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
};

const OTHER_KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

fn event(lead: &str) -> Vec<u8> {
    tests::harness::Harness::event(&format!("lead_{lead}").parse().unwrap())
}

/// The lines of a code, as `leadops logs` shows them.
async fn lines(testbed: &Testbed, code: &str) -> Vec<Value> {
    let logs = testbed.json(&["logs"]).await;
    let lines = logs.as_array().unwrap().iter().filter(|line| line["code"] == code);
    lines.cloned().collect()
}

/// Waits until a line of a code holds each of these texts.
async fn until_logged(testbed: &Testbed, code: &str, level: &str, texts: &[&str]) {
    until(&format!("{code} {level} {texts:?} is in the log"), || async {
        lines(testbed, code).await.iter().any(|line| {
            let message = line["message"].as_str().unwrap();
            line["level"] == level && texts.iter().all(|text| message.contains(text))
        })
    })
    .await;
}

async fn until_refused(testbed: &Testbed, by_code: Value) {
    until(&format!("{by_code} is counted"), || async {
        testbed.json(&["status"]).await["refused"]["by_code"] == by_code
    })
    .await;
}

/// What `leadops doctor` says of one thing.
async fn checked(command: &mut Command, check: &str) -> Option<Value> {
    let output = command.output().await.unwrap();
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
    let check = checks.as_array().unwrap().iter().find(|found| found["check"] == check).cloned();
    // What failed is what the command fails for.
    if check.as_ref().is_some_and(|check| check["result"] == "failed") {
        assert_eq!(output.status.code(), Some(1));
    }
    check
}

async fn doctor(testbed: &Testbed, check: &str) -> Value {
    checked(&mut testbed.command(&["doctor", "--json"]), check).await.unwrap()
}

/// Sends bytes and reads all that comes back.
async fn send_raw(up: &Up, bytes: &[u8]) -> String {
    let address = (up.webhook.host_str().unwrap(), up.webhook.port().unwrap());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset after the answer has given it all the same.
    let _ = stream.read_to_end(&mut answer).await;
    text(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misdirected_webhook_is_seen_at_once_and_never_reported_as_healthy() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "600"]).await;
    let quiet = doctor(&testbed, "webhooks").await;
    assert_eq!((&quiet["result"], &quiet["detail"]), (&json!("ok"), &json!("none in the last hour")));

    // Strangers, whom nothing is to be blamed on; a query may hold a secret.
    let get = client().get(up.webhook.join("/.env?token=s3cret").unwrap()).send().await.unwrap();
    assert_eq!(get.status().as_u16(), 404);
    until_logged(&testbed, "LO109", "WARN", &["GET /.env is not the webhook"]).await;
    until_refused(&testbed, json!({"404": 1})).await;
    assert!(!text(&testbed.run(&["logs", "--json"]).await.stdout).contains("s3cret"));
    assert_eq!(doctor(&testbed, "webhooks").await["result"], "ok");

    // What a proxy makes of the path.
    let event = event("a");
    let (status, answer) = post(&up.webhook.join("/webhook").unwrap(), &event, KEY).await;
    assert_eq!((status, &answer["code"]), (404, &json!("LO109")));
    let (status, answer) = post(&up.webhook, &event, OTHER_KEY).await;
    assert_eq!((status, &answer["code"]), (401, &json!("LO102")));
    until_logged(&testbed, "LO109", "ERROR", &["a signed webhook was posted to /webhook", "/crm/webhook"])
        .await;
    until_logged(&testbed, "LO102", "WARN", &["refused"]).await;
    until_refused(&testbed, json!({"401": 1, "404": 2})).await;
    let check = doctor(&testbed, "webhooks").await;
    assert_eq!((&check["result"], &check["code"]), (&json!("failed"), &json!("LO102")));
    let detail = check["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("none was accepted in the last hour, and 2 that look like Close's"),
        "{detail}"
    );

    // What a redirect makes of a POST.
    let timestamp = lead::Timestamp::now().as_second().to_string();
    let hash = Keys::parse(KEY).unwrap().sign(&timestamp, b"").unwrap();
    let get = client().get(up.webhook.clone()).header("close-sig-hash", hash);
    let get = get.header("close-sig-timestamp", timestamp).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST"));
    until_logged(&testbed, "LO109", "ERROR", &["came as GET /crm/webhook", "a redirect"]).await;

    // The same address in other words.
    for (path, status) in [
        ("/crm/webhook/", "accepted"),
        ("//crm/webhook", "duplicate"),
        ("/crm//webhook//?x=1", "duplicate"),
        ("/crm/webhook?x=1", "duplicate"),
    ] {
        let url = format!("http://{}{path}", up.webhook.authority()).parse().unwrap();
        let (http, answer) = post(&url, &event, KEY).await;
        assert_eq!((http, &answer["status"]), (200, &json!(status)), "{path}");
    }
    for (path, status) in [("//crm/webhook/", 405), ("/crm/webhook/x", 404), ("/CRM/webhook", 404)] {
        let url = format!("http://{}{path}", up.webhook.authority());
        let head = client().head(url).send().await.unwrap();
        assert_eq!(head.status().as_u16(), status, "{path}");
    }
    let check = doctor(&testbed, "webhooks").await;
    assert_eq!(check["result"], "warning", "{check}");
    assert!(check["detail"].as_str().unwrap().starts_with("1 was accepted in the last hour"), "{check}");
    assert!(up.terminate().await.success());
    let refused = json!({"last_hour": 7, "by_code": {"401": 1, "404": 4, "405": 2}});
    assert_eq!(testbed.json(&["status"]).await["refused"], refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_whose_signature_a_proxy_has_dropped_is_not_taken_for_a_strangers() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "600"]).await;
    let unsigned = |body: Vec<u8>| client().post(up.webhook.clone()).body(body).send();
    // As doctor and subscribe try an address, and as scanners do.
    for body in [&b"{}"[..], b"", b"<?php", b"{\"a\":1}"] {
        assert_eq!(unsigned(body.to_vec()).await.unwrap().status().as_u16(), 401);
    }
    until_refused(&testbed, json!({"401": 4})).await;
    assert_eq!(doctor(&testbed, "webhooks").await["result"], "ok");
    assert_eq!(unsigned(event("a")).await.unwrap().status().as_u16(), 401);
    until("it is counted", || async { doctor(&testbed, "webhooks").await["code"] == "LO101" }).await;
    assert_eq!(doctor(&testbed, "webhooks").await["result"], "failed");
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_speaks_another_protocol_is_distinguished_from_noise() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "600"]).await;
    let long = format!("POST /crm/webhook HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    for (bytes, expected) in [
        (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], "somebody speaks HTTP/2 to this port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nPOST /crm/webhook HTTP/1.1\r\n", "sends the PROXY protocol"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "somebody speaks TLS to this port"),
        (b"\x1b[2Jhello\r\n\r\n", "no HTTP/1.1; the connection began with \"[2Jhello\""),
        (long.as_bytes(), "the head of a request is longer than 16384 bytes"),
    ] {
        send_raw(&up, bytes).await;
        until_logged(&testbed, "LO110", "WARN", &[expected]).await;
    }
    until_refused(&testbed, json!({"400": 4, "431": 1})).await;
    send_raw(&up, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02").await;
    let broken =
        "POST /crm/webhook HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n";
    let answer = send_raw(&up, broken.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("LO110"), "{answer}");
    let check = doctor(&testbed, "webhooks").await;
    assert_eq!((&check["result"], &check["code"]), (&json!("warning"), &json!("LO110")), "{check}");
    // Who breaks off is no line and no number.
    let before = lines(&testbed, "LO110").await.len();
    let address = (up.webhook.host_str().unwrap(), up.webhook.port().unwrap());
    for begun in ["POST /crm/web", "POST /crm/webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    assert!(up.terminate().await.success());
    let refused = testbed.json(&["status"]).await["refused"].clone();
    assert_eq!(refused, json!({"last_hour": 7, "by_code": {"400": 6, "431": 1}}));
    let after = lines(&testbed, "LO110").await.len();
    assert!(after <= before + 2 && lines(&testbed, "LO104").await.is_empty(), "{before}, {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_signature_only_programs_on_this_machine_are_trusted() {
    let testbed = Testbed::new().await;
    let unsigned = |args: &[&str]| {
        let mut command = testbed.command(args);
        command.env_remove("CLOSE_SIGNATURE_KEY").env("LEADOPS_ALLOW_UNSIGNED", "true");
        command
    };
    let up = Up::start(unsigned(&["up", "--listen", "127.0.0.1:0", "--delay", "600"])).await;
    let port = up.webhook.port().unwrap();
    let own = format!("Host: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n");
    let post = async |lead: usize, target: &str, head: &str| {
        let body = String::from_utf8(event(&lead.to_string())).unwrap();
        let length = body.len();
        let request = format!(
            "POST {target} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n{body}"
        );
        send_raw(&up, request.as_bytes()).await
    };
    let mut refused = 0;
    for (target, head) in [
        ("/crm/webhook", "Content-Type: application/json\r\n".to_owned()),
        ("/crm/webhook", format!("{own}Host: localhost\r\n")),
        ("/crm/webhook", format!("Host: leads.example.com:{port}\r\nContent-Type: application/json\r\n")),
        ("http://leads.example.com/crm/webhook", own.clone()),
        ("/crm/webhook", format!("{own}Origin: http://127.0.0.1:{port}\r\n")),
        ("/crm/webhook", format!("{own}Sec-Fetch-Site: cross-site\r\n")),
        ("/crm/webhook", format!("{own}X-Forwarded-For: 192.0.2.1\r\n")),
        ("/crm/webhook", format!("{own}Via: 1.1 proxy\r\n")),
        ("/crm/webhook", format!("{own}CF-Ray: x\r\n")),
        ("/crm/webhook", "Host: localhost\r\nContent-Type: text/plain\r\n".to_owned()),
        ("/crm/webhook", "Host: localhost\r\n".to_owned()),
    ] {
        let answer = post(refused, target, &head).await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("LO909"), "{head}: {answer}");
        refused += 1;
    }
    until_logged(&testbed, "LO909", "WARN", &["only programs on this machine are trusted"]).await;
    until_refused(&testbed, json!({"401": refused})).await;
    let check = checked(&mut unsigned(&["doctor", "--json"]), "webhooks").await.unwrap();
    assert_eq!((&check["result"], &check["code"]), (&json!("failed"), &json!("LO909")), "{check}");
    for (lead, (target, head)) in [
        ("/crm/webhook", own.clone()),
        (
            "/crm/webhook/",
            "host: leads.localhost\r\ncontent-type: Application/JSON; charset=utf-8\r\n".to_owned(),
        ),
        ("http://localhost/crm/webhook", format!("Host: [::1]:{port}\r\nContent-Type: application/json\r\n")),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = post(lead, target, &head).await;
        assert!(answer.contains(r#""status":"accepted""#), "{head}: {answer}");
    }
    let file = testbed.folder.path().join("event.json");
    std::fs::write(&file, event("sent")).unwrap();
    let sent = unsigned(&["send", &file.display().to_string(), "--json"]).output().await.unwrap();
    let sent: Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!((&sent[0]["http"], &sent[0]["status"]), (&json!(200), &json!("accepted")));
    assert!(up.terminate().await.success());
}

/// A server that gives each request the same answer, and its port.
async fn stranger(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 16 * 1024]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_on_its_port_does_not_count_as_leadops() {
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "600"]).await;
    let check = doctor(&testbed, "webhook").await;
    assert_eq!(
        (&check["result"], &check["detail"]),
        (&json!("ok"), &json!(format!("{} answers", up.webhook)))
    );
    assert!(up.terminate().await.success());
    assert_eq!(doctor(&testbed, "webhook").await["result"], "warning");
    for (answer, expected) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
            "returns 200, and it begins with `ok`",
        ),
        ("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", "returns 204, and it is empty"),
        (
            "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "returns 302, and it is empty",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"status\":\"UP\"}",
            "returns 200, and it begins with `{\"status\":\"UP\"}`",
        ),
    ] {
        let port = stranger(answer).await;
        let store = Store::open(&testbed.data(), Options { create: false, ..Options::default() }).unwrap();
        let running = Running::read(&store).await.unwrap().unwrap();
        let webhook = format!("http://127.0.0.1:{port}/crm/webhook");
        Running { webhook, ..running }.write(&store).await.unwrap();
        drop(store);
        let check = doctor(&testbed, "webhook").await;
        assert_eq!((&check["result"], &check["code"]), (&json!("failed"), &json!("LO904")), "{check}");
        assert!(check["detail"].as_str().unwrap().ends_with(expected), "{check}");
    }
}
