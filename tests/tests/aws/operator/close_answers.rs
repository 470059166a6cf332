//! What Close has and what it refuses: its words, near misses, filters, and what a pause has cost.

use serde_json::{Value, json};
use tests::{
    close::{API_KEY, Close, ForcedAnswer, key},
    operator::Operator,
    process::text,
};

use super::address::{notes, operator};

const WEBHOOK: &str = "https://leads.example.com/crm/webhook";

/// A subscription for this address, as Close has it.
fn subscription(number: usize, url: &str) -> Value {
    json!({
        "id": format!("whsub_{number}"), "url": url, "status": "active", "health_status": "healthy",
        "events": [{"object_type": "lead", "action": "created", "extra_filter": null}], "pause_reason": null,
        "latest_error": null, "verify_ssl": true, "signature_key": key(number),
        "date_updated": "2026-09-12T09:30:00.900000",
    })
}

/// Whether anything was made or changed.
fn is_untouched(close: &Close) -> bool {
    close.account().requests.iter().all(|request| request.starts_with("GET "))
}

async fn checks(operator: &Operator) -> Vec<Value> {
    let doctor = operator.run(&["doctor", "--json"]).await;
    let checks: Vec<Value> =
        serde_json::from_slice(&doctor.stdout).unwrap_or_else(|_| panic!("{}", text(&doctor.stderr)));
    checks.into_iter().filter(|check| check["check"] == "close").collect()
}

#[tokio::test]
async fn close_s_no_is_not_the_network_s() {
    let close = Close::start().await;
    let operator = operator(&close);
    let args = ["subscribe", "--url", WEBHOOK, "--yes"];
    for (sample, part) in [
        (
            "error_400_field_errors",
            "Close answers 400: status: Not a valid choice. Must be one of ['active', 'paused'].",
        ),
        ("error_400_errors_list", "Close answers 400: The limit you set is larger"),
        ("error_402_plan_limit", "Close answers 402: Your plan does not include this feature."),
        ("error_404_errors_list", "Close answers 404: Source lead does not exist."),
    ] {
        close.account().next(1, "/webhook/", ForcedAnswer::Sample(sample));
        let (status, line) = operator.refused(&args).await;
        assert_eq!(status, Some(1), "{line}");
        assert!(line.starts_with("leadops: LO531 ") && line.contains(part), "{line}");
        assert!(!line.contains("network") && !line.contains(['{', '}']) && !line.contains(API_KEY), "{line}");
    }
    // What somebody in between says is not Close's.
    close.account().next(1, "/webhook/", ForcedAnswer::Sample("error_404_url"));
    let (_, line) = operator.refused(&args).await;
    assert!(
        line.starts_with("leadops: LO523 ") && line.contains("it begins with `<!doctype html>"),
        "{line}"
    );
    assert!(close.account().subscriptions.is_empty());
}

#[tokio::test]
async fn a_subscription_that_close_does_not_list_is_adopted_by_its_name() {
    let close = Close::start().await;
    let operator = operator(&close);
    let args = ["subscribe", "--url", WEBHOOK, "--yes"];
    {
        let mut account = close.account();
        account.subscriptions.push(subscription(1, WEBHOOK));
        account.unlisted.push("whsub_1".to_owned());
        account.shows_keys = true;
        // It is somebody else's: this key may not look at it.
        account.next(1, "/webhook/whsub_1/", ForcedAnswer::Sample("error_401_object_not_permitted"));
    }
    let (_, line) = operator.refused(&args).await;
    assert!(line.starts_with("leadops: LO531 "), "{line}");
    assert!(line.contains("Close answers 400: Duplicate active subscription: whsub_1"), "{line}");

    let adopted = operator.json(&args).await;
    let result = [&adopted["result"], &adopted["subscription_id"], &adopted["key"]];
    assert_eq!(result, [&json!("unchanged"), &json!("whsub_1"), &json!("kept")]);
    assert!(notes(&adopted).iter().any(|note| note.contains("did not list it")), "{adopted}");
    assert_eq!(close.account().subscriptions.len(), 1);
    assert_eq!(
        std::fs::read_to_string(operator.path("data/close.key")).unwrap(),
        format!("whsub_1={}\n", key(1))
    );
}

#[tokio::test]
async fn an_address_that_is_spelt_otherwise_is_the_same_webhook() {
    for there in [
        "https://leads.example.com/crm/webhook/",
        "https://leads.example.com//crm//webhook",
        "https://LEADS.example.com:443/crm/webhook",
        "https://leads.example.com/crm/webhook#x",
    ] {
        let close = Close::start().await;
        close.account().subscriptions.push(subscription(1, there));
        close.account().shows_keys = true;
        let used = operator(&close).json(&["subscribe", "--url", WEBHOOK, "--yes"]).await;
        assert_eq!(
            (&used["result"], &used["subscription_id"]),
            (&json!("unchanged"), &json!("whsub_1")),
            "{there}"
        );
        assert!(is_untouched(&close), "{there}");
    }
}

