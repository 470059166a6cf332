//! The rate limit of a destination.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use lead::{Timestamp, keys};
use serde::{Deserialize, Serialize};

use super::token_bucket::{Acquired, TokenBucket};
use crate::{
    Code, Fault,
    destination::{DestinationId, RateLimit},
    lock,
    ports::{Clock, Objects, PutError, Version, WriteCondition},
};

/// Limits the messages a second, with short bursts, and pauses for as long as the destination asks for it.
///
/// Its state is an object, so that it holds for all workers on all machines and outlives them.
pub(super) struct RateLimiter {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    key: String,
    place: Option<String>,
    rate: u32,
    burst: u32,
    written: Arc<WrittenLimiters>,
}

/// What the limiters of a process have written last, by key. Writing on where nobody else has written since is as good
/// as reading first, and half of the requests.
#[derive(Default)]
pub struct WrittenLimiters(Mutex<HashMap<String, (StoredLimiter, Version)>>);

/// The permission to send one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Permit {
    /// How many more might go at once.
    pub(super) more: usize,
    /// Whether waits were asked for since the last message that was taken.
    pub(super) has_waited: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredLimiter {
    #[serde(flatten)]
    bucket: TokenBucket,
    /// When it was written.
    at: Timestamp,
    /// Which address messages went to then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// The code of the last wait that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
}

/// A pause that a destination has asked for: nothing is sent to it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationPause {
    /// Until when.
    pub until: Timestamp,
    /// The code of the answer that asked for it.
    pub code: Option<Code>,
    /// What distinguishes the address that asked from another.
    pub place: Option<String>,
}

impl DestinationPause {
    /// Whether it applies to the address that messages go to now.
    pub fn is_of(&self, place: Option<&str>) -> bool {
        is_same(self.place.as_deref(), place)
    }
}

/// Whether two places are the same. One that is not known was written by an earlier version, or is of a destination
/// that has only one.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}

impl fmt::Display for DestinationPause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing is sent there before {}", self.until.strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

/// The pause that a destination has asked for, if it is not over at `now`.
///
/// # Errors
/// The fault of the objects.
pub async fn destination_pause(
    objects: &dyn Objects,
    destination: &DestinationId,
    now: Timestamp,
) -> Result<Option<DestinationPause>, Fault> {
    let Some(object) = objects.get(&keys::pace(destination.as_str())).await? else { return Ok(None) };
    let Ok(stored) = serde_json::from_slice::<StoredLimiter>(&object.body) else { return Ok(None) };
    let until = stored.bucket.paused_until().filter(|until| *until > now);
    Ok(until.map(|until| DestinationPause { until, code: stored.code, place: stored.place }))
}

impl RateLimiter {
    /// The limiter of a destination, in the object `pace/{id}.json`. What was stored for another `place` does not count.
    pub(super) fn new(
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        destination: &DestinationId,
        place: Option<String>,
        RateLimit { rate, burst }: RateLimit,
        written: Arc<WrittenLimiters>,
    ) -> Self {
        let key = keys::pace(destination.as_str());
        Self { objects, clock, key, place, rate: rate.max(1), burst: burst.max(1), written }
    }

    /// Waits for permission to send one message, and says how many more might go at once. A pause that the
    /// destination has asked for is not waited out, but returned.
    ///
    /// # Errors
    /// The fault of the objects.
    pub(super) async fn acquire(&self) -> Result<Result<Permit, Duration>, Fault> {
        loop {
            let take = |bucket: &mut TokenBucket, now| (bucket.take(now, self.rate), bucket.has_waited());
            match self.change(None, take).await? {
                (Acquired::Granted { more }, has_waited) => return Ok(Ok(Permit { more, has_waited })),
                (Acquired::Paused(left), _) => return Ok(Err(left)),
                (Acquired::Wait(wait), _) => self.clock.sleep(wait).await,
            }
        }
    }

    /// A message was accepted, after pauses that were asked for.
    pub(super) async fn accepted(&self) -> Result<(), Fault> {
        self.change(None, TokenBucket::accepted).await
    }

    /// The destination has asked for a pause of `asked`. Returns how long the pause is, which is longer where the
    /// destination asks again and again for too little.
    pub(super) async fn asked_to_wait(&self, asked: Duration, code: Code) -> Result<Duration, Fault> {
        self.change(Some(code), |bucket, now| bucket.asked_to_wait(now, asked)).await
    }

    /// Returns an unused permit.
    pub(super) async fn return_permit(&self) -> Result<(), Fault> {
        self.change(None, TokenBucket::return_permit).await
    }

    /// Nothing may be sent for `wait` from now.
    pub(super) async fn pause(&self, wait: Duration, code: Code) -> Result<(), Fault> {
        self.change(Some(code), |bucket, now| bucket.pause(now, wait)).await
    }

    /// Changes the bucket, and the code of the pause, where there is a new one.
    async fn change<T>(
        &self,
        code: Option<Code>,
        act: impl Fn(&mut TokenBucket, Timestamp) -> T,
    ) -> Result<T, Fault> {
        let key = &self.key;
        let mut written = lock(&self.written.0).remove(key);
        loop {
            let (stored, when) = match written.take() {
                Some((stored, version)) => (Some(stored), WriteCondition::Unchanged(version)),
                None => self.read().await?,
            };
            let now = self.clock.now();
            let stored = stored.filter(|stored| self.is_current(stored));
            let before = stored.as_ref().and_then(|stored| stored.code);
            let mut bucket = stored.map_or_else(
                || TokenBucket::full(self.burst),
                |stored| stored.bucket.at(stored.at, now, self.rate, self.burst),
            );
            let result = act(&mut bucket, now);
            let (place, code) = (self.place.clone(), code.or(before));
            let stored = StoredLimiter { bucket, at: now, place, code };
            let body = serde_json::to_vec(&stored)
                .map_err(|e| Fault::new(Code::Internal, format!("{key} cannot be written: {e}")))?;
            match self.objects.put(key, body.into(), when).await {
                Ok(version) => {
                    lock(&self.written.0).insert(key.clone(), (stored, version));
                    return Ok(result);
                }
                // Another worker was quicker: read it again.
                Err(PutError::Precondition) => {}
                Err(PutError::Fault(fault)) => return Err(fault),
            }
        }
    }

    /// What is stored, and when it may be replaced. What cannot be read counts as nothing: the limiter starts afresh.
    async fn read(&self) -> Result<(Option<StoredLimiter>, WriteCondition), Fault> {
        Ok(match self.objects.get(&self.key).await? {
            None => (None, WriteCondition::Absent),
            Some(object) => {
                let stored = serde_json::from_slice::<StoredLimiter>(&object.body).ok();
                (stored, WriteCondition::Unchanged(object.version))
            }
        })
    }

    /// Whether a stored limiter is of the address that messages go to now.
    fn is_current(&self, stored: &StoredLimiter) -> bool {
        is_same(stored.place.as_deref(), self.place.as_deref())
    }
}
