//! What a lead costs: each call of a store or a queue is a request on AWS.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws::{NoMetrics, S3Store};
use lead::{LeadId, keys};
use pipeline::{
    Settings, Stage,
    job::{Cause, ProcessJob},
    owners::Documents,
    ports::{Clock, Intake, Objects, Outbox, Queue},
    process::{AttemptCounter, Process},
    stages::{Ports, Stages, System},
};
use system::SeededRandom;
use tests::{
    destinations::{EMAIL, SLACK},
    doubles::Reply,
    faulty::{Call, FaultPlan, Faulty},
    harness::Harness,
};

/// The calls that are made from now on, each with the folder of what it is about.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<(Call, String)>>>);

impl Calls {
    fn of(plan: &FaultPlan) -> Self {
        let calls = Self::default();
        let recorded = calls.0.clone();
        plan.rule(move |call, about| {
            let folder = about.split('/').next().unwrap_or(about).to_owned();
            recorded.lock().unwrap().push((call, folder));
            None
        });
        calls
    }

    /// Those on objects, and the messages that were sent.
    fn take(&self) -> Vec<(Call, String)> {
        let mut calls = std::mem::take(&mut *self.0.lock().unwrap());
        let counts =
            |call| matches!(call, Call::Get | Call::Put | Call::ListKeys | Call::Remove | Call::Send);
        calls.retain(|(call, _)| counts(*call));
        calls
    }
}

fn call(call: Call, folder: &str) -> (Call, String) {
    (call, folder.to_owned())
}

#[tokio::test]
async fn a_new_lead_is_processed_with_one_reading_one_writing_and_a_message_for_each_destination() {
    let settings = Settings { destinations: vec![SLACK, EMAIL], ..Settings::default() };
    let harness = Harness::with(settings);
    let lead = harness.accept("a").await;
    harness.owners.assign(&lead, "Sales North");
    harness.clock.advance(harness.settings.delay);
    let calls = Calls::of(&harness.faults);
    assert!(harness.process_ready().await);
    let message = || call(Call::Send, "notification");
    let expected = [call(Call::Get, "source"), call(Call::Put, "target"), message(), message()];
    assert_eq!(calls.take(), expected);
}

#[tokio::test]
async fn a_first_alert_is_claimed_at_once_and_its_lead_read_once() {
    let harness = Harness::new();
    let calls = Calls::of(&harness.faults);
    let sent = [
        call(Call::Put, "pace"),
        call(Call::Put, "receipts"),
        call(Call::Get, "target"),
        call(Call::Put, "receipts"),
    ];
    for number in 0..3 {
        let lead = harness.enrich(&number.to_string()).await;
        calls.take();
        assert!(harness.notify_ready().await);
        let mut expected = sent.to_vec();
        if number == 0 {
            // Nobody knows yet how it stands.
            expected.insert(0, call(Call::Get, "pace"));
        }
        assert_eq!((calls.take(), harness.shown(&lead)), (expected, 1), "{number}");
    }
}

/// The stages with the rules of a bucket, as the functions have them, over the harness's store.
struct OverABucket {
    harness: Harness,
    store: Arc<S3Store>,
    calls: Calls,
}

impl OverABucket {
    fn new() -> Self {
        let mut harness = Harness::new();
        let bucket = Faulty::new(harness.memory.clone(), harness.faults.clone(), harness.clock.clone());
        let store = Arc::new(S3Store::over(Arc::new(bucket), &harness.settings, Arc::new(NoMetrics)));
        let ports = Ports { objects: store.clone(), journal: store.clone() };
        let system = System { clock: harness.clock.clone(), random: SeededRandom::new(1) };
        let stages = Stages::new(ports, system, harness.settings.clone());
        let owners = Documents { directory: harness.owners.clone(), clock: harness.clock.clone() };
        let outbox = harness.ops.outbox.clone();
        harness.process = Process {
            past: Some(store.clone()),
            ..stages.process(outbox, Arc::new(owners), AttemptCounter::InJob)
        };
        harness.notify = stages.notify(harness.notify.destinations.clone());
        let calls = Calls::of(&harness.faults);
        Self { harness, store, calls }
    }

