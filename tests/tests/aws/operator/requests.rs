//! A refresh of the console costs the same number of requests however many leads there are.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws::{
    Clients, NoMetrics, S3Store,
    operator::{Keys, S3History, Session, View},
};
use console::wiring::OnAws;
use jiff::SignedDuration;
use lead::{AlertKind, EnrichedLead, LeadId, OwnerStatus, Timestamp, keys};
use ops::{Access, LeadQuery, Ops};
use pipeline::{
    Entry, JournalEvent, Settings, Stage,
    job::AlertId,
    ports::{Clock, History, Journal, LogQuery},
    receipt::{Receipt, ReceiptState, Receipts},
};
use system::{SystemClock, SystemRandom};
use tests::{
    aws::{Moto, Proxy, REGION, Stack},
    clock::VirtualClock,
    destinations::SLACK,
};

/// Everything that the overview asks, as in `tui::effect`.
async fn refresh(ops: &Ops, after: &mut Option<String>) {
    let logs = LogQuery { after: after.clone(), limit: 1_000, ..LogQuery::default() };
    let leads = LeadQuery { limit: 100, ..LeadQuery::default() };
    let (status, minutes, pending, dead, leads, lines) = tokio::join!(
        ops.status(),
        ops.minutes(60),
        ops.pending(200),
        ops.dead(None, 200),
        ops.leads(&leads),
        ops.logs(&logs),
    );
    assert_eq!(leads.unwrap().len(), 100);
    assert_eq!(status.unwrap().speed.p50_ms, Some(250));
    minutes.unwrap();
    pending.unwrap();
    dead.unwrap();
    *after = Some(lines.unwrap().last().map_or_else(String::new, |line| line.cursor.clone()));
}

/// All objects of a lead that was notified so long ago.
fn objects(number: usize, now: Timestamp) -> Vec<(String, String)> {
    let lead: LeadId = format!("lead_{number:043}").parse().unwrap();
    // One every ten seconds, the last one two minutes ago.
    let notified_at = now - SignedDuration::from_secs(120 + 10 * i64::try_from(number).unwrap());
    let at = |seconds| notified_at - SignedDuration::from_secs(seconds);
    let name = format!("Company {number}");
    let received = JournalEvent::Received { name: name.clone(), event_id: None, due_at: at(1) };
    let enriched = JournalEvent::Enriched {
        name: name.clone(),
        owner: "Sales".to_owned(),
        owner_status: OwnerStatus::Assigned,
        reason: None,
        code: None,
        lead_is_known: false,
    };
    let notified = JournalEvent::Notified {
        destination: SLACK,
        kind: AlertKind::New,
        after_ms: Some(250),
        together: 1,
        repeat: false,
        attempts: 1,
        left_out: Vec::new(),
        reached: None,
    };
    let entries = [(at(601), received), (at(1), enriched), (notified_at, notified)].map(|(at, event)| {
        let entry = Entry { at, lead_id: Some(lead.clone()), nonce: 1, event };
        (entry.key(), serde_json::to_string(&entry).unwrap())
    });
    let document = EnrichedLead {
        lead_phone: None,
        owners: Vec::new(),
        lead_id: lead.clone(),
        display_name: name,
        status_label: "Potential".to_owned(),
        date_created: String::new(),
        lead_email: "a@example.com".to_owned(),
        lead_owner: "Sales".to_owned(),
        funnel: "Web".to_owned(),
        enriched_at: at(1),
        event_id: None,
        received_at: at(601),
        owner_status: OwnerStatus::Assigned,
        custom: BTreeMap::new(),
    };
    let alert = AlertId::new_lead();
    let receipt = Receipt {
        lead_id: lead.clone(),
        destination: SLACK,
        alert: alert.clone(),
        kind: AlertKind::New,
        state: ReceiptState::Sent,
        at: notified_at,
        attempts: 1,
        code: None,
        reason: None,
        owner: Some("Sales".to_owned()),
        names: None,
        unsure: false,
        alone: false,
        left_out: Vec::new(),
        reached: Vec::new(),
        partly_sent: false,
    };
    let mut all = Vec::from(entries);
    all.push((keys::raw("source/", &lead), "{}".to_owned()));
    all.push((keys::enriched("target/", &lead), serde_json::to_string(&document).unwrap()));
    let key = keys::receipt(&lead, SLACK.as_str(), alert.as_str());
    all.push((key, serde_json::to_string(&receipt).unwrap()));
    all
}

