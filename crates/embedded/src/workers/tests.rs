use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use pipeline::ports::{Clock, DeadLetters, Depth, NewMessage, Outbox};
use tokio::{sync::Notify as Signal, task::JoinHandle};

use super::*;
use crate::store::testing::Bench;

fn worker(store: &Store, queue: Queue, batch: usize) -> Worker {
    let (store, shutdown) = (store.clone(), CancellationToken::new());
    Worker { store, queue, at_once: 4, batch, shutdown }
}

async fn send(store: &Store, queue: Queue, count: usize) {
    let sends = (0..count).map(|number| {
        store.send(queue, NewMessage { body: number.to_string(), lead: None, delay: Duration::ZERO })
    });
    assert!(join_all(sends).await.iter().all(Result::is_ok));
}

/// Runs `stage` until the queue is as `expected`.
async fn run_until<S, W>(worker: Worker, stage: S, expected: Depth)
where
    S: Fn(Arc<[Delivery]>) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = Vec<Disposition>> + Send + 'static,
{
    let (store, queue, shutdown) = (worker.store.clone(), worker.queue, worker.shutdown.clone());
    let running: JoinHandle<()> = tokio::spawn(worker.run(stage));
    let reached = async {
        while store.depth(queue).await.unwrap() != expected {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap();
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn every_message_is_worked_on_once_and_no_more_than_allowed_at_once() {
    let bench = Bench::new();
    let store = bench.store();
    send(&store, Queue::Delay, 100).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let busy = Arc::new(AtomicUsize::new(0));
    let stage = {
        let seen = Arc::clone(&seen);
        move |deliveries: Arc<[Delivery]>| {
            let (seen, busy) = (Arc::clone(&seen), Arc::clone(&busy));
            async move {
                assert!(busy.fetch_add(1, Ordering::SeqCst) < 4);
                tokio::task::yield_now().await;
                seen.lock().unwrap().extend(deliveries.iter().map(|delivery| delivery.body.clone()));
                busy.fetch_sub(1, Ordering::SeqCst);
                vec![Disposition::Done; deliveries.len()]
            }
        }
    };
    run_until(worker(&store, Queue::Delay, 1), stage, Depth::default()).await;
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_by_key(|body| body.parse::<usize>().unwrap());
    assert_eq!(seen, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_panic_fails_only_the_message_that_causes_it() {
    let bench = Bench::new();
    let store = bench.store();
    send(&store, Queue::Notification, 10).await;
    let stage = |deliveries: Arc<[Delivery]>| async move {
        assert!(deliveries.iter().all(|delivery| delivery.body != "7"), "meant to");
        vec![Disposition::Done; deliveries.len()]
    };
    let rest = Depth { waiting: 1, ..Depth::default() };
    run_until(worker(&store, Queue::Notification, 100), stage, rest).await;
    bench.clock.advance(PANIC_PAUSE);
    assert_eq!(store.receive(Queue::Notification, 9).await.unwrap()[0].receives, 2);
}

#[tokio::test]
async fn a_message_that_always_panics_ends_as_a_dead_letter() {
    let bench = Bench::new();
    let store = bench.store();
    send(&store, Queue::Delay, 1).await;
    let clock = Arc::clone(&bench.clock);
    let stage = move |_: Arc<[Delivery]>| {
        clock.advance(PANIC_PAUSE * 2);
        async { panic!("meant to") }
    };
    let passing = {
        let clock = Arc::clone(&bench.clock);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                clock.advance(Duration::from_secs(1));
            }
        })
    };
    run_until(worker(&store, Queue::Delay, 1), stage, Depth { dead: 1, ..Depth::default() }).await;
    passing.abort();
    let (letters, _) = DeadLetters::list(&store, None, 9).await.unwrap();
    assert_eq!((letters[0].code, letters[0].attempts), (Code::Abandoned, 3));
    assert_eq!(store.oldest().await.unwrap().map(|at| at.as_second()), Some(letters[0].dead_at.as_second()));
    assert!(bench.clock.now() >= letters[0].dead_at);
}

#[tokio::test]
async fn at_a_shutdown_work_in_hand_is_finished_or_given_back() {
    let bench = Bench::new();
    let store = bench.store();
    send(&store, Queue::Delay, 4).await;
    let (begun, finish) = (Arc::new(Semaphore::new(0)), Arc::new(Signal::new()));
    let stage = {
        let (begun, finish) = (Arc::clone(&begun), Arc::clone(&finish));
        move |deliveries: Arc<[Delivery]>| {
            let (begun, finish) = (Arc::clone(&begun), Arc::clone(&finish));
            async move {
                begun.add_permits(1);
                match deliveries[0].body.as_str() {
                    "0" => std::future::pending().await,
                    _ => finish.notified().await,
                }
                vec![Disposition::Done]
            }
        }
    };
    let worker = worker(&store, Queue::Delay, 1);
    let shutdown = worker.shutdown.clone();
    let running = tokio::spawn(worker.run(stage));
    let _all = begun.acquire_many(4).await.unwrap();
    shutdown.cancel();
    tokio::task::yield_now().await;
    finish.notify_waiters();
    while store.depth(Queue::Delay).await.unwrap().in_flight > 1 {
        tokio::task::yield_now().await;
    }
    // The farewell passes at once.
    tokio::time::pause();
    running.await.unwrap();
    tokio::time::resume();
    let left = store.receive(Queue::Delay, 9).await.unwrap();
    assert_eq!((left.len(), left[0].body.as_str(), left[0].receives), (1, "0", 1));
}
