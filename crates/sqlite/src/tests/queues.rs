//! Delivery: when, how often, and to whom.

use std::time::Duration;

use pipeline::{
    Code, Ended, JournalEvent,
    ports::{
        Body, DeadLetterCause, DeadLetters, Delivery, Depth, Disposition, History, Inbox, Intake, NewMessage,
        Outbox, Queue, WorkQueues,
    },
};

use crate::{
    Store,
    testing::{TestStore, event, lead},
};

const MINUTE: Duration = Duration::from_secs(60);

fn message(body: &str, delay: Duration) -> NewMessage {
    NewMessage { body: body.to_owned(), lead: None, delay }
}

async fn bodies(store: &Store, queue: Queue) -> Vec<String> {
    store.receive(queue, 10).await.unwrap().into_iter().map(|delivery| delivery.body).collect()
}

async fn one(store: &Store, queue: Queue) -> Delivery {
    let mut deliveries = store.receive(queue, 1).await.unwrap();
    deliveries.pop().unwrap()
}

#[tokio::test]
async fn nothing_is_early_whatever_the_wall_clock_does() {
    let bench = TestStore::new();
    let store = bench.store();
    store.send(Queue::Delay, message("a", MINUTE)).await.unwrap();
    bench.clock.advance(MINUTE - Duration::from_millis(1));
    assert!(bodies(&store, Queue::Delay).await.is_empty());
    bench.clock.step(-3_600);
    bench.clock.advance(MINUTE * 59);
    assert!(bodies(&store, Queue::Delay).await.is_empty());
    bench.clock.step(3_600);
    assert_eq!(bodies(&store, Queue::Delay).await, ["a"]);
}

#[tokio::test]
async fn the_longest_ready_come_first_and_each_once() {
    let bench = TestStore::new();
    let store = bench.store();
    for (body, seconds) in [("c", 3), ("a", 1), ("b", 2), ("d", 4)] {
        store.send(Queue::Delay, message(body, Duration::from_secs(seconds))).await.unwrap();
    }
    store.send(Queue::Notification, message("other", Duration::ZERO)).await.unwrap();
    bench.clock.advance(Duration::from_secs(3));
    let first = store.receive(Queue::Delay, 2).await.unwrap();
    assert_eq!([&*first[0].body, &*first[1].body], ["a", "b"]);
    let depth = store.depth(Queue::Delay).await.unwrap();
    assert_eq!(depth, Depth { waiting: 1, ready: 1, in_flight: 2, dead: 0 });
    assert_eq!(bodies(&store, Queue::Delay).await, ["c"]);
}

#[tokio::test]
async fn a_message_without_an_outcome_comes_back_and_an_old_handle_is_worth_nothing() {
    let bench = TestStore::new();
    let store = bench.store();
    store.send(Queue::Delay, message("a", Duration::ZERO)).await.unwrap();
    let first = one(&store, Queue::Delay).await;
    bench.clock.advance(MINUTE);
    let second = one(&store, Queue::Delay).await;
    assert_eq!((&first.id, first.receives, second.receives), (&second.id, 1, 2));
    assert_ne!(first.handle, second.handle);
    let dead = DeadLetterCause { code: Code::Internal, reason: "late".to_owned(), attempts: 1, lead: None };
    for late in [Disposition::Done, Disposition::Retry(Duration::ZERO), Disposition::Dead(dead)] {
        store.settle(Queue::Delay, &first, late).await.unwrap();
    }
    assert_eq!(store.depth(Queue::Delay).await.unwrap(), Depth { in_flight: 1, ..Depth::default() });
    store.settle(Queue::Delay, &second, Disposition::Done).await.unwrap();
    assert_eq!(store.depth(Queue::Delay).await.unwrap(), Depth::default());
}

#[tokio::test]
async fn an_outcome_after_the_visibility_counts_while_nobody_else_has_the_message() {
    let bench = TestStore::new();
    let store = bench.store();
    store.send(Queue::Delay, message("a", Duration::ZERO)).await.unwrap();
    let delivery = one(&store, Queue::Delay).await;
    bench.clock.advance(MINUTE * 5);
    store.settle(Queue::Delay, &delivery, Disposition::Done).await.unwrap();
    assert!(bodies(&store, Queue::Delay).await.is_empty());
}

