//! What stands in a bucket about a lead after a function or a command was stopped between two writes: an
//! operator sees every accepted lead that has not ended, and none that has.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws::{NoMetrics, S3Store};
use bytes::Bytes;
use close::Incoming;
use futures_util::future::join;
use lead::{AlertKind, EnrichedLead, LeadId, OwnerFacts, OwnerStatus, Timestamp, keys};
use pipeline::{
    Code, Entry, Fault, JournalEvent, Recorder, Settings, Stage,
    ingest::{Ingest, LogThrottles, Outcome, Trust, Webhook},
    ports::{Accepted, Clock, Intake, Journal, NewEvent, Objects, Queue, WriteCondition},
    unsigned::Head,
};
use tests::{
    clock::VirtualClock,
    destinations::SLACK,
    faulty::{Call, FaultInjector, FaultPlan, Faulty, InjectedFault, Moment},
    harness::Harness,
    memory::Memory,
};

const DELAY: Duration = Duration::from_secs(600);
const SECOND: Duration = Duration::from_secs(1);

/// A store in a bucket that fails as planned, with the template's prefixes.
fn store(faulty: Faulty<Memory>) -> S3Store {
    let settings = Settings { delay: DELAY, ..Settings::default() };
    S3Store::over(Arc::new(faulty), &settings, Arc::new(NoMetrics))
}

struct Bucket {
    clock: Arc<VirtualClock>,
    faults: Arc<FaultPlan>,
    memory: Memory,
    store: S3Store,
    lead: LeadId,
}

impl Bucket {
    fn new() -> Self {
        let clock = VirtualClock::start();
        let (faults, memory) = (FaultPlan::none(), Memory::new(clock.clone()));
        let faulty = Faulty::new(memory.clone(), faults.clone(), clock.clone());
        let store = store(faulty);
        Self { clock, faults, memory, store, lead: "lead_a".parse().unwrap() }
    }

    fn event(&self) -> NewEvent {
        Harness::arrival(&self.lead, "source/", self.clock.now(), DELAY)
    }

    async fn deliver(&self) -> Result<Accepted, Fault> {
        self.clock.run(self.store.accept(self.event())).await
    }

    fn entry(&self, event: JournalEvent) -> Entry {
        let nonce = u32::try_from(self.clock.elapsed().as_micros()).unwrap();
        Entry { at: self.clock.now(), lead_id: Some(self.lead.clone()), nonce, event }
    }

    async fn append(&self, event: JournalEvent) -> Result<(), Fault> {
        self.clock.advance(SECOND);
        self.clock.run(self.store.append(self.entry(event))).await
    }

    /// A requeue is entered, and two seconds after its beginning an end: how either went.
    async fn overtaken(&self) -> (Result<(), Fault>, Result<(), Fault>) {
        let quick = async {
            self.clock.sleep(SECOND * 2).await;
            self.store.append(self.entry(notified())).await
        };
        let slow = self.store.append(self.entry(requeued()));
        self.clock.run(join(slow, quick)).await
    }

    /// The due times that the list of open leads shows of the lead.
    async fn waiting(&self) -> Vec<Timestamp> {
        self.store
            .open_leads(self.clock.now(), 10)
            .await
            .unwrap()
            .into_iter()
            .map(|open| open.due_at)
            .collect()
    }

    async fn journal(&self) -> usize {
        Objects::list(&self.memory, keys::JOURNAL, None, 100).await.unwrap().len()
    }
}

fn failed() -> InjectedFault {
    InjectedFault::Fail(Fault::new(Code::AwsThrottled, "SlowDown"))
}

fn notified() -> JournalEvent {
    let (destination, kind) = (SLACK, AlertKind::New);
    JournalEvent::Notified {
        destination,
        kind,
        after_ms: None,
        together: 1,
        repeat: false,
        attempts: 1,
        left_out: Vec::new(),
        reached: None,
    }
}

fn given_up() -> JournalEvent {
    let fault = Fault::new(Code::SlackWebhookGone, "no_service");
    JournalEvent::dead(Queue::Notification, Some((SLACK, AlertKind::New)), &fault, 1)
}

fn retrying() -> JournalEvent {
    JournalEvent::Retrying {
        queue: Queue::Notification,
        destination: Some(SLACK),
        code: Code::SlackUnavailable,
        reason: "500".to_owned(),
        attempt: 1,
        again_at: Timestamp::MAX,
    }
}

fn requeued() -> JournalEvent {
    JournalEvent::Requeued { by: "tester".to_owned() }
}

fn dead() -> JournalEvent {
    let (queue, code) = (Queue::Delay, Code::RawEventGone);
    JournalEvent::Dead { queue, destination: None, alert: None, code, reason: "gone".to_owned(), attempts: 1 }
}

