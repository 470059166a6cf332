//! That the stand-in for Close answers as the samples show.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    close::{
        API_KEY, BRINDLE, Close, FERROUS, ForcedAnswer, Limit, MARLOWE, ORGANIZATION, OWNER_FIELD, QUILLWORK,
        sample,
    },
    http,
};

/// The status and the body of an answer.
async fn get(close: &Close, path: &str) -> (u16, Value) {
    let asked = http::client().get(format!("{}{path}", close.url)).basic_auth(API_KEY, Some(""));
    let answer = asked.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn leads_are_answered_whole_or_as_asked_for() {
    let close = Close::example().await;
    for (id, name) in
        [(MARLOWE, "lead_owner_single"), (QUILLWORK, "lead_owner_two"), (FERROUS, "lead_no_owner")]
    {
        assert_eq!(get(&close, &format!("/lead/{id}/")).await, (200, sample(name)));
    }
    let narrow = sample("lead_owner_single_narrow_fields");
    let fields = narrow.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(",");
    assert_eq!(get(&close, &format!("/lead/{MARLOWE}/?_fields={fields}")).await, (200, narrow));
    let departed = sample("lead_owner_departed");
    let (_, brindle) = get(&close, &format!("/lead/{BRINDLE}/?_fields=id,custom.{OWNER_FIELD}")).await;
    assert_eq!(brindle[format!("custom.{OWNER_FIELD}")], departed[format!("custom.{OWNER_FIELD}")]);
    assert_eq!(brindle.as_object().unwrap().len(), 2);
    assert_eq!(get(&close, "/lead/lead_nobody/").await, (404, sample("error_404_lead")["body"].clone()));
}

#[tokio::test]
async fn what_all_leads_share_is_answered_as_in_the_samples() {
    let close = Close::example().await;
    let members = format!("/organization/{ORGANIZATION}/?_fields=name,memberships,inactive_memberships");
    assert_eq!(get(&close, &members).await, (200, sample("organization_members")));
    assert_eq!(get(&close, "/custom_field_schema/lead/").await, (200, sample("custom_field_schema_lead")));
    assert_eq!(get(&close, "/role/").await, (200, sample("role_list_owner_field_hint")));
    assert_eq!(get(&close, "/me/").await, (200, sample("me_admin")));
    assert_eq!(get(&close, "/me/?_fields=email").await, (200, json!({"email": "rowan@sales.example"})));
    assert_eq!(get(&close, "/organization/orga_1/").await.0, 404);
    assert_eq!(close.account().asked("/me/"), 2);
}

#[tokio::test]
async fn a_webhook_carries_what_the_lead_had_when_it_was_made() {
    let close = Close::example().await;
    close.account().own_later(FERROUS, &["user_1"]);
    let webhook = |id: &str| serde_json::from_slice::<Value>(&close.account().webhook(id)).unwrap();
    let (marlowe, ferrous) = (webhook(MARLOWE), webhook(FERROUS));
    let key = format!("custom.{OWNER_FIELD}");
    assert!(marlowe["event"]["data"][&key].is_string() && ferrous["event"]["data"][&key].is_null());
    assert!(marlowe["event"]["data"]["contacts"].is_null());
}

#[tokio::test]
async fn a_path_without_its_slash_leads_elsewhere() {
    let close = Close::example().await;
    let client = http::client();
    let asked = client.get(format!("{}/lead/{MARLOWE}", close.url)).basic_auth(API_KEY, Some(""));
    assert_eq!(asked.send().await.unwrap().status(), 200);
    let misdirected = close.account().misdirected.clone();
    assert_eq!(misdirected[0].0, format!("/api/v1/lead/{MARLOWE}/"));
    assert_eq!(close.account().requests, [format!("GET /lead/{MARLOWE}")]);
}

#[tokio::test]
async fn a_key_that_is_not_known_is_refused_and_another_can_be() {
    let close = Close::example().await;
    close.account().keys = vec!["api_other.key".to_owned()];
    let (status, body) = get(&close, "/me/").await;
    assert_eq!((status, &body["error"]), (401, &sample("error_401_bad_key")["body"]["error"]));
}

#[tokio::test]
async fn each_group_has_its_own_limit() {
    let close = Close::example().await;
    close.account().limit = Limit { requests: 2, per: Duration::from_secs(3_600) };
    let statuses =
        async |path: &str| [get(&close, path).await.0, get(&close, path).await.0, get(&close, path).await.0];
    assert_eq!(statuses("/me/").await, [200, 200, 429]);
    assert_eq!(get(&close, &format!("/lead/{MARLOWE}/")).await.0, 200);
    assert_eq!(get(&close, &format!("/lead/{FERROUS}/")).await.0, 200);
    let client = http::client();
    let asked = client.get(format!("{}/lead/{QUILLWORK}/", close.url)).basic_auth(API_KEY, Some(""));
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 429);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert!(header("ratelimit").starts_with("limit=2, remaining=0, reset=3"), "{}", header("ratelimit"));
    assert!(header("retry-after").parse::<f64>().unwrap() > 3_000.0);
}

#[tokio::test]
async fn what_goes_wrong_goes_wrong_as_often_as_it_should() {
    let close = Close::example().await;
    close.account().next(2, "/me/", ForcedAnswer::Status(500));
    close.account().next(1, "/me/", ForcedAnswer::Half);
    assert_eq!(get(&close, "/role/").await.0, 200);
    let statuses = [get(&close, "/me/").await.0, get(&close, "/me/").await.0];
    assert_eq!(statuses, [500, 500]);
    assert_eq!(get(&close, "/me/").await, (200, Value::Null), "half a body is no JSON");
    assert_eq!(get(&close, "/me/").await, (200, sample("me_admin")));
}