/// How many requests of each kind the first refresh makes with so many leads, the second, and a look at the
/// neighbours after them.
async fn requests(leads: usize) -> [BTreeMap<String, usize>; 3] {
    let moto = Moto::start().await;
    let stack = Stack::deploy(&moto, &[]).await;
    // How long moto takes is nobody's business: the console's clock moves between two refreshes alone.
    let clock = VirtualClock::start();
    let now = clock.now();
    for first in (0..leads).step_by(2_000) {
        let numbers = first..leads.min(first + 2_000);
        let all = numbers.flat_map(|number| objects(number, now));
        moto.put_objects(&stack.outputs.bucket, all).await;
    }
    let proxy = Proxy::start(moto.endpoint()).await;
    let variables = moto.variables();
    let root = Keys::new(&variables["AWS_ACCESS_KEY_ID"], &variables["AWS_SECRET_ACCESS_KEY"], None);
    let session = Session::with_keys(root, REGION, Some(&proxy.endpoint)).await.unwrap();
    let aws = OnAws { session, stack: stack.outputs.clone(), identity: None };
    let mut ops = aws.ops(Access::ReadOnly);
    let view = Arc::new(aws.session.view(&aws.stack, clock.clone(), Arc::new(SystemRandom)));
    let queues = Arc::new(aws.session.queues(&aws.stack, clock.clone()));
    (ops.objects, ops.history, ops.recorder.journal) = (view.clone(), view.clone(), view.clone());
    (ops.inbox, ops.dead_letters, ops.recorder.clock) = (queues.clone(), queues, clock.clone());
    ops.alerting.receipts = Receipts { objects: view, clock: clock.clone() };
    let mut after = None;
    let mut counted = Vec::new();
    for round in 0..3 {
        let before = proxy.calls().len();
        if round < 2 {
            refresh(&ops, &mut after).await;
        } else {
            assert_eq!(ops.health().await.unwrap().fruitless_lookups, None);
        }
        let mut of_kind = BTreeMap::new();
        for call in proxy.calls().into_iter().skip(before) {
            *of_kind.entry(format!("{} {}", call.service, call.operation)).or_default() += 1;
        }
        counted.push(of_kind);
        clock.advance(Duration::from_secs(5));
    }
    counted.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_makes_as_many_requests_with_20_000_leads_as_with_100() {
    let (few, many) = tokio::join!(requests(100), requests(20_000));
    println!("first refresh: {:?}\nany other: {:?}\nneighbours: {:?}", few[0], few[1], few[2]);
    assert_eq!(few, many);
    let each: usize = few[1].values().sum();
    assert!(each <= 24, "{:?}", few[1]);
    // The journal's head, and once the newest of each kind that was not read before.
    assert!(few[2].values().sum::<usize>() <= 3, "{:?}", few[2]);
}

/// A bucket that holds all objects of so many leads.
async fn bucket(moto: &Moto, leads: usize, now: Timestamp) -> String {
    let bucket = moto.named("journal");
    moto.bucket(&bucket).await;
    moto.put_objects(&bucket, (0..leads).flat_map(|number| objects(number, now))).await;
    bucket
}

fn store(clients: &Clients, bucket: &str) -> S3Store {
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    S3Store::new(clients, bucket, &Settings::default(), clock, random, Arc::new(NoMetrics))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_two_ask_for_at_once_is_read_once() {
    let moto = Moto::start().await;
    let bucket = bucket(&moto, 40, Timestamp::now()).await;
    let proxy = Proxy::start(moto.endpoint()).await;
    let mut variables = moto.variables();
    variables.insert("AWS_ENDPOINT_URL".to_owned(), proxy.endpoint.clone());
    let store = store(&Clients::of_function(|name| variables.get(name).cloned()).unwrap(), &bucket);
    let ask = || store.recent(&[Stage::Notified], None, None, 100);
    // As the overview's figures and its leads do.
    let (one, other) = tokio::join!(ask(), ask());
    assert_eq!(one.as_ref().unwrap().len(), 40);
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(proxy.calls().iter().filter(|call| call.reads(keys::JOURNAL)).count(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_of_the_journal_is_what_is_there() {
    let moto = Moto::start().await;
    let now = Timestamp::now();
    // Three entries of each: the listing has several pages.
    let store = store(&moto.clients(), &bucket(&moto, 400, now).await);
    let clock = Arc::new(SystemClock);
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&moto.config());
    let history = S3History::new(store.clone(), cloudwatch, "p".to_owned(), clock.clone());
    let view = View::new(store.clone(), history, clock.clone());
    let hour_ago = now - SignedDuration::from_hours(1);
    for round in 0..2 {
        let mut before: Option<String> = None;
        for (stages, since, limit) in [
            (&[Stage::Notified][..], None, 100),
            (&[Stage::Notified, Stage::Enriched], Some(hour_ago), 600),
            (&[Stage::Enriched], None, 350),
            (&[Stage::Received, Stage::Dead], None, 10_000),
        ] {
            let before_now = before.take();
            let seen = view.recent(stages, since, before_now.as_deref(), limit).await.unwrap();
            let there = store.recent(stages, since, before_now.as_deref(), limit).await.unwrap();
            assert!(seen == there && !seen.is_empty(), "round {round}, {stages:?}");
            // The next question goes on in the middle of this answer.
            before = seen.get(seen.len() / 2).map(Entry::key);
        }
        let fresh = JournalEvent::Requeued { by: "tester".to_owned() };
        let entry = Entry { at: Timestamp::now(), lead_id: None, nonce: 9, event: fresh };
        store.append(entry.clone()).await.unwrap();
        clock.sleep(Duration::from_millis(600)).await;
        let newest = view.recent(&[Stage::Requeued], None, None, 1).await.unwrap();
        assert_eq!(newest, [entry]);
    }
}
