//! The queues and their dead letters.

use pipeline::{
    Code, Fault,
    ports::{DeadLetters, Queue},
    store_retry::RECEIVES,
};

use super::{Finding, Stack};
use crate::{Queues, sqs::QueueAttributes};

/// How long dead letters are retained, the longest that SQS allows.
const DEAD_RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

/// A queue's rules, and whether its dead letters can be looked at.
pub(super) async fn queue(queues: &Queues, stack: &Stack, queue: Queue) -> Vec<Finding> {
    let (live, dead) = match queue {
        Queue::Delay => ("delay queue", "delay dead letters"),
        Queue::Notification => ("notification queue", "alert dead letters"),
    };
    let (rules, dead_rules, letters) =
        futures_util::join!(queues.rules(queue), queues.dead_rules(queue), queues.list(Some(queue), 1),);
    let live = match &rules {
        Err(fault) => Finding::bad(live, fault.clone()),
        Ok(rules) => {
            let detail = format!(
                "delay {} s, visibility {} s, a dead letter after {} receives",
                rules.delay, rules.visibility, rules.max_receives
            );
            match wrong(rules, dead_rules.as_ref().ok(), stack, queue) {
                None => Finding::good(live, detail),
                Some(what) => {
                    Finding::doubtful(live, Fault::new(Code::StackUnusable, format!("{what} ({detail})")))
                }
            }
        }
    };
    let dead = match (dead_rules, letters) {
        (Err(fault), _) | (_, Err(fault)) => Finding::bad(dead, fault),
        (Ok(rules), Ok(_)) if rules.retention < DEAD_RETENTION_SECONDS => {
            let days = rules.retention / 86_400;
            let what = format!("they are retained for {days} days instead of 14");
            Finding::doubtful(dead, Fault::new(Code::StackUnusable, what))
        }
        (Ok(_), Ok((_, count))) => Finding::good(dead, format!("{count}, retained for 14 days")),
    };
    vec![live, dead]
}

/// What is not as the template makes it.
fn wrong(
    rules: &QueueAttributes,
    dead: Option<&QueueAttributes>,
    stack: &Stack,
    queue: Queue,
) -> Option<String> {
    let delay = stack.settings.delay.as_secs();
    if queue == Queue::Delay && rules.delay != delay {
        return Some(format!("its delay is not the stack's DelaySeconds of {delay}"));
    }
    let target = rules.dead_arn.as_deref().unwrap_or_default();
    if dead.is_some_and(|dead| dead.arn != target) {
        return Some("its redrive policy does not name its dead-letter queue".to_owned());
    }
    // AWS advises five with Lambda: throttled deliveries count too.
    if rules.max_receives < 5 {
        return Some("it gives a message fewer than 5 receives".to_owned());
    }
    (queue == Queue::Delay && rules.max_receives < RECEIVES).then(|| {
        format!(
            "a lead that S3 or SQS cannot serve is a dead letter before the day is over for which it would be \
             tried again: deploy with DelayMaxReceives={RECEIVES}"
        )
    })
}