#[tokio::test]
async fn after_three_deliveries_without_an_outcome_the_lead_ends_as_a_dead_letter() {
    let bench = TestStore::new();
    let store = bench.store();
    store.accept(event(&*bench.clock, 1)).await.unwrap();
    bench.clock.advance(MINUTE * 10);
    for _ in 0..3 {
        assert_eq!(store.receive(Queue::Delay, 9).await.unwrap().len(), 1);
        bench.clock.advance(MINUTE);
    }
    assert!(bodies(&store, Queue::Delay).await.is_empty());
    let (letters, total) = DeadLetters::list(&store, Some(Queue::Delay), 9).await.unwrap();
    assert_eq!((letters.len(), total), (1, 1));
    let letter = &letters[0];
    assert_eq!((letter.code, letter.attempts, letter.lead_id.clone()), (Code::Abandoned, 3, Some(lead(1))));
    assert_eq!(letter.dead_at.duration_since(letter.first_failed_at).as_secs(), 120);
    let progress = store.progress(&lead(1)).await.unwrap().unwrap();
    assert!(matches!(progress.ended, Some((Ended::Dead, at)) if at == letter.dead_at));
    let story = store.of_lead(&lead(1)).await.unwrap();
    assert!(matches!(story[1].event, JournalEvent::Dead { code: Code::Abandoned, attempts: 3, .. }));
    assert!(store.redrive(&letter.id, Body::AsIs).await.unwrap());
    assert!(!store.redrive(&letter.id, Body::AsIs).await.unwrap());
    assert_eq!(one(&store, Queue::Delay).await.receives, 1);
}

#[tokio::test]
async fn a_dead_letter_can_be_read_edited_and_deleted() {
    let bench = TestStore::new();
    let store = bench.store();
    for body in ["a", "b"] {
        store.send(Queue::Notification, message(body, Duration::ZERO)).await.unwrap();
        let delivery = one(&store, Queue::Notification).await;
        store.settle(Queue::Notification, &delivery, Disposition::Retry(MINUTE)).await.unwrap();
        bench.clock.advance(MINUTE);
        let delivery = one(&store, Queue::Notification).await;
        let reason = "404 no_service".to_owned();
        let why = DeadLetterCause { code: Code::SlackWebhookGone, reason, attempts: 2, lead: Some(lead(7)) };
        store.settle(Queue::Notification, &delivery, Disposition::Dead(why)).await.unwrap();
    }
    let (letters, total) = DeadLetters::list(&store, None, 1).await.unwrap();
    assert_eq!((letters.len(), total), (1, 2));
    let (letter, body) = DeadLetters::get(&store, &letters[0].id).await.unwrap().unwrap();
    assert_eq!((&letter, body.as_str()), (&letters[0], "b"));
    assert_eq!((letter.code, letter.lead_id), (Code::SlackWebhookGone, Some(lead(7))));
    assert_eq!(letter.dead_at.duration_since(letter.first_failed_at).as_secs(), 60);
    // The stage has written its entry itself.
    assert!(store.of_lead(&lead(7)).await.unwrap().is_empty());
    assert!(store.redrive(&letter.id, Body::Edited("c".to_owned())).await.unwrap());
    assert_eq!(bodies(&store, Queue::Notification).await, ["c"]);
    let (rest, _) = DeadLetters::list(&store, Some(Queue::Notification), 9).await.unwrap();
    assert!(store.delete(&rest[0].id).await.unwrap() && !store.delete(&rest[0].id).await.unwrap());
    for nonsense in ["", "x", "-1", "99999999999999999999"] {
        assert!(!store.delete(nonsense).await.unwrap());
        assert_eq!(DeadLetters::get(&store, nonsense).await, Ok(None));
    }
    assert_eq!(store.depth(Queue::Notification).await.unwrap().dead, 0);
}

#[tokio::test]
async fn what_a_killed_process_had_in_hand_is_ready_at_once() {
    let bench = TestStore::new();
    let killed = bench.store();
    killed.send(Queue::Delay, message("a", Duration::ZERO)).await.unwrap();
    killed.send(Queue::Delay, message("b", MINUTE)).await.unwrap();
    let lost = one(&killed, Queue::Delay).await;
    let store = bench.store();
    assert!(bodies(&store, Queue::Delay).await.is_empty());
    assert_eq!(store.in_flight(Queue::Delay).await, Ok(vec!["a".to_owned()]));
    assert_eq!(store.in_flight(Queue::Notification).await, Ok(vec![]));
    assert_eq!(store.release_in_flight().await, Ok(1));
    killed.settle(Queue::Delay, &lost, Disposition::Done).await.unwrap();
    assert_eq!(one(&store, Queue::Delay).await.receives, 2);
    assert!(bodies(&store, Queue::Delay).await.is_empty());
}

