//! [`WorkQueues`]: what whoever works on a queue alone can do besides.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use pipeline::ports::{Disposition, Queue, WorkQueues};

use super::{SECOND, Subject, TICK};

const NOW: Duration = Duration::ZERO;
const QUEUE: Queue = Queue::Delay;

/// An adapter whose queues can be worked on.
pub struct Working {
    /// All of its ports.
    pub subject: Subject,
    /// Its queues.
    pub queues: Arc<dyn WorkQueues>,
}

/// For another visibility timeout, as often as that is asked for; what somebody else has received since is left alone.
pub async fn what_is_worked_on_is_invisible(Working { subject, queues }: Working) {
    assert_eq!(queues.visibility(QUEUE), subject.rules.visibility);
    subject.send(QUEUE, "x", NOW).await;
    let mine = subject.receive_one(QUEUE).await;
    for _ in 0..3 {
        subject.pass(subject.rules.visibility - TICK);
        assert_eq!(subject.receive(QUEUE).await, []);
        queues.keep_hidden(QUEUE, std::slice::from_ref(&mine)).await.unwrap();
    }
    subject.pass(subject.rules.visibility);
    let theirs = subject.receive_one(QUEUE).await;
    assert_eq!(theirs.receives, 2, "it was in hand once");
    subject.pass(subject.rules.visibility - TICK);
    queues.keep_hidden(QUEUE, std::slice::from_ref(&mine)).await.unwrap();
    subject.pass(TICK);
    assert_eq!(subject.receive(QUEUE).await.len(), 1, "who has lost it does not hide it");
}

/// After its rest, and as if it had not been received; not by who has it no more.
pub async fn what_is_released_is_ready_and_not_counted(Working { subject, queues }: Working) {
    subject.send(QUEUE, "x", NOW).await;
    for _ in 0..subject.rules.max_receives * 2 {
        let delivery = subject.receive_one(QUEUE).await;
        assert_eq!(delivery.receives, 1);
        queues.give_back(QUEUE, &delivery, NOW).await.unwrap();
    }
    let delivery = subject.receive_one(QUEUE).await;
    queues.give_back(QUEUE, &delivery, SECOND).await.unwrap();
    subject.pass(SECOND - TICK);
    assert_eq!(subject.receive(QUEUE).await, [], "it rests");
    subject.pass(TICK);
    let delivery = subject.receive_one(QUEUE).await;
    assert_eq!(delivery.receives, 1);
    subject.settle(QUEUE, &delivery, Disposition::Retry(SECOND)).await;
    queues.give_back(QUEUE, &delivery, NOW).await.unwrap();
    assert_eq!(subject.receive(QUEUE).await, [], "it has been settled");
}

/// Those that are out of sight because somebody has them.
pub async fn what_is_in_flight_is_known(Working { subject, queues }: Working) {
    for body in ["in hand", "waiting"] {
        let delay = if body == "waiting" { SECOND } else { NOW };
        subject.send(QUEUE, body, delay).await;
    }
    assert_eq!(queues.in_flight(QUEUE).await, Ok(vec![]));
    let delivery = subject.receive_one(QUEUE).await;
    assert_eq!(queues.in_flight(QUEUE).await, Ok(vec!["in hand".to_owned()]));
    assert_eq!(queues.in_flight(Queue::Notification).await, Ok(vec![]));
    subject.settle(QUEUE, &delivery, Disposition::Done).await;
    assert_eq!(queues.in_flight(QUEUE).await, Ok(vec![]));
}

/// All of it is ready at once, and the former deliveries are nobody's.
pub async fn what_a_predecessor_had_in_hand_is_released(Working { subject, queues }: Working) {
    for queue in Queue::ALL {
        subject.send(queue, "x", NOW).await;
    }
    let before = subject.receive_one(QUEUE).await;
    subject.receive_one(Queue::Notification).await;
    assert_eq!(queues.release_in_flight().await, Ok(2));
    assert_eq!(queues.release_in_flight().await, Ok(0));
    subject.settle(QUEUE, &before, Disposition::Done).await;
    for queue in Queue::ALL {
        assert_eq!(subject.receive_one(queue).await.receives, 2);
    }
}

/// Once one is, and not before one may be.
pub async fn a_message_that_is_ready_is_waited_for(Working { subject, queues }: Working) {
    subject.send(QUEUE, "x", NOW).await;
    queues.wait_ready(QUEUE).await.unwrap();
    let delivery = subject.receive_one(QUEUE).await;
    let waits = queues.wait_ready(QUEUE);
    let mut waits = std::pin::pin!(waits);
    assert_eq!(waits.as_mut().now_or_never(), None, "it is in hand");
    subject.settle(QUEUE, &delivery, Disposition::Retry(NOW)).await;
    tokio::time::timeout(SECOND * 30, waits).await.expect("it is ready again").unwrap();
    subject.receive_one(QUEUE).await;
}
