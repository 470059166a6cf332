//! [`Outbox`](pipeline::ports::Outbox) and [`Inbox`](pipeline::ports::Inbox).

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use pipeline::{
    Code,
    ports::{Depth, Disposition, MAX_DELAY, Queue},
};

use super::{SECOND, Subject, TICK, lead, why};

const NOW: Duration = Duration::ZERO;
const QUEUE: Queue = Queue::Notification;

/// Body, time of sending and the count of receives are what they were; nothing is ready in an empty
/// queue.
pub async fn a_message_is_received_as_it_was_sent(subject: Subject) {
    assert_eq!(subject.receive(QUEUE).await, []);
    let sent_at = subject.now();
    let body = "{\"lead_id\":\"lead_a\",\"text\":\"株 'quoted' \\n 🚀\"}";
    subject.send(QUEUE, body, NOW).await;
    subject.pass(SECOND);
    let delivery = subject.receive_one(QUEUE).await;
    assert_eq!((delivery.body.as_str(), delivery.sent_at, delivery.receives), (body, sent_at, 1));
}

/// What is sent to one queue is not received from the other.
pub async fn the_queues_are_apart(subject: Subject) {
    subject.send(Queue::Delay, "delay", NOW).await;
    assert_eq!(subject.receive(Queue::Notification).await, []);
    subject.send(Queue::Notification, "notification", NOW).await;
    assert_eq!(subject.receive_one(Queue::Delay).await.body, "delay");
    assert_eq!(subject.receive_one(Queue::Notification).await.body, "notification");
}

/// Not before its delay is over, and then.
pub async fn a_delayed_message_is_not_received_early(subject: Subject) {
    for (delay, queue) in [(SECOND, Queue::Notification), (MAX_DELAY, Queue::Delay)] {
        subject.send(queue, "x", delay).await;
        subject.pass(delay - TICK);
        assert_eq!(subject.receive(queue).await, [], "{delay:?}");
        subject.pass(TICK);
        subject.receive_one(queue).await;
    }
}

/// `most` is kept, and what is left comes next. In which order they come is not promised: SQS keeps
/// none.
pub async fn no_more_are_received_than_wanted(subject: Subject) {
    for (body, delay) in [("3", SECOND * 3), ("1", SECOND), ("2", SECOND * 2), ("late", SECOND * 9)] {
        subject.send(QUEUE, body, delay).await;
    }
    subject.pass(SECOND * 4);
    assert_eq!(subject.inbox.receive(QUEUE, 0).await.unwrap(), []);
    let (mut bodies, mut counts) = (BTreeSet::new(), Vec::new());
    for most in [2, 5] {
        let deliveries = subject.inbox.receive(QUEUE, most).await.unwrap();
        counts.push(deliveries.len());
        bodies.extend(deliveries.into_iter().map(|delivery| delivery.body));
    }
    assert_eq!((counts, bodies), (vec![2, 1], ["1", "2", "3"].map(str::to_owned).into()));
}

/// Then it is delivered again: the same message, another delivery.
pub async fn a_received_message_is_invisible_for_the_visibility_timeout(subject: Subject) {
    for queue in Queue::ALL {
        let visibility = subject.rules.visibility;
        subject.send(queue, "x", NOW).await;
        let first = subject.receive_one(queue).await;
        subject.pass(visibility - TICK);
        assert_eq!(subject.receive(queue).await, []);
        subject.pass(TICK);
        let second = subject.receive_one(queue).await;
        assert_eq!((&second.id, &second.body, second.sent_at), (&first.id, &first.body, first.sent_at));
        assert_ne!(second.handle, first.handle);
    }
}

/// Every delivery counts, answered or not.
pub async fn receives_are_counted(subject: Subject) {
    subject.send(QUEUE, "x", NOW).await;
    let first = subject.receive_one(QUEUE).await;
    subject.settle(QUEUE, &first, Disposition::Retry(SECOND)).await;
    subject.pass(SECOND);
    let second = subject.receive_one(QUEUE).await;
    subject.pass(subject.rules.visibility);
    let third = subject.receive_one(QUEUE).await;
    assert_eq!([first.receives, second.receives, third.receives], [1, 2, 3]);
}

/// Eight receivers at once get each message once.
pub async fn racing_receivers_share_no_message(subject: Subject) {
    for number in 0..40 {
        subject.send(QUEUE, &number.to_string(), NOW).await;
    }
    let receivers = (0..8).map(|_| {
        let inbox = Arc::clone(&subject.inbox);
        tokio::spawn(async move { inbox.receive(QUEUE, 10).await.unwrap() })
    });
    let received = join_all(receivers).await.into_iter().flat_map(Result::unwrap);
    let bodies: Vec<String> = received.map(|delivery| delivery.body).collect();
    assert_eq!(bodies.len(), 40, "{bodies:?}");
    assert_eq!(bodies.into_iter().collect::<BTreeSet<_>>().len(), 40);
}

/// It never comes again.
pub async fn done_deletes(subject: Subject) {
    subject.send(QUEUE, "x", NOW).await;
    let delivery = subject.receive_one(QUEUE).await;
    subject.settle(QUEUE, &delivery, Disposition::Done).await;
    subject.pass(MAX_DELAY * 2);
    assert_eq!(subject.receive(QUEUE).await, []);
    assert_eq!(subject.inbox.depth(QUEUE).await.unwrap(), Depth::default());
}

