//! The address that Close is given: one through which nothing could arrive is refused, and what answers is looked at.

use axum::{Router, http::StatusCode};
use serde_json::{Value, json};
use tests::{
    close::{API_KEY, Close, key},
    operator::Operator,
    process::{Testbed, Up, text},
};
use tokio::net::TcpListener;

use super::front::Front;

const HOST: &str = "leads.example.com";
const WEBHOOK: &str = "https://leads.example.com/crm/webhook";

/// Somebody with an embedded pipeline, from whose machine the internet is not to be reached.
pub(crate) fn operator(close: &Close) -> Operator {
    Operator::new(Default::default()).with(&[
        ("CLOSE_API_URL", &close.url),
        ("CLOSE_API_KEY", API_KEY),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ])
}

/// The notes of a command's answer.
pub(crate) fn notes(answer: &Value) -> Vec<&str> {
    answer["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect()
}

fn has(answer: &Value, part: &str) -> bool {
    notes(answer).iter().any(|note| note.contains(part))
}

#[tokio::test]
async fn what_close_cannot_reach_is_refused_and_nothing_is_asked_of_close() {
    let close = Close::start().await;
    let operator = operator(&close);
    for (url, part) in [
        ("http://localhost:8080/crm/webhook", "localhost is this machine itself"),
        ("https://127.9.9.9/crm/webhook", "this machine"),
        ("https://[::1]:8443/crm/webhook", "this machine"),
        ("https://leads.localhost/crm/webhook", "this machine"),
        ("https://10.0.0.5/crm/webhook", "private network"),
        ("https://192.168.1.9:8443/crm/webhook", "private network"),
        ("https://172.20.0.1/crm/webhook", "private network"),
        ("https://[::ffff:10.0.0.5]/crm/webhook", "private network"),
        ("https://[fd00::5]/crm/webhook", "private network"),
        ("https://169.254.169.254/crm/webhook", "link-local"),
        ("https://100.64.3.4/crm/webhook", "provider"),
        ("https://0.0.0.0/crm/webhook", "not the address of a machine"),
        ("https://leads/crm/webhook", "without a dot"),
        ("https://leads.local/crm/webhook", ".local"),
        ("https://leads.internal/crm/webhook", ".internal"),
        ("http://leads.example.com/crm/webhook", "http://"),
        ("https://ada:geheim@leads.example.com/crm/webhook", "user or password"),
        ("https://leads.example.com/crm/webhook#geheim", "#"),
    ] {
        for more in ["--yes", "--dry-run"] {
            let (status, line) = operator.refused(&["subscribe", "--url", url, more]).await;
            assert_eq!(status, Some(1), "{line}");
            assert!(line.starts_with("leadops: LO529 ") && line.contains(part), "{url}: {line}");
            assert!(line.contains("--force") && !line.contains("geheim"), "{url}: {line}");
        }
    }
    assert_eq!(close.account().requests, Vec::<String>::new());
}

#[tokio::test]
async fn an_address_that_cannot_be_tried_is_taken_with_a_note() {
    let close = Close::start().await;
    let operator = operator(&close);
    let made = operator.json(&["subscribe", "--url", WEBHOOK, "--yes"]).await;
    assert_eq!(made["result"], "created");
    let later = "`leadops doctor` tries it again";
    assert!(
        has(&made, "https://leads.example.com/crm/webhook could not be tried: ") && has(&made, later),
        "{made}"
    );
    assert!(!has(&made, "the path is"), "{made}");
    for path in ["/", "/webhook", "/leads/crm/webhook"] {
        let url = format!("https://other.example.com{path}");
        let tried = operator.json(&["subscribe", "--url", &url, "--dry-run"]).await;
        let note = format!("the path is {path}, and leadops answers at /crm/webhook");
        assert!(has(&tried, &note), "{tried}");
    }
    // Slashes too many are the webhook as well.
    let tried =
        operator.json(&["subscribe", "--url", "https://other.example.com//crm/webhook/", "--dry-run"]).await;
    assert!(!has(&tried, "the path is"), "{tried}");
    assert_eq!(tried["url"], "https://other.example.com//crm/webhook/");
}

#[tokio::test]
async fn what_answers_at_the_address_is_looked_at() {
    let (close, front) = (Close::start().await, Front::start(HOST).await);
    let certificate = front.certificate().display().to_string();
    let operator =
        operator(&close).with(&[("HTTPS_PROXY", front.address()), ("SSL_CERT_FILE", &certificate)]);
    let args = ["subscribe", "--url", WEBHOOK, "--yes"];
    let page = "<!doctype html><title>Sign in</title>";
    for (status, headers, body, part) in [
        (
            "301 Moved",
            "location: https://www.example.com/crm/webhook?x=geheim\r\n",
            "",
            "answered 301 and points to https://www.example.com/crm/webhook?…; Close has to be given the final address",
        ),
        ("302 Found", "location: /login\r\n", "", "points to https://leads.example.com/login;"),
        ("307 Moved", "", "", "answered 307 and does not say where to"),
        ("200 OK", "", page, "answered 200, and not as leadops does: it begins with `<!doctype html>"),
        ("204 No Content", "", "", "answered 204, and not as leadops does: it is empty"),
        ("404 Not Found", "", "404 page not found", "answered 404"),
        ("405 Method Not Allowed", "", "", "answered 405"),
        ("401 Unauthorized", "", "{\"message\":\"Unauthorized\"}", "answered 401"),
        ("403 Forbidden", "", page, "answered 403"),
    ] {
        front.answer_with(status, headers, body);
        let (exit, line) = operator.refused(&args).await;
        assert_eq!(exit, Some(1), "{line}");
        assert!(
            line.starts_with("leadops: LO530 ") && line.contains(part) && !line.contains("geheim"),
            "{line}"
        );
        let forced = operator.json(&["subscribe", "--url", WEBHOOK, "--dry-run", "--force"]).await;
        assert!(has(&forced, "LO530") && has(&forced, part), "{forced}");
    }
    assert!(close.account().subscriptions.is_empty());

    // Another machine does not trust it.
    let stranger = operator_who_trusts_nobody(&close, &front);
    let (_, line) = stranger.refused(&args).await;
    assert!(line.starts_with("leadops: LO529 ") && line.contains("the certificate"), "{line}");

    front.answer_with("502 Bad Gateway", "", page);
    let away = operator.json(&["subscribe", "--url", WEBHOOK, "--dry-run"]).await;
    assert!(has(&away, "answered 502: the proxy there does not reach leadops"), "{away}");
    front.answer_with(
        "401 Unauthorized",
        "",
        "{\"status\":\"refused\",\"code\":\"LO101\",\"error\":\"no signature\"}",
    );
    let made = operator.json(&args).await;
    assert_eq!(made["result"], "created");
    assert!(has(&made, "https://leads.example.com/crm/webhook answers as leadops does"), "{made}");
}

fn operator_who_trusts_nobody(close: &Close, front: &Front) -> Operator {
    let signed = rcgen::generate_simple_self_signed(["other.example.com".to_owned()]).unwrap();
    let operator = operator(close).with(&[("HTTPS_PROXY", front.address())]);
    operator.write("other.pem", &signed.cert.pem());
    let other = operator.path("other.pem").display().to_string();
    operator.with(&[("SSL_CERT_FILE", &other)])
}

#[tokio::test(flavor = "multi_thread")]
async fn with_force_it_is_tried_all_the_same_and_what_was_found_is_a_note() {
    let close = Close::start().await;
    let operator = operator(&close);
    let testbed = Testbed::new().await;
    let up = testbed.up(&["--delay", "0"]).await;
    let made = operator.json(&["subscribe", "--url", up.webhook.as_str(), "--yes", "--force"]).await;
    assert_eq!(made["result"], "created");
    assert!(has(&made, "LO529") && has(&made, "answers as leadops does"), "{made}");
    // Nobody has to sign for this one.
    let other = Testbed::new().await;
    let mut unsigned = other.command(&["up", "--listen", "127.0.0.1:0"]);
    unsigned.env_remove("CLOSE_SIGNATURE_KEY").env("LEADOPS_ALLOW_UNSIGNED", "true");
    let unsigned = Up::start(unsigned).await;
    let tried =
        operator.json(&["subscribe", "--url", unsigned.webhook.as_str(), "--dry-run", "--force"]).await;
    assert!(has(&tried, "answers as leadops does"), "{tried}");

    let elsewhere = up.webhook.join("/webhook").unwrap();
    let made = operator.json(&["subscribe", "--url", elsewhere.as_str(), "--yes", "--force"]).await;
    assert!(has(&made, "LO530") && has(&made, "and not to its webhook"), "{made}");
    assert!(has(&made, "the path is /webhook"), "{made}");
    for up in [up, unsigned] {
        assert!(up.terminate().await.success());
    }
}

/// What `doctor` says of addresses: the result, the code and the detail of each.
async fn addresses(operator: &Operator) -> Vec<(String, Value, String)> {
    let doctor = operator.run(&["doctor", "--json"]).await;
    let checks: Vec<Value> =
        serde_json::from_slice(&doctor.stdout).unwrap_or_else(|_| panic!("{}", text(&doctor.stderr)));
    let checks = checks.into_iter().filter(|check| check["check"] == "close address");
    let word = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    checks.map(|check| (word(&check, "result"), check["code"].clone(), word(&check, "detail"))).collect()
}

#[tokio::test]
async fn doctor_tries_where_each_active_subscription_posts_to() {
    let (close, front) = (Close::start().await, Front::start(HOST).await);
    let certificate = front.certificate().display().to_string();
    let signature_key = format!("whsub_1={}", key(1));
    let operator = operator(&close).with(&[
        ("HTTPS_PROXY", front.address()),
        ("SSL_CERT_FILE", &certificate),
        ("CLOSE_SIGNATURE_KEY", &signature_key),
    ]);
    front.is_leadops(("400 Bad Request", "LO104"));
    operator.json(&["subscribe", "--url", WEBHOOK, "--yes"]).await;
    let found = addresses(&operator).await;
    let detail = format!("{WEBHOOK} answers as leadops does, and knows the key");
    assert_eq!(found, [("ok".to_owned(), Value::Null, detail)]);
    for (signed, part) in [
        (("401 Unauthorized", "LO102"), "does not have this key"),
        (("401 Unauthorized", "LO101"), "a signature does not arrive"),
    ] {
        front.is_leadops(signed);
        let found = addresses(&operator).await;
        assert_eq!((found[0].0.as_str(), &found[0].1), ("failed", &json!("LO530")), "{found:?}");
        assert!(found[0].2.contains(part), "{found:?}");
    }
    // A key that was stored is known after a restart: no reason to refuse what is there.
    front.is_leadops(("401 Unauthorized", "LO102"));
    let again = operator.json(&["subscribe", "--url", WEBHOOK, "--yes"]).await;
    assert_eq!(again["result"], "unchanged");
    assert!(has(&again, "does not have this key"), "{again}");
    for (status, body, code, part) in [
        ("308 Moved", "", json!("LO530"), "does not say where to"),
        ("404 Not Found", "nothing here", json!("LO530"), "it begins with `nothing here`"),
        ("502 Bad Gateway", "", json!("LO530"), "does not reach leadops"),
        (
            "503 Oh",
            "{\"status\":\"refused\",\"code\":\"LO409\",\"error\":\"the file is gone\"}",
            json!("LO409"),
            "the file is gone",
        ),
    ] {
        front.answer_with(status, "", body);
        let found = addresses(&operator).await;
        assert_eq!((found.len(), found[0].0.as_str(), &found[0].1), (1, "failed", &code), "{found:?}");
        assert!(found[0].2.contains(part), "{found:?}");
    }
    let unreachable = operator.with(&[("HTTPS_PROXY", "http://127.0.0.1:1")]);
    let found = addresses(&unreachable).await;
    assert_eq!((found[0].0.as_str(), &found[0].1), ("warning", &Value::Null), "{found:?}");
    assert!(
        found[0].2.contains("could not be tried") && found[0].2.contains("from this machine"),
        "{found:?}"
    );

    // An address that somebody insisted on, and a paused subscription, which gets nothing anyway.
    close.account().subscriptions[0]["url"] = json!("http://127.0.0.1:1/crm/webhook");
    let found = addresses(&unreachable).await;
    assert_eq!((found.len(), found[0].0.as_str(), &found[0].1), (1, "failed", &json!("LO529")), "{found:?}");
    close.account().subscriptions[0]["status"] = json!("paused");
    assert_eq!(addresses(&unreachable).await, []);
}

#[tokio::test]
async fn a_port_of_another_program_is_not_the_webhook() {
    let close = Close::start().await;
    let operator = operator(&close);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/crm/webhook", listener.local_addr().unwrap());
    let router = Router::new().fallback(|| async { (StatusCode::OK, "welcome") });
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let made = operator.json(&["subscribe", "--url", &url, "--yes", "--force"]).await;
    assert!(has(&made, "LO530") && has(&made, "it begins with `welcome`"), "{made}");
    server.abort();
}
