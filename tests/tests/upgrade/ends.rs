//! The right end of each lead of a fixture.

use std::{collections::BTreeMap, time::Duration};

use demo::LeadMention;
use jiff::SignedDuration;
use lead::LeadId;
use tests::{
    process::PATIENCE,
    upgrade::{
        Fixture, Site,
        leads::{
            self, ANNOUNCED, DUE, EDITED, FOLLOWED_UP, HALF_SENT, REDRIVEN, REFUSED, RESENDING, SEARCHED,
            UNOWNED, UNREADABLE, WAITING, id,
        },
    },
};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
/// How long before its due time a lead is looked at.
const BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// What the team saw of a lead on Slack since the upgrade, alert by alert, and how many mails it got.
type Seen = (Vec<&'static str>, usize);

/// Drives every lead of a fixture to its end.
pub(crate) async fn each_is_right(site: &mut dyn Site, fixture: &Fixture) {
    for name in leads::ALL {
        site.assign(name);
    }
    // At once: what an operator had put back, and in one process what a worker that is gone had in hand.
    let mut at_once = BTreeMap::from([
        (REDRIVEN, (vec!["first"], 0)),
        (EDITED, (vec!["first"], 0)),
        (RESENDING, (vec!["sent again"], 0)),
    ]);
    if site.name() == "embedded" {
        at_once.insert(HALF_SENT, (vec!["possible repeat"], 1));
    }
    until_seen(site, &at_once).await;

    // Accepted is accepted: Close, which comes again, finds its lead here.
    assert_eq!(site.deliver(WAITING).await, (200, "duplicate".to_owned()));

    pass_until_due(site, fixture, DUE).await;
    let mut seen = at_once;
    seen.insert(DUE, (vec!["first"], 1));
    // On AWS what the worker had in hand that is gone has come back meanwhile.
    seen.insert(HALF_SENT, (vec!["possible repeat"], 1));
    until_seen(site, &seen).await;
    pass_until_due(site, fixture, WAITING).await;
    seen.insert(WAITING, (vec!["first"], 1));
    until_seen(site, &seen).await;

    // Whoever had no owner has one now. Nobody is looked up again for the one that was given up on, unless asked.
    site.pass(SECOND * 1_800).await;
    seen.insert(SEARCHED, (vec!["owner found"], 1));
    until_seen(site, &seen).await;
    for name in [UNOWNED, FOLLOWED_UP, ANNOUNCED] {
        site.json(&["requeue", id(name).as_str(), "--yes"]).await;
    }
    seen.insert(UNOWNED, (vec!["owner found"], 1));
    until_seen(site, &seen).await;

    // What died comes back once its cause is gone.
    site.write_raw(&id(UNREADABLE), &leads::event(UNREADABLE)).await;
    site.json(&["dead", "redrive", "--all", "--yes"]).await;
    seen.insert(UNREADABLE, (vec!["first"], 1));
    seen.insert(REFUSED, (vec!["first"], 0));
    until_seen(site, &seen).await;

    // And that is all there is to do, for the next days too.
    for _ in 0..6 {
        site.pass(SECOND * 28_800).await;
    }
    until_seen(site, &seen).await;
    assert_eq!(site.json(&["pending"]).await, serde_json::json!([]));
    assert_eq!(site.json(&["dead", "list"]).await, serde_json::json!([]));
    for name in leads::ALL {
        let story = site.json(&["lead", id(name).as_str()]).await;
        assert_eq!(story["state"], "notified", "{name}: {story}");
    }
}

/// What was seen of each lead.
async fn seen(site: &dyn Site) -> BTreeMap<LeadId, Seen> {
    let mut seen = BTreeMap::<LeadId, Seen>::new();
    for mention in site.neighbours().slack.messages().iter().flat_map(|message| &message.leads) {
        seen.entry(mention.lead_id.clone()).or_default().0.push(kind(mention));
    }
    for lead in site.mails().await {
        seen.entry(lead).or_default().1 += 1;
    }
    seen
}

fn kind(mention: &LeadMention) -> &'static str {
    match mention {
        LeadMention { possible_repeat: true, .. } => "possible repeat",
        LeadMention { sent_again: true, .. } => "sent again",
        LeadMention { owner_found: true, .. } => "owner found",
        _ => "first",
    }
}

/// Waits until the team has seen this, and asserts that it has seen no more when nothing is left to do now.
async fn until_seen(site: &dyn Site, expected: &BTreeMap<&str, Seen>) {
    let expected: BTreeMap<LeadId, Seen> =
        expected.iter().map(|(name, seen)| (id(name), seen.clone())).collect();
    let deadline = Instant::now() + PATIENCE;
    while seen(site).await != expected && Instant::now() < deadline {
        sleep(Duration::from_millis(50)).await;
    }
    site.until_idle().await;
    assert_eq!(seen(site).await, expected, "{}", site.name());
}

/// Lets time pass until a lead of the fixture is due, and asserts that nothing was seen of it before.
async fn pass_until_due(site: &dyn Site, fixture: &Fixture, name: &str) {
    let rows = fixture.outputs["pending"].as_array().unwrap();
    let row = rows.iter().find(|row| row["lead_id"] == id(name).as_str()).unwrap();
    let due: lead::Timestamp = row["due_at"].as_str().unwrap().parse().unwrap();
    let left = due.duration_since(site.time().now());
    assert!(left > BEFORE + BEFORE / 2, "{name} is due in {left}");
    site.pass((left - BEFORE).unsigned_abs()).await;
    let seen = seen(site).await;
    // On a machine that is very busy the time may have come meanwhile.
    assert!(!seen.contains_key(&id(name)) || site.time().now() >= due, "{name} is early: {seen:?}");
    site.pass((BEFORE + BEFORE / 20).unsigned_abs()).await;
}