    /// A lead with an owner has come, and is due.
    async fn due(&self, name: &str) -> LeadId {
        let lead: LeadId = format!("lead_{name}").parse().unwrap();
        self.harness.owners.assign(&lead, "Sales North");
        let (prefix, delay) = (&self.harness.settings.source_prefix, self.harness.settings.delay);
        let event = Harness::arrival(&lead, prefix, self.harness.clock.now(), delay);
        let key = event.key.clone();
        self.store.accept(event).await.unwrap();
        self.harness.clock.advance(delay);
        // S3 does that on AWS.
        let now = self.harness.clock.now();
        let job = ProcessJob::new(lead.clone(), key, now, Cause::Arrival);
        self.harness.memory.send(Queue::Delay, job.message(now)).await.unwrap();
        self.calls.take();
        lead
    }
}

/// What [infrastructure/README.md](../../../infrastructure/README.md) says that a lead costs, beside the look-up of
/// its owner and the message to its destination.
#[tokio::test]
async fn on_aws_a_lead_takes_four_requests_and_an_alert_eight() {
    let pipeline = OverABucket::new();
    for number in 0..3 {
        let lead = pipeline.due(&number.to_string()).await;
        assert!(pipeline.harness.process_ready().await);
        let expected = [
            call(Call::Get, "source"),
            call(Call::Put, "target"),
            call(Call::Put, "journal"),
            call(Call::Send, "notification"),
        ];
        assert_eq!(pipeline.calls.take(), expected);
        assert!(pipeline.harness.notify_ready().await);
        let mut calls = pipeline.calls.take();
        if number == 0 {
            assert_eq!(calls.remove(0), call(Call::Get, "pace"), "nobody knows yet how it stands");
        }
        calls.sort();
        let mut expected = [
            call(Call::Put, "pace"),
            call(Call::Put, "receipts"),
            call(Call::Get, "target"),
            call(Call::Put, "receipts"),
            call(Call::Put, "journal"),
            call(Call::Get, "leads"),
            call(Call::Put, "leads"),
            call(Call::Remove, "open"),
        ];
        expected.sort();
        assert_eq!(calls, expected);
        let story = pipeline.store.of_lead(&lead).await.unwrap();
        let stages: Vec<Stage> = story.iter().map(|entry| entry.event.stage()).collect();
        assert_eq!(stages, [Stage::Received, Stage::Enriched, Stage::Notified]);
        pipeline.calls.take();
    }
}

/// One that may have ended before the proofs of that were removed is asked for. `LONG_AGO` is 25 days.
#[tokio::test]
async fn a_lead_that_close_made_long_ago_is_looked_up_first() {
    let pipeline = OverABucket::new();
    pipeline.harness.clock.advance(Duration::from_secs(24 * 86_400));
    pipeline.due("a").await;
    assert!(pipeline.harness.process_ready().await);
    assert!(pipeline.calls.take().starts_with(&[call(Call::Get, "source"), call(Call::Get, "leads")]));
}

/// Ingestion was stopped after the raw event, and the destination has asked for a pause: it is among the open leads
/// all the same, and its history says how far it is.
#[tokio::test]
async fn a_lead_without_a_record_is_seen_while_its_alert_waits() {
    let pipeline = OverABucket::new();
    let harness = &pipeline.harness;
    harness.slack.answer([Reply::wait(Duration::from_secs(3_600))]);
    pipeline.due("a").await;
    assert!(harness.process_ready().await && harness.notify_ready().await);
    let lead = pipeline.due("b").await;
    for folder in [keys::RECORDS, keys::MARKERS, keys::JOURNAL] {
        for key in harness.memory.list(folder, None, 100).await.unwrap() {
            if key.contains(lead.as_str()) {
                aws::Bucket::delete(&harness.memory, &key).await.unwrap();
            }
        }
    }
    assert!(harness.process_ready().await);
    let stages = async || {
        let story = pipeline.store.of_lead(&lead).await.unwrap();
        story.iter().map(|entry| entry.event.stage()).collect::<Vec<Stage>>()
    };
    assert_eq!(stages().await, [Stage::Received, Stage::Enriched], "read from what is there");
    assert!(harness.notify_ready().await);
    assert_eq!(stages().await, [Stage::Received, Stage::Enriched]);
    let open = pipeline.store.open_leads(harness.clock.now(), 10).await.unwrap();
    assert!(open.iter().any(|open| open.lead == lead));
    assert!(pipeline.store.progress(&lead).await.unwrap().is_some_and(|lead| lead.enriched));
    harness.work_for(Duration::from_secs(4_000)).await;
    assert_eq!(stages().await, [Stage::Received, Stage::Enriched, Stage::Notified]);
}