#[tokio::test]
async fn a_second_delivery_makes_up_for_whatever_the_first_did_not_get_to() {
    // The raw event, the entry, the marker, the record.
    for nth in 1..=4 {
        for (moment, fault) in
            [(Moment::Before, failed()), (Moment::After, failed()), (Moment::Before, InjectedFault::Hang)]
        {
            let bucket = Bucket::new();
            bucket.faults.at(nth, Call::Put, moment, fault);
            let event = bucket.event();
            let first = bucket.clock.run_for(SECOND, bucket.store.accept(event.clone())).await;
            assert!(!matches!(first, Some(Ok(_))), "{nth} {moment:?} {first:?}");
            bucket.deliver().await.unwrap();
            // Where the first did store the event, the lead is due when it says.
            let due_at = bucket.waiting().await;
            assert_eq!(due_at.len(), 1, "{nth} {moment:?}");
            assert_eq!(bucket.journal().await, 1, "{nth} {moment:?}");
            bucket.append(notified()).await.unwrap();
            assert_eq!(bucket.waiting().await, [], "{nth} {moment:?}");
        }
    }
}

/// The journal has it at once, its history too, and the record with what became of the alert.
#[tokio::test]
async fn that_a_lead_was_enriched_is_said_before_and_after_its_record_learns_it() {
    for outcome in [notified(), given_up(), retrying()] {
        let bucket = Bucket::new();
        bucket.deliver().await.unwrap();
        let Ok(Incoming::Created(created)) = Incoming::parse(&bucket.event().body) else { panic!() };
        let (nobody, now) = (OwnerFacts::none(OwnerStatus::Missing), bucket.clock.now());
        let enriched = EnrichedLead::new(&created, nobody, now, now);
        let entry = Entry::enriched(&enriched);
        let key = keys::enriched("target/", &bucket.lead);
        let body = serde_json::to_vec(&enriched).unwrap();
        bucket.memory.put(&key, body.into(), WriteCondition::Always).await.unwrap();
        let reads = Arc::new(Mutex::new(0));
        let counted = reads.clone();
        bucket.faults.rule(move |call, key| {
            *counted.lock().unwrap() += u32::from(call == Call::Get && key.starts_with("leads/"));
            None
        });
        bucket.clock.advance(SECOND);
        bucket.store.append_before_alert(entry.clone()).await.unwrap();
        assert_eq!(bucket.journal().await, 2);
        assert_eq!(*reads.lock().unwrap(), 0);
        let story = bucket.store.of_lead(&bucket.lead).await.unwrap();
        assert_eq!(story.last(), Some(&entry), "read from the lead");
        // Once more after that, as the answer was lost.
        let end = bucket.entry(outcome);
        bucket.clock.run(bucket.store.append(end.clone())).await.unwrap();
        bucket.clock.run(bucket.store.append(end.clone())).await.unwrap();
        aws::Bucket::delete(&bucket.memory, &key).await.unwrap();
        let story = bucket.store.of_lead(&bucket.lead).await.unwrap();
        assert_eq!(story[1..], [entry, end]);
        assert!(bucket.store.progress(&bucket.lead).await.unwrap().unwrap().enriched);
    }
}

#[tokio::test]
async fn a_lead_that_was_opened_again_leaves_no_marker_behind_wherever_that_is_stopped() {
    for (nth, call) in [(1, Call::Put), (2, Call::Put), (3, Call::Put), (1, Call::Remove), (2, Call::Remove)]
    {
        for moment in [Moment::Before, Moment::After] {
            let bucket = Bucket::new();
            bucket.deliver().await.unwrap();
            bucket.append(dead()).await.unwrap();
            assert_eq!(bucket.waiting().await, []);
            bucket.clock.advance(SECOND);
            bucket.faults.at(nth, call, moment, InjectedFault::Hang);
            let entry = bucket.entry(requeued());
            bucket.clock.run_for(SECOND, bucket.store.append(entry)).await;
            bucket.faults.clear();
            bucket.append(notified()).await.unwrap();
            assert_eq!(bucket.waiting().await, [], "{call:?} {nth} {moment:?}");
        }
    }
}

#[tokio::test]
async fn a_marker_that_is_put_after_the_lead_has_ended_does_not_stay() {
    let bucket = Bucket::new();
    bucket.deliver().await.unwrap();
    bucket.append(dead()).await.unwrap();
    bucket.clock.advance(SECOND);
    // The journal's object, the record, the marker.
    bucket.faults.at(3, Call::Put, Moment::Before, InjectedFault::Slow(SECOND * 10));
    let (slow, quick) = bucket.overtaken().await;
    assert_eq!((slow, quick), (Ok(()), Ok(())));
    assert_eq!(bucket.waiting().await, []);
}

