//! Owner directories that look as if nobody were assigned yet, as the real functions see them.

use pipeline::Stage;
use serde_json::json;
use tests::{
    directory::{Directory, Reply},
    lambda::AwsTestbed,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_processor_understands_the_template_and_takes_nobody_elses_word() {
    let stranger = Directory::start(Reply::new(200, r#"{"lead_owner":"A stranger"}"#)).await;
    let directory = Directory::start(Reply::error(403, "AccessDenied")).await;
    let base = format!("{}/v1/{{lead_id}}/owner.json", directory.url);
    let mut testbed =
        AwsTestbed::with(&[("LookupBaseUrl", base.as_str()), ("Rechecks", "0"), ("ProcessAttempts", "1")])
            .await;
    let elsewhere = Reply::new(302, "").with("location", &format!("{}/x", stranger.url));
    let owned = Reply::new(200, r#"{"lead_id":"{lead_id}","lead_owner":"Sales North"}"#);
    for (reply, status, code, owner) in [
        (owned, "assigned", None, "Sales North"),
        (Reply::error(403, "AccessDenied"), "missing", Some("LO121"), "Unassigned"),
        (Reply::new(403, "<html>Blocked</html>"), "lookup_failed", Some("LO137"), "Unassigned"),
        (
            Reply::new(301, "").with("x-amz-bucket-region", "eu-west-1"),
            "lookup_failed",
            Some("LO138"),
            "Unassigned",
        ),
        (elsewhere, "lookup_failed", Some("LO139"), "Unassigned"),
        (Reply::new(200, r#"{"lead_owner":{"name":"Dana"}}"#), "lookup_failed", Some("LO123"), "Unassigned"),
    ] {
        directory.answer_with(reply);
        let lead = testbed.accept().await;
        testbed.until_notified(std::slice::from_ref(&lead)).await;
        let asked = directory.asked();
        assert_eq!(asked.last().unwrap(), &format!("/v1/{lead}/owner.json"));
        let enriched = testbed.object(&format!("target/enriched_{lead}.json")).await;
        assert_eq!((&enriched["owner_status"], &enriched["lead_owner"]), (&json!(status), &json!(owner)));
        let story = testbed.ops.lead(&lead).await.unwrap();
        let codes = story.timeline.iter().filter(|step| step.stage == Stage::Enriched).map(|step| step.code);
        let codes: Vec<Option<&str>> = codes.map(|code| code.map(|code| code.as_str())).collect();
        assert_eq!(codes, [code]);
    }
    assert_eq!(stranger.asked(), Vec::<String>::new());
}
