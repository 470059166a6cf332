//! `doctor` compares the keys that Close signs with and those that the pipeline holds.

use serde_json::{Value, json};
use tests::{
    aws::{Moto, Stack},
    close::{API_KEY, Close, key},
    operator::Operator,
    process::text,
};

use super::address::operator;

const WEBHOOK: &str = "https://leads.example.com/crm/webhook";

fn subscription(id: &str, url: &str, key: &str) -> Value {
    json!({
        "id": id, "url": url, "status": "active", "health_status": "healthy", "signature_key": key,
        "events": [{"object_type": "lead", "action": "created"}], "verify_ssl": true,
    })
}

/// What `doctor` says of Close: the result, the code and the detail of each line, without any key.
async fn checks(operator: &Operator, more: &[&str]) -> Vec<(String, String, String)> {
    let doctor = operator.run(&[&["doctor", "--json"], more].concat()).await;
    let checks: Vec<Value> =
        serde_json::from_slice(&doctor.stdout).unwrap_or_else(|_| panic!("{}", text(&doctor.stderr)));
    for number in 1..4 {
        assert!(!text(&doctor.stdout).contains(&key(number)) && !text(&doctor.stderr).contains(&key(number)));
    }
    let word = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
    let of_close: Vec<_> = checks.iter().filter(|check| check["check"] == "close").collect();
    let is_failed = checks.iter().any(|check| check["result"] == "failed");
    assert_eq!(doctor.status.code(), Some(i32::from(is_failed)));
    of_close.into_iter().map(|it| (word(it, "result"), word(it, "code"), word(it, "detail"))).collect()
}

#[tokio::test]
async fn a_key_that_close_shows_is_compared_with_those_that_are_held() {
    let [ours, theirs] = [key(1), key(2)];
    let not_shown = "could not be compared";
    let other = format!("{:0>64}", "abc");
    for (held, shown, result, code, part) in [
        (format!("whsub_a={ours}"), true, "ok", "", "its key is ours"),
        (ours.clone(), true, "ok", "", "its key is ours"),
        (ours.to_uppercase(), true, "ok", "", "its key is ours"),
        (format!("whsub_b={ours},{other},{ours}"), true, "ok", "", "its key is ours"),
        (theirs.clone(), true, "failed", "LO528", "signs with a key that the pipeline does not have"),
        (
            format!("whsub_a={theirs}"),
            true,
            "failed",
            "LO528",
            "signs with a key that the pipeline does not have",
        ),
        (format!("whsub_b={ours}"), true, "failed", "LO528", "that the pipeline has only for whsub_b"),
        (format!("whsub_a={ours}"), false, "ok", "", not_shown),
        (theirs.clone(), false, "warning", "", not_shown),
        (format!("whsub_b={ours}"), false, "failed", "LO528", "the pipeline has no key for whsub_a"),
        (String::new(), true, "failed", "LO528", "does not have"),
        (String::new(), false, "failed", "LO528", "has no key for whsub_a"),
    ] {
        let close = Close::start().await;
        close.account().subscriptions.push(subscription("whsub_a", WEBHOOK, &ours));
        close.account().shows_keys = shown;
        let found = checks(&operator(&close).with(&[("CLOSE_SIGNATURE_KEY", &held)]), &[]).await;
        let (at, code_of, detail) = &found[0];
        assert_eq!((at.as_str(), code_of.as_str()), (result, code), "{held}: {found:?}");
        assert!(detail.contains("whsub_a") && detail.contains(part), "{held}: {found:?}");
        let stray = found.iter().find(|(.., detail)| detail.contains("matches no subscription in Close"));
        assert_eq!(stray.is_some(), held.contains("whsub_b"), "{held}: {found:?}");
        if let Some((result, _, detail)) = stray {
            assert!(result == "warning" && detail.contains("the key for whsub_b"), "{found:?}");
        }
    }
}

#[tokio::test]
async fn each_of_several_subscriptions_is_judged() {
    let close = Close::start().await;
    let elsewhere = "https://other.example.com/crm/webhook";
    close.account().subscriptions.extend([
        subscription("whsub_1", WEBHOOK, &key(1)),
        subscription("whsub_2", "https://leads.example.com/crm/webhook/", &key(2)),
        subscription("whsub_3", elsewhere, &key(3)),
    ]);
    close.account().shows_keys = true;
    let held = format!("whsub_1={}", key(1));
    let operator = operator(&close).with(&[("CLOSE_SIGNATURE_KEY", &held)]);
    let results = |found: &[(String, String, String)]| {
        found.iter().map(|(result, code, _)| format!("{result} {code}")).collect::<Vec<_>>()
    };
    // What posts to another address may be another pipeline's; what posts to this one is refused here.
    let found = checks(&operator, &[]).await;
    assert_eq!(results(&found), ["ok ", "failed LO528", "warning "], "{found:?}");
    assert!(found[2].2.contains("belongs to another pipeline"), "{found:?}");

    // A paused one beside one that works is no failure, and alone it is.
    close.account().subscriptions[1]["status"] = json!("paused");
    let found = checks(&operator, &[]).await;
    assert_eq!(results(&found), ["ok ", "warning LO527", "warning LO528", "warning "], "{found:?}");
    close.account().subscriptions[0]["status"] = json!("paused");
    let found = checks(&operator, &[]).await;
    assert_eq!(results(&found)[0], "failed LO527", "{found:?}");

    // One whose address is rewritten by a proxy is known by its key.
    close.account().subscriptions.clear();
    close.account().subscriptions.push(subscription("whsub_1", "https://leads.example.com/hook", &key(1)));
    assert_eq!(results(&checks(&operator, &[]).await), ["ok "]);
}

#[tokio::test]
async fn the_secret_of_a_stack_is_compared_as_well() {
    let (moto, close) = (Moto::start().await, Close::start().await);
    let stack = Stack::create(&moto, &[]).await;
    let operator = Operator::new(moto.variables()).with(&[
        ("CLOSE_API_URL", &close.url),
        ("CLOSE_API_KEY", API_KEY),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ]);
    let (outputs, at) = (&stack.outputs, ["--stack", "leads"]);
    close.account().subscriptions.push(subscription("whsub_1", &outputs.webhook_url, &key(1)));
    close.account().shows_keys = true;
    for (secret, result, code) in [
        (json!({"whsub_1": key(1)}).to_string(), "ok", ""),
        (json!({"whsub_1": key(2)}).to_string(), "failed", "LO528"),
        ("nonsense".to_owned(), "warning", ""),
    ] {
        stack.put_secret(&outputs.signature_secret, &secret).await;
        let found = checks(&operator, &at).await;
        assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (result, code), "{found:?}");
    }
    // A custom domain is known by its key, and a near miss is named.
    stack.put_secret(&outputs.signature_secret, &format!("whsub_1={}", key(1))).await;
    close.account().subscriptions[0]["url"] = json!(WEBHOOK);
    assert_eq!(checks(&operator, &at).await[0].0, "ok");
    stack.put_secret(&outputs.signature_secret, &key(1)).await;
    close.account().subscriptions[0]["url"] = json!(outputs.webhook_url.replace("https://", "http://"));
    let found = checks(&operator, &at).await;
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("failed", "LO526"), "{found:?}");
    assert!(found[0].2.contains("whsub_1") && found[0].2.contains("differs in its scheme"), "{found:?}");
}