#[tokio::test]
async fn one_that_stays_because_its_command_was_stopped_is_not_taken_for_a_late_lead() {
    let bucket = Bucket::new();
    bucket.deliver().await.unwrap();
    bucket.append(dead()).await.unwrap();
    bucket.clock.advance(SECOND);
    bucket.faults.at(3, Call::Put, Moment::Before, InjectedFault::Slow(SECOND * 10));
    // The first look at the record, that of the quick one and its look for the enriched lead, and the second look.
    bucket.faults.at(4, Call::Get, Moment::Before, failed());
    let (slow, quick) = bucket.overtaken().await;
    assert!(slow.is_err() && quick.is_ok(), "{slow:?} {quick:?}");
    assert_eq!(bucket.waiting().await.len(), 1, "it is there");
    bucket.clock.advance(SECOND * 120);
    assert_eq!(bucket.waiting().await, []);
    let now = bucket.clock.now();
    let counts = bucket.store.count_open(now, now).await.unwrap();
    assert_eq!((counts.waiting, counts.due, counts.overdue), (0, 0, 0));
    // Nor does it stand in the place of one that waits, where not all are asked for.
    let (due, received) = ((now + DELAY).as_microsecond(), now.as_microsecond());
    let behind = format!("open/{due:016}/lead_b/{received:016}-");
    bucket.memory.put(&behind, Bytes::new(), WriteCondition::Absent).await.unwrap();
    assert_eq!(bucket.store.open_leads(now, 1).await.unwrap()[0].lead.as_str(), "lead_b");
}

#[tokio::test]
async fn a_marker_that_could_not_be_removed_is_removed_by_the_next_entry_or_ignored() {
    for again in [true, false] {
        let bucket = Bucket::new();
        bucket.deliver().await.unwrap();
        bucket.faults.at(1, Call::Remove, Moment::Before, failed());
        assert!(bucket.append(dead()).await.is_err(), "so that it is tried again");
        assert_eq!(bucket.waiting().await.len(), 1);
        if again {
            bucket.append(JournalEvent::AlreadyNotified { destination: SLACK }).await.unwrap();
        } else {
            bucket.clock.advance(DELAY + SECOND * 61);
        }
        assert_eq!(bucket.waiting().await, [], "tried again: {again}");
    }
}

#[tokio::test]
async fn a_former_marker_that_stays_keeps_the_present_one_from_nothing() {
    let bucket = Bucket::new();
    bucket.deliver().await.unwrap();
    bucket.faults.at(1, Call::Remove, Moment::Before, failed());
    bucket.faults.at(3, Call::Put, Moment::Before, InjectedFault::Slow(SECOND));
    assert!(bucket.append(requeued()).await.is_err());
    let due = bucket.store.progress(&bucket.lead).await.unwrap().unwrap().due_at;
    assert!(bucket.waiting().await.contains(&due));
}

/// What an end, or an end that was cut short, has taken away, the first enrichment after it puts again.
#[tokio::test]
async fn a_lead_that_died_before_its_first_enrichment_is_waiting_or_has_ended() {
    let enriched = || JournalEvent::Enriched {
        name: String::new(),
        owner: "Sales North".to_owned(),
        owner_status: OwnerStatus::Assigned,
        reason: None,
        code: None,
        lead_is_known: false,
    };
    for (call, nth) in [(Call::Put, 2), (Call::Remove, 1)] {
        for moment in [Moment::Before, Moment::After] {
            let bucket = Bucket::new();
            bucket.deliver().await.unwrap();
            bucket.faults.at(nth, call, moment, failed());
            assert!(bucket.append(dead()).await.is_err());
            bucket.faults.clear();
            bucket.append(enriched()).await.unwrap();
            let ended = bucket.store.progress(&bucket.lead).await.unwrap().unwrap().ended.is_some();
            assert_eq!(bucket.waiting().await.len(), usize::from(!ended), "{call:?} {nth} {moment:?}");
        }
    }
    // Opened again, and stopped before its marker was put.
    let bucket = Bucket::new();
    bucket.deliver().await.unwrap();
    bucket.append(dead()).await.unwrap();
    bucket.faults.at(3, Call::Put, Moment::Before, failed());
    let retrying = JournalEvent::Retrying {
        queue: Queue::Notification,
        destination: Some(SLACK),
        code: Code::SlackUnavailable,
        reason: String::new(),
        attempt: 1,
        again_at: bucket.clock.now(),
    };
    assert!(bucket.append(retrying).await.is_err());
    bucket.faults.clear();
    bucket.append(enriched()).await.unwrap();
    assert_eq!(bucket.waiting().await.len(), 1);
}