#[tokio::test]
async fn what_is_nearly_the_same_is_named_and_no_second_one_is_made_by_accident() {
    for (there, url, difference) in [
        ("http://leads.example.com/crm/webhook", WEBHOOK, "its scheme"),
        ("https://leads.example.com/crm/webhook?tenant=geheim", WEBHOOK, "its query"),
        (WEBHOOK, "https://leads.example.com/crm/webhook?tenant=geheim", "its query"),
        ("https://ada:geheim@leads.example.com/crm/webhook", WEBHOOK, "its user or password"),
        ("https://leads.example.com/close/", "https://leads.example.com/close", "a slash"),
    ] {
        let close = Close::start().await;
        close.account().subscriptions.push(subscription(7, there));
        let operator = operator(&close);
        for more in ["--yes", "--dry-run"] {
            let (status, line) = operator.refused(&["subscribe", "--url", url, more]).await;
            assert_eq!(status, Some(1), "{line}");
            assert!(line.starts_with("leadops: LO531 ") && line.contains("whsub_7"), "{line}");
            assert!(line.contains(&format!("differs in {difference}")) && !line.contains("geheim"), "{line}");
        }
        assert!(is_untouched(&close), "{there}");
        let made = operator.json(&["subscribe", "--url", url, "--yes", "--force"]).await;
        assert_eq!(made["result"], "created");
        assert!(notes(&made).iter().any(|note| note.contains("whsub_7")), "{made}");
        assert_eq!(close.account().subscriptions.len(), 2);
    }
    // Another host, port or path is another webhook.
    let close = Close::start().await;
    for there in ["https://other.example.com/crm/webhook", "https://leads.example.com:8443/crm/webhook"] {
        close.account().subscriptions.push(subscription(7, there));
    }
    assert_eq!(
        operator(&close).json(&["subscribe", "--url", WEBHOOK, "--dry-run"]).await["result"],
        "would create"
    );
}

#[tokio::test]
async fn what_a_filter_leaves_out_is_reported() {
    let close = Close::start().await;
    let signature_key = format!("whsub_1={}", key(1));
    let operator = operator(&close).with(&[("CLOSE_SIGNATURE_KEY", &signature_key)]);
    let mut filtered = subscription(1, WEBHOOK);
    filtered["events"][0]["extra_filter"] = json!({"type": "field_accessor", "field": "data", "filter": {
        "type": "field_accessor", "field": "status_label", "filter": {"type": "equals", "value": "Qualified"}}});
    filtered["verify_ssl"] = json!(false);
    close.account().subscriptions.push(filtered);
    close.account().shows_keys = true;
    let words = "sends only the new leads where data.status_label is \"Qualified\"";
    let used = operator.json(&["subscribe", "--url", WEBHOOK, "--yes"]).await;
    assert_eq!(used["result"], "unchanged");
    assert!(notes(&used).iter().any(|note| note.contains(words)), "{used}");
    assert!(notes(&used).iter().any(|note| note.contains("does not check the certificate")), "{used}");
    let [check] = &checks(&operator).await[..] else { panic!("one line") };
    assert_eq!((&check["result"], &check["code"]), (&json!("warning"), &json!("LO527")), "{check}");
    assert!(check["detail"].as_str().unwrap().contains(words), "{check}");
    assert!(check["detail"].as_str().unwrap().contains("without checking the certificate"), "{check}");

    // A filter of other events leaves no new lead out.
    {
        let mut account = close.account();
        let filter = account.subscriptions[0]["events"][0]["extra_filter"].take();
        let updated = json!({"object_type": "lead", "action": "updated", "extra_filter": filter});
        account.subscriptions[0]["events"].as_array_mut().unwrap().push(updated);
    }
    let used = operator.json(&["subscribe", "--url", WEBHOOK, "--yes"]).await;
    assert!(notes(&used).iter().all(|note| !note.contains("sends only")), "{used}");
    assert_eq!(checks(&operator).await[0]["result"], "ok");
}

#[tokio::test]
async fn setting_one_active_again_says_what_is_missing() {
    let close = Close::start().await;
    let operator = operator(&close);
    let mut paused = subscription(1, WEBHOOK);
    paused["status"] = json!("paused");
    paused["latest_error"] = json!({"status_code": 401, "message": "Unauthorized"});
    close.account().subscriptions.push(paused);
    close.account().shows_keys = true;
    let active = operator.json(&["subscribe", "--url", WEBHOOK, "--yes"]).await;
    assert_eq!(active["result"], "activated");
    let missed = notes(&active).into_iter().find(|note| note.contains("while it was paused")).unwrap();
    for part in
        ["whsub_1 as last changed at 2026-09-12T09:30:00.900000 UTC", "three days before", "leadops send"]
    {
        assert!(missed.contains(part), "{missed}");
    }
    let error = "Close's latest error with whsub_1: message: Unauthorized; status_code: 401";
    assert!(notes(&active).contains(&error), "{active}");
    // Again, with nothing to set active.
    let again = operator.json(&["subscribe", "--url", WEBHOOK, "--yes"]).await;
    assert!(notes(&again).iter().all(|note| !note.contains("while it was paused")), "{again}");
    // The key is in a file that nothing points at, which is said as long as it is so.
    assert!(notes(&again)[0].contains("close_signature_key_file"), "{again}");
}
