//! The pace of a destination.

use std::{fmt, sync::Arc, time::Duration};

use lead::{Timestamp, keys};
use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use crate::{
    Code, Fault,
    destination::{DestinationId, Pacing},
    ports::{Clock, Objects, PutError, When},
};

/// So many messages a second with short bursts, and silence for as long as the destination asks for it.
///
/// Kept in an object, so that it holds for all workers on all machines and outlives them.
pub(super) struct Pace {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    key: String,
    place: Option<String>,
    rate: u32,
    burst: u32,
}

/// What came of asking for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// One message may be sent now, and so many more after it.
    Yours {
        /// How many more.
        more: usize,
    },
    /// None may be sent before this time is over; ask again then.
    Wait(Duration),
    /// The destination has asked for silence, for so long still.
    Closed(Duration),
}

/// The right to send one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Right {
    /// How many more might go at once.
    pub(super) more: usize,
    /// Whether waits were asked for since the last message that was taken.
    pub(super) has_waited: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    bucket: Bucket,
    /// When that was so.
    at: Timestamp,
    /// Where messages went to then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// The code of the last wait that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
}

/// That a destination has asked for silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Until when.
    pub until: Timestamp,
    /// The code of its asking.
    pub code: Option<Code>,
    /// What tells the address that has asked from another.
    pub place: Option<String>,
}

impl Silence {
    /// Whether it holds where messages go to now.
    pub fn is_of(&self, place: Option<&str>) -> bool {
        is_same(self.place.as_deref(), place)
    }
}

/// Whether two places are one. One that is not known is that of an earlier version, or of a destination that has but one.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing is sent there before {}", self.until.strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

/// Whether a destination has asked for silence that is not over at `now`.
///
/// # Errors
/// The fault of the objects.
pub async fn silence(
    objects: &dyn Objects,
    destination: &DestinationId,
    now: Timestamp,
) -> Result<Option<Silence>, Fault> {
    let Some(object) = objects.get(&keys::pace(destination.as_str())).await? else { return Ok(None) };
    let Ok(kept) = serde_json::from_slice::<Kept>(&object.body) else { return Ok(None) };
    let until = kept.bucket.closed().filter(|until| *until > now);
    Ok(until.map(|until| Silence { until, code: kept.code, place: kept.place }))
}

impl Pace {
    /// The pace of a destination, in the object `pace/{id}.json`. One of another `place` is none of it.
    pub(super) fn new(
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        destination: &DestinationId,
        place: Option<String>,
        Pacing { rate, burst }: Pacing,
    ) -> Self {
        let key = keys::pace(destination.as_str());
        Self { objects, clock, key, place, rate: rate.max(1), burst: burst.max(1) }
    }

    /// Waits for the right to send one message, and says how many more might go at once. The time for
    /// which the destination has asked for silence is not waited out, but returned.
    ///
    /// # Errors
    /// The fault of the objects.
    pub(super) async fn turn(&self) -> Result<Result<Right, Duration>, Fault> {
        loop {
            let take = |bucket: &mut Bucket, now| (bucket.take(now, self.rate), bucket.has_waited());
            match self.change(None, take).await? {
                (Turn::Yours { more }, has_waited) => return Ok(Ok(Right { more, has_waited })),
                (Turn::Closed(left), _) => return Ok(Err(left)),
                (Turn::Wait(wait), _) => self.clock.sleep(wait).await,
            }
        }
    }

    /// A message was taken, after waits that were asked for.
    pub(super) async fn taken(&self) -> Result<(), Fault> {
        self.change(None, Bucket::taken).await
    }

    /// The destination has asked to wait, for so long. How long it is waited for, which is longer where it asks again
    /// and again for less than it means.
    pub(super) async fn wait(&self, asked: Duration, code: Code) -> Result<Duration, Fault> {
        self.change(Some(code), |bucket, now| bucket.wait(now, asked)).await
    }

    /// Gives an unused right back.
    pub(super) async fn give_back(&self) -> Result<(), Fault> {
        self.change(None, Bucket::give_back).await
    }

    /// Nothing may be sent for `wait` from now.
    pub(super) async fn close(&self, wait: Duration, code: Code) -> Result<(), Fault> {
        self.change(Some(code), |bucket, now| bucket.close(now, wait)).await
    }

    /// Changes the bucket, and the code of what it is closed for, where there is a new one.
    async fn change<T>(
        &self,
        code: Option<Code>,
        act: impl Fn(&mut Bucket, Timestamp) -> T,
    ) -> Result<T, Fault> {
        let key = &self.key;
        loop {
            let now = self.clock.now();
            let (kept, when) = match self.objects.get(key).await? {
                None => (None, When::Absent),
                Some(object) => {
                    // One that cannot be read is as good as none: the pace starts afresh.
                    let kept = serde_json::from_slice::<Kept>(&object.body).ok();
                    (kept.filter(|kept| self.is_ours(kept)), When::Unchanged(object.version))
                }
            };
            let before = kept.as_ref().and_then(|kept| kept.code);
            let mut bucket = kept.map_or_else(
                || Bucket::full(self.burst),
                |kept| kept.bucket.at(kept.at, now, self.rate, self.burst),
            );
            let result = act(&mut bucket, now);
            let (place, code) = (self.place.clone(), code.or(before));
            let body = serde_json::to_vec(&Kept { bucket, at: now, place, code })
                .map_err(|e| Fault::new(Code::Internal, format!("{key} cannot be written: {e}")))?;
            match self.objects.put(key, body.into(), when).await {
                Ok(_) => return Ok(result),
                // Another worker was quicker: look again.
                Err(PutError::Precondition) => {}
                Err(PutError::Fault(fault)) => return Err(fault),
            }
        }
    }

    /// Whether a bucket is of where messages go to now. One without a place is that of an earlier version, or of a
    /// destination that has none.
    fn is_ours(&self, kept: &Kept) -> bool {
        is_same(kept.place.as_deref(), self.place.as_deref())
    }
}