/// Writes down what the bucket is asked, and lets a request fail.
#[derive(Default)]
struct Asked {
    calls: Mutex<Vec<Call>>,
    /// The request of those to come that fails.
    fails: Mutex<Option<usize>>,
}

impl Asked {
    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl FaultInjector for Asked {
    fn inject(&self, call: Call, moment: Moment, _: &str) -> Option<InjectedFault> {
        if moment == Moment::After {
            return None;
        }
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        let mut fails = self.fails.lock().unwrap();
        (fails.is_some_and(|nth| nth == calls.len())).then(|| {
            *fails = None;
            failed()
        })
    }
}

/// Instances of the ingesting function on one bucket.
struct Instances {
    clock: Arc<VirtualClock>,
    asked: Arc<Asked>,
    memory: Memory,
    store: Arc<S3Store>,
}

impl Instances {
    fn new() -> Self {
        let clock = VirtualClock::start();
        let (asked, memory) = (Arc::<Asked>::default(), Memory::new(clock.clone()));
        let faulty = Faulty::new(memory.clone(), asked.clone(), clock.clone());
        let store = store(faulty);
        Self { clock, asked, memory, store: Arc::new(store) }
    }

    fn one(&self) -> Ingest {
        let random = system::SeededRandom::new(1);
        Ingest {
            settings: Arc::new(Settings::default()),
            trust: Trust::Anyone,
            intake: self.store.clone(),
            recorder: Recorder { clock: self.clock.clone(), random, journal: self.store.clone() },
            repeats: LogThrottles::default(),
        }
    }

    /// Delivers the lead's webhook, and says what became of it and what the bucket was asked.
    async fn deliver(&self, ingest: &Ingest, lead: &LeadId) -> (Outcome, Vec<Call>) {
        self.asked.take();
        let webhook = Webhook {
            presented: Default::default(),
            head: Head::of_this_process(),
            body: Harness::event(lead).into(),
        };
        let outcome = self.clock.run(ingest.handle(webhook)).await;
        (outcome, self.asked.take())
    }

    async fn journal(&self) -> usize {
        Objects::list(&self.memory, keys::JOURNAL, None, 100).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_webhook_that_is_repeated_costs_one_request_and_writes_nothing_but_once_a_minute() {
    let (instances, lead) = (Instances::new(), "lead_a".parse().unwrap());
    let ingest = instances.one();
    instances.deliver(&ingest, &lead).await;
    for minute in 1..=3 {
        let (_, first) = instances.deliver(&ingest, &lead).await;
        assert!(first.len() > 1, "{first:?}");
        for _ in 0..50 {
            let repeated = instances.deliver(&ingest, &lead).await;
            assert_eq!(repeated, (Outcome::Duplicate(lead.clone()), vec![Call::Put]));
        }
        assert_eq!(instances.journal().await, 1 + minute);
        instances.clock.advance(SECOND * 60);
    }
    // Another instance knows nothing of it.
    assert!(instances.deliver(&instances.one(), &lead).await.1.len() > 1);
    let story = instances.store.of_lead(&lead).await.unwrap();
    let more: Vec<u64> = story
        .iter()
        .filter_map(|entry| match entry.event {
            JournalEvent::Duplicate { more, .. } => Some(more),
            _ => None,
        })
        .collect();
    assert_eq!((story.len(), more), (5, vec![0, 50, 50, 0]));
}

#[tokio::test]
async fn a_repetition_completes_a_webhook_that_was_stored_and_not_journaled_though_one_fails_first() {
    let (instances, lead) = (Instances::new(), "lead_a".parse().unwrap());
    let (first, second) = (instances.one(), instances.one());
    // The raw event is stored, and nothing that comes after it.
    *instances.asked.fails.lock().unwrap() = Some(2);
    assert_eq!(instances.deliver(&first, &lead).await.0.status(), 503);
    *instances.asked.fails.lock().unwrap() = Some(2);
    assert_eq!(instances.deliver(&second, &lead).await.0.status(), 503);
    for _ in 0..3 {
        assert_eq!(instances.deliver(&second, &lead).await.0, Outcome::Duplicate(lead.clone()));
    }
    let story = instances.store.of_lead(&lead).await.unwrap();
    let stages: Vec<Stage> = story.iter().map(|entry| entry.event.stage()).collect();
    assert_eq!(stages, [Stage::Received, Stage::Duplicate]);
    assert_eq!(instances.journal().await, 2);
}
