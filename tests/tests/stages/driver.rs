//! The driver: what it makes of a stage that works, fails, panics, hangs or takes too long, and of queues that fail.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::{Either, join, join_all, select};
use lead::Timestamp;
use pipeline::{
    Code, Fault,
    driver::{Driver, QueueStage, Spawn, Workers, take_over},
    notify::Notify,
    ports::{Clock, DeadLetters, Delivery, Depth, Disposition, Inbox, NewMessage, Outbox, Queue, WorkQueues},
    receipt::ReceiptState,
};
use tests::{
    clock::VirtualClock,
    doubles::Reply,
    faulty::{Call, FaultPlan, Faulty, InjectedFault, Moment},
    harness::Harness,
    memory::{Memory, Rules},
};
use tokio_util::sync::CancellationToken;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A stage that does with each message what its body says.
struct Scripted {
    clock: Arc<VirtualClock>,
    queue: Queue,
    is_together: bool,
    gathers_from: Option<u64>,
    seen: Mutex<Vec<String>>,
    /// How large each batch was, and when it began.
    batches: Mutex<Vec<(usize, Timestamp)>>,
    busy: AtomicUsize,
    most: AtomicUsize,
}

impl Scripted {
    fn new(clock: &Arc<VirtualClock>, queue: Queue) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            queue,
            is_together: queue == Queue::Notification,
            gathers_from: None,
            seen: Mutex::default(),
            batches: Mutex::default(),
            busy: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    fn seen(&self) -> Vec<String> {
        let mut seen = self.seen.lock().unwrap().clone();
        seen.sort();
        seen
    }
}

#[async_trait]
impl QueueStage for Scripted {
    fn queue(&self) -> Queue {
        self.queue
    }

    fn is_together(&self) -> bool {
        self.is_together
    }

    fn lanes(&self) -> usize {
        if self.is_together { 2 } else { 1 }
    }

    fn lane(&self, delivery: &Delivery) -> String {
        let lane = if self.is_together && delivery.body.starts_with("slow") { "slow" } else { "" };
        lane.to_owned()
    }

    fn gathers_from(&self) -> Option<u64> {
        self.gathers_from
    }

    async fn work(&self, deliveries: &[Delivery], _: Option<Timestamp>) -> Vec<Disposition> {
        self.batches.lock().unwrap().push((deliveries.len(), self.clock.now()));
        self.seen.lock().unwrap().extend(deliveries.iter().map(|delivery| delivery.body.clone()));
        let busy = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(busy, Ordering::SeqCst);
        let each = deliveries.iter().map(|delivery| async {
            match delivery.body.as_str() {
                "panics" => panic!("meant to"),
                "hangs" => std::future::pending().await,
                "slow" => self.clock.sleep(SECOND * 300).await,
                _ => self.clock.sleep(SECOND).await,
            }
            Disposition::Done
        });
        let outcomes = join_all(each).await;
        self.busy.fetch_sub(1, Ordering::SeqCst);
        outcomes
    }
}

struct DriverTestbed {
    clock: Arc<VirtualClock>,
    memory: Memory,
    faults: Arc<FaultPlan>,
    store: Arc<Faulty<Memory>>,
}

impl DriverTestbed {
    fn new() -> Self {
        let clock = VirtualClock::start();
        let memory = Memory::with_rules(clock.clone(), Rules::DELAY, Rules::NOTIFICATION);
        let faults = FaultPlan::none();
        let store = Arc::new(Faulty::new(memory.clone(), faults.clone(), clock.clone()));
        Self { clock, memory, faults, store }
    }

    async fn send(&self, queue: Queue, bodies: &[&str]) {
        for body in bodies {
            let message = NewMessage { body: (*body).to_owned(), lead: None, delay: Duration::ZERO };
            self.memory.send(queue, message).await.unwrap();
        }
    }

    fn driver(&self, stage: Arc<Scripted>) -> Driver {
        let (inbox, clock) = (self.store.clone(), self.clock.clone());
        Driver { stage, inbox, clock, settle_attempts: 6, after_panic: Some(SECOND * 5) }
    }

    fn workers(&self, stage: Arc<Scripted>, at_once: usize, batch: usize) -> Workers {
        let spawn: Spawn = Arc::new(|work| work);
        Workers { driver: self.driver(stage), queues: self.store.clone(), at_once, batch, spawn }
    }

