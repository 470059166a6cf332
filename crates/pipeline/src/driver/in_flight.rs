//! What workers have in hand, lane by lane.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use futures_util::{
    StreamExt as _,
    future::{BoxFuture, Either, FutureExt as _, select},
    stream::FuturesUnordered,
};

/// How long messages rest whose lane is full, and in the longest line.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The batches that are being worked on. A lane is as full as the number of its batches; what is more of it waits in the
/// queue, behind the messages of other lanes.
#[derive(Default)]
pub(super) struct InFlight {
    work: FuturesUnordered<BoxFuture<'static, String>>,
    lanes: BTreeMap<String, Lane>,
}

#[derive(Default)]
struct Lane {
    batches: usize,
    /// How many messages were put back since a batch was done.
    resting: usize,
}

impl InFlight {
    /// How many batches there are.
    pub(super) fn len(&self) -> usize {
        self.work.len()
    }

    /// How many lanes have as many batches as they may.
    pub(super) fn full_lanes(&self, most: usize) -> usize {
        self.lanes.values().filter(|lane| lane.batches >= most).count()
    }

    /// Whether a lane has as many batches as it may.
    pub(super) fn is_full(&self, lane: &str, most: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.batches >= most)
    }

    /// Takes a batch of a lane in hand.
    pub(super) fn push(&mut self, lane: &str, work: BoxFuture<'static, ()>) {
        let name = lane.to_owned();
        self.lanes.entry(name.clone()).or_default().batches += 1;
        self.work.push(work.map(move |()| name).boxed());
    }

    /// How long one more message of a full lane rests: longer, the more of them do, so that about a batch of them is
    /// looked at each second.
    pub(super) fn rest(&mut self, lane: &str, batch: usize) -> Duration {
        let lane = self.lanes.entry(lane.to_owned()).or_default();
        let before = u32::try_from(lane.resting / batch.max(1)).unwrap_or(u32::MAX);
        lane.resting += 1;
        REST.saturating_mul(before.saturating_add(1)).min(LONGEST_REST)
    }

    /// Waits until a batch is done; false where there is none.
    pub(super) async fn next(&mut self) -> bool {
        let Some(name) = self.work.next().await else { return false };
        if let Some(lane) = self.lanes.get_mut(&name) {
            *lane = Lane { batches: lane.batches.saturating_sub(1), resting: 0 };
            if lane.batches == 0 {
                self.lanes.remove(&name);
            }
        }
        true
    }

    /// Waits for a future while what is in hand goes on.
    pub(super) async fn beside<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        while self.len() > 0 {
            match select(future.as_mut(), pin!(self.next())).await {
                Either::Left((done, _)) => return done,
                Either::Right(_) => {}
            }
        }
        future.await
    }
}
