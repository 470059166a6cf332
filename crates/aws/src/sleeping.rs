//! A clock for tests.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use lead::Timestamp;
use pipeline::ports::Clock;

/// A clock that advances only by sleeping.
pub(crate) struct AutoAdvanceClock(Mutex<Timestamp>);

impl AutoAdvanceClock {
    pub(crate) fn from(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }
}

#[async_trait]
impl Clock for AutoAdvanceClock {
    fn now(&self) -> Timestamp {
        *pipeline::lock(&self.0)
    }

    async fn sleep(&self, duration: Duration) {
        *pipeline::lock(&self.0) += duration;
    }
}
