//! Owners in Close: the processor asks with a key from its secret, and may do for that what its role says.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use lead::LeadId;
use pipeline::{Code, Function, Stage};
use serde_json::{Value, json};
use tests::{
    aws::Stack,
    close::{self, BRINDLE, Close, Limit, MARLOWE, OWNER_FIELD, SecondRequest, TAMSIN},
    lambda::AwsTestbed,
    process::{KEY, until},
};

/// A stack whose team uses Close, and knows of no bucket.
async fn testbed(close: &Close) -> AwsTestbed {
    let parameters = [
        ("OwnerSource", "close"),
        ("CloseOwnerField", OWNER_FIELD),
        ("CloseApiUrl", close.url.as_str()),
        ("LookupBaseUrl", ""),
        ("Rechecks", "0"),
    ];
    AwsTestbed::prepared(&parameters, put_key, |_| ()).await
}

async fn put_key(stack: &Stack) {
    let secret = stack.outputs.close_secret.as_ref().unwrap();
    stack.put_secret(secret, &json!({"api_key": close::API_KEY}).to_string()).await;
}

async fn deliver(testbed: &AwsTestbed, close: &Close, lead: &str) {
    let body = close.account().webhook(lead);
    assert_eq!(testbed.post(&body, KEY).await.0, 200, "{lead}");
}