#[tokio::test]
async fn a_lead_that_was_in_hand_at_many_deaths_rests_and_an_alert_does_not() {
    let bench = TestStore::new();
    let mut options = bench.options();
    options.delay.max_receives = 100;
    let store = Store::open(bench.dir.path(), options).unwrap();
    for queue in Queue::ALL {
        store.send(queue, message("a", Duration::ZERO)).await.unwrap();
    }
    let mut waits = Vec::new();
    for _ in 0..14 {
        assert_eq!(bodies(&store, Queue::Notification).await, ["a"], "at once");
        let mut waited = 0;
        while bodies(&store, Queue::Delay).await.is_empty() {
            bench.clock.advance(Duration::from_secs(10));
            waited += 10;
        }
        waits.push(waited);
        assert_eq!(store.release_in_flight().await, Ok(2));
    }
    assert_eq!(waits, [0, 0, 0, 0, 0, 0, 20, 40, 80, 160, 320, 640, 900, 900]);
}

#[tokio::test]
async fn what_is_given_back_has_lost_no_attempt() {
    let bench = TestStore::new();
    let store = bench.store();
    store.send(Queue::Delay, message("a", Duration::ZERO)).await.unwrap();
    for _ in 0..10 {
        let delivery = one(&store, Queue::Delay).await;
        assert_eq!(delivery.receives, 1);
        store.give_back(Queue::Delay, &delivery, Duration::ZERO).await.unwrap();
        store.give_back(Queue::Delay, &delivery, Duration::ZERO).await.unwrap();
    }
}

/// Waits until a message of the delay queue is ready, letting a second pass whenever nothing happens.
async fn seconds_until_ready(bench: &TestStore, store: &Store) -> u32 {
    let mut wait = std::pin::pin!(store.wait_ready(Queue::Delay));
    let mut seconds = 0;
    loop {
        match tokio::time::timeout(Duration::from_millis(20), &mut wait).await {
            Ok(ready) => {
                ready.unwrap();
                return seconds;
            }
            Err(_) => {
                seconds += 1;
                assert!(seconds < 100, "not woken");
                bench.clock.advance(Duration::from_secs(1));
            }
        }
    }
}

#[tokio::test]
async fn who_waits_is_woken_when_a_message_is_due() {
    let bench = TestStore::new();
    let store = bench.store();
    store.send(Queue::Delay, message("a", Duration::from_secs(5))).await.unwrap();
    assert!(seconds_until_ready(&bench, &store).await >= 5);
    assert_eq!(bodies(&store, Queue::Delay).await, ["a"]);
}

#[tokio::test]
async fn who_waits_notices_that_the_clock_was_set() {
    let bench = TestStore::new();
    let store = bench.store();
    store.send(Queue::Delay, message("a", MINUTE * 15)).await.unwrap();
    let wait = tokio::spawn({
        let store = store.clone();
        async move { store.wait_ready(Queue::Delay).await }
    });
    tokio::task::yield_now().await;
    bench.clock.step(3_600);
    assert!(seconds_until_ready(&bench, &store).await < 5);
    wait.await.unwrap().unwrap();
}

#[tokio::test]
async fn no_wake_up_is_missed_here_or_from_another_store_on_the_file() {
    let bench = TestStore::new();
    let (store, other) = (bench.store(), bench.store());
    for (sender, times) in [(&store, 100), (&other, 3)] {
        for n in 0..times {
            let waiting = tokio::spawn({
                let store = store.clone();
                async move { store.wait_ready(Queue::Notification).await }
            });
            if n % 2 == 0 {
                tokio::task::yield_now().await;
            }
            sender.send(Queue::Notification, message("a", Duration::ZERO)).await.unwrap();
            let woken = tokio::time::timeout(Duration::from_secs(30), waiting).await;
            woken.expect("woken").unwrap().unwrap();
            let delivery = one(&store, Queue::Notification).await;
            store.settle(Queue::Notification, &delivery, Disposition::Done).await.unwrap();
        }
    }
}
