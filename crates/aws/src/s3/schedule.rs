//! Messages for later than SQS can delay them.
//!
//! A message that its receiver sends on until its time has come is a loop to Lambda, which stops a function
//! after some 16 turns (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>): 3.4 hours
//! in steps of a quarter of an hour. So it waits as an object, and a scheduler that nobody's message calls
//! sends it when it is due.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use jiff::SignedDuration;
use lead::{LeadId, Timestamp, keys::SCHEDULED};
use pipeline::{
    Fault,
    ports::{Clock, MAX_DELAY, NewMessage, Outbox, Queue},
};

#[cfg(feature = "operator")]
use super::S3Store;
use super::{Bucket, PAGE};

/// How often the scheduler looks, in seconds: times are rounded up to that, so that it finds whatever is due.
const STEP: i64 = 60;
/// How many messages are sent at once.
const AT_ONCE: usize = 16;

/// The queues, and a place for the messages of the delay queue that wait longer than SQS lets them.
pub struct Schedule {
    bucket: Arc<dyn Bucket>,
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
}

/// What came of a look at the schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseOutcome {
    /// How many messages were sent.
    pub sent: usize,
    /// Those that could not be sent, each with the reason. They stay where they are.
    pub failed: Vec<(LeadId, Fault)>,
    /// Whether the time was over before all that was due had been looked at.
    pub unfinished: bool,
}

impl Schedule {
    /// Messages wait in `bucket`, and are sent through `outbox`.
    pub fn new(bucket: Arc<dyn Bucket>, outbox: Arc<dyn Outbox>, clock: Arc<dyn Clock>) -> Self {
        Self { bucket, outbox, clock }
    }

    /// Sends what is due, the longest due first, and begins nothing after `deadline`.
    ///
    /// A message is deleted once it is sent. A stop in between sends it again, as a queue may.
    ///
    /// # Errors
    /// The schedule could not be listed.
    pub async fn release(&self, deadline: Option<Timestamp>) -> Result<ReleaseOutcome, Fault> {
        let is_over = move || deadline.is_some_and(|deadline| self.clock.now() >= deadline);
        let mut released = ReleaseOutcome::default();
        let mut after: Option<String> = None;
        loop {
            let keys = self.bucket.list(SCHEDULED, after.as_deref(), PAGE).await?;
            let now = self.clock.now();
            let known: Vec<_> =
                keys.iter().filter_map(|key| read(key).map(|(due, lead)| (key.clone(), due, lead))).collect();
            let count = known.len();
            let due: Vec<_> = known.into_iter().filter(|(_, due, _)| *due <= now).collect();
            let is_last = keys.len() < PAGE || due.len() < count;
            let sends = due.into_iter().map(|(key, _, lead)| async move {
                if is_over() {
                    return None;
                }
                Some(self.send_one(&key, &lead).await.map_err(|fault| (lead, fault)))
            });
            let mut sends = stream::iter(sends).buffer_unordered(AT_ONCE);
            while let Some(outcome) = sends.next().await {
                match outcome {
                    Some(Ok(sent)) => released.sent += usize::from(sent),
                    Some(Err(failed)) => released.failed.push(failed),
                    None => released.unfinished = true,
                }
            }
            drop(sends);
            if is_last || released.unfinished {
                return Ok(released);
            }
            after = keys.into_iter().next_back();
        }
    }

    /// Whether there was something to send: another scheduler may have been quicker.
    async fn send_one(&self, key: &str, lead: &LeadId) -> Result<bool, Fault> {
        let Some(object) = self.bucket.get(key).await? else { return Ok(false) };
        let body = String::from_utf8_lossy(&object.body).into_owned();
        let message = NewMessage { body, lead: Some(lead.clone()), delay: Duration::ZERO };
        self.outbox.send(Queue::Delay, message).await?;
        self.bucket.delete(key).await?;
        Ok(true)
    }
}

#[cfg(feature = "operator")]
impl S3Store {
    /// Since when the message of the schedule has been due that is due the longest; `None` where nothing is.
    ///
    /// # Errors
    /// The schedule could not be listed.
    pub(crate) async fn scheduled_since(&self, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
        let keys = self.0.bucket.list(SCHEDULED, None, PAGE).await?;
        Ok(keys.iter().filter_map(|key| read(key)).map(|(due, _)| due).find(|due| *due <= now))
    }
}

#[async_trait]
impl Outbox for Schedule {
    async fn send(&self, queue: Queue, message: NewMessage) -> Result<(), Fault> {
        match &message.lead {
            Some(lead) if queue == Queue::Delay && message.delay > MAX_DELAY => {
                let wait = SignedDuration::try_from(message.delay).unwrap_or(SignedDuration::MAX);
                let now = self.clock.now();
                let due = now.checked_add(wait).unwrap_or(Timestamp::MAX);
                self.bucket.write(&key(due, lead, &message.body), message.body.into()).await
            }
            _ => self.outbox.send(queue, message).await,
        }
    }
}

/// `scheduled/{due}/{lead}/{hash}.json`: when it is due in seconds since 1970, in 11 digits, rounded up to a whole
/// minute, so that a listing yields the longest due first; and what it says, so that the same message is one object
/// however often it is put.
fn key(due: Timestamp, lead: &LeadId, body: &str) -> String {
    let seconds = due.as_second() + i64::from(due.subsec_nanosecond() > 0);
    let due = ((seconds + STEP - 1).div_euclid(STEP) * STEP).clamp(0, 99_999_999_999);
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("{SCHEDULED}{due:011}/{lead}/{:016x}.json", hasher.finish())
}

/// When a message is due, and the lead it is about; `None` for a key that is none.
fn read(key: &str) -> Option<(Timestamp, LeadId)> {
    let mut parts = key.strip_prefix(SCHEDULED)?.split('/');
    let (due, lead, _) = (parts.next()?, parts.next()?, parts.next()?);
    Some((Timestamp::from_second(due.parse().ok()?).ok()?, lead.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_says_when_and_whom_about_and_never_too_early(due in 0i64..4_000_000_000_000_000, body in any::<String>()) {
            let (due, lead) = (Timestamp::from_microsecond(due).unwrap(), "lead_a1".parse::<LeadId>().unwrap());
            let key = key(due, &lead, &body);
            let (at, about) = read(&key).unwrap();
            prop_assert_eq!(about, lead);
            prop_assert!(at >= due && at.duration_since(due) < SignedDuration::from_secs(STEP), "{} {}", key, at);
        }

        #[test]
        fn keys_sort_by_time(one in 0i64..4_000_000_000, other in 0i64..4_000_000_000) {
            let key = |due| key(Timestamp::from_second(due).unwrap(), &"lead_a".parse().unwrap(), "");
            prop_assert!((key(one) <= key(other)) || one > other);
        }

        #[test]
        fn no_key_panics(name in any::<String>()) {
            let _ = (read(&name), read(&format!("{SCHEDULED}{name}")));
        }
    }
}