    /// Lets workers work for so long.
    async fn work_for(&self, time: Duration, workers: Workers) {
        let ended = self.clock.run_for(time, workers.run(CancellationToken::new())).await;
        assert_eq!(ended, None, "they go on until they are stopped");
    }

    async fn depth(&self, queue: Queue) -> Depth {
        self.memory.depth(queue).await.unwrap()
    }
}

#[tokio::test]
async fn every_message_is_worked_on_once_and_no_more_than_allowed_at_once() {
    let testbed = DriverTestbed::new();
    let bodies: Vec<String> = (100..200).map(|number: u32| number.to_string()).collect();
    testbed.send(Queue::Delay, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let stage = Scripted::new(&testbed.clock, Queue::Delay);
    testbed.work_for(SECOND * 47 / 2, testbed.workers(stage.clone(), 4, 1)).await;
    assert_eq!(stage.seen().len(), 96, "four a second");
    assert_eq!(stage.most.load(Ordering::SeqCst), 4);
    testbed.work_for(HOUR, testbed.workers(stage.clone(), 4, 1)).await;
    let mut once = stage.seen();
    once.dedup();
    assert_eq!((once, testbed.depth(Queue::Delay).await), (bodies, Depth::default()));
}

#[tokio::test]
async fn what_is_slow_in_one_lane_holds_up_no_other() {
    let testbed = DriverTestbed::new();
    testbed.send(Queue::Notification, &["slow"; 500]).await;
    let bodies: Vec<String> = (100..200).map(|number: u32| number.to_string()).collect();
    testbed.send(Queue::Notification, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let stage = Scripted::new(&testbed.clock, Queue::Notification);
    let quick = |stage: &Scripted| stage.seen().iter().filter(|body| *body != "slow").count();
    testbed.work_for(SECOND * 3, testbed.workers(stage.clone(), 2, 20)).await;
    assert_eq!(quick(&stage), 100, "behind five hundred that take five minutes each");
    assert_eq!(stage.seen().len(), 140, "two batches of the slow ones");
    testbed.work_for(HOUR * 2, testbed.workers(stage.clone(), 2, 20)).await;
    let depth = testbed.depth(Queue::Notification).await;
    assert_eq!(
        (stage.seen().len(), depth),
        (600 + 40, Depth::default()),
        "none is lost, the first two once more"
    );
}

/// How large the batches are, and after how many milliseconds each begins, of alerts that come every 110 ms while so
/// many leads are being processed.
async fn gathered(leads: usize, alerts: usize) -> Vec<(usize, i128)> {
    let bench = DriverTestbed::new();
    let mut stage = Arc::into_inner(Scripted::new(&bench.clock, Queue::Notification)).unwrap();
    stage.gathers_from = Some(6);
    let stage = Arc::new(stage);
    bench.send(Queue::Delay, &vec!["lead"; leads]).await;
    let began = bench.clock.now();
    let work = join(bench.workers(stage.clone(), 9, 5).run(CancellationToken::new()), async {
        for _ in 0..alerts {
            bench.send(Queue::Notification, &["alert"]).await;
            bench.clock.sleep(Duration::from_millis(110)).await;
        }
    });
    bench.clock.run_for(SECOND * 3, work).await;
    let batches = stage.batches.lock().unwrap();
    batches.iter().map(|(size, at)| (*size, at.duration_since(began).as_millis())).collect()
}

#[tokio::test]
async fn alerts_wait_for_those_that_are_about_to_come_and_no_longer_than_half_a_second() {
    // So many are coming that there will be digests: until a batch is whole, or half a second has passed.
    assert_eq!(gathered(9, 5).await, [(5, 450)]);
    assert_eq!(gathered(9, 3).await, [(3, 500)]);
    // So few that each can go by itself: at once.
    assert_eq!(gathered(0, 3).await, [(1, 0), (1, 110), (1, 220)]);
    assert_eq!(gathered(4, 1).await, [(1, 0)]);
}

#[tokio::test]
async fn what_comes_later_is_taken_at_once() {
    let testbed = DriverTestbed::new();
    let stage = Scripted::new(&testbed.clock, Queue::Delay);
    let sender = async {
        testbed.clock.sleep(SECOND * 10).await;
        let message = NewMessage { body: "x".to_owned(), lead: None, delay: SECOND * 100 };
        testbed.memory.send(Queue::Delay, message).await.unwrap();
        testbed.clock.sleep(SECOND * 101).await;
        stage.seen()
    };
    let workers = testbed.workers(stage.clone(), 4, 1).run(CancellationToken::new());
    let (sender, workers) = (pin!(sender), pin!(workers));
    let Either::Left((seen, _)) = testbed.clock.run(select(sender, workers)).await else {
        panic!("workers end when they are stopped")
    };
    assert_eq!(seen, ["x"]);
}

#[tokio::test]
async fn a_panic_fails_only_the_message_that_causes_it() {
    for queue in Queue::ALL {
        let testbed = DriverTestbed::new();
        testbed.send(queue, &["a", "panics", "b"]).await;
        let stage = Scripted::new(&testbed.clock, queue);
        testbed.work_for(SECOND * 4, testbed.workers(stage.clone(), 4, 100)).await;
        assert_eq!(testbed.depth(queue).await, Depth { waiting: 1, ..Depth::default() }, "{queue:?}");
        testbed.clock.advance(SECOND * 5);
        let again = testbed.memory.receive(queue, 9).await.unwrap();
        assert_eq!((again[0].body.as_str(), again[0].receives), ("panics", 2));
    }
}

#[tokio::test]
async fn a_message_that_always_panics_ends_as_a_dead_letter() {
    let testbed = DriverTestbed::new();
    testbed.send(Queue::Delay, &["panics"]).await;
    testbed.work_for(HOUR, testbed.workers(Scripted::new(&testbed.clock, Queue::Delay), 4, 1)).await;
    let (letters, _) = DeadLetters::list(&testbed.memory, None, 9).await.unwrap();
    assert_eq!((letters[0].code, letters[0].attempts), (Code::Abandoned, 3));
}

#[tokio::test]
async fn long_work_stays_invisible_to_others_and_endless_work_is_given_up() {
    let testbed = DriverTestbed::new();
    testbed.send(Queue::Delay, &["slow", "hangs"]).await;
    let stage = Scripted::new(&testbed.clock, Queue::Delay);
    testbed.work_for(SECOND * 890, testbed.workers(stage.clone(), 4, 1)).await;
    assert_eq!(stage.seen(), ["hangs", "slow"], "nobody else has taken either");
    assert_eq!(testbed.depth(Queue::Delay).await, Depth { in_flight: 1, ..Depth::default() });
    testbed.work_for(HOUR, testbed.workers(stage.clone(), 4, 1)).await;
    let (letters, _) = DeadLetters::list(&testbed.memory, None, 9).await.unwrap();
    assert_eq!(letters.len(), 1, "as often as its queue allows");
}

#[tokio::test]
async fn at_a_stop_work_in_hand_is_finished_or_given_back_and_no_more_is_taken() {
    let testbed = DriverTestbed::new();
    testbed.send(Queue::Delay, &["a", "hangs", "b"]).await;
    let stage = Scripted::new(&testbed.clock, Queue::Delay);
    let stop = CancellationToken::new();
    let stopping = async {
        testbed.clock.sleep(SECOND / 2).await;
        stop.cancel();
        testbed.send(Queue::Delay, &["later"]).await;
    };
    let workers = testbed.workers(stage.clone(), 4, 1);
    testbed.clock.run(join(workers.run(stop.clone()), stopping)).await;
    assert_eq!(testbed.clock.elapsed(), SECOND / 2 + SECOND * 10);
    assert_eq!(stage.seen(), ["a", "b", "hangs"]);
    let left = testbed.memory.receive(Queue::Delay, 9).await.unwrap();
    let mut left: Vec<_> = left.iter().map(|one| (one.body.as_str(), one.receives)).collect();
    left.sort_unstable();
    assert_eq!(left, [("hangs", 1), ("later", 1)], "this time does not count as a receive");
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_is_tried_again_and_at_last_left_to_the_queue() {
    let fails = || InjectedFault::Fail(Fault::new(Code::StorageFailed, "planned"));
    for (times, seen) in [(5, 1), (6, 2)] {
        let testbed = DriverTestbed::new();
        testbed.send(Queue::Delay, &["a"]).await;
        (1..=times).for_each(|nth| testbed.faults.at(nth, Call::Settle, Moment::Before, fails()));
        let stage = Scripted::new(&testbed.clock, Queue::Delay);
        testbed.work_for(HOUR, testbed.workers(stage.clone(), 4, 1)).await;
        assert_eq!((stage.seen().len(), testbed.depth(Queue::Delay).await), (seen, Depth::default()));
    }
}

#[tokio::test]
async fn queues_that_fail_are_asked_again_with_pauses() {
    let testbed = DriverTestbed::new();
    testbed.send(Queue::Delay, &["a"]).await;
    let fails = || InjectedFault::Fail(Fault::new(Code::StorageFailed, "planned"));
    (1..=4).for_each(|nth| testbed.faults.at(nth, Call::Receive, Moment::Before, fails()));
    let stage = Scripted::new(&testbed.clock, Queue::Delay);
    testbed.work_for(SECOND * 2, testbed.workers(stage.clone(), 4, 1)).await;
    assert_eq!(stage.seen(), Vec::<String>::new());
    testbed.work_for(SECOND * 5, testbed.workers(stage.clone(), 4, 1)).await;
    assert_eq!(stage.seen(), ["a"]);
}

#[tokio::test]
async fn by_a_deadline_each_message_has_its_own_outcome_and_what_is_late_is_left_to_the_queue() {
    let testbed = DriverTestbed::new();
    testbed.send(Queue::Delay, &["a", "hangs", "panics", "b"]).await;
    let deliveries = testbed.memory.receive(Queue::Delay, 9).await.unwrap();
    let driver = testbed.driver(Scripted::new(&testbed.clock, Queue::Delay));
    let driver = Driver { after_panic: None, settle_attempts: 1, ..driver };
    let deadline = testbed.clock.now() + SECOND * 20;
    let left = testbed.clock.run(driver.work_on(&deliveries, Some(deadline))).await;
    let body = |id: &String| deliveries.iter().find(|delivery| delivery.id == *id).unwrap().body.clone();
    let left: Vec<String> = left.iter().map(body).collect();
    assert_eq!(
        (left.as_slice(), testbed.clock.elapsed()),
        (&["hangs".into(), "panics".into()][..], SECOND * 20)
    );
    assert_eq!(testbed.depth(Queue::Delay).await, Depth { in_flight: 2, ..Depth::default() });
}

#[tokio::test]
async fn what_a_dead_predecessor_had_in_hand_is_taken_over_at_once_and_labelled() {
    let harness = Harness::new();
    let lead = harness.enrich("a").await;
    harness.slack.answer([Reply::Hang]);
    harness.notify_and_crash().await;
    let claimed = harness.receipt(&lead).await.unwrap();
    assert!(matches!(claimed.state, ReceiptState::Claimed { .. }));
    assert!(harness.take_alerts().await.is_empty(), "it is out of sight");
    assert_eq!(harness.memory.in_flight(Queue::Notification).await.unwrap().len(), 1);
    take_over(&harness.memory, &harness.notify.receipts).await.unwrap();
    assert!(harness.notify_ready().await);
    let shown = harness.slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions("Possible repeat") && !shown[0].mentions("Possible repeat"));
}

#[tokio::test]
async fn an_alert_that_is_left_off_at_a_stop_waits_for_no_claim_and_is_labelled() {
    let harness = Harness::new();
    let lead = harness.enrich("a").await;
    harness.slack.answer([Reply::Hang]);
    let Harness { notify, memory, clock, slack, settings, .. } = &harness;
    let stage = Notify {
        settings: settings.clone(),
        objects: notify.objects.clone(),
        receipts: notify.receipts.clone(),
        recorder: notify.recorder.clone(),
        destinations: notify.destinations.clone(),
        limiters: notify.limiters.clone(),
    };
    let stop = CancellationToken::new();
    let driver = Driver {
        stage: Arc::new(stage),
        inbox: Arc::new(memory.clone()),
        clock: clock.clone(),
        settle_attempts: 6,
        after_panic: None,
    };
    let spawn: Spawn = Arc::new(|work| work);
    let workers = Workers { driver, queues: Arc::new(memory.clone()), at_once: 2, batch: 100, spawn };
    let stopping = async {
        clock.sleep(SECOND).await;
        stop.cancel();
    };
    clock.run(join(workers.run(stop.clone()), stopping)).await;
    let claimed = harness.receipt(&lead).await.unwrap();
    assert!(matches!(claimed.state, ReceiptState::Claimed { .. }));
    assert!(harness.notify_ready().await, "as soon as somebody looks");
    let shown = slack.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown[1].mentions("Possible repeat") && !shown[0].mentions("Possible repeat"));
}
