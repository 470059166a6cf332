//! Ingesting webhooks: which are accepted, what is stored, what is answered.

use std::time::Duration;

use bytes::Bytes;
use close::signature::{Keys, SignatureHeaders};
use lead::{LeadId, Timestamp, keys};
use pipeline::{
    Code, Fault, JournalEvent, Settings, Stage,
    ingest::{BODY_LIMIT, Outcome, Trust, Webhook},
    ports::{Depth, Inbox, Objects, Queue},
    unsigned::Head,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tests::{
    faulty::{Call, InjectedFault, Moment},
    harness::Harness,
};

#[derive(Deserialize)]
struct Vectors {
    signature_key: String,
    subscription_id: String,
    vectors: Vec<Vector>,
    negative_vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    file: String,
    #[serde(rename = "close-sig-timestamp")]
    timestamp: String,
    #[serde(rename = "close-sig-hash")]
    hash: String,
}

impl Vector {
    fn body(&self) -> Bytes {
        std::fs::read(format!("{}/samples/{}", env!("CARGO_MANIFEST_DIR"), self.file)).unwrap().into()
    }

    fn webhook(&self) -> Webhook<'_> {
        let presented = SignatureHeaders { hash: Some(&self.hash), timestamp: Some(&self.timestamp) };
        Webhook { presented, head: Head::default(), body: self.body() }
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../samples/signatures.json")).unwrap()
}

/// A harness that trusts these keys alone.
fn guarded(keys: &str) -> Harness {
    let mut harness = Harness::new();
    harness.ingest.trust = Trust::Signed(Keys::parse(keys).unwrap());
    harness
}

async fn nothing_is_stored(harness: &Harness) {
    assert_eq!(harness.memory.list("", None, 10).await.unwrap(), Vec::<String>::new());
    assert_eq!(harness.memory.depth(Queue::Delay).await.unwrap(), Depth::default());
    assert_eq!(harness.ops.history.open_leads(10).await.unwrap(), []);
}

fn code(outcome: &Outcome) -> Option<Code> {
    match outcome {
        Outcome::Refused(fault) => Some(fault.code),
        _ => None,
    }
}

#[tokio::test]
async fn what_close_signed_is_accepted_and_its_exact_bytes_are_stored() {
    let vectors = vectors();
    let harness = guarded(&vectors.signature_key);
    for vector in &vectors.vectors {
        let outcome = harness.ingest.handle(vector.webhook()).await;
        assert_eq!(outcome.status(), 200, "{}", vector.file);
        if let Outcome::Accepted(lead) = &outcome {
            let key = keys::raw("source/", lead);
            let stored = Objects::get(&harness.memory, &key).await.unwrap().unwrap();
            assert_eq!(stored.body, vector.body());
            assert_eq!(outcome.json(), json!({"status": "accepted", "lead_id": lead}));
        } else {
            assert_eq!(outcome, Outcome::Ignored { kind: "lead.updated".to_owned() });
        }
    }
    assert_eq!(harness.memory.depth(Queue::Delay).await.unwrap().waiting, 4);
}

#[tokio::test]
async fn what_is_not_signed_correctly_is_refused_and_leaves_nothing() {
    let vectors = vectors();
    let harness = guarded(&vectors.signature_key);
    for vector in &vectors.negative_vectors {
        let outcome = harness.ingest.handle(vector.webhook()).await;
        assert_eq!((outcome.status(), code(&outcome)), (401, Some(Code::SignatureWrong)));
    }
    let unsigned = Webhook {
        presented: SignatureHeaders::default(),
        head: Head::default(),
        body: vectors.vectors.first().unwrap().body(),
    };
    let outcome = harness.ingest.handle(unsigned).await;
    assert_eq!((outcome.status(), code(&outcome)), (401, Some(Code::SignatureMissing)));
    nothing_is_stored(&harness).await;
}

#[tokio::test]
async fn unsigned_webhooks_are_accepted_from_this_machine_alone() {
    let harness = Harness::new();
    let body = Bytes::from(Harness::event(&"lead_a1".parse().unwrap()));
    let unsigned = |head| Webhook { presented: SignatureHeaders::default(), head, body: body.clone() };
    let far = Head { peer: Some([192, 0, 2, 1].into()), ..Head::of_this_process() };
    for (head, why) in
        [(Head::default(), "where it comes from is not known"), (far, "it comes from 192.0.2.1")]
    {
        let outcome = harness.ingest.handle(unsigned(head)).await;
        assert_eq!((outcome.status(), code(&outcome)), (401, Some(Code::UnsignedExposed)));
        let error = format!("without a signature only programs on this machine are trusted: {why}");
        assert_eq!(outcome.json(), json!({"status": "refused", "code": "LO909", "error": error}));
    }
    nothing_is_stored(&harness).await;
    assert_eq!(harness.ingest.handle(unsigned(Head::of_this_process())).await.status(), 200);
}

#[test]
fn what_looks_like_closes_is_distinguished_from_probes_and_noise() {
    let seems_genuine = |hash, timestamp, body: &[u8]| {
        let presented = SignatureHeaders { hash, timestamp };
        let body = Bytes::copy_from_slice(body);
        Webhook { presented, head: Head::default(), body }.seems_genuine()
    };
    for (hash, timestamp) in [(Some("x"), None), (None, Some("")), (Some("00"), Some("1"))] {
        assert!(seems_genuine(hash, timestamp, b"{}"));
    }
    let event = Harness::event(&"lead_a1".parse().unwrap());
    assert!(seems_genuine(None, None, &event));
    assert!(seems_genuine(None, None, br#"{"event":{"object_type":"lead","action":"created"}}"#));
    let agent = Head { headers: vec![("user-agent", b"leadops/1")], ..Head::default() };
    let presented = SignatureHeaders { hash: Some("x"), timestamp: Some("1") };
    let trial =
        |body: &'static [u8]| Webhook { presented, head: agent.clone(), body: Bytes::from_static(body) };
    assert!(
        trial(b"{}").is_probe() && !trial(b"{}").seems_genuine() && trial(b"{\"event\":{}}").seems_genuine()
    );
    let padded = [&event[..], &vec![b' '; 64 * 1024]].concat();
    for noise in [&b"{}"[..], b"", b"{\"a\":1}", b"<?php", b"{\"event\":1}", &padded] {
        assert!(!seems_genuine(None, None, noise), "{noise:?}");
    }
}

#[tokio::test]
async fn a_stale_signature_is_refused_on_both_sides_of_the_window() {
    let vectors = vectors();
    let vector = vectors.vectors.first().unwrap();
    let signed_at = Timestamp::from_second(vector.timestamp.parse().unwrap()).unwrap();
    let mut harness = guarded(&vectors.signature_key);
    let window = Duration::from_secs(300);
    harness.ingest.settings = Settings { signature_max_age: window, ..Settings::default() }.into();
    for stale in [signed_at + window * 2, signed_at - window * 2] {
        harness.clock.set(stale);
        let outcome = harness.ingest.handle(vector.webhook()).await;
        assert_eq!((outcome.status(), code(&outcome)), (401, Some(Code::SignatureStale)));
    }
    nothing_is_stored(&harness).await;
    harness.clock.set(signed_at + window);
    assert_eq!(harness.ingest.handle(vector.webhook()).await.status(), 200);
}

#[tokio::test]
async fn a_retry_three_days_late_is_accepted_by_default() {
    let vectors = vectors();
    let harness = guarded(&vectors.signature_key);
    harness.clock.advance(Duration::from_secs(3 * 24 * 60 * 60));
    let outcome = harness.ingest.handle(vectors.vectors.first().unwrap().webhook()).await;
    assert!(matches!(outcome, Outcome::Accepted(_)));
}

#[tokio::test]
async fn a_key_signs_for_its_own_subscription_alone() {
    let vectors = vectors();
    let vector = vectors.vectors.first().unwrap();
    let harness = guarded(&format!("whsub_another={}", vectors.signature_key));
    let outcome = harness.ingest.handle(vector.webhook()).await;
    assert_eq!((outcome.status(), code(&outcome)), (401, Some(Code::SignatureOfAnother)));
    nothing_is_stored(&harness).await;

    let rotating =
        format!("{0}={1},{0}={2}", vectors.subscription_id, "0f".repeat(32), vectors.signature_key);
    let outcome = guarded(&rotating).ingest.handle(vector.webhook()).await;
    assert!(matches!(outcome, Outcome::Accepted(_)));
}

#[tokio::test]
async fn without_any_key_nothing_is_accepted() {
    let harness = guarded("");
    let vectors = vectors();
    let outcome = harness.ingest.handle(vectors.vectors.first().unwrap().webhook()).await;
    assert_eq!(code(&outcome), Some(Code::SignatureWrong));
}

#[tokio::test]
async fn a_second_delivery_is_a_success_that_changes_nothing() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let first = Objects::get(&harness.memory, &keys::raw("source/", &lead)).await.unwrap();
    harness.clock.advance(Duration::from_secs(60));
    // Close may order the keys anew, so it is the lead that counts, not the bytes.
    let mut again = Harness::event(&lead);
    again.push(b' ');
    let outcome = harness.deliver(again).await;
    assert_eq!((outcome.status(), &outcome), (200, &Outcome::Duplicate(lead.clone())));
    assert_eq!(Objects::get(&harness.memory, &keys::raw("source/", &lead)).await.unwrap(), first);
    assert_eq!(harness.memory.depth(Queue::Delay).await.unwrap().waiting, 1);
    assert_eq!(harness.stages(&lead).await, [Stage::Received, Stage::Duplicate]);
}

/// How many more each entry says there were of a webhook that had come before.
async fn repeated(harness: &Harness, lead: &LeadId) -> Vec<u64> {
    let entries = harness.ops.history.of_lead(lead).await.unwrap();
    let more = entries.into_iter().filter_map(|entry| match entry.event {
        JournalEvent::Duplicate { more, .. } => Some(more),
        _ => None,
    });
    more.collect()
}

#[tokio::test]
async fn a_webhook_that_is_repeated_is_recorded_once_a_minute_with_how_often() {
    let harness = Harness::new();
    let (lead, other) = (harness.accept("a").await, harness.accept("b").await);
    for minute in 0..3 {
        for _ in 0..500 {
            assert_eq!(harness.deliver(Harness::event(&lead)).await, Outcome::Duplicate(lead.clone()));
        }
        harness.deliver(Harness::event(&other)).await;
        assert_eq!(repeated(&harness, &lead).await.len(), minute + 1);
        harness.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(repeated(&harness, &lead).await, [0, 499, 499]);
    assert_eq!(repeated(&harness, &other).await, [0, 0, 0]);
    // What is in no entry yet is written at an orderly stop, once.
    for _ in 0..2 {
        harness.ingest.finish().await;
        assert_eq!(repeated(&harness, &lead).await, [0, 499, 499, 498]);
    }
    assert_eq!(repeated(&harness, &other).await, [0, 0, 0]);
    let last = harness.ops.lead(&lead).await.unwrap();
    let timeline = serde_json::to_string(&last.timeline).unwrap();
    assert!(
        timeline.contains("delivered again (ev_lead_a), as 499 times more since the last such entry"),
        "{timeline}"
    );
}

#[tokio::test]
async fn genuine_events_of_other_kinds_are_answered_with_success_and_left_alone() {
    let harness = Harness::new();
    for (object_type, action) in [
        ("lead", "updated"),
        ("lead", "deleted"),
        ("lead", "merged"),
        ("contact", "created"),
        ("task.lead", "created"),
        ("activity.note", "created"),
        ("opportunity", "created"),
    ] {
        let event = json!({"event": {"object_type": object_type, "action": action, "lead_id": "lead_a", "data": null}});
        let outcome = harness.deliver(event.to_string()).await;
        assert_eq!(outcome, Outcome::Ignored { kind: format!("{object_type}.{action}") });
        assert_eq!(outcome.status(), 200);
    }
    nothing_is_stored(&harness).await;
}

#[tokio::test]
async fn junk_is_refused_with_400_and_leaves_nothing() {
    let harness = Harness::new();
    for body in ["", "junk", "[]", "null", "{}", "{\"event\":5}", "{\"event\":", "<html>", "\u{feff}\u{0}"] {
        let outcome = harness.deliver(body).await;
        assert_eq!((outcome.status(), code(&outcome)), (400, Some(Code::EventMalformed)), "{body:?}");
    }
    let outcome = harness.deliver(vec![b' '; BODY_LIMIT + 1]).await;
    assert_eq!((outcome.status(), code(&outcome)), (413, Some(Code::BodyTooLarge)));
    nothing_is_stored(&harness).await;
}

#[tokio::test]
async fn a_broken_field_of_an_event_loses_no_lead() {
    let harness = Harness::new();
    let lead: LeadId = "lead_a".parse().unwrap();
    let event = String::from_utf8(Harness::event(&lead)).unwrap();
    let event = event.replacen('{', "{\"meta\":NaN,\"note\":\"a\nb\",", 1);
    assert!(serde_json::from_str::<Value>(&event).is_err());
    assert_eq!(harness.deliver(event.clone()).await, Outcome::Accepted(lead.clone()));
    let stored = harness.memory.get(&keys::raw("source/", &lead)).await.unwrap().unwrap();
    assert_eq!(stored.body, event.as_bytes(), "the bytes are stored as they came");
    harness.work_for(harness.settings.delay).await;
    assert_eq!(harness.shown(&lead), 1);
    assert_eq!(harness.dead().await, []);
}

#[tokio::test]
async fn no_lead_id_leaves_its_folder() {
    let harness = Harness::new();
    let long = format!("lead_{}", "a".repeat(65));
    for id in [
        json!("lead_../../etc/passwd"),
        json!("lead_a/b"),
        json!("lead_a\n"),
        json!("lead_a%2f"),
        json!("lead_株"),
        json!("lead_"),
        json!("contact_a"),
        json!(""),
        json!(long),
        // That of trials, which stand in no listing.
        json!(LeadId::of_trial()),
        json!(7),
        Value::Null,
    ] {
        let event = json!({"event": {"object_type": "lead", "action": "created", "lead_id": id}});
        let outcome = harness.deliver(event.to_string()).await;
        assert_eq!((outcome.status(), code(&outcome)), (400, Some(Code::LeadIdUnusable)), "{id}");
        let answer = outcome.json().to_string();
        assert!(!answer.contains('\n') && answer.len() < 500, "{answer}");
    }
    nothing_is_stored(&harness).await;
}

#[tokio::test]
async fn an_event_as_large_as_allowed_is_stored() {
    let harness = Harness::new();
    let lead: LeadId = "lead_big".parse().unwrap();
    let mut event: Value = serde_json::from_slice(&Harness::event(&lead)).unwrap();
    let spare = BODY_LIMIT - event.to_string().len() - 20;
    event["event"]["data"]["custom.x"] = "x".repeat(spare).into();
    let body = event.to_string();
    assert!(body.len() <= BODY_LIMIT);
    assert_eq!(harness.deliver(body).await, Outcome::Accepted(lead));
}

#[tokio::test]
async fn a_store_that_fails_is_answered_503_so_that_close_sends_again() {
    let harness = Harness::new();
    let lead: LeadId = "lead_a".parse().unwrap();
    let full = || InjectedFault::Fail(Fault::new(Code::StorageFull, "the disk is full"));
    harness.faults.at(1, Call::Accept, Moment::Before, full());
    let outcome = harness.deliver(Harness::event(&lead)).await;
    assert_eq!((outcome.status(), code(&outcome)), (503, Some(Code::NotStored)));
    let Outcome::Refused(fault) = &outcome else { panic!("{outcome:?}") };
    assert!(fault.what.contains("LO401"), "the log names the cause: {fault}");
    assert!(!outcome.json().to_string().contains("disk is full"), "the caller learns none of it");
    nothing_is_stored(&harness).await;

    // Stored, but the confirmation was lost: the retry finds it, and it is one lead still.
    harness.faults.at(1, Call::Accept, Moment::After, full());
    assert_eq!(harness.deliver(Harness::event(&lead)).await.status(), 503);
    assert_eq!(harness.deliver(Harness::event(&lead)).await, Outcome::Duplicate(lead.clone()));
    harness.work_for(harness.settings.delay).await;
    assert_eq!(harness.shown(&lead), 1);
}

#[tokio::test]
async fn a_duplicate_is_a_success_even_where_the_journal_fails() {
    let harness = Harness::new();
    let lead = harness.accept("a").await;
    let broken = InjectedFault::Fail(Fault::new(Code::StorageFailed, "the disk is broken"));
    harness.faults.at(1, Call::Append, Moment::Before, broken);
    assert_eq!(harness.deliver(Harness::event(&lead)).await.status(), 200);
}
