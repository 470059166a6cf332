//! What the store's tests share.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lead::{AlertKind, LeadId, Timestamp};
use pipeline::{
    Entry, JournalEvent,
    ports::{Clock, NewEvent},
};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::{Options, QueueOptions, Store};

/// A clock that a test sets. Sleeping on it ends when the test has moved it far enough, however far
/// it was moved back between.
pub(crate) struct ManualClock(watch::Sender<(Timestamp, Duration)>);

impl ManualClock {
    fn new() -> Self {
        Self(watch::Sender::new((Timestamp::from_second(1_800_000_000).unwrap(), Duration::ZERO)))
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|(now, passed)| {
            *now += jiff::SignedDuration::try_from(by).unwrap();
            *passed += by;
        });
    }

    /// Sets the wall clock without any time passing.
    pub(crate) fn step(&self, seconds: i64) {
        self.0.send_modify(|(now, _)| *now += jiff::SignedDuration::from_secs(seconds));
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.borrow().0
    }

    async fn sleep(&self, duration: Duration) {
        let mut time = self.0.subscribe();
        let end = time.borrow().1 + duration;
        time.wait_for(|(_, passed)| *passed >= end).await.unwrap();
    }
}

/// A folder of its own and a clock.
pub(crate) struct TestStore {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl TestStore {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::new()) }
    }

    pub(crate) fn options(&self) -> Options {
        let delay = QueueOptions { visibility: Duration::from_secs(60), max_receives: 3 };
        Options { clock: Arc::clone(&self.clock) as Arc<dyn Clock>, delay, ..Options::creating() }
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(self.dir.path(), self.options()).unwrap()
    }
}

pub(crate) fn lead(number: usize) -> LeadId {
    format!("lead_{number}").parse().unwrap()
}

/// That Slack has accepted a lead's first alert.
pub(crate) fn notified() -> JournalEvent {
    let (destination, kind) = ("slack".parse().unwrap(), AlertKind::New);
    JournalEvent::Notified {
        destination,
        kind,
        after_ms: Some(1),
        together: 1,
        repeat: false,
        attempts: 1,
        left_out: Vec::new(),
        reached: None,
    }
}

/// The acceptance of a lead at `clock`'s time, due ten minutes later.
pub(crate) fn event(clock: &dyn Clock, number: usize) -> NewEvent {
    let (at, delay) = (clock.now(), Duration::from_secs(600));
    let due_at = at + jiff::SignedDuration::try_from(delay).unwrap();
    let event = JournalEvent::Received { name: format!("Lead {number}"), event_id: None, due_at };
    let lead = lead(number);
    NewEvent {
        key: lead::keys::raw("source/", &lead),
        body: format!("{{\"raw\":{number}}}").into(),
        delay,
        job: format!("{{\"lead_id\":\"{lead}\"}}"),
        entry: Entry { at, lead_id: Some(lead.clone()), nonce: 1, event },
        lead,
        repeated: false,
    }
}