async fn enriched(testbed: &AwsTestbed, lead: &str) -> Value {
    testbed.object(&format!("target/enriched_{lead}.json")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_in_the_webhook_is_named_with_the_processors_own_role() {
    let close = Close::example().await;
    let testbed = testbed(&close).await;
    for lead in [MARLOWE, BRINDLE] {
        deliver(&testbed, &close, lead).await;
    }
    let leads: Vec<LeadId> = [MARLOWE, BRINDLE].map(|lead| lead.parse().unwrap()).into();
    testbed.until_notified(&leads).await;
    testbed.until_idle().await;
    let marlowe = enriched(&testbed, MARLOWE).await;
    assert_eq!(
        (&marlowe["lead_owner"], &marlowe["owner_status"]),
        (&json!("Tamsin Okafor-Test"), &json!("assigned"))
    );
    assert_eq!(enriched(&testbed, BRINDLE).await["owner_status"], "departed");
    assert_eq!((close.asked_for(MARLOWE), close.asked_for(BRINDLE)), (0, 1));
    // One of all instances has read the members, for all.
    assert_eq!(close.asked("/organization/"), 1);
    assert_eq!(testbed.keys("roster/").await, ["roster/close.json"]);
    assert_eq!((testbed.host.failures(), testbed.alert_counts(&leads[0])), (vec![], (1, 1)));

    let denied = Code::AwsDenied.as_str();
    let lines = testbed.log_lines().await;
    assert!(!lines.iter().any(|line| line.contains(denied) || line.contains(close::API_KEY)), "{lines:#?}");
    let role = testbed.host.configuration(Function::LeadProcessor).role_name().to_owned();
    let all = testbed.stack.moto.permissions().await;
    let for_close = all.iter().filter(|it| {
        it.role == role && (it.resource.contains("roster/") || it.action == "secretsmanager:GetSecretValue")
    });
    let used: Vec<bool> = for_close.map(|permission| permission.used).collect();
    assert_eq!(used, [true; 3], "{all:#?}");
}

/// As many leads as `LEADOPS_LEADS` says, a fifth as many requests each second as in the test of one machine:
/// moto is slower than that, and what is tried is the ratio.
#[tokio::test(flavor = "multi_thread")]
async fn many_leads_and_few_requests_a_second_are_no_failed_look_up() {
    let count = std::env::var("LEADOPS_LEADS").map_or(60, |count| count.parse().unwrap());
    let close = Close::example().await;
    let testbed = testbed(&close).await;
    let leads = {
        let mut account = close.account();
        account.limit = Limit { requests: if count > 100 { 20 } else { 4 }, per: Duration::from_secs(1) };
        account.switches.second_request = SecondRequest::Missed;
        let leads = account.add_leads(count);
        leads.iter().for_each(|lead| account.own_later(lead.as_str(), &[TAMSIN]));
        leads
    };
    let began = Instant::now();
    for lead in &leads {
        deliver(&testbed, &close, lead.as_str()).await;
    }
    let all = BTreeSet::from_iter(leads.iter().cloned());
    for some in leads.chunks(100) {
        testbed
            .until_in_time("all are announced", || async {
                some.iter().all(|lead| testbed.alert_counts(lead).0 > 0)
            })
            .await;
    }
    println!(
        "{count} leads in {:.0} s, {} requests for leads",
        began.elapsed().as_secs_f64(),
        close.asked("/lead/")
    );
    assert_eq!((testbed.not_notified_once(&all), testbed.host.failures()), (vec![], vec![]));
    for lead in &leads {
        assert_eq!(enriched(&testbed, lead.as_str()).await["owner_status"], "assigned", "{lead}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_stops_no_alert_and_a_new_one_is_found_in_the_secret() {
    let close = Close::example().await;
    let testbed = testbed(&close).await;
    let leads = close.account().add_leads(9);
    close.account().own(leads[0].as_str(), &[TAMSIN]);
    deliver(&testbed, &close, leads[0].as_str()).await;
    testbed.until_notified(&leads[..1]).await;
    close.account().keys = vec!["api_new.key".to_owned()];
    for lead in &leads[1..5] {
        deliver(&testbed, &close, lead.as_str()).await;
    }
    testbed.until_notified(&leads[1..5]).await;
    for lead in &leads[1..5] {
        assert_eq!(enriched(&testbed, lead.as_str()).await["owner_status"], "lookup_failed", "{lead}");
        let story = testbed.ops.history.of_lead(lead).await.unwrap();
        let codes: Vec<_> = story.iter().filter_map(|entry| entry.event.code()).collect();
        assert_eq!(codes, [Code::CloseKeyRefused], "{lead}");
    }
    // The old one is beside it still.
    let secret = testbed.stack.outputs.close_secret.clone().unwrap();
    testbed.stack.put_secret(&secret, &format!("api_new.key,{}", close::API_KEY)).await;
    close.account().own(leads[5].as_str(), &[TAMSIN]);
    until("a lead is looked up with the new key", || async {
        // A refusal has the secret read again, but not more often than every ten seconds.
        let lead = close.account().add_leads(1).remove(0);
        deliver(&testbed, &close, lead.as_str()).await;
        until("it is enriched", || async {
            let story = testbed.ops.history.of_lead(&lead).await.unwrap();
            story.iter().any(|entry| entry.event.stage() == Stage::Enriched)
        })
        .await;
        enriched(&testbed, lead.as_str()).await["owner_status"] == "missing"
    })
    .await;
}

/// The secret is empty, as CloudFormation leaves it.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_every_lead_is_announced() {
    let close = Close::example().await;
    let parameters = [
        ("OwnerSource", "close"),
        ("CloseOwnerField", "Lead Owner"),
        ("CloseApiUrl", close.url.as_str()),
        ("Rechecks", "0"),
    ];
    let testbed = AwsTestbed::with(&parameters).await;
    deliver(&testbed, &close, MARLOWE).await;
    let lead: LeadId = MARLOWE.parse().unwrap();
    testbed.until_notified(std::slice::from_ref(&lead)).await;
    assert_eq!(enriched(&testbed, MARLOWE).await["owner_status"], "lookup_failed");
    let story = testbed.ops.history.of_lead(&lead).await.unwrap();
    assert!(story.iter().any(|entry| entry.event.code() == Some(Code::SecretUnusable)), "{story:#?}");
    assert_eq!((testbed.host.failures(), close.account().requests.len()), (vec![], 0));
}
