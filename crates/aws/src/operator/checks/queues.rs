//! The queues and their dead letters.

use pipeline::{
    CheckOutcome, Code, Fault,
    ports::{DeadLetters, Queue},
    store_retry::RECEIVES,
};

use super::{Checked, Finding, Stack};
use crate::{Queues, sqs::QueueAttributes};

/// How long dead letters are retained, the longest that SQS allows.
const DEAD_RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

/// A queue's rules, and whether its dead letters can be looked at.
pub(super) async fn queue(queues: &Queues, stack: &Stack, queue: Queue) -> [Finding; 2] {
    let (live, dead) = match queue {
        Queue::Delay => ("delay queue", "delay dead letters"),
        Queue::Notification => ("notification queue", "alert dead letters"),
    };
    let (rules, dead_rules, letters) =
        futures_util::join!(queues.rules(queue), queues.dead_rules(queue), queues.list(Some(queue), 1),);
    [
        Finding::of(live, live_queue(rules, dead_rules.as_ref().ok(), stack, queue)),
        Finding::of(dead, dead_queue(dead_rules, letters.map(|(_, count)| count))),
    ]
}

fn live_queue(
    rules: Result<QueueAttributes, Fault>,
    dead: Option<&QueueAttributes>,
    stack: &Stack,
    queue: Queue,
) -> Checked {
    let rules = rules?;
    let detail = format!(
        "delay {} s, visibility {} s, a dead letter after {} receives",
        rules.delay, rules.visibility, rules.max_receives
    );
    match wrong(&rules, dead, stack, queue) {
        None => Ok(detail),
        Some(what) => Err(CheckOutcome::warning(Code::StackUnusable, format!("{what} ({detail})"))),
    }
}

fn dead_queue(rules: Result<QueueAttributes, Fault>, count: Result<u64, Fault>) -> Checked {
    let (retention, count) = (rules?.retention, count?);
    if retention < DEAD_RETENTION_SECONDS {
        let what = format!("they are retained for {} days instead of 14", retention / 86_400);
        return Err(CheckOutcome::warning(Code::StackUnusable, what));
    }
    Ok(format!("{count}, retained for 14 days"))
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
