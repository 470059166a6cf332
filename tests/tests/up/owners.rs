//! The owner directory of a real `leadops up`: what it is asked, what its answers come to, and what `doctor` and
//! `status` say of one through which no owner can come.

use jiff::SignedDuration;
use lead::{LeadId, OwnerStatus, Timestamp};
use pipeline::{Code, Entry, JournalEvent, ports::Journal};
use serde_json::{Value, json};
use sqlite::{Options, Store};
use tests::{
    directory::{Directory, Reply},
    process::{PATIENCE, Testbed, Up, text, until},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

const PAGE: &str = "<!DOCTYPE html>\n<html><title>Web filter</title>This site is blocked.</html>";
const DOCUMENT: &str = r#"{"lead_id":"{lead_id}","lead_owner":"Sales North"}"#;

/// What `doctor` says of the owner directory: result, code and detail.
async fn doctor(testbed: &Testbed, base: &str) -> (String, Option<String>, String) {
    let mut command = testbed.command(&["doctor", "--json"]);
    let output = command.env("LOOKUP_BASE_URL", base).output().await.unwrap();
    let checks: Vec<Value> = serde_json::from_str(&text(&output.stdout)).unwrap();
    let found = checks.iter().find(|check| check["check"] == "owner directory").unwrap();
    let field = |name: &str| found[name].as_str().map(str::to_owned);
    let failed = checks.iter().any(|check| check["result"] == "failed");
    assert_eq!(output.status.code(), Some(i32::from(failed)));
    (field("result").unwrap(), field("code"), field("detail").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_wants_a_document_or_a_clean_none_for_a_lead_that_cannot_exist() {
    let testbed = Testbed::new().await;
    let stranger = Directory::start(Reply::new(200, DOCUMENT)).await;
    let directory = Directory::start(Reply::error(403, "AccessDenied")).await;
    let base = &directory.url;
    let html = |status, body| Reply::new(status, body).with("content-type", "text/html");
    for (reply, result, code, part) in [
        (Reply::error(403, "AccessDenied"), "ok", None, "answers 403 for an unknown lead"),
        (Reply::error(404, "NoSuchKey"), "ok", None, "answers 404 for an unknown lead"),
        (Reply::new(404, ""), "ok", None, "answers 404 for an unknown lead"),
        (html(404, "<html><h1>404 Not Found</h1><hr>nginx</html>"), "ok", None, "answers 404"),
        (
            Reply::new(200, r#"{"lead_id":"{lead_id}","lead_owner":null}"#),
            "ok",
            None,
            "returns a document without an owner for an unknown lead",
        ),
        (html(200, PAGE), "failed", Some("LO123"), "it begins with `<!DOCTYPE html>"),
        (html(403, PAGE), "failed", Some("LO137"), "somebody in between answered"),
        (html(401, PAGE), "failed", Some("LO137"), "somebody in between answered"),
        (Reply::new(407, ""), "failed", Some("LO137"), "somebody in between answered"),
        (Reply::error(404, "NoSuchBucket"), "failed", Some("LO125"), "does not exist (NoSuchBucket)"),
        (Reply::error(403, "AllAccessDisabled"), "failed", Some("LO122"), "403 AllAccessDisabled"),
        (Reply::error(403, "InvalidAccessKeyId"), "failed", Some("LO122"), "403 InvalidAccessKeyId"),
        (
            Reply::error(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-west-1"),
            "failed",
            Some("LO138"),
            "the bucket is in eu-west-1: set LOOKUP_BASE_URL=https://BUCKET.s3.eu-west-1.amazonaws.com",
        ),
        (
            Reply::new(302, "").with("location", &format!("{}/x", stranger.url)),
            "failed",
            Some("LO139"),
            stranger.url.as_str(),
        ),
        (
            Reply::new(200, r#"{"lead_id":"lead_other","lead_owner":"Dana"}"#),
            "failed",
            Some("LO124"),
            "returns the document of another lead for one that does not exist",
        ),
        (Reply::new(200, "[]"), "failed", Some("LO123"), "it is JSON, but no object (a list)"),
        (
            Reply::new(200, r#"{"owner":"Dana","rep":"x"}"#),
            "failed",
            Some("LO123"),
            "it has no lead_owner; it has owner, rep",
        ),
        (Reply::new(200, r#"{"lead_owner":["Dana"]}"#), "failed", Some("LO123"), "its lead_owner is a list"),
        (
            Reply::new(200, DOCUMENT),
            "warning",
            None,
            "names \"Sales North\" as the owner of a lead that does not exist",
        ),
        (Reply::new(500, ""), "failed", Some("LO122"), "answered 500"),
    ] {
        directory.answer_with(reply.clone());
        let (found, found_code, detail) = doctor(&testbed, base).await;
        assert_eq!((found.as_str(), found_code.as_deref()), (result, code), "{reply:?}: {detail}");
        assert!(detail.contains(part) && detail.contains(&format!("{base}/{{lead_id}}.json")), "{detail}");
    }
    assert_eq!(stranger.asked(), Vec::<String>::new(), "nobody is led elsewhere");
    let folder = format!("file://{}/gone/{{lead_id}}.json", testbed.folder.path().display());
    let (result, code, detail) = doctor(&testbed, &folder).await;
    assert_eq!((result.as_str(), code.as_deref()), ("failed", Some("LO122")), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_looked_up_where_the_template_says_and_up_says_where() {
    let testbed = Testbed::new().await;
    let directory = Directory::start(Reply::new(200, DOCUMENT)).await;
    let folder = testbed.folder.path().join("owners");
    std::fs::create_dir_all(folder.join("lead_c")).unwrap();
    std::fs::write(folder.join("lead_c/owner.json"), DOCUMENT.replace("{lead_id}", "lead_c")).unwrap();
    let with_password = directory.url.replace("http://", "http://reader:hunter2@");
    for (lead, base, shown, path) in [
        (
            "lead_a",
            format!("{with_password}/v1/{{lead_id}}/owner.json"),
            format!("{}/v1/{{lead_id}}/owner.json", directory.url),
            Some("/v1/lead_a/owner.json"),
        ),
        (
            "lead_b",
            format!("{with_password}/v2/"),
            format!("{}/v2/{{lead_id}}.json", directory.url),
            Some("/v2/lead_b.json"),
        ),
        (
            "lead_c",
            format!("file://{}/{{lead_id}}/owner.json", folder.display()),
            format!("file://{}/{{lead_id}}/owner.json", folder.display()),
            None,
        ),
    ] {
        let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "0"]);
        let (up, line) = start(command.env("LOOKUP_BASE_URL", &base)).await;
        assert_eq!(line, format!("leadops: owners are looked up at {shown}"));
        deliver(&testbed, &up, lead).await;
        testbed.until_notified(&[lead.parse().unwrap()]).await;
        assert_eq!(testbed.json(&["lead", lead]).await["lead"]["lead_owner"], "Sales North");
        if let Some(path) = path {
            assert_eq!(directory.asked().last().unwrap(), path);
        }
        let logged = testbed.json(&["logs"]).await.to_string();
        assert!(logged.contains(&shown) && !logged.contains("hunter2"), "{logged}");
        assert!(up.terminate().await.success());
        let config = testbed.command(&["config"]).env("LOOKUP_BASE_URL", &base).output().await.unwrap();
        assert!(!text(&config.stdout).contains("hunter2"));
    }
    let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0"]);
    // As with LOOKUP_BASEURL, say.
    let (up, line) = start(command.env_remove("LOOKUP_BASE_URL")).await;
    assert_eq!(
        line,
        "leadops: owners are looked up at https://dea-lead-owner.s3.us-east-1.amazonaws.com/{lead_id}.json, the default: set LOOKUP_BASE_URL, LOOKUP_BUCKET or OWNER_SOURCE where they are elsewhere"
    );
    assert!(up.terminate().await.success());
}

/// Starts `up`, and what it says on stderr of the owners.
async fn start(command: &mut Command) -> (Up, String) {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("owners are looked up") {
                return line;
            }
        }
        panic!("it says nothing of the owners")
    };
    let line = timeout(PATIENCE, line).await.unwrap();
    (Up::of(child).await, line)
}

async fn deliver(testbed: &Testbed, up: &Up, lead: &str) {
    let body = json!({"event": {"object_type": "lead", "action": "created", "lead_id": lead, "data": {}}});
    let (status, answer) =
        tests::http::post(&up.webhook, body.to_string().as_bytes(), tests::process::KEY).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("accepted")), "{}", testbed.data().display());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_placeholder_is_refused_by_its_name() {
    let testbed = Testbed::new().await;
    for (path, name) in [
        ("{id}.json", "{id}"),
        ("%7Blead_id%7D.json", "%7Blead_id%7D"),
        ("<lead_id>.json", "<lead_id>"),
        (":lead_id", ":lead_id"),
        ("{lead_id}/{lead_id}.json", "{lead_id}"),
        ("?lead={lead_id}", "{lead_id}"),
    ] {
        let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0"]);
        let base = format!("https://reader:hunter2@h.example/{path}");
        let output =
            timeout(PATIENCE, command.env("LOOKUP_BASE_URL", &base).output()).await.unwrap().unwrap();
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{path}: {printed}");
        assert!(
            printed.contains(&format!("LOOKUP_BASE_URL: {name} ")) && !printed.contains("hunter2"),
            "{printed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_word_of_the_directory_is_a_failed_look_up_and_says_so() {
    let testbed = Testbed::new().await;
    let stranger = Directory::start(Reply::new(200, r#"{"lead_owner":"A stranger"}"#)).await;
    let directory = Directory::start(Reply::new(404, "")).await;
    let mut command = testbed.command(&["up", "--listen", "127.0.0.1:0", "--delay", "0"]);
    // Each look-up is the last, so that nobody waits.
    command.env("PROCESS_ATTEMPTS", "1").env("LOOKUP_BASE_URL", &directory.url).env("SLACK_BURST", "30");
    let up = Up::start(command).await;
    let redirect = Reply::new(307, r#"{"lead_owner":"A stranger"}"#)
        .with("location", &format!("{}/{{lead_id}}.json", stranger.url));
    for (number, (reply, status, code)) in [
        (Reply::error(403, "AccessDenied"), "missing", "LO121"),
        (Reply::error(403, "AllAccessDisabled"), "lookup_failed", "LO122"),
        (Reply::new(200, r#"{"lead_owner":["Dana"]}"#), "lookup_failed", "LO123"),
        (Reply::new(200, r#"{"lead_id":"{lead_id}","rep":"Dana"}"#), "lookup_failed", "LO123"),
        (Reply::new(403, PAGE), "lookup_failed", "LO137"),
        (Reply::new(301, "").with("x-amz-bucket-region", "eu-west-1"), "lookup_failed", "LO138"),
        (redirect, "lookup_failed", "LO139"),
    ]
    .into_iter()
    .enumerate()
    {
        directory.answer_with(reply);
        let lead = format!("lead_n{number}");
        deliver(&testbed, &up, &lead).await;
        testbed.until_notified(&[lead.parse().unwrap()]).await;
        until("it is written down", || async { testbed.json(&["lead", &lead]).await["lead"].is_object() })
            .await;
        let story = testbed.json(&["lead", &lead]).await;
        assert_eq!(
            (&story["lead"]["owner_status"], &story["lead"]["lead_owner"]),
            (&json!(status), &json!("Unassigned"))
        );
        let steps = story["timeline"].as_array().unwrap();
        let enriched = steps.iter().find(|step| step["stage"] == "enriched").unwrap();
        assert_eq!(enriched["code"], code, "{enriched}");
        if code == "LO139" {
            assert!(enriched["detail"].as_str().unwrap().contains(&stranger.url), "{enriched}");
        }
    }
    assert_eq!(stranger.asked(), Vec::<String>::new());
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_look_ups_of_three_hours_that_found_nothing_are_a_warning() {
    let testbed = Testbed::new().await;
    let store = Store::open(&testbed.data(), Options::creating()).unwrap();
    let now = Timestamp::now();
    let look_up = async |number: i64, minutes_ago: i64, found: bool| {
        let lead: LeadId = format!("lead_n{number}").parse().unwrap();
        let event = JournalEvent::Enriched {
            name: "A".to_owned(),
            owner: "B".to_owned(),
            owner_status: if found { OwnerStatus::Assigned } else { OwnerStatus::Missing },
            code: (!found).then_some(Code::OwnerMissing),
            reason: None,
            lead_is_known: false,
        };
        let at = now - SignedDuration::from_mins(minutes_ago);
        store.append(Entry { at, lead_id: Some(lead), nonce: 1, event }).await.unwrap();
    };
    let shown = async || {
        let status = testbed.json(&["status"]).await;
        let table = text(&testbed.run(&["status"]).await.stdout);
        let checks: Value = serde_json::from_slice(&testbed.run(&["doctor", "--json"]).await.stdout).unwrap();
        let check =
            checks.as_array().unwrap().iter().find(|check| check["check"] == "owner look-ups").cloned();
        (status["health"][0].clone(), table, check)
    };
    for number in 0..19 {
        look_up(number, 1 + number * 12, false).await;
    }
    let (json, table, check) = shown().await;
    assert_eq!((json, check), (Value::Null, None), "nineteen are too few");
    assert!(!table.contains("LO129"), "{table}");

    look_up(20, 300, false).await;
    let (json, table, check) = shown().await;
    let since = now - SignedDuration::from_mins(300);
    assert_eq!(
        (&json["what"], &json["state"], &json["code"]),
        (&json!("owners"), &json!("warn"), &json!("LO129"))
    );
    assert_eq!(
        json["since"].as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond(),
        since.as_millisecond()
    );
    let words = format!(
        "the last 20 look-ups of an owner, since {}, found nothing",
        since.strftime("%Y-%m-%d %H:%M UTC")
    );
    assert_eq!(json["reason"], words);
    assert!(table.contains(&format!("▲ owners      LO129 {words}")), "{table}");
    let check = check.unwrap();
    assert_eq!(
        (&check["result"], &check["code"], &check["detail"]),
        (&json!("warning"), &json!("LO129"), &json!(words))
    );

    look_up(21, 23 * 60, true).await;
    assert_eq!((shown().await.0, shown().await.2), (Value::Null, None), "one found an owner within a day");
}
