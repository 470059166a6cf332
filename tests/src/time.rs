//! The time of a pipeline, set by whoever tests it.

use std::time::Duration;

use lead::Timestamp;
use tokio::process::Command;

use crate::{aws::Moto, lambda::Ahead, process::Shim};

/// A clock for processes, and for an account of moto's where they work with one. It goes as the machine's does,
/// ahead of it or behind it.
pub struct Time {
    shim: Shim,
    moto: Option<Moto>,
    ahead: Ahead,
}

impl Time {
    /// A clock that shows the machine's time.
    pub async fn new(moto: Option<Moto>) -> Self {
        Self { shim: Shim::new().await, moto, ahead: Ahead::default() }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.ahead.now()
    }

    /// Sets it, to the second.
    pub async fn set(&self, now: Timestamp) {
        self.put(now.duration_since(Timestamp::now()).as_secs()).await;
    }

    /// Lets whole seconds pass at once.
    pub async fn advance(&self, by: Duration) {
        self.put(self.ahead.seconds() + i64::try_from(by.as_secs()).unwrap()).await;
    }

    async fn put(&self, ahead: i64) {
        self.ahead.set(ahead);
        self.shim.order(&format!("step {ahead}"));
        // Last: what comes out of a queue finds its function in the same time.
        if let Some(moto) = &self.moto {
            moto.set_ahead(ahead).await;
        }
    }

    /// Has a program go by it.
    pub fn on(&self, command: Command) -> Command {
        self.shim.on(command)
    }

    /// The clock, to share.
    pub fn clock(&self) -> Ahead {
        self.ahead.clone()
    }

    /// The variables that have a program go by it.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        self.shim.variables()
    }
}