/// Not before, also where that is shorter or longer than the visibility timeout.
pub async fn retry_delivers_again_after_its_time(subject: Subject) {
    subject.send(QUEUE, "x", NOW).await;
    for wait in [SECOND, subject.rules.visibility * 2, MAX_DELAY] {
        let delivery = subject.receive_one(QUEUE).await;
        subject.settle(QUEUE, &delivery, Disposition::Retry(wait)).await;
        subject.pass(wait - TICK);
        assert_eq!(subject.receive(QUEUE).await, [], "{wait:?}");
        subject.pass(TICK);
    }
    assert_eq!(subject.receive_one(QUEUE).await.body, "x");
}

/// A retry without a wait can be received at once.
pub async fn a_retry_may_be_at_once(subject: Subject) {
    subject.send(QUEUE, "x", NOW).await;
    let delivery = subject.receive_one(QUEUE).await;
    subject.settle(QUEUE, &delivery, Disposition::Retry(NOW)).await;
    assert_eq!(subject.receive_one(QUEUE).await.id, delivery.id);
}

/// Somebody else has received the message since: whatever the slow one says changes nothing.
pub async fn a_stale_delivery_settles_nothing(subject: Subject) {
    subject.send(QUEUE, "x", NOW).await;
    let slow = subject.receive_one(QUEUE).await;
    subject.pass(subject.rules.visibility);
    let current = subject.receive_one(QUEUE).await;
    for disposition in [Disposition::Done, Disposition::Retry(NOW), Disposition::Dead(why("stale"))] {
        subject.settle(QUEUE, &slow, disposition).await;
        let depth = subject.inbox.depth(QUEUE).await.unwrap();
        assert_eq!(depth, Depth { in_flight: 1, ..Depth::default() });
    }
    subject.settle(QUEUE, &current, Disposition::Done).await;
    assert_eq!(subject.inbox.depth(QUEUE).await.unwrap(), Depth::default());
}

/// The visibility has run out, but nobody has received the message since: its worker still speaks
/// for it.
pub async fn a_late_outcome_counts_while_nobody_else_has_the_message(subject: Subject) {
    subject.send(QUEUE, "x", NOW).await;
    let slow = subject.receive_one(QUEUE).await;
    subject.pass(subject.rules.visibility + SECOND);
    subject.settle(QUEUE, &slow, Disposition::Done).await;
    assert_eq!(subject.receive(QUEUE).await, []);
}

/// A message that is gone is no error, and makes no dead letter. (What a second outcome after a retry
/// does is not promised, and nobody gives one: to SQS a delivery is good until the next.)
pub async fn settling_what_is_gone_changes_nothing(subject: Subject) {
    subject.send(QUEUE, "x", NOW).await;
    let delivery = subject.receive_one(QUEUE).await;
    for disposition in [Disposition::Done, Disposition::Done, Disposition::Dead(why("twice"))] {
        subject.settle(QUEUE, &delivery, disposition).await;
    }
    assert_eq!(subject.inbox.depth(QUEUE).await.unwrap(), Depth::default());
}

/// Received as often as the queue allows and never answered for, it becomes a dead letter. (Whether the
/// journal says so too is the adapter's affair: SQS moves such messages without notifying anybody.)
pub async fn a_message_received_too_often_without_an_outcome_dies_abandoned(subject: Subject) {
    for queue in Queue::ALL {
        let rules = subject.rules;
        subject.send(queue, "x", NOW).await;
        for receives in 1..=rules.max_receives {
            assert_eq!(subject.receive_one(queue).await.receives, receives);
            subject.pass(rules.visibility);
        }
        assert_eq!(subject.receive(queue).await, []);
        assert_eq!(subject.inbox.depth(queue).await.unwrap(), Depth { dead: 1, ..Depth::default() });
        let (dead, _) = subject.dead_letters.list(Some(queue), 10).await.unwrap();
        let letter = dead.first().unwrap();
        assert_eq!((letter.code, letter.attempts), (Code::Abandoned, rules.max_receives));
        assert_eq!(letter.lead_id, Some(lead("a")));
        assert!(!letter.reason.is_empty() && letter.first_failed_at <= letter.dead_at);
        let (_, body) = subject.dead_letters.get(&letter.id).await.unwrap().unwrap();
        assert_eq!(body, "x");
    }
}

/// Waiting for its time, ready, in flight or dead; each queue for itself.
pub async fn depth_counts_each_message_once(subject: Subject) {
    for delay in [NOW, NOW, NOW, SECOND * 90, SECOND * 91] {
        subject.send(QUEUE, "x", delay).await;
    }
    let mut deliveries = subject.inbox.receive(QUEUE, 2).await.unwrap();
    assert_eq!(
        subject.inbox.depth(QUEUE).await.unwrap(),
        Depth { waiting: 2, ready: 1, in_flight: 2, dead: 0 }
    );
    subject.settle(QUEUE, &deliveries.remove(0), Disposition::Dead(why("x"))).await;
    subject.settle(QUEUE, &deliveries.remove(0), Disposition::Retry(SECOND)).await;
    // To SQS a message that waits to be tried again is one that nobody has answered for yet.
    let depth = subject.inbox.depth(QUEUE).await.unwrap();
    assert_eq!((depth.waiting + depth.in_flight, depth.ready, depth.dead), (3, 1, 1));
    subject.pass(SECOND * 91);
    assert_eq!(
        subject.inbox.depth(QUEUE).await.unwrap(),
        Depth { waiting: 0, ready: 4, in_flight: 0, dead: 1 }
    );
    assert_eq!(subject.inbox.depth(Queue::Delay).await.unwrap(), Depth::default());
}
