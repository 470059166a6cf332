//! [`DeadLetters`](pipeline::ports::DeadLetters).

use std::{sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use pipeline::{
    Code,
    ports::{Body, DeadLetterCause, Depth, Disposition, NewMessage, Queue},
};

use super::{SECOND, Subject, TICK, lead, why};

const QUEUE: Queue = Queue::Notification;

/// Code, reason, attempts and lead are what the worker said; the body is the message's.
pub async fn a_dead_letter_says_why_and_keeps_its_body(subject: Subject) {
    subject.send(QUEUE, "the body", Duration::ZERO).await;
    subject.pass(SECOND);
    let delivery = subject.receive_one(QUEUE).await;
    subject.settle(QUEUE, &delivery, Disposition::Dead(why("404 no_service"))).await;
    let (letters, total) = subject.dead_letters.list(None, 10).await.unwrap();
    assert_eq!((letters.len(), total), (1, 1));
    let letter = letters.first().unwrap().clone();
    assert_eq!((letter.queue, letter.code, letter.attempts), (QUEUE, Code::SlackWebhookGone, 2));
    assert_eq!((letter.reason.as_str(), letter.lead_id.clone()), ("404 no_service", Some(lead("a"))));
    assert_eq!((letter.first_failed_at, letter.dead_at), (subject.now(), subject.now()));
    let got = subject.dead_letters.get(&letter.id).await.unwrap();
    assert_eq!(got, Some((letter, "the body".to_owned())));
}

/// Retries come before the death; the first of them is when it failed first.
pub async fn the_time_of_the_first_failure_is_kept(subject: Subject) {
    subject.send(QUEUE, "x", Duration::ZERO).await;
    let first_failed_at = subject.now();
    for _ in 0..2 {
        let delivery = subject.receive_one(QUEUE).await;
        subject.settle(QUEUE, &delivery, Disposition::Retry(SECOND)).await;
        subject.pass(SECOND);
    }
    let delivery = subject.receive_one(QUEUE).await;
    subject.settle(QUEUE, &delivery, Disposition::Dead(why("x"))).await;
    let (letters, _) = subject.dead_letters.list(None, 1).await.unwrap();
    let letter = letters.first().unwrap();
    assert_eq!((letter.first_failed_at, letter.dead_at), (first_failed_at, subject.now()));
}

/// Nobody knows what it is about: neither who sent it nor who read it.
pub async fn an_unreadable_message_dies_without_a_lead(subject: Subject) {
    // Not even SQS takes control characters, so there is none in it.
    let body = "\u{202e}]junk".to_owned();
    let message = NewMessage { body: body.clone(), lead: None, delay: Duration::ZERO };
    subject.outbox.send(QUEUE, message).await.unwrap();
    let delivery = subject.receive_one(QUEUE).await;
    let why = DeadLetterCause {
        code: Code::AlertUnreadable,
        reason: "no alert".to_owned(),
        attempts: 1,
        lead: None,
    };
    subject.settle(QUEUE, &delivery, Disposition::Dead(why)).await;
    let (mut letters, _) = subject.dead_letters.list(None, 10).await.unwrap();
    let letter = letters.remove(0);
    assert_eq!((&letter.lead_id, letter.code), (&None, Code::AlertUnreadable));
    assert_eq!(subject.dead_letters.get(&letter.id).await.unwrap(), Some((letter, body)));
}

/// Of a long list the start comes, and the length of all of it.
pub async fn the_latest_come_first_and_all_are_counted(subject: Subject) {
    for number in 0..5 {
        subject.kill(QUEUE, "x", why(&number.to_string())).await;
        subject.pass(SECOND);
    }
    let (letters, total) = subject.dead_letters.list(None, 3).await.unwrap();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!((reasons.as_slice(), total), (&["4", "3", "2"][..], 5));
    assert_eq!(subject.dead_letters.list(None, 0).await.unwrap(), (vec![], 5));
}

/// Of both queues; none where there is none.
pub async fn the_oldest_is_the_first_that_died(subject: Subject) {
    assert_eq!(subject.dead_letters.oldest().await.unwrap(), None);
    let first = subject.now();
    let id = subject.kill(Queue::Delay, "x", why("x")).await;
    subject.pass(SECOND);
    let second = subject.now();
    subject.kill(Queue::Notification, "x", why("x")).await;
    assert_eq!(subject.dead_letters.oldest().await.unwrap(), Some(first));
    subject.dead_letters.delete(&id).await.unwrap();
    assert_eq!(subject.dead_letters.oldest().await.unwrap(), Some(second));
}

/// And its count too; without a queue there are both.
pub async fn a_queues_listing_leaves_the_other_out(subject: Subject) {
    subject.kill(Queue::Delay, "d", why("d")).await;
    subject.pass(SECOND);
    subject.kill(Queue::Notification, "n", why("n")).await;
    let mut found = Vec::new();
    for queue in [Some(Queue::Delay), Some(Queue::Notification), None] {
        let (letters, total) = subject.dead_letters.list(queue, 10).await.unwrap();
        found.push((letters.into_iter().map(|letter| letter.reason).collect::<String>(), total));
    }
    assert_eq!(found, [("d".to_owned(), 1), ("n".to_owned(), 1), ("nd".to_owned(), 2)]);
    for queue in Queue::ALL {
        assert_eq!(subject.inbox.depth(queue).await.unwrap(), Depth { dead: 1, ..Depth::default() });
    }
}

/// In the queue that it died in, as if it had never been received.
pub async fn a_redriven_message_is_due_at_once_with_its_body_and_no_attempts(subject: Subject) {
    for queue in Queue::ALL {
        let id = subject.kill(queue, "the body", why("x")).await;
        assert!(subject.dead_letters.redrive(&id, Body::AsIs).await.unwrap());
        assert_eq!(subject.inbox.depth(queue).await.unwrap(), Depth { ready: 1, ..Depth::default() });
        assert_eq!(subject.dead_letters.get(&id).await.unwrap(), None);
        let delivery = subject.receive_one(queue).await;
        assert_eq!((delivery.body.as_str(), delivery.receives), ("the body", 1));
        for _ in 1..subject.rules.max_receives {
            subject.pass(subject.rules.visibility);
            subject.receive_one(queue).await;
        }
    }
}

/// The operator's body is delivered instead.
pub async fn a_redriven_message_may_be_edited(subject: Subject) {
    let id = subject.kill(QUEUE, "old", why("x")).await;
    assert!(subject.dead_letters.redrive(&id, Body::Edited("new".to_owned())).await.unwrap());
    assert_eq!(subject.receive_one(QUEUE).await.body, "new");
}

/// It can die again, for another reason, and be redriven again.
pub async fn what_is_redriven_dies_as_a_new_dead_letter(subject: Subject) {
    let id = subject.kill(QUEUE, "x", why("first")).await;
    assert!(subject.dead_letters.redrive(&id, Body::AsIs).await.unwrap());
    subject.pass(SECOND);
    let delivery = subject.receive_one(QUEUE).await;
    subject.settle(QUEUE, &delivery, Disposition::Dead(why("second"))).await;
    let (letters, total) = subject.dead_letters.list(None, 10).await.unwrap();
    let letter = letters.first().unwrap();
    assert_eq!((letter.reason.as_str(), total), ("second", 1));
    assert_eq!((letter.first_failed_at, letter.dead_at), (subject.now(), subject.now()));
    assert!(subject.dead_letters.redrive(&letter.id, Body::AsIs).await.unwrap());
    assert_eq!(subject.receive_one(QUEUE).await.body, "x");
}

/// Whether it never was or is gone, and whatever its id looks like.
pub async fn an_unknown_dead_letter_is_none(subject: Subject) {
    let gone = subject.kill(QUEUE, "x", why("x")).await;
    assert!(subject.dead_letters.redrive(&gone, Body::AsIs).await.unwrap());
    for id in [gone.as_str(), "", "0", "-1", "99999999999999999999", "no id", "' OR 1=1 --"] {
        assert_eq!(subject.dead_letters.get(id).await.unwrap(), None, "{id:?}");
        assert!(!subject.dead_letters.redrive(id, Body::AsIs).await.unwrap(), "{id:?}");
        assert!(!subject.dead_letters.delete(id).await.unwrap(), "{id:?}");
    }
    assert_eq!(subject.inbox.depth(QUEUE).await.unwrap(), Depth { ready: 1, ..Depth::default() });
}

/// Eight operators redrive the same one: one message.
pub async fn of_racing_redrives_exactly_one_sends(subject: Subject) {
    for _ in 0..10 {
        let id = subject.kill(QUEUE, "x", why("x")).await;
        let redrives = (0..8).map(|_| {
            let (dead_letters, id) = (Arc::clone(&subject.dead_letters), id.clone());
            tokio::spawn(async move { dead_letters.redrive(&id, Body::AsIs).await.unwrap() })
        });
        let sent = join_all(redrives).await.into_iter().map(Result::unwrap).filter(|sent| *sent).count();
        assert_eq!(sent, 1);
        let delivery = subject.receive_one(QUEUE).await;
        subject.settle(QUEUE, &delivery, Disposition::Done).await;
    }
}

/// One redrives, another deletes: it is in the queue or gone, and each gets a true answer.
pub async fn a_racing_redrive_and_delete_do_not_both_succeed(subject: Subject) {
    for _ in 0..10 {
        let id = subject.kill(QUEUE, "x", why("x")).await;
        let (redriver, deleter) = (Arc::clone(&subject.dead_letters), Arc::clone(&subject.dead_letters));
        let redriven = id.clone();
        let (redriven, deleted) = join(
            tokio::spawn(async move { redriver.redrive(&redriven, Body::AsIs).await.unwrap() }),
            tokio::spawn(async move { deleter.delete(&id).await.unwrap() }),
        )
        .await;
        let (redriven, deleted) = (redriven.unwrap(), deleted.unwrap());
        assert_ne!(redriven, deleted);
        let deliveries = subject.receive(QUEUE).await;
        assert_eq!(deliveries.len(), usize::from(redriven));
        for delivery in deliveries {
            subject.settle(QUEUE, &delivery, Disposition::Done).await;
        }
    }
}

/// That one alone, and not into the queue.
pub async fn delete_takes_the_dead_letter_away(subject: Subject) {
    let stays = subject.kill(QUEUE, "kept", why("kept")).await;
    subject.pass(TICK);
    let id = subject.kill(QUEUE, "x", why("x")).await;
    assert!(subject.dead_letters.delete(&id).await.unwrap());
    assert_eq!(subject.inbox.depth(QUEUE).await.unwrap(), Depth { dead: 1, ..Depth::default() });
    assert!(subject.dead_letters.get(&stays).await.unwrap().is_some());
}
